# SPDX-License-Identifier: Apache-2.0
"""Bistability: in which steps synapses learn, and when all of them move to their nearer end."""

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import TileConfig

__all__ = ["Bistability"]


class Bistability(wiring.Component):
    """Learning window, and rows 0 … ``rows`` sent one per cycle (docs/semantics.md, section 9).

    Settings change between steps only.

    Parameters
    ----------
    config : TileConfig
        Widths; a row is written ``integrate_stages`` cycles after it was sent.

    Members
    -------
    enable, offset : ``In(1)``, ``In(offset_bits)``
        Synapses learn; from this step on.
    step, length : ``In(step_bits)``
        Step counter and number of steps in a window, 0 for no end.
    period : ``In(step_bits)``
        Steps with learning from one bistability update to the next, 0 for none.
    rows : ``In(row_bits)``
        Rows minus one.
    clear : ``In(1)``
        Steps are counted anew from the end of this cycle.
    updated : ``In(1)``
        The update of this step is complete, and stays so until ``finished``.
    finished : ``In(1)``
        The step ends with this cycle.
    learn : ``Out(1)``
        Synapses learn in this step; from its second cycle on.
    issue, row : ``Out(1)``, ``Out(row_bits)``
        A row is sent in this cycle.
    idle : ``Out(1)``
        With ``updated``: every row is written, or none is due.
    """

    def __init__(self, config: TileConfig) -> None:
        self.config = config
        super().__init__({
            "enable": In(1), "offset": In(config.offset_bits),
            "step": In(config.step_bits), "length": In(config.step_bits),
            "period": In(config.step_bits), "rows": In(config.row_bits),
            "clear": In(1), "updated": In(1), "finished": In(1),
            "learn": Out(1), "issue": Out(1), "row": Out(config.row_bits), "idle": Out(1),
        })

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        count = Signal(self.config.step_bits)
        due = Signal()
        started = self.step >= self.offset
        ended = (self.length != 0) & (self.step >= self.offset + self.length)
        m.d.sync += [self.learn.eq(self.enable & started & ~ended),
                     due.eq(self.learn & (self.period != 0) & (count + 1 >= self.period))]
        with m.If(self.clear):
            m.d.sync += count.eq(0)
        with m.Elif(self.finished & self.learn):
            # A count without end would be as good as one that stops here: both have reached n.
            m.d.sync += count.eq(Mux(due, 0, Mux(count.all(), count, count + 1)))

        # A bit per cycle between the last row and the end of its write.
        written = Signal(self.config.integrate_stages + 1)
        last = Signal()
        done = written[-1]
        begun = Signal()
        m.d.comb += [
            self.idle.eq(~due | done),
            last.eq(self.issue & (self.row == self.rows)),
        ]
        m.d.sync += written.eq((written << 1) | last | (done << self.config.integrate_stages))
        with m.If(self.updated & due & ~begun):
            m.d.sync += [begun.eq(1), self.issue.eq(1), self.row.eq(0)]
        with m.If(self.issue):
            m.d.sync += self.row.eq(self.row + 1)
        with m.If(last):
            m.d.sync += self.issue.eq(0)
        with m.If(self.finished):
            m.d.sync += [begun.eq(0), written.eq(0)]
        return m
