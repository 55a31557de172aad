# SPDX-License-Identifier: Apache-2.0
"""What two engines say differently about one run."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neurotile.hw import engine as rtl
from neurotile.models import golden
from neurotile.sim import engine as fast
from neurotile.spec import MeshTrace, TileTrace, Trace

from .strategies import Case, RawCase

__all__ = ["array_differences", "case_differences", "dictionary_differences", "differences",
           "mesh_differences", "raw_differences", "tile_differences"]

_MESH_FIELDS = ("barrier", "end", "spike_run", "spike_step", "spike_tile", "spike_neuron",
                "spike_cycle", "lost", "parity_errors", "membrane")


def case_differences(case: Case, *, with_rtl: bool = True) -> tuple[list[str], Trace]:
    """What golden, fast and rtl say differently about a case, and what fast says.

    Golden knows no queue: where spikes were dropped it is left out.
    """
    options: dict[str, Any] = {"record": case.record, "keep_state": case.keep_state,
                               "weights_every": case.weights_every}
    one = fast.run(case.program, case.stimulus, **options)
    assert one.tile is not None
    found = []
    learning = case.network.learning and case.program.learning
    fixed = learning.rows if learning and case.program.synapse_index else 0
    if not np.array_equal(one.tile.synapse[fixed:],
                          case.program.memories["synapse"][fixed:].astype(np.int64)):
        found.append("fast: the weights are not those of the program")
    if not one.tile.counters["drops"].any():
        reference = golden.run(case.network, case.stimulus, **options)
        found += [f"golden, fast: {line}" for line in differences(reference, one)]
    if with_rtl:
        other = rtl.run(case.program, case.stimulus, **options)
        assert other.tile is not None
        found += [f"fast, rtl: {line}" for line in differences(one, other)]
        found += [f"fast, rtl: {line}" for line in tile_differences(one.tile, other.tile)]
    return found, one


def raw_differences(case: RawCase) -> tuple[list[str], TileTrace]:
    """What fast and rtl say differently about memory contents, and what fast says."""
    arguments = (case.config, case.contents, case.groups, case.length, case.events, case.recorded)
    one = fast.run_tile(*arguments, learning=case.learning, log=case.log)
    other = rtl.run_tile(*arguments, learning=case.learning, log=case.log)
    return tile_differences(one, other), one


def differences(a: Trace, b: Trace) -> list[str]:
    """Spikes, potentials, states and weights that differ, the first of each array."""
    found = []
    if (a.network, a.stimulus, a.keep_state) != (b.network, b.stimulus, b.keep_state):
        found.append("network, stimulus or keep_state are not the same")
    for kind in ("spikes", "potentials", "states", "weights", "weight_log"):
        found += dictionary_differences(kind, getattr(a, kind), getattr(b, kind))
    return found


def tile_differences(a: TileTrace, b: TileTrace) -> list[str]:
    """Cycles, counters and memories that differ, the first of each array."""
    found = []
    for name in ("barrier", "spike_run", "spike_step", "spike_neuron", "spike_cycle", "membrane",
                 "synapse", "synapse_log"):
        found += array_differences(name, getattr(a, name), getattr(b, name))
    for kind in ("final", "counters"):
        found += dictionary_differences(kind, getattr(a, kind), getattr(b, kind))
    if a.mesh is not None and b.mesh is not None:
        found += [f"mesh: {line}" for line in mesh_differences(a.mesh, b.mesh)]
    elif a.mesh is not b.mesh:
        found.append("mesh: only one of the traces has one")
    return found


def mesh_differences(one: MeshTrace, other: MeshTrace) -> list[str]:
    """What two engines of meshes say differently, in any cycle, state or counter."""
    found = []
    for name in _MESH_FIELDS:
        found += array_differences(name, getattr(one, name), getattr(other, name))
    for name in ("final", "counters"):
        found += dictionary_differences(name, getattr(one, name), getattr(other, name))
    return found


def dictionary_differences(kind: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """What differs between two dictionaries of arrays or numbers, the first of each array."""
    if set(a) != set(b):
        return [f"{kind}: {sorted(a)} against {sorted(b)}"]
    return [line for name in a
            for line in array_differences(f"{kind}[{name!r}]", a[name], b[name])]


def array_differences(name: str, a: npt.ArrayLike, b: npt.ArrayLike) -> list[str]:
    """How many elements of two arrays differ, and the first of them; nothing if none does."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        return [f"{name}: shape {a.shape} against {b.shape}"]
    if np.array_equal(a, b):
        return []
    where = tuple(int(k) for k in np.argwhere(a != b)[0])
    count = int((a != b).sum())
    return [f"{name}: {count} of {a.size} differ, at {list(where)}: {a[where]} against {b[where]}"]
