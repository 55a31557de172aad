# SPDX-License-Identifier: Apache-2.0
"""Spike FIFO: spike masks of updated groups on their way to the encoder, bounded by credits."""

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import EventConfig, TileConfig

from .fifo import Fifo
from .layouts import spike_mask

__all__ = ["SpikeFifo"]


class SpikeFifo(wiring.Component):
    """Queue of spike masks. Each group takes a credit before its update, so a push always fits.

    A group without spikes is not stored and returns its credit when it is pushed, any other one
    when it is taken. Returned credits count from the next cycle.

    Parameters
    ----------
    config : TileConfig or EventConfig
        Lanes and depth.

    Members
    -------
    credit : ``Out(1)``
        A group may be issued in this cycle.
    issue : ``In(1)``
        A group is issued in this cycle; only with ``credit``.
    i_valid : ``In(1)``
        A group is pushed in this cycle.
    i : ``In(spike_mask(config))``
        Its spikes, perhaps none.
    o : ``Out(stream.Signature(spike_mask(config)))``
        The oldest group with spikes.
    idle : ``Out(1)``
        No group is stored.
    """

    def __init__(self, config: TileConfig | EventConfig) -> None:
        self.config = config
        super().__init__({
            "credit": Out(1),
            "issue": In(1),
            "i_valid": In(1),
            "i": In(spike_mask(config)),
            "o": Out(stream.Signature(spike_mask(config))),
            "idle": Out(1),
        })

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        depth = self.config.spike_fifo_depth
        m.submodules.fifo = fifo = Fifo(spike_mask(self.config), depth=depth)
        some = self.i.mask.any()
        credits = Signal(range(depth + 1), init=depth)
        m.d.comb += [
            fifo.i.valid.eq(self.i_valid & some),
            fifo.i.payload.eq(self.i),
            self.credit.eq(credits != 0),
            self.idle.eq(~fifo.o.valid),
        ]
        wiring.connect(m, wiring.flipped(self.o), fifo.o)
        empty_back, taken_back = self.i_valid & ~some, self.o.valid & self.o.ready
        m.d.sync += credits.eq(credits - self.issue + empty_back + taken_back)
        return m
