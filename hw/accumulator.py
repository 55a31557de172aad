# SPDX-License-Identifier: Apache-2.0
"""Accumulators: a row of weights is added to those of a group; the update reads and clears them."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import TileConfig
from neurotile.spec.codes import MemoryId
from neurotile.spec.formats import memories

from .layouts import read_port, row_layout, write_port
from .synapse_memory import weights_layout

__all__ = ["Accumulator"]


class Accumulator(wiring.Component):
    """Read-modify-write pipeline of ``integrate_stages`` stages over the accumulator memory.

    The sender keeps back a group while its write is pending. Events and updates never meet.

    Parameters
    ----------
    config : TileConfig
        Widths and depth of the pipeline.

    Members
    -------
    event : ``In(1)``
        A synapse word for ``event_group`` is read in this cycle.
    event_group : ``In(group_bits)``
        Group whose accumulators are added to.
    weights : ``In(weights_layout(config))``
        The weights, a cycle after ``event``.
    select : ``In(1)``
        The update reads ``select_group`` in this cycle.
    select_group : ``In(group_bits)``
        Group that the update reads; ``read.data`` has it in the next cycle.
    clear : ``In(1)``
        The update zeroes ``clear_group`` at the end of this cycle.
    clear_group : ``In(group_bits)``
        Group to zero.
    event_slot, slot : ``In(delay_bits)``
        Slot that ``event`` adds to; slot of this step, which the update reads and zeroes. On a tile
        with a ring of accumulators.
    read, write : ``Out(read_port(accumulator))``, ``Out(write_port(accumulator))``
        The accumulator memory.
    """

    def __init__(self, config: TileConfig) -> None:
        self.config = config
        self.memory = {m.id: m for m in memories(config)}[MemoryId.ACCUMULATOR]
        slots = dict.fromkeys(("event_slot", "slot"), In(config.delay_bits)) \
            if config.delay == "ring" else {}
        super().__init__({
            "event": In(1),
            "event_group": In(config.group_bits),
            "weights": In(weights_layout(config)),
            "select": In(1),
            "select_group": In(config.group_bits),
            "clear": In(1),
            "clear_group": In(config.group_bits),
            "read": Out(read_port(self.memory)),
            "write": Out(write_port(self.memory)),
            **slots,
        })

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        event_row, select_row, clear_row = self.event_group, self.select_group, self.clear_group
        if self.config.delay == "ring":
            event_row = Cat(event_row, self.event_slot)
            select_row, clear_row = Cat(select_row, self.slot), Cat(clear_row, self.slot)
        m.d.comb += [
            self.read.address.eq(Mux(self.event, event_row, select_row)),
            self.read.en.eq(self.event | self.select),
        ]

        valid = Signal()
        group = Signal(len(event_row), reset_less=True)
        m.d.sync += [valid.eq(self.event), group.eq(event_row)]
        old, weights = self.read.data, self.weights
        if self.config.integrate_stages == 2:
            late_valid = Signal()
            late_group = Signal(len(event_row), reset_less=True)
            late_old = Signal(row_layout(self.memory), reset_less=True)
            late_weights = Signal(weights_layout(self.config), reset_less=True)
            m.d.sync += [late_valid.eq(valid), late_group.eq(group),
                         late_old.eq(old), late_weights.eq(weights)]
            valid, group, old, weights = late_valid, late_group, late_old, late_weights

        m.d.comb += [self.write.address.eq(Mux(self.clear, clear_row, group)),
                     self.write.en.eq(valid | self.clear)]
        for lane in range(self.config.lanes):
            with m.If(~self.clear):
                m.d.comb += self.write.data[lane].eq(old[lane] + weights[lane])
        return m
