# SPDX-License-Identifier: Apache-2.0
"""Output of the event mode: spikes go to the host and into the scheduler."""

from typing import Any

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import EventConfig
from neurotile.spec.event_formats import event_output_word

from .layouts import struct_layout

__all__ = ["EventOutput"]


class EventOutput(wiring.Component):
    """Sends emitted spikes, or with ``source`` the spike events that are executed; combinational.

    Parameters
    ----------
    config : EventConfig
        Neurons.

    Members
    -------
    i : ``In(stream.Signature(neuron_bits))``
        Emitted spikes.
    listing : ``In(stream.Signature(event_output_word))``
        Executed spike events; only with ``source``.
    source, open_loop : ``In(1)``
        Switches.
    spike_valid, spike : ``Out(1)``, ``Out(neuron_bits)``
        The scheduler gets this spike.
    o : ``Out(stream.Signature(event_output_word))``
        What the host gets.
    """

    def __init__(self, config: EventConfig) -> None:
        word = stream.Signature(struct_layout(event_output_word(config)))
        super().__init__({
            "i": In(stream.Signature(config.neuron_bits)), "listing": In(word),
            "source": In(1), "open_loop": In(1),
            "spike_valid": Out(1), "spike": Out(config.neuron_bits), "o": Out(word)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.comb += [
            self.spike_valid.eq(self.i.valid & self.i.ready & ~self.open_loop),
            self.spike.eq(self.i.payload),
        ]
        with m.If(self.source):
            m.d.comb += [self.i.ready.eq(1), self.listing.ready.eq(self.o.ready),
                         self.o.valid.eq(self.listing.valid),
                         self.o.payload.eq(self.listing.payload)]
        with m.Else():
            m.d.comb += [self.i.ready.eq(self.o.ready), self.o.valid.eq(self.i.valid),
                         self.o.payload.neuron.eq(self.i.payload)]
        return m
