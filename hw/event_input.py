# SPDX-License-Identifier: Apache-2.0
"""Event input: splits the host's stream into events and END_OF_STEP."""

from typing import Any

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import TileConfig
from neurotile.spec.formats import input_word

from .layouts import struct_layout

__all__ = ["EventInput"]


class EventInput(wiring.Component):
    """Takes host events of the current step until END_OF_STEP has come.

    Parameters
    ----------
    config : TileConfig
        Widths.

    Members
    -------
    i : ``In(stream.Signature(input_word))``
        Host events; ready does not depend on the payload.
    o : ``Out(stream.Signature(axon_bits))``
        Axons of the events.
    integrating : ``In(1)``
        The tile accepts events.
    barrier : ``In(1)``
        The step ends with this cycle; END_OF_STEP counts for the next one.
    end_of_step : ``Out(1)``
        END_OF_STEP of this step was taken before this cycle.
    """

    def __init__(self, config: TileConfig) -> None:
        super().__init__({
            "i": In(stream.Signature(struct_layout(input_word(config)))),
            "o": Out(stream.Signature(config.axon_bits)),
            "integrating": In(1),
            "barrier": In(1),
            "end_of_step": Out(1),
        })

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        accept = self.integrating & ~self.end_of_step
        m.d.comb += [
            self.i.ready.eq(accept & self.o.ready),
            self.o.valid.eq(self.i.valid & ~self.i.payload.end_of_step & accept),
            self.o.payload.eq(self.i.payload.axon),
        ]
        with m.If(self.barrier):
            m.d.sync += self.end_of_step.eq(0)
        with m.Elif(self.i.valid & self.i.ready & self.i.payload.end_of_step):
            m.d.sync += self.end_of_step.eq(1)
        return m
