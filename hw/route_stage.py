# SPDX-License-Identifier: Apache-2.0
"""Route stage: looks up where a spike goes and sends it there."""

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import TileConfig
from neurotile.spec.codes import MemoryId
from neurotile.spec.formats import memories, output_word

from .layouts import read_port, struct_layout

__all__ = ["RouteStage"]


class RouteStage(wiring.Component):
    """Holds one spike while its route word says what it does; also sends END_OF_STEP.

    Parameters
    ----------
    config : TileConfig
        Widths.

    Members
    -------
    i : ``In(stream.Signature(neuron_bits))``
        Spikes; a transfer is the spike entering the stage.
    route : ``Out(read_port(route memory))``
        Reads of the route memory.
    o : ``Out(stream.Signature(output_word))``
        Output events.
    spike_valid, spike_axon : ``Out(1)``, ``Out(axon_bits)``
        An axon of this tile receives the spike in this cycle.
    finish : ``In(1)``
        Send END_OF_STEP; only while ``idle``, until ``finished``.
    finished : ``Out(1)``
        END_OF_STEP is transferred in this cycle.
    idle : ``Out(1)``
        No spike is held.
    """

    def __init__(self, config: TileConfig) -> None:
        memory = {memory.id: memory for memory in memories(config)}[MemoryId.ROUTE]
        super().__init__({
            "i": In(stream.Signature(config.neuron_bits)),
            "route": Out(read_port(memory)),
            "o": Out(stream.Signature(struct_layout(output_word(config)))),
            "spike_valid": Out(1),
            "spike_axon": Out(config.axon_bits),
            "finish": In(1),
            "finished": Out(1),
            "idle": Out(1),
        })

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        held = Signal()
        neuron = Signal.like(self.i.payload, reset_less=True)
        word = self.route.data[0]
        leave = Signal()
        m.d.comb += [
            leave.eq(held & (~word.output | self.o.ready)),
            self.i.ready.eq(~held | leave),
            self.route.address.eq(self.i.payload),
            self.route.en.eq(self.i.valid & self.i.ready),
            self.o.valid.eq(held & word.output | self.finish),
            self.o.payload.neuron.eq(Mux(self.finish, 0, neuron)),
            self.o.payload.end_of_step.eq(self.finish),
            self.spike_valid.eq(leave & word.local),
            self.spike_axon.eq(word.axon),
            self.finished.eq(self.finish & self.o.ready),
            self.idle.eq(~held),
        ]
        with m.If(self.route.en):
            m.d.sync += [held.eq(1), neuron.eq(self.i.payload)]
        with m.Elif(leave):
            m.d.sync += held.eq(0)
        return m
