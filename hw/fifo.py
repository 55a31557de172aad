# SPDX-License-Identifier: Apache-2.0
"""First-in first-out storage of the event queue and of the spike FIFO."""

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Fifo"]


class Fifo(wiring.Component):
    """Queue whose oldest entry can be taken from the cycle after it was pushed.

    Parameters
    ----------
    shape : ShapeLike
        Shape of one entry.
    depth : int
        Number of entries, a power of two above 1.

    Members
    -------
    i : ``In(stream.Signature(shape))``
        Entries to push; ready while ``level`` is below ``depth``.
    o : ``Out(stream.Signature(shape))``
        The oldest entry.
    level : ``Out(range(depth + 1))``
        Number of entries at the start of the cycle.
    clear : ``In(1)``
        Forget all entries at the end of this cycle, whatever else happens.
    """

    def __init__(self, shape: Any, *, depth: int) -> None:
        if not isinstance(depth, int):
            raise TypeError(f"Fifo depth must be an integer, not {depth!r}")
        if depth < 2 or depth & (depth - 1):
            raise ValueError(f"Fifo depth must be a power of two above 1, not {depth}")
        self.shape = shape
        self.depth = depth
        super().__init__({
            "i": In(stream.Signature(shape)),
            "o": Out(stream.Signature(shape)),
            "level": Out(range(depth + 1)),
            "clear": In(1),
        })
        # Here and not in elaborate(): proofs look at them.
        self._storage = memory.Memory(shape=shape, depth=depth, init=[])
        self._head = Signal.like(self.level, name="head")
        self._tail = Signal.like(self.level, name="tail")

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.storage = storage = self._storage
        write = storage.write_port()
        read = storage.read_port(transparent_for=(write,))

        # One wrap bit above the address; the level is derived, so the three can not disagree.
        head, tail = self._head, self._tail
        next_head = Signal.like(self.level)
        push, pop = self.i.valid & self.i.ready, self.o.valid & self.o.ready
        m.d.comb += [
            self.level.eq(tail - head),
            self.i.ready.eq(~self.level[-1]),
            self.o.valid.eq(self.level != 0),
            self.o.payload.eq(read.data),
            next_head.eq(head + pop),
            write.addr.eq(tail[:-1]),
            write.data.eq(self.i.payload),
            write.en.eq(push),
            # Read ahead, so that the storage can be block RAM and still shows its head at once.
            read.addr.eq(next_head[:-1]),
        ]
        m.d.sync += [head.eq(next_head), tail.eq(tail + push)]
        with m.If(self.clear):
            m.d.sync += [head.eq(0), tail.eq(0)]
        return m
