# SPDX-License-Identifier: Apache-2.0
"""Group sequencer: sends the mapped groups through the update, one per cycle."""

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import TileConfig
from neurotile.spec.codes import MemoryId
from neurotile.spec.formats import memories

from .layouts import read_port, row_select, update_control

__all__ = ["GroupSequencer"]


class GroupSequencer(wiring.Component):
    """Issues groups 0 … ``groups`` while there are credits and finds out which are active.

    Parameters
    ----------
    config : TileConfig
        Widths.

    Members
    -------
    updating : ``In(1)``
        The tile is in UPDATE; groups start from 0 each time.
    groups : ``In(group_bits)``
        Mapped groups minus one.
    step, length : ``In(step_bits)``
        Step counter and number of steps in a window, 0 for no end.
    credit : ``In(1)``
        The spike FIFO has a credit.
    issue : ``Out(1)``
        A group is issued in this cycle and takes a credit.
    stall : ``Out(1)``
        A group waits for a credit in this cycle.
    group : ``Out(read_port(group memory))``
        Reads of the group memory.
    select : ``Out(row_select(config))``
        Reads of state and parameters, a cycle after ``issue``.
    control : ``Out(update_control(config))``
        The group in the first stage of the update, a cycle after ``select``.
    idle : ``Out(1)``
        Every group is issued and has left this component.
    """

    def __init__(self, config: TileConfig) -> None:
        self.config = config
        memory = {memory.id: memory for memory in memories(config)}[MemoryId.GROUP]
        super().__init__({
            "updating": In(1),
            "groups": In(config.group_bits),
            "step": In(config.step_bits),
            "length": In(config.step_bits),
            "credit": In(1),
            "issue": Out(1),
            "stall": Out(1),
            "group": Out(read_port(memory)),
            "select": Out(row_select(config)),
            "control": Out(update_control(config)),
            "idle": Out(1),
        })

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config

        # One bit above a group number: after the last group it is beyond all of them.
        index = Signal(config.group_bits + 1)
        remain = Signal()
        m.d.comb += [
            remain.eq(self.updating & (index <= self.groups)),
            self.issue.eq(remain & self.credit),
            self.stall.eq(remain & ~self.credit),
            self.group.address.eq(index),
            self.group.en.eq(self.issue),
            self.idle.eq(~remain & ~self.select.valid & ~self.control.valid),
        ]
        with m.If(~self.updating):
            m.d.sync += index.eq(0)
        with m.Elif(self.issue):
            m.d.sync += index.eq(index + 1)

        m.d.sync += [self.select.valid.eq(self.issue), self.select.group.eq(index)]
        word = self.group.data[0]
        m.d.comb += self.select.parameters.eq(word.set if config.shared else self.select.group)

        started = self.step >= word.offset
        ended = (self.length != 0) & (self.step >= word.offset + self.length)
        m.d.sync += [
            self.control.valid.eq(self.select.valid),
            self.control.active.eq(started & ~ended),
            self.control.group.eq(self.select.group),
            self.control.model.eq(word.model),
            self.control.soft_reset.eq(word.soft_reset),
            self.control.shift.eq(word.shift),
        ]
        return m
