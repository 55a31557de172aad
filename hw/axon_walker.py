# SPDX-License-Identifier: Apache-2.0
"""Axon walker: turns queued axon numbers into synapse words for groups of neurons."""

from typing import Any

from amaranth import Array, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import TileConfig
from neurotile.spec.codes import MemoryId
from neurotile.spec.formats import memories

from .delay_queue import entry_layout
from .layouts import issue, read_port

__all__ = ["AxonWalker"]


class AxonWalker(wiring.Component):
    """Fetches the segments of each event's axon and issues their groups, one per cycle.

    A group whose accumulators are still to be written is held back, on a tile that learns also one
    whose synapse word is.

    Parameters
    ----------
    config : TileConfig
        Widths; ``integrate_stages`` is how long a write is pending.

    Members
    -------
    i : ``In(stream.Signature(axon_bits))``
        Events.
    enable : ``In(1)``
        Segments may be fetched.
    axon : ``Out(read_port(axon memory))``
        Reads of the axon memory.
    issue : ``Out(issue(config))``
        Synapse word and group of this cycle.
    stall : ``Out(1)``
        A group is held back in this cycle.
    idle : ``Out(1)``
        No segment is held and no write is pending.
    again_valid, again : ``Out(1)``, ``Out(entry_layout(config))``
        Another level of the axon whose last segment is taken in this cycle, for the queue of the
        next steps. On a tile with SCDQ.
    slot : ``In(delay_bits)``
        Slot of this step. On a tile with a ring of accumulators.
    """

    def __init__(self, config: TileConfig) -> None:
        self.config = config
        memory = {memory.id: memory for memory in memories(config)}[MemoryId.AXON]
        delays: dict[str, Any] = {
            "none": {}, "ring": {"slot": In(config.delay_bits)},
            "scdq": {"again_valid": Out(1), "again": Out(entry_layout(config))}}[config.delay]
        super().__init__({
            "i": In(stream.Signature(config.axon_bits)),
            "enable": In(1),
            "axon": Out(read_port(memory)),
            "issue": Out(issue(config)),
            "stall": Out(1),
            "idle": Out(1),
            **delays,
        })

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config

        # D is the read register of the axon memory; here are only its flag and what comes next.
        # Only flags need a reset: what they do not vouch for is never looked at.
        fetched_valid = Signal()
        next_address = Signal(config.axon_bits, reset_less=True)
        fetched = self.axon.data[0]

        walked_valid = Signal()
        row = Signal(config.row_bits, reset_less=True)
        group = Signal(config.group_bits, reset_less=True)
        remaining = Signal(config.group_bits, reset_less=True)
        kinds = {name: Signal(name=name, reset_less=True)
                 for name in ("inhibitory", "plastic")} if config.learns else {}
        if config.delay == "ring":
            kinds["slot"] = Signal(config.delay_bits, name="slot_walked", reset_less=True)

        pending_valid = Signal(config.integrate_stages)
        pending_group = Array(
            Signal(config.group_bits, name=f"pending_group_{age}", reset_less=True)
            for age in range(config.integrate_stages))
        same = [pending_group[age] == group for age in range(config.integrate_stages)]
        if config.learns:
            pending_row = Array(
                Signal(config.row_bits, name=f"pending_row_{age}", reset_less=True)
                for age in range(config.integrate_stages))
            same = [either | (pending_row[age] == row) for age, either in enumerate(same)]
            for age in range(config.integrate_stages):
                m.d.sync += pending_row[age].eq(pending_row[age - 1] if age else row)
        hazard = Signal()
        m.d.comb += hazard.eq(sum(pending_valid[age] & same[age]
                                  for age in range(config.integrate_stages)) != 0)

        take = Signal()
        follow = Signal()
        m.d.comb += [
            self.stall.eq(walked_valid & hazard),
            self.issue.valid.eq(walked_valid & ~hazard),
            self.issue.row.eq(row),
            self.issue.group.eq(group),
            *(getattr(self.issue, name).eq(kind) for name, kind in kinds.items()),
            take.eq(fetched_valid & (~walked_valid | self.issue.valid & (remaining == 0))),
            follow.eq(take & ~fetched.last),
            self.i.ready.eq(self.enable & (~fetched_valid | take) & ~follow),
            self.axon.address.eq(Mux(follow, next_address, self.i.payload)),
            self.axon.en.eq(follow | self.i.valid & self.i.ready),
            self.idle.eq(~fetched_valid & ~walked_valid & (pending_valid == 0)),
        ]
        if config.delay == "scdq":
            m.d.comb += [self.again_valid.eq(take & fetched.last & fetched.more),
                         self.again.axon.eq(next_address), self.again.wait.eq(fetched.skip)]

        with m.If(self.axon.en):
            m.d.sync += [fetched_valid.eq(1), next_address.eq(self.axon.address + 1)]
        with m.Elif(take):
            m.d.sync += fetched_valid.eq(0)

        with m.If(take):
            m.d.sync += [walked_valid.eq(1), row.eq(fetched.row), group.eq(fetched.group),
                         remaining.eq(fetched.count),
                         *(kind.eq(fetched[name]) for name, kind in kinds.items()
                           if name != "slot")]
            if config.delay == "ring":
                m.d.sync += kinds["slot"].eq(self.slot + fetched.delay)
        with m.Elif(self.issue.valid):
            m.d.sync += [walked_valid.eq(remaining != 0), row.eq(row + 1), group.eq(group + 1),
                         remaining.eq(remaining - 1)]

        m.d.sync += pending_valid.eq(pending_valid << 1 | self.issue.valid)
        for age in range(config.integrate_stages):
            m.d.sync += pending_group[age].eq(pending_group[age - 1] if age else group)
        return m
