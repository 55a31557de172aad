# SPDX-License-Identifier: Apache-2.0
"""Spike encoder: a mask of spikes becomes neuron numbers, one per cycle, ascending."""

from typing import Any

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import EventConfig, TileConfig

from .layouts import spike_mask

__all__ = ["SpikeEncoder"]


class SpikeEncoder(wiring.Component):
    """Serialises the spikes of a group; takes the group with its last spike.

    Parameters
    ----------
    config : TileConfig or EventConfig
        Lanes and groups.

    Members
    -------
    i : ``In(stream.Signature(spike_mask(config)))``
        Groups with at least one spike.
    o : ``Out(stream.Signature(neuron_bits))``
        Neurons that spiked.
    """

    def __init__(self, config: TileConfig | EventConfig) -> None:
        self.config = config
        super().__init__({
            "i": In(stream.Signature(spike_mask(config))),
            "o": Out(stream.Signature(config.neuron_bits)),
        })

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        lanes = self.config.lanes
        m.d.comb += self.o.valid.eq(self.i.valid)
        if lanes == 1:
            m.d.comb += [self.o.payload.eq(self.i.payload.group), self.i.ready.eq(self.o.ready)]
            return m

        sent = Signal(lanes)
        left = self.i.payload.mask & ~sent
        lane = Signal(range(lanes))
        for number in reversed(range(lanes)):
            with m.If(left[number]):
                m.d.comb += lane.eq(number)
        last = (left & (left - 1)) == 0
        m.d.comb += [
            self.o.payload.eq(Cat(lane, self.i.payload.group)),
            self.i.ready.eq(self.o.ready & last),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += sent.eq(sent | (left & -left))
            with m.If(last):
                m.d.sync += sent.eq(0)
        return m
