# SPDX-License-Identifier: Apache-2.0
"""Controller: phases, steps and the barrier."""

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import TileConfig
from neurotile.spec.codes import Phase

__all__ = ["Controller"]


class Controller(wiring.Component):
    """Takes the tile through its phases (docs/semantics.md, sections 4, 6 and 8).

    Parameters
    ----------
    config : TileConfig
        Widths.

    Members
    -------
    phase : ``Out(Phase)``
        What the tile is doing.
    integrating, updating, clearing : ``Out(1)``
        ``phase`` is INTEGRATE, UPDATE, CLEAR.
    hold : ``Out(1)``
        The tile is in HOLD and stays there: the host may use the memories.
    barrier : ``Out(1)``
        The barrier fires in this cycle.
    end_of_step, queue_empty, walker_idle : ``In(1)``
        What the barrier waits for.
    update_idle : ``In(1)``
        Every group is issued and written, every spike sent.
    finish : ``Out(1)``
        END_OF_STEP is to be sent.
    finished : ``In(1)``
        END_OF_STEP is transferred in this cycle.
    clear : ``In(1)``
        The host asks for CLEAR; ignored outside HOLD.
    clear_row : ``Out(group_bits)``
        Row that CLEAR zeroes in this cycle.
    run_write, run_data : ``In(1)``, ``In(step_bits)``
        The host writes RUN at the end of this cycle; this wins over counting down.
    run : ``Out(step_bits)``
        Steps left.
    step : ``Out(step_bits)``
        Step counter.
    """

    def __init__(self, config: TileConfig) -> None:
        self.config = config
        super().__init__({
            "phase": Out(Phase), "integrating": Out(1), "updating": Out(1), "clearing": Out(1),
            "hold": Out(1), "barrier": Out(1),
            "end_of_step": In(1), "queue_empty": In(1), "walker_idle": In(1),
            "update_idle": In(1), "finish": Out(1), "finished": In(1),
            "clear": In(1), "clear_row": Out(config.group_bits),
            "run_write": In(1), "run_data": In(config.step_bits),
            "run": Out(config.step_bits), "step": Out(config.step_bits),
        })

    def elaborate(self, platform: Any) -> Module:
        m = Module()

        next_run = Signal.like(self.run)
        left = self.run - (self.finished & (self.run != 0))
        m.d.comb += next_run.eq(Mux(self.run_write, self.run_data, left))
        m.d.sync += self.run.eq(next_run)

        with m.Switch(self.phase):
            with m.Case(Phase.HOLD):
                m.d.comb += self.hold.eq(self.run == 0)
                with m.If(self.clear):
                    m.d.sync += self.phase.eq(Phase.CLEAR)
                with m.Elif(next_run != 0):
                    m.d.sync += self.phase.eq(Phase.INTEGRATE)

            with m.Case(Phase.CLEAR):
                m.d.comb += self.clearing.eq(1)
                m.d.sync += [self.clear_row.eq(self.clear_row + 1), self.step.eq(0)]
                with m.If(self.clear_row == self.config.groups - 1):
                    m.d.sync += self.phase.eq(Phase.HOLD)

            with m.Case(Phase.INTEGRATE):
                m.d.comb += [
                    self.integrating.eq(1),
                    self.barrier.eq(self.end_of_step & self.queue_empty & self.walker_idle),
                ]
                with m.If(self.barrier):
                    m.d.sync += self.phase.eq(Phase.UPDATE)

            with m.Case(Phase.UPDATE):
                m.d.comb += [self.updating.eq(1), self.finish.eq(self.update_idle)]
                with m.If(self.finished):
                    m.d.sync += self.phase.eq(Mux(next_run == 0, Phase.HOLD, Phase.INTEGRATE))
                    with m.If(~self.step.all()):
                        m.d.sync += self.step.eq(self.step + 1)
        return m
