# SPDX-License-Identifier: Apache-2.0
"""Engine ``rtl`` in event mode: the exported Verilog of a tile, simulated, gives the trace."""

from collections.abc import Callable
from pathlib import Path

from ...spec import EventProgram, Events, EventTrace
from ...spec.event_formats import EventRegister
from ...spec.event_run import Observer
from .event_build import OBSERVED
from .event_simulation import EventSimulation

__all__ = ["run"]

_LIMIT = 50_000_000


def run(program: EventProgram, events: Events, *, observe: Observer | None = None,
        progress: Callable[[int, int], None] | None = None, limit: int = _LIMIT,
        library: Path | None = None) -> EventTrace:
    """Trace of a program on the simulated RTL.

    Parameters
    ----------
    observe : callable, optional
        Called after every event is completely processed; only with ``events.wait``.
    progress : callable, optional
        Called with (events accepted, events) about every tenth of a second.
    limit : int
        Cycles after an accepted event without another one or ``idle`` that count as endless.
    library : Path, optional
        Another simulator of this configuration than that of its own Verilog, from
        :func:`~neurotile.hw.engine.event_build.build_event_library`.

    Raises
    ------
    UserError
        Verilator or g++ is not installed, ``observe`` was given without ``events.wait``, or an
        event takes longer than ``limit``.
    """
    config = program.config
    with EventSimulation(config, library) as tile:
        if tile.read_register(EventRegister.DIGEST) != int(config.digest[:8], 16):
            raise RuntimeError(f"the Verilog is of another configuration than {config.name}")
        tile.clear()
        tile.load(program.memories)
        tile.switch(program.switches)
        done = tile.process(events, observe=observe, progress=progress, limit=limit)
        return EventTrace(
            engine="rtl", spike_event=done.spike_event, spike_neuron=done.spike_neuron,
            memories={name: tile.read(name) for name in OBSERVED}, counters=tile.counters(),
            accepted=done.accepted, end=done.end, spike_cycle=done.spike_cycle)
