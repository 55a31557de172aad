# SPDX-License-Identifier: Apache-2.0
"""Runs programs of meshes on the engines that know cycles."""

from collections.abc import Callable

import numpy as np

from .spec import (
    MeshProgram,
    Record,
    Stimulus,
    Trace,
    as_tile_trace,
    full_record,
    recorded_neurons,
    to_trace,
)

__all__ = ["run"]


def run(engine: str, program: MeshProgram, stimulus: Stimulus, *, record: Record | None = None,
        keep_state: bool = False, progress: Callable[[int, int], None] | None = None) -> Trace:
    """Trace of a program in model time.

    Parameters
    ----------
    engine : str
        ``fast`` or ``rtl``; the first also knows what tiles wait for (``Trace.tile.mesh``).
    program, stimulus, record, keep_state, progress
        As for :func:`neurotile.sim.engine.run`.

    Raises
    ------
    UserError
        The stimulus does not fit the network or the mesh.
    """
    events = program.events(stimulus, keep_state=keep_state)
    full = full_record(program.network, record)
    length = stimulus.samples * stimulus.steps // events.runs
    recorded = recorded_neurons(program, full)
    contents = (program.config, program.memories, np.asarray(program.groups), length, events,
                progress)
    if engine == "fast":
        from .sim.mesh_engine import run_mesh as run_fast
        mesh = run_fast(*contents, recorded=recorded, timeline=True)
    else:
        from .hw.engine.mesh_engine import run_mesh as run_rtl
        mesh = run_rtl(*contents, recorded=recorded)
    return to_trace(program, stimulus, as_tile_trace(program, mesh), engine=engine, record=full,
                    keep_state=keep_state)
