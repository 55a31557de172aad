# SPDX-License-Identifier: Apache-2.0
"""What FIFO, arbiter, router and barrier of a mesh must keep, whatever comes in."""

from functools import reduce
from operator import add, and_
from typing import Any

from amaranth import Array, Cat, Elaboratable, Module, Mux, Signal, Value, signed
from amaranth.hdl import Assert, Assume

__all__ = ["BarrierSpec", "FairArbiter", "NothingLost", "TrackedPacket"]


class NothingLost(Elaboratable):
    """A :class:`FlitFifo` gives back what was pushed, all of it, once and in order.

    Entry number n is tracked from its push, for any n: ``mark`` says which push that is.
    """

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.mark = Signal()

    @property
    def ports(self) -> list[Any]:
        """Free inputs."""
        dut = self.dut
        return [self.mark, dut.i.valid, Value.cast(dut.i.payload), dut.o.ready]

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.dut = dut = self.dut
        level, depth = dut._level, dut.depth
        push, pop = dut.i.valid & dut.i.ready, dut.o.valid & dut.o.ready
        entry = Signal.like(Value.cast(dut.i.payload))
        inside, passed, place = Signal(), Signal(), Signal(range(depth + 1))
        with m.If(push & self.mark & ~inside & ~passed):
            m.d.sync += [entry.eq(dut.i.payload), inside.eq(1), place.eq(level - pop)]
        with m.Elif(inside & pop):
            m.d.sync += [place.eq(place - 1), inside.eq(place != 0), passed.eq(place == 0)]
        count = Signal.like(level)
        m.d.sync += count.eq(count + push - pop)
        m.d.comb += [
            Assert(level <= depth), Assert(count == level),
            Assert(dut.i.ready == (level < depth)), Assert(dut.o.valid == (level != 0)),
            Assert(~(inside & passed)),
        ]
        with m.If(inside):
            m.d.comb += [Assert(place < level),
                         Assert(Array(Value.cast(slot) for slot in dut._slots)[place] == entry)]
            with m.If(place == 0):
                m.d.comb += Assert(Value.cast(dut.o.payload) == entry)
        following = Signal.like(entry)
        known = Signal()
        m.d.sync += [known.eq(1), following.eq(dut.next)]
        with m.If(known & dut.o.valid):
            m.d.comb += Assert(Value.cast(dut.o.payload) == following)
        return m


