# SPDX-License-Identifier: Apache-2.0
"""Register file behind memory id 0 of the host port (docs/semantics.md, sections 8 and 9)."""

from typing import Any

from amaranth import Cat, Const, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import TileConfig
from neurotile.spec.codes import ID_VALUE, VERSION_VALUE, Phase, Register
from neurotile.spec.learning import learning_switches_word

from .layouts import host_bus, struct_layout

__all__ = ["Registers"]


class Registers(wiring.Component):
    """Settings that the host makes, and what it sees of the tile.

    Parameters
    ----------
    config : TileConfig
        Widths and digest.
    counters : tuple of str, optional
        Counters in the order of their registers, of a tile on a mesh.

    Members
    -------
    host : ``In(host_bus())``
        The host's accesses.
    groups, length : ``Out(group_bits)``, ``Out(step_bits)``
        Mapped groups minus one; steps in a window.
    switches, learn_offset : ``Out(learning_switches_word)``, ``Out(offset_bits)``
        SWITCHES and LEARN_OFFSET, on a tile that learns.
    bistability_period, bistability_rows : ``Out(step_bits)``, ``Out(row_bits)``
        BISTABILITY_PERIOD and BISTABILITY_ROWS, on a tile that learns.
    clear : ``Out(1)``
        CLEAR is written in this cycle.
    run_write, run_data : ``Out(1)``, ``Out(step_bits)``
        RUN is written in this cycle.
    phase, overflow, run, step : ``In(Phase)``, ``In(1)``, ``In(step_bits)``, ``In(step_bits)``
        State of the tile.
    NAME : ``In(32)``
        Every counter.
    """

    def __init__(self, config: TileConfig, counters: tuple[str, ...] | None = None) -> None:
        self.config = config
        self.counters = counters or config.counters
        learning = {
            "switches": Out(struct_layout(learning_switches_word())),
            "learn_offset": Out(config.offset_bits),
            "bistability_period": Out(config.step_bits), "bistability_rows": Out(config.row_bits),
        } if config.learns else {}
        self.learning = {Register[name.upper()]: name for name in learning}
        super().__init__({
            "host": In(host_bus()),
            "groups": Out(config.group_bits), "length": Out(config.step_bits),
            "clear": Out(1), "run_write": Out(1), "run_data": Out(config.step_bits),
            "phase": In(Phase), "overflow": In(1),
            "run": In(config.step_bits), "step": In(config.step_bits),
            **{name: In(32) for name in self.counters},
            **learning,
        })

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        readable: dict[int, Value] = {
            Register.ID: Const(ID_VALUE, 32),
            Register.VERSION: Const(VERSION_VALUE, 32),
            Register.DIGEST: Const(int(self.config.digest[:8], 16), 32),
            Register.STATUS: Cat(self.phase, self.overflow),
            Register.RUN: self.run,
            Register.GROUPS: self.groups,
            Register.LENGTH: self.length,
            Register.STEP: self.step,
            **{Register.EVENTS + number: getattr(self, name)
               for number, name in enumerate(self.counters)},
            **{register: getattr(self, name) for register, name in self.learning.items()},
        }
        with m.If(self.host.read):
            m.d.sync += self.host.answer.eq(0)
            with m.Switch(self.host.index):
                for index, value in readable.items():
                    with m.Case(index):
                        m.d.sync += self.host.answer.eq(value)

        m.d.comb += self.run_data.eq(self.host.data)
        with m.If(self.host.write):
            with m.Switch(self.host.index):
                with m.Case(Register.RUN):
                    m.d.comb += self.run_write.eq(1)
                with m.Case(Register.CLEAR):
                    m.d.comb += self.clear.eq(1)
                with m.Case(Register.GROUPS):
                    m.d.sync += self.groups.eq(self.host.data)
                with m.Case(Register.LENGTH):
                    m.d.sync += self.length.eq(self.host.data)
                for register, name in self.learning.items():
                    with m.Case(register):
                        m.d.sync += Value.cast(getattr(self, name)).eq(self.host.data)
        return m
