# SPDX-License-Identifier: Apache-2.0
"""One memory of the tile, shared between its pipeline and the host."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import memory as library
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from neurotile.spec.formats import Memory

from .layouts import host_bus, read_port, row_layout, write_port

__all__ = ["TileMemory"]


class TileMemory(wiring.Component):
    """Memory with one read and one write port; the host uses them while the tile is in HOLD.

    The pipeline never reads a row in the cycle in which it is written.

    Parameters
    ----------
    memory : Memory
        Word, rows and lanes; its name becomes the name of the storage.
    state : bool
        The pipeline writes it and CLEAR zeroes it; otherwise only the host writes.

    Members
    -------
    read : ``In(read_port(memory))``
        The pipeline's reads.
    write : ``In(write_port(memory))``
        The pipeline's writes, with ``state``.
    clear : ``In(1)``
        Zero row ``clear_row``, with ``state``.
    clear_row : ``In(range(rows))``
        Row to zero, with ``state``.
    host : ``In(host_bus())``
        The host's accesses; while it has ``own``, nothing else uses the memory.
    """

    def __init__(self, memory: Memory, *, state: bool = False) -> None:
        self.memory = memory
        self.state = state
        members = {"read": In(read_port(memory)), "host": In(host_bus())}
        if state:
            members |= {"write": In(write_port(memory)), "clear": In(1),
                        "clear_row": In(range(memory.rows))}
        super().__init__(members)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        lanes, width = self.memory.lanes, self.memory.word.width
        # no_rw_check: block RAM needs no bypass, since no row is read while it is written.
        storage = library.Memory(shape=row_layout(self.memory), depth=self.memory.rows, init=[],
                                 attrs={"no_rw_check": 1})
        m.submodules[self.memory.name] = storage
        read, write = storage.read_port(), storage.write_port(granularity=1)

        lane_bits = (lanes - 1).bit_length()
        lane, row = self.host.index[:lane_bits], self.host.index[lane_bits:][:len(read.addr)]
        m.d.comb += [
            read.addr.eq(Mux(self.host.own, row, self.read.address)),
            read.en.eq(self.host.read | self.read.en),
            self.read.data.eq(read.data),
        ]

        data = Value.cast(write.data)
        m.d.comb += [
            write.addr.eq(row),
            write.en.eq(self.host.write << lane),
            data.eq(Cat(self.host.data[:width] for _ in range(lanes))),
        ]
        if self.state:
            with m.If(self.clear):
                m.d.comb += [write.addr.eq(self.clear_row), write.en.eq(-1), data.eq(0)]
            with m.Elif(self.write.en):
                m.d.comb += [write.addr.eq(self.write.address), write.en.eq(-1),
                             data.eq(self.write.data)]

        # A register between the lanes and the host port: block RAM is slow to show its data.
        # Without resets: no answer is looked at that no read asked for.
        fresh = Signal(reset_less=True)
        chosen = Signal(Value.cast(read.data[0]).shape())
        answer = Signal(chosen.shape(), reset_less=True)
        m.d.sync += fresh.eq(self.host.read)
        if lane_bits:
            answer_lane = Signal(lane_bits, reset_less=True)
            with m.If(self.host.read):
                m.d.sync += answer_lane.eq(lane)
            with m.Switch(answer_lane):
                for number in range(lanes):
                    with m.Case(number):
                        m.d.comb += chosen.eq(read.data[number])
        else:
            m.d.comb += chosen.eq(read.data[0])
        with m.If(fresh):
            m.d.sync += answer.eq(chosen)
        m.d.comb += self.host.answer.eq(answer)
        return m
