# SPDX-License-Identifier: Apache-2.0
"""Controller of a tile on a mesh: its phases and steps between the barriers of the mesh."""

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import TileConfig
from neurotile.spec.codes import Phase

__all__ = ["MeshController"]


class MeshController(wiring.Component):
    """Takes a tile through its phases (docs/mesh.md, sections 2 to 5).

    Parameters
    ----------
    config : TileConfig
        Widths.

    Members
    -------
    start : ``In(1)``
        In HOLD: the tile is in INTEGRATE from the next cycle.
    more : ``In(1)``
        In UPDATE: steps are left, INTEGRATE follows and not HOLD.
    clear : ``In(1)``
        In HOLD: CLEAR; this wins over ``start``.
    barrier : ``In(1)``
        In INTEGRATE: the tile is in UPDATE from the next cycle.
    update_idle : ``In(1)``
        Every group is issued and written, every packet sent.
    finished : ``Out(1)``
        The step ends with this cycle.
    phase : ``Out(Phase)``
        What the tile is doing.
    integrating, updating, clearing, hold : ``Out(1)``
        ``phase`` is INTEGRATE, UPDATE, CLEAR, HOLD.
    clear_row : ``Out(range(accumulator_rows))``
        Row that CLEAR zeroes in this cycle.
    step : ``Out(step_bits)``
        Step counter, which stops at its largest value.
    slot : ``Out(delay_bits)``
        The step modulo the slots, with a ring of accumulators.
    """

    def __init__(self, config: TileConfig) -> None:
        self.config = config
        super().__init__({
            "start": In(1), "more": In(1), "clear": In(1), "barrier": In(1),
            "update_idle": In(1), "finished": Out(1),
            "phase": Out(Phase), "integrating": Out(1), "updating": Out(1), "clearing": Out(1),
            "hold": Out(1), "clear_row": Out(range(config.accumulator_rows)),
            "step": Out(config.step_bits),
            **({"slot": Out(config.delay_bits)} if config.delay == "ring" else {}),
        })

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.comb += [
            self.hold.eq(self.phase == Phase.HOLD),
            self.clearing.eq(self.phase == Phase.CLEAR),
            self.integrating.eq(self.phase == Phase.INTEGRATE),
            self.updating.eq(self.phase == Phase.UPDATE),
            self.finished.eq(self.updating & self.update_idle),
        ]
        step = Signal.like(self.step)
        m.d.comb += step.eq(self.step + ~self.step.all())
        slot = [self.slot] if self.config.delay == "ring" else []

        with m.Switch(self.phase):
            with m.Case(Phase.HOLD):
                with m.If(self.clear):
                    m.d.sync += self.phase.eq(Phase.CLEAR)
                with m.Elif(self.start):
                    m.d.sync += self.phase.eq(Phase.INTEGRATE)

            with m.Case(Phase.CLEAR):
                m.d.sync += [self.clear_row.eq(self.clear_row + 1), self.step.eq(0),
                             *(number.eq(0) for number in slot)]
                with m.If(self.clear_row == self.config.accumulator_rows - 1):
                    m.d.sync += self.phase.eq(Phase.HOLD)

            with m.Case(Phase.INTEGRATE):
                with m.If(self.barrier):
                    m.d.sync += self.phase.eq(Phase.UPDATE)

            with m.Case(Phase.UPDATE):
                with m.If(self.finished):
                    m.d.sync += [self.phase.eq(Mux(self.more, Phase.INTEGRATE, Phase.HOLD)),
                                 self.step.eq(step), *(number.eq(number + 1) for number in slot)]
        return m
