# SPDX-License-Identifier: Apache-2.0
"""Register file of the event mode (docs/event_mode.md, section 6)."""

from typing import Any

from amaranth import Cat, Const, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import EVENT_COUNTERS, EventConfig
from neurotile.spec.codes import VERSION_VALUE
from neurotile.spec.event_formats import EVENT_ID_VALUE, EventPhase, EventRegister, switches_word

from .layouts import host_bus, struct_layout

__all__ = ["EventRegisters"]


class EventRegisters(wiring.Component):
    """Settings that the host makes, and what it sees of the tile.

    Parameters
    ----------
    config : EventConfig
        Widths and digest.

    Members
    -------
    host : ``In(host_bus())``
        The host's accesses.
    run : ``Out(1)``
        Events are processed.
    switches : ``Out(switches_word)``
        Switches of section 2.
    clear : ``Out(1)``
        CLEAR is written in this cycle.
    phase, overflow, level : ``In(EventPhase)``, ``In(1)``, ``In(range(queue_depth + 1))``
        State of the tile.
    NAME : ``In(32)``
        Every counter.
    """

    def __init__(self, config: EventConfig) -> None:
        self.config = config
        super().__init__({
            "host": In(host_bus()), "run": Out(1),
            "switches": Out(struct_layout(switches_word())), "clear": Out(1),
            "phase": In(EventPhase), "overflow": In(1),
            "level": In(range(config.queue_depth + 1)),
            **{name: In(32) for name in EVENT_COUNTERS}})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        readable = {
            EventRegister.ID: Const(EVENT_ID_VALUE, 32),
            EventRegister.VERSION: Const(VERSION_VALUE, 32),
            EventRegister.DIGEST: Const(int(self.config.digest[:8], 16), 32),
            EventRegister.STATUS: Cat(self.phase, self.overflow),
            EventRegister.RUN: self.run,
            EventRegister.SWITCHES: self.switches.as_value(),
            EventRegister.LEVEL: self.level,
            **{EventRegister.COUNTERS + number: getattr(self, name)
               for number, name in enumerate(EVENT_COUNTERS)},
        }
        with m.If(self.host.read):
            m.d.sync += self.host.answer.eq(0)
            with m.Switch(self.host.index):
                for index, value in readable.items():
                    with m.Case(index):
                        m.d.sync += self.host.answer.eq(value)

        with m.If(self.host.write):
            with m.Switch(self.host.index):
                with m.Case(EventRegister.RUN):
                    m.d.sync += self.run.eq(self.host.data)
                with m.Case(EventRegister.CLEAR):
                    m.d.comb += self.clear.eq(1)
                with m.Case(EventRegister.SWITCHES):
                    m.d.sync += self.switches.eq(self.host.data)
        return m
