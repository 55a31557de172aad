# SPDX-License-Identifier: Apache-2.0
"""Neuron processing element: L lanes that integrate events and update neurons."""

from typing import Any

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import TileConfig

from .accumulator import Accumulator
from .layouts import flags_layout, row_select, spike_mask, update_control
from .synapse_memory import weights_layout
from .update_pipeline import UpdatePipeline

__all__ = ["Npe"]


class Npe(wiring.Component):
    """Accumulate pipeline and update pipeline, which share the accumulators.

    Parameters
    ----------
    config : TileConfig
        Widths, lanes, models and stages.

    Members
    -------
    event, event_group : ``In(1)``, ``In(group_bits)``
        A synapse word for this group is read in this cycle.
    weights : ``In(weights_layout(config))``
        The weights, a cycle after ``event``.
    flags : ``Out(flags_layout(config))``
        Flags of the group, a cycle after ``event``; on a tile that learns.
    select : ``In(row_select(config))``
        The update reads this group in this cycle.
    control : ``In(update_control(config))``
        What the update does with it; a cycle after ``select``.
    spikes_valid, spikes : ``Out(1)``, ``Out(spike_mask(config))``
        The updated group and its spikes, in the cycle whose end writes its state.
    event_slot, slot : ``In(delay_bits)``
        Slot that the event adds to, slot of this step; on a tile with a ring of accumulators.
    idle : ``Out(1)``
        No group is between ``control`` and its write.
    MEMORY_read, MEMORY_write : ``Out(read_port)``, ``Out(write_port)``
        The accumulators and what :class:`UpdatePipeline` reads and writes.
    """

    def __init__(self, config: TileConfig) -> None:
        self.config = config
        self.accumulator = Accumulator(config)
        self.update = UpdatePipeline(config)
        self.names = [name for name in self.update.signature.members
                      if name.endswith(("_read", "_write"))]
        super().__init__({
            "event": In(1),
            "event_group": In(config.group_bits),
            "weights": In(weights_layout(config)),
            "select": In(row_select(config)),
            "control": In(update_control(config)),
            "spikes_valid": Out(1),
            "spikes": Out(spike_mask(config)),
            "idle": Out(1),
            "accumulator_read": self.accumulator.signature.members["read"],
            "accumulator_write": self.accumulator.signature.members["write"],
            **{name: self.update.signature.members[name] for name in self.names},
            **({"flags": Out(flags_layout(config))} if config.learns else {}),
            **(dict.fromkeys(("event_slot", "slot"), In(config.delay_bits))
               if config.delay == "ring" else {}),
        })

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.accumulator = accumulator = self.accumulator
        m.submodules.update = update = self.update
        wiring.connect(m, wiring.flipped(self.accumulator_read), accumulator.read)
        wiring.connect(m, wiring.flipped(self.accumulator_write), accumulator.write)
        wiring.connect(m, wiring.flipped(self.select), update.select)
        for name in self.names:
            if name == "calcium_read":
                continue
            wiring.connect(m, wiring.flipped(getattr(self, name)), getattr(update, name))
        m.d.comb += [
            accumulator.event.eq(self.event),
            accumulator.event_group.eq(self.event_group),
            accumulator.weights.eq(self.weights),
            accumulator.select.eq(self.select.valid),
            accumulator.select_group.eq(self.select.group),
            accumulator.clear.eq(update.clear),
            accumulator.clear_group.eq(update.clear_group),
            update.control.eq(self.control),
            update.accumulators.eq(self.accumulator_read.data),
            self.spikes_valid.eq(update.spikes_valid),
            self.spikes.eq(update.spikes),
            self.idle.eq(update.idle),
        ]
        if self.config.delay == "ring":
            m.d.comb += [accumulator.event_slot.eq(self.event_slot), accumulator.slot.eq(self.slot)]
        if self.config.learns:
            read = self.calcium_read
            with m.If(self.event):
                m.d.comb += [read.address.eq(self.event_group), read.en.eq(1)]
            with m.Else():
                m.d.comb += [read.address.eq(update.calcium_read.address),
                             read.en.eq(update.calcium_read.en)]
            m.d.comb += update.calcium_read.data.eq(read.data)
            for lane in range(self.config.lanes):
                m.d.comb += [self.flags[lane].up.eq(read.data[lane].up),
                             self.flags[lane].down.eq(read.data[lane].down)]
        return m
