# SPDX-License-Identifier: Apache-2.0
"""Counters of docs/semantics.md, sections 7 and 9, and docs/event_mode.md, section 6."""

from typing import Any

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import EVENT_COUNTERS, EventConfig, TileConfig

__all__ = ["Counters", "counters"]


def counters(config: TileConfig | EventConfig) -> tuple[str, ...]:
    """Counters of a tile, in the order of their registers."""
    return EVENT_COUNTERS if isinstance(config, EventConfig) else config.counters


class Counters(wiring.Component):
    """Event counters, the high-water mark of the queue and the overflow flag.

    Parameters
    ----------
    config : TileConfig or EventConfig
        Depth of the queue, and which counters there are.
    names : tuple of str, optional
        The counters, of a tile on a mesh; without, ``counters(config)``.

    Members
    -------
    count_NAME : ``In(1)``
        Count one for every NAME but ``queue_high_water`` in this cycle. With SCDQ ``count_drops``
        has two bits and counts up to two.
    level : ``In(range(queue_depth + 1))``
        Entries in the event queue.
    clear : ``In(1)``
        Zero everything at the end of this cycle.
    NAME : ``Out(32)``
        Value of every counter.
    overflow : ``Out(1)``
        A spike was dropped since the last clear.
    """

    def __init__(self, config: TileConfig | EventConfig,
                 names: tuple[str, ...] | None = None) -> None:
        self.names = names or counters(config)
        self.counted = tuple(name for name in self.names if name != "queue_high_water")
        scdq = isinstance(config, TileConfig) and config.delay == "scdq"
        super().__init__({
            **{f"count_{name}": In(2 if scdq and name == "drops" else 1) for name in self.counted},
            "level": In(range(config.queue_depth + 1)),
            "clear": In(1),
            **{name: Out(32) for name in self.names},
            "overflow": Out(1),
        })

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for name in self.counted:
            count = getattr(self, f"count_{name}")
            with m.If(count):
                m.d.sync += getattr(self, name).eq(
                    getattr(self, name) + (1 if len(count) == 1 else count))
        with m.If(self.count_drops):
            m.d.sync += self.overflow.eq(1)
        with m.If(self.level > self.queue_high_water):
            m.d.sync += self.queue_high_water.eq(self.level)
        with m.If(self.clear):
            m.d.sync += [getattr(self, name).eq(0)
                         for name in (*self.names, "overflow")]
        return m
