# SPDX-License-Identifier: Apache-2.0
"""Scheduler of the event mode: events and own spikes, each executed to its end before the next."""

from typing import Any

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import EventConfig
from neurotile.spec.event_formats import EventKind, queue_entry_word

from .fifo import Fifo
from .layouts import struct_layout

__all__ = ["EventScheduler"]


class EventScheduler(wiring.Component):
    """First-in first-out queue with two writers that take turns.

    An event waits for room; a spike never waits, it is dropped when the scheduler is full. The
    phases of the tile keep ``i`` and ``spike`` from being valid in the same cycle.

    Parameters
    ----------
    config : EventConfig
        Neurons and depth.

    Members
    -------
    i : ``In(stream.Signature(queue_entry_word))``
        Events.
    spike_valid, spike : ``In(1)``, ``In(neuron_bits)``
        A spike of this neuron is appended in this cycle.
    drop : ``Out(1)``
        The spike of this cycle meets a full scheduler and is lost.
    o : ``Out(stream.Signature(queue_entry_word))``
        The head; it is taken when its pass ends.
    level : ``Out(range(queue_depth + 1))``
        Number of entries at the start of the cycle.
    full : ``Out(1)``
        There is no room.
    clear : ``In(1)``
        Forget all entries.
    """

    def __init__(self, config: EventConfig) -> None:
        self.config = config
        entry = struct_layout(queue_entry_word(config))
        super().__init__({
            "i": In(stream.Signature(entry)),
            "spike_valid": In(1), "spike": In(config.neuron_bits), "drop": Out(1),
            "o": Out(stream.Signature(entry)),
            "level": Out(range(config.queue_depth + 1)), "full": Out(1), "clear": In(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.fifo = fifo = Fifo(self.i.payload.shape(), depth=self.config.queue_depth)
        m.d.comb += [
            fifo.i.valid.eq(self.i.valid | self.spike_valid),
            fifo.i.payload.eq(self.i.payload),
            self.i.ready.eq(fifo.i.ready),
            self.full.eq(~fifo.i.ready),
            self.drop.eq(self.spike_valid & self.full),
            self.level.eq(fifo.level),
            fifo.clear.eq(self.clear),
        ]
        with m.If(self.spike_valid):
            m.d.comb += [fifo.i.payload.neuron.eq(self.spike),
                         fifo.i.payload.kind.eq(EventKind.SPIKE)]
        wiring.connect(m, wiring.flipped(self.o), fifo.o)
        return m
