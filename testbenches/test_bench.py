# SPDX-License-Identifier: Apache-2.0
"""Workloads read and measured; fast engine and RTL agree on the shared one."""

import json
import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from neurotile.bench import bench, load_workload, save_workload
from neurotile.commands.bench import bench_command
from neurotile.models.map import choose_preset, map_network
from neurotile.sim.engine import run_tile
from neurotile.spec import UserError
from neurotile.testbenches import bench_compare
from neurotile.testbenches.workloads import make_workload

SHARED = Path(os.environ.get("NEUROTILE_SHARED",
                             Path(__file__).resolve().parents[1].parent / "shared"))
WORKLOAD = SHARED / "data" / "bench" / "workload_256.npz"
NEEDS_SHARED = pytest.mark.skipif(not WORKLOAD.exists(), reason=f"{WORKLOAD} is not there")
KEYS = {"syn_events", "seconds", "cpu_seconds", "syn_events_per_cpu_s", "steps", "cycles",
        "golden_match", "peak_rss_mb", "preset"}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """One run is enough where the speed does not matter."""
    for module in ("neurotile.commands.bench", "neurotile.testbenches.bench_compare"):
        monkeypatch.setattr(f"{module}.bench", partial(bench, runs=1, cpu_seconds=0))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A workload of 2 x 16 neurons, and its arrays."""
    path = tmp_path_factory.mktemp("bench") / "small.npz"
    return path, make_workload(path, inputs=24, width=16, steps=40, activity=0.2, threshold=40)


def test_a_workload_is_measured(small):
    path, arrays = small
    found = bench(path, runs=3, cpu_seconds=0)
    assert found.keys() >= KEYS and found["runs"] == 3
    assert found["golden_match"] and found["preset"] == "default" and found["steps"] == 40
    assert found["syn_events"] == arrays["n_syn_events"] > 1000
    assert found["cycles"] > 40 and found["syn_events_per_cpu_s"] > 0 < found["peak_rss_mb"]


def test_other_spikes_are_no_match(small, tmp_path, capsys):
    _, arrays = small
    path = tmp_path / "other.npz"
    save_workload(path, {**arrays, "leak": arrays["leak"] + 1})
    assert bench_command(path, engine="fast", as_json=True) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["golden_match"] is False
    assert bench_command(path, engine="fast", as_json=False) == 1
    assert "DIFFERENT from the golden raster" in capsys.readouterr().out


def test_neurons_in_any_order(small, tmp_path):
    # The file's numbers come back, however groups make them lie on the tile.
    _, arrays = small
    path, rng = tmp_path / "mixed.npz", np.random.default_rng(1)
    save_workload(path, {**arrays, "group": rng.integers(0, 3, 32)})
    assert bench(path, runs=1, cpu_seconds=0)["golden_match"]


@pytest.mark.parametrize(("change", "says"), [
    ({"w": None}, "not a workload: it has no 'w'"),
    ({"group": np.zeros(5, np.int32)}, r"group must have shape \(32,\), not \(5,\)"),
    ({"post": np.full(256, 99)}, "not a workload: index 99 is out of bounds"),
    ({"in_step": np.full(1, 3)}, "events: step and line must be lists of one length"),
])
def test_a_wrong_workload_is_named(small, tmp_path, change, says):
    path = tmp_path / "wrong.npz"
    arrays = {k: v for k, v in {**small[1], **change}.items() if v is not None}
    np.savez(path, **arrays)
    with pytest.raises(UserError, match=says):
        load_workload(path)


def test_a_missing_or_damaged_workload_is_named(tmp_path):
    with pytest.raises(UserError, match="there is no such file"):
        load_workload(tmp_path / "gone.npz")
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(UserError, match="not a readable .npz file"):
        load_workload(tmp_path / "cut.npz")
    with pytest.raises(ValueError, match="a workload needs 'name'"):
        save_workload(tmp_path / "empty.npz", {})


def test_comparison_with_others(small, capsys):
    assert bench_compare.main([str(small[0])]) == 0
    out = capsys.readouterr().out
    assert "neurotile fast (default)" in out and "differ" not in out
    assert bench_compare.measure_event_loop(small[1], runs=1)[1].sum() > 10


def test_comparison_with_sanafe(small):
    pytest.importorskip("sanafe", reason="extra `bench` is not installed")
    seconds, raster = bench_compare.measure_sanafe(small[1])
    np.testing.assert_array_equal(raster, bench_compare.measure_event_loop(small[1], runs=1)[1])
    assert seconds > 0


@NEEDS_SHARED
def test_shared_workload_is_exact():
    found = bench(WORKLOAD, runs=1, cpu_seconds=0)
    assert found["golden_match"] and found["preset"] == "wide"
    assert found["syn_events"] == 11_993_088


@NEEDS_SHARED
def test_shared_workload_has_the_same_cycles_in_rtl():
    from neurotile.hw.engine import engine as rtl
    workload = load_workload(WORKLOAD)
    program = map_network(workload.network, choose_preset(workload.network))
    arguments = (program.config, program.memories, program.groups, workload.stimulus.steps,
                 program.events(workload.stimulus), np.zeros(0, np.int64))
    ours, theirs = run_tile(*arguments), rtl.run_tile(*arguments)
    for name in ("barrier", "spike_step", "spike_neuron", "spike_cycle"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), name)
    for part in ("counters", "final"):
        found, expected = getattr(ours, part), getattr(theirs, part)
        assert found.keys() == expected.keys()
        for name in found:
            np.testing.assert_array_equal(found[name], expected[name], name)
