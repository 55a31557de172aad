# SPDX-License-Identifier: Apache-2.0
"""What the queues of a tile with SCDQ must keep, whatever comes in."""

from typing import Any

from amaranth import Elaboratable, Module, Mux, Signal, Value
from amaranth.hdl import Assert, Assume

__all__ = ["InTimeAndOrder"]


class InTimeAndOrder(Elaboratable):
    """A :class:`DelayQueue` gives every entry back once, unchanged, in order and in its step.

    Any one entry is tracked from its push, by arrival or as another level: ``mark`` says which. It
    comes out as many swaps later as it waits, one more as another level; in the queue in which it
    is, everything that was before it leaves first. It is lost only where ``drop`` or
    ``drop_again`` says so. As in the tile, the queues swap when PRE is empty and nothing moves.
    """

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.mark = Signal()

    @property
    def ports(self) -> list[Any]:
        """Free inputs."""
        dut = self.dut
        return [self.mark, dut.i_valid, Value.cast(dut.i), dut.o.ready, dut.again_valid,
                Value.cast(dut.again), dut.swap, dut.clear]

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.dut = dut = self.dut
        fifos, depth = dut._fifos, dut.config.queue_depth
        m.d.comb += Assume(~dut.swap | (dut.level == 0) & ~dut.i_valid & ~dut.again_valid)

        # The tracked entry: in which queue, behind how many, how many swaps from its step.
        inside, in_post, finished = Signal(), Signal(), Signal()
        place, due = Signal.like(dut.level), Signal(dut.config.delay_bits + 1)
        entry = Signal(dut.i.shape())
        arrives, again = dut.i_valid & ~dut.drop, dut.again_valid & ~dut.drop_again
        leaves = dut.o.valid & dut.o.ready
        onward = dut.pop & ~dut.o.valid
        first = inside & ~in_post & (place == 0)
        free = self.mark & ~inside & ~finished
        with m.If(free & again):
            m.d.sync += [inside.eq(1), in_post.eq(1), place.eq(dut.level_post),
                         entry.eq(dut.again), due.eq(dut.again.wait + 1)]
        with m.Elif(free & arrives):
            m.d.sync += [inside.eq(1), in_post.eq(0), place.eq(dut.level - dut.pop),
                         entry.eq(dut.i), due.eq(dut.i.wait)]
        with m.If(inside & dut.pop & ~in_post):
            m.d.sync += place.eq(place - 1)
        with m.If(first & leaves):
            m.d.sync += [inside.eq(0), finished.eq(1)]
            m.d.comb += [Assert(due == 0), Assert(dut.o.payload == entry.axon)]
        with m.If(first & onward):
            m.d.comb += [Assert(due != 0), Assert(~dut.again_valid)]
            m.d.sync += [in_post.eq(1), place.eq(dut.level_post), entry.wait.eq(entry.wait - 1)]
            with m.If(dut.drop_again):
                m.d.sync += [inside.eq(0), finished.eq(1)]
        with m.If(inside & dut.swap):
            m.d.sync += [in_post.eq(0), due.eq(due - 1)]
            m.d.comb += Assert(in_post)

        # All entries: none is made or lost but where it says so.
        count = Signal(range(2 * depth + 1))
        m.d.sync += count.eq(count + arrives + again - leaves - (onward & dut.drop_again))
        m.d.comb += [
            Assert(count == dut.level + dut.level_post),
            Assert(dut.level <= depth), Assert(dut.level_post <= depth),
            Assert(dut.drop == (dut.i_valid & (dut.level == depth))),
            Assert(~dut.drop_again | (dut.level_post == depth)),
            Assert(~dut.o.valid | (dut.level != 0)), Assert(~(inside & finished)),
        ]
        with m.If(dut.clear):
            m.d.sync += [inside.eq(0), finished.eq(0), count.eq(0)]

        # What holds between the queues and the tracked entry.
        with m.If(inside):
            m.d.comb += [Assert(place < Mux(in_post, dut.level_post, dut.level)),
                         Assert(due == entry.wait + in_post)]
        for number, fifo in enumerate(fifos):
            at, head = (fifo._storage.read_port(domain="comb") for _ in range(2))
            m.d.comb += [at.addr.eq((fifo._head + place)[:-1]), head.addr.eq(fifo._head[:-1])]
            with m.If(fifo.o.valid):
                m.d.comb += Assert(Value.cast(fifo.o.payload) == Value.cast(head.data))
            with m.If(inside & ((dut._second ^ in_post) == number)):
                m.d.comb += Assert(Value.cast(at.data) == Value.cast(entry))
        return m
