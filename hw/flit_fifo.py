# SPDX-License-Identifier: Apache-2.0
"""Shallow FIFO at an input of a router."""

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["FlitFifo"]


class FlitFifo(wiring.Component):
    """Queue whose head is a register, and which shows the next head a cycle early.

    Parameters
    ----------
    shape : ShapeLike
        Shape of one entry.
    depth : int
        Number of entries, 2 or more.

    Members
    -------
    i : ``In(stream.Signature(shape))``
        Entries to push; ready while fewer than ``depth`` are held at the start of the cycle.
    o : ``Out(stream.Signature(shape))``
        The oldest entry, from the cycle after its push.
    next : ``Out(shape)``
        What ``o`` shows in the next cycle, if it is valid then.
    """

    def __init__(self, shape: Any, *, depth: int) -> None:
        if not isinstance(depth, int) or depth < 2:
            raise ValueError(f"FlitFifo depth must be an integer above 1, not {depth!r}")
        self.shape = shape
        self.depth = depth
        # Entries move up: a head behind a multiplexer would lengthen the path through the router.
        self._slots = [Signal(shape, name=f"slot_{k}", reset_less=True) for k in range(depth)]
        self._level = Signal(range(depth + 1), name="level")
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape)),
                          "next": Out(shape)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        slots, level = self._slots, self._level
        rest = Signal.like(level)
        push, pop = self.i.valid & self.i.ready, self.o.valid & self.o.ready
        m.d.comb += [
            # Not ==: levels beyond the depth, which only a fault makes, also mean full.
            self.i.ready.eq(level < self.depth),
            self.o.valid.eq(level != 0),
            self.o.payload.eq(slots[0]),
            rest.eq(level - pop),
            self.next.eq(Mux(rest == 0, self.i.payload, Mux(pop, slots[1], slots[0]))),
        ]
        m.d.sync += level.eq(rest + push)
        for k, slot in enumerate(slots):
            with m.If(push & (rest == k)):
                m.d.sync += slot.eq(self.i.payload)
            if k + 1 < self.depth:
                with m.Elif(pop):
                    m.d.sync += slot.eq(slots[k + 1])
        return m
