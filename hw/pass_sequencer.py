# SPDX-License-Identifier: Apache-2.0
"""Pass sequencer of the event mode: sends the groups of a pass into the pipeline, one per cycle."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import EventConfig

from .layouts import event_pass

__all__ = ["PassSequencer"]


class PassSequencer(wiring.Component):
    """Issues the groups of a pass in ascending order, those that update neurons with a credit.

    Parameters
    ----------
    config : EventConfig
        Widths.

    Members
    -------
    passing : ``In(1)``
        The tile is in PASS; groups start from the first each time.
    event : ``In(event_pass(config))``
        The pass.
    credit : ``In(1)``
        The spike FIFO has a credit.
    issue : ``Out(1)``
        A group is issued in this cycle.
    row : ``Out(neuron_bits + group_bits)``
        Its row of synapses; the group is in the low bits.
    updates : ``Out(1)``
        Its neurons are updated, which takes a credit.
    stall : ``Out(1)``
        A group waits for a credit in this cycle.
    idle : ``Out(1)``
        Every group is issued.
    """

    def __init__(self, config: EventConfig) -> None:
        self.config = config
        super().__init__({
            "passing": In(1), "event": In(event_pass(config)), "credit": In(1), "issue": Out(1),
            "row": Out(config.neuron_bits + config.group_bits), "updates": Out(1),
            "stall": Out(1), "idle": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, event = self.config, self.event
        lane_bits = config.neuron_bits - config.group_bits
        group, pre = Signal(config.group_bits), Signal(config.neuron_bits)
        remain, last = Signal(), Signal()
        m.d.comb += [
            remain.eq(self.passing & ~self.idle),
            self.issue.eq(remain & (event.bistable | self.credit)),
            self.updates.eq(self.issue & ~event.bistable),
            self.stall.eq(remain & ~self.issue),
            self.row.eq(Cat(Mux(event.one, event.post[lane_bits:], group),
                            Mux(event.every, pre, event.pre))),
            last.eq(event.one | (group.all() & (~event.every | pre.all()))),
        ]
        with m.If(~self.passing):
            m.d.sync += [group.eq(0), pre.eq(0), self.idle.eq(0)]
        with m.Elif(self.issue):
            m.d.sync += [Cat(group, pre).eq(Cat(group, pre) + 1), self.idle.eq(last)]
        return m