class FairArbiter(Elaboratable):
    """An :class:`Arbiter` grants one request, and none waits for more than n - 1 others."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.waiting = Signal(range(dut.requests))

    @property
    def ports(self) -> list[Any]:
        """Free inputs."""
        return [self.waiting, self.dut.request, self.dut.take, self.dut.keep]

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.dut = dut = self.dut
        count, choice = dut.requests, dut.choice
        known, same = Signal(), Signal.like(self.waiting)
        m.d.sync += [known.eq(1), same.eq(self.waiting)]
        m.d.comb += [Assume(self.waiting < count), Assume(~known | (same == self.waiting))]
        waits = dut.request.bit_select(self.waiting, 1)
        served = dut.take & choice.bit_select(self.waiting, 1)
        others = Signal(range(count + 2))
        with m.If(~waits | served):
            m.d.sync += others.eq(0)
        with m.Elif(dut.take & (choice != 0)):
            m.d.sync += others.eq(others + 1)
        # Every grant of another moves the pointer nearer.
        distance = Mux(dut._pointer > self.waiting, self.waiting + count - dut._pointer,
                       self.waiting - dut._pointer)
        m.d.comb += [
            Assert(choice & (choice - 1) == 0), Assert(choice & ~dut.request == 0),
            Assert((choice != 0) == (dut.request != 0)),
            Assert(dut._pointer < count), Assert(~known | (others + distance < count)),
            Assert(others < count),
        ]
        return m


def _stays(m: Module, dut: Any) -> None:
    """A router has a place in the mesh, always the same; trees are written while it is empty."""
    place = Cat(dut.x, dut.y)
    known, same = Signal(), Signal.like(place)
    m.d.sync += [known.eq(1), same.eq(place)]
    m.d.comb += [Assume(~known | (same == place)), Assume(dut.x < dut.config.cols),
                 Assume(dut.y < dut.config.rows)]
    if dut.config.multicast:
        offered = Cat(*(link.valid for link in dut.i), dut.local_i.valid) != 0
        m.d.comb += [dut.tree.read.eq(0), Assume(~dut.tree.write | dut.tree.own),
                     Assume(~dut.tree.own | (dut.empty & ~offered))]


class TrackedPacket(Elaboratable):
    """A :class:`Router` sends each packet once to each of its outputs, unchanged.

    The packet is marked by its bit ``delay``, and any one of those that enter. Without parity.
    """

    def __init__(self, dut: Any) -> None:
        self.dut = dut

    @property
    def ports(self) -> list[Any]:
        """Free inputs."""
        dut = self.dut
        inputs = [(link.valid, Value.cast(link.payload)) for link in (*dut.i, dut.local_i)]
        return [dut.x, dut.y, *(part for pair in inputs for part in pair),
                *(link.ready for link in dut.o),
                *([dut.tree.own, dut.tree.write, dut.tree.index, dut.tree.data]
                  if dut.config.multicast else [])]

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.dut = dut = self.dut
        config, fifos = dut.config, dut._fifos
        _stays(m, dut)
        sources = [*(link.payload.packet for link in dut.i), dut.local_i.payload]
        pushes = [fifo.i.valid & fifo.i.ready for fifo in fifos]
        marked = [push & source.delay for push, source in zip(pushes, sources, strict=True)]
        entered, gone = Signal(), Signal()
        packet = Signal.like(Value.cast(dut.local_i.payload))
        m.d.comb += Assume(reduce(add, marked) + entered <= 1)
        for number, mark in enumerate(marked):
            with m.If(mark):
                m.d.sync += [entered.eq(1), packet.eq(Value.cast(sources[number]))]

        seen, wanted = Signal(5), Signal(5)  # outputs it was sent to; where it goes
        inside: list[Any] = []
        for fifo, want, done, granted in zip(fifos, dut._want, dut._done, dut._granted,
                                             strict=True):
            leaves = fifo.o.valid & fifo.o.ready
            with m.If(~fifo.o.valid):
                m.d.comb += Assert(done == 0)
            with m.Else():
                m.d.comb += Assert((done & ~want) == 0)
            m.d.comb += [Assert((granted & (done | ~want)) == 0),
                         Assert((granted == 0) | fifo.o.valid),
                         Assert(fifo._level <= fifo.depth)]
            for number, slot in enumerate(fifo._slots):
                here = (fifo._level > number) & slot.packet.delay
                inside.append(here)
                with m.If(here):
                    m.d.comb += [Assert(Value.cast(slot.packet) == packet),
                                 Assert(seen == (done if number == 0 else 0))]
            with m.If(fifo.o.valid & fifo.o.payload.packet.delay):
                m.d.sync += [seen.eq(seen | granted), wanted.eq(want), gone.eq(leaves)]
        m.d.comb += [Assert(reduce(add, inside) == (entered & ~gone)), Assert(entered | ~gone)]
        with m.If(gone):
            m.d.comb += Assert(seen == wanted)
        with m.If(~entered):
            m.d.comb += Assert(seen == 0)

        # What is granted is what is on the links.
        heads = [fifo.o.payload.packet for fifo in fifos]
        off = [dut.y == 0, dut.x == config.cols - 1, dut.y == config.rows - 1]
        for port, link in enumerate(dut.o):
            sink = off[port] if port < 3 else (dut.x == 0) & ~Value.cast(packet)[
                config.target_bits + config.value_bits]
            sent = reduce(add, [granted[port] & head.delay & fifo.o.valid for granted, head, fifo
                                in zip(dut._granted, heads, fifos, strict=True)])
            out = link.valid & link.ready & link.payload.packet.delay
            m.d.comb += Assert(out == (sent & ~sink))
            with m.If(out):
                m.d.comb += Assert(Value.cast(link.payload.packet) == packet)
        local = reduce(add, [granted[4] & head.delay & fifo.o.valid for granted, head, fifo
                             in zip(dut._granted, heads, fifos, strict=True)])
        m.d.comb += Assert((dut.local_o.valid & dut.local_o.payload.delay) == local)

        return m


class BarrierSpec(Elaboratable):
    """A :class:`Barrier` over abstract tiles is never early, and comes B cycles after it can.

    Tiles: an idle one sends nothing and stays idle until a packet leaves the network there or the
    barrier comes. Network: packets are born of a tile that is not idle, of the host before it hands
    over END_OF_STEP, or of a packet.
    """

    def __init__(self, dut: Any) -> None:
        self.dut = dut

    @property
    def ports(self) -> list[Any]:
        """Free inputs."""
        return [*self.dut.idle, *self.dut.born, *self.dut.gone, self.dut.end_valid]

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.dut = dut = self.dut
        config = dut.config
        most = config.tiles * 5 * config.router_depth
        packets = Signal(range(most + 1))
        after = Signal(signed(len(packets) + 5))
        held, known = Signal(), Signal()
        idle, born, gone = (reduce(and_, dut.idle), Cat(dut.born) != 0, Cat(dut.gone) != 0)
        # Added up in the order of the design: to show that sums in another order are equal takes
        # a solver hours.
        change = reduce(add, [reduce(add, [dut.born[tile] - dut.gone[tile] for tile in range(
            row * config.cols, (row + 1) * config.cols)]) for row in range(config.rows)])
        m.d.comb += [after.eq(packets + change), Assume(after >= 0), Assume(after <= most),
                     Assume((packets != 0) | ~gone)]
        m.d.sync += [packets.eq(after), known.eq(1)]
        with m.If(dut.fire):
            m.d.sync += held.eq(0)
        with m.Elif(dut.end_valid & dut.end_ready):
            m.d.sync += held.eq(1)
        m.d.comb += Assume(~born | (packets != 0) | ~idle | ~held)
        for tile in range(config.tiles):
            rests = Signal(name=f"rests_{tile}")
            m.d.sync += rests.eq(dut.idle[tile] & (dut.gone[tile] == 0) & ~dut.fire)
            m.d.comb += Assume(~known | ~rests | dut.idle[tile])
            updates = Signal(name=f"updates_{tile}")
            m.d.sync += updates.eq(dut.fire)
            m.d.comb += Assume(~updates | ~dut.idle[tile])
        can = Signal()
        since = Signal(range(config.barrier_stages + 2))
        m.d.comb += can.eq(held & idle & (packets == 0) & ~born)
        m.d.sync += since.eq(Mux(can & ~dut.fire, since + 1, 0))
        stages = config.barrier_stages
        under_way = [*(dut._rows if stages >= 2 else ()), *([dut._total] if stages >= 3 else ())]
        m.d.comb += [
            Assert(dut._held == held), Assert(dut.end_ready == ~held),
            Assert(reduce(add, under_way, dut._packets) == packets),
            Assert(~dut.fire | can), Assert(dut.fire == (since == stages)),
            Assert(since <= stages),
        ]
        return m
