# SPDX-License-Identifier: Apache-2.0
"""Event queue: axons of host events and of the tile's own spikes, waiting for the walker."""

from typing import Any

from amaranth import Module, Mux
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import TileConfig

from .fifo import Fifo

__all__ = ["EventQueue"]


class EventQueue(wiring.Component):
    """First-in first-out queue of axon numbers with two writers that take turns.

    A host event waits for room; a spike never waits, it is dropped when the queue is full. The
    phases of the tile keep ``i`` and ``spike`` from being valid in the same cycle.

    Parameters
    ----------
    config : TileConfig
        Widths and depth.

    Members
    -------
    i : ``In(stream.Signature(axon_bits))``
        Axons of host events.
    spike_valid : ``In(1)``
        A spike of this tile is pushed in this cycle.
    spike_axon : ``In(axon_bits)``
        Its axon.
    drop : ``Out(1)``
        The spike of this cycle meets a full queue and is lost.
    o : ``Out(stream.Signature(axon_bits))``
        The oldest entry.
    level : ``Out(range(queue_depth + 1))``
        Number of entries at the start of the cycle.
    clear : ``In(1)``
        Forget all entries.
    """

    def __init__(self, config: TileConfig) -> None:
        self.config = config
        super().__init__({
            "i": In(stream.Signature(config.axon_bits)),
            "spike_valid": In(1),
            "spike_axon": In(config.axon_bits),
            "drop": Out(1),
            "o": Out(stream.Signature(config.axon_bits)),
            "level": Out(range(config.queue_depth + 1)),
            "clear": In(1),
        })

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.fifo = fifo = Fifo(self.config.axon_bits, depth=self.config.queue_depth)
        m.d.comb += [
            fifo.i.valid.eq(self.i.valid | self.spike_valid),
            fifo.i.payload.eq(Mux(self.spike_valid, self.spike_axon, self.i.payload)),
            self.i.ready.eq(fifo.i.ready),
            self.drop.eq(self.spike_valid & ~fifo.i.ready),
            self.level.eq(fifo.level),
            fifo.clear.eq(self.clear),
        ]
        wiring.connect(m, wiring.flipped(self.o), fifo.o)
        return m
