# SPDX-License-Identifier: Apache-2.0
"""The fast engine against a tile simulated clock by clock."""

import os
import subprocess
import sys

import numba
import numpy as np
import pytest

from neurotile.sim.axon_walker import walk
from neurotile.sim.engine import run_tile
from neurotile.sim.jit import source_digest
from neurotile.sim.spike_encoder import emit
from neurotile.sim.tile import advance
from neurotile.spec import PRESETS, TEST_PRESETS, TileEvents, UserError
from neurotile.spec.codes import Model
from neurotile.spec.formats import memories as tile_memories
from neurotile.testbenches.clocked_tile import ClockedTile
from neurotile.testbenches.tile_fuzz import Case, random_case, random_config


def assert_agrees(case: Case) -> dict[str, int]:
    """Same spikes, cycles, counters and states; returns what was counted over all runs."""
    trace = run_tile(*case)
    total = dict.fromkeys(trace.counters, 0)
    for run in range(case.events.runs):
        tile = ClockedTile(case.config, case.memories, case.groups, case.length)
        tile.run(case.events, run)
        seen = tile.seen()
        assert trace.barrier[run].tolist() == seen["barrier"]
        mine = trace.spike_run == run
        columns = trace.spike_step[mine], trace.spike_neuron[mine], trace.spike_cycle[mine]
        assert list(zip(*(c.tolist() for c in columns), strict=True)) == seen["spikes"]
        assert {k: v[run] for k, v in trace.counters.items()} == seen["counters"]
        potentials = np.array(seen["membrane"])[:, case.recorded]
        np.testing.assert_array_equal(trace.membrane[run], potentials)
        assert set(trace.final) == set(seen["final"])
        for name, expected in seen["final"].items():
            np.testing.assert_array_equal(trace.final[name][run], expected, name)
        for name, count in seen["counters"].items():
            total[name] += count
    return total


@pytest.mark.parametrize("name", [k for k, v in TEST_PRESETS.items() if not v.learns])
def test_presets(name):
    total = dict.fromkeys(("spikes", "hazard_stalls"), 0)
    for seed in range(12):
        rng = np.random.default_rng([seed, 1])
        counted = assert_agrees(random_case(TEST_PRESETS[name], rng))
        total = {key: total[key] + counted[key] for key in total}
    assert all(total.values())


@pytest.mark.parametrize("block", range(10))
def test_random_tiles(block):
    for seed in range(15):
        rng = np.random.default_rng([block, seed, 2])
        config = random_config(rng)
        assert_agrees(random_case(config, rng, events=float(rng.choice([1, 5, 20]))))


@pytest.mark.parametrize("depth", [2, 4])
def test_full_queue_and_fifo_hold_back_and_drop(depth):
    config = TEST_PRESETS["test_wide_lanes"].replace(
        queue_depth=depth, spike_fifo_depth=2, integrate_stages=1)
    total = dict.fromkeys(("fifo_stalls", "drops"), 0)
    for seed in range(8):
        rng = np.random.default_rng([seed, 3])
        case = random_case(config, rng, events=12)
        case.memories["threshold"][:] = rng.integers(0, 2, case.memories["threshold"].shape)
        counted = assert_agrees(case)
        total = {key: total[key] + counted[key] for key in total}
        assert counted["queue_high_water"] == depth * case.events.runs
    assert total["fifo_stalls"] and total["drops"]


def test_the_step_counter_stops_at_its_largest_value():
    config = TEST_PRESETS["test_all"].replace(step_bits=4)
    rng = np.random.default_rng(4)
    case = random_case(config, rng, runs=1, steps=24, events=2)
    counted = [assert_agrees(case._replace(length=length)) for length in (0, 15, 12)]
    # Steps 15 and later count as 15, which offset + 15 does not end for a group with an offset.
    assert counted[0]["updates"] >= counted[1]["updates"] > counted[2]["updates"]


def extremes(rng, low, high, shape):
    """Numbers of which most lie at the limits or at 0."""
    return rng.choice([low, low, low + 1, -1, 0, 1, high - 1, high, high], shape).clip(low, high)


@pytest.mark.parametrize("state_bits", [8, 16, 17, 26, 27, 28, 30, 31, 32])
def test_extreme_values_do_not_overflow(state_bits):
    # Around the bounds within which the engine computes in 32 bits.
    for seed in range(24):
        rng = np.random.default_rng([seed, state_bits, 11])
        models = [("if", "sublif"), ("lif", "cubalif", "sublif")][seed % 2]
        config = TEST_PRESETS["test_deep_pipe"].replace(
            state_bits=state_bits, acc_bits=int(rng.integers(14, 19)), models=models,
            decay_bits=int(rng.choice([4, 12, 14, 15])), offset_bits=1)
        case = random_case(config, rng, runs=1, steps=4, events=16)._replace(length=0)
        for memory in tile_memories(config):
            if memory.name in ("synapse", "threshold", "v_reset", "bias", "decay"):
                shape = (memory.rows, memory.lanes)
                case.memories[memory.name] = memory.word.pack(
                    {f.name: extremes(rng, *f.limits, shape) for f in memory.word.fields})
            elif memory.name == "group":
                codes = [Model[name.upper()] for name in models]
                case.memories["group"] = memory.word.pack({
                    "model": rng.choice(codes, (memory.rows, 1)), "offset": 0,
                    "shift": rng.choice([14, 15], (memory.rows, 1)),
                    "soft_reset": rng.integers(0, 2, (memory.rows, 1))})
        assert_agrees(case)


def test_length_has_the_bits_of_the_register():
    case = random_case(TEST_PRESETS["test_all"], np.random.default_rng(12))
    one, other = (run_tile(*case._replace(length=length)) for length in (3, 3 + 256))
    assert one.counters["updates"].sum() == other.counters["updates"].sum() > 0
    np.testing.assert_array_equal(one.final["membrane"], other.final["membrane"])


def test_the_cache_knows_every_source():
    # numba itself would keep machine code of `advance` that holds an older kernel of another file.
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        pytest.skip("nothing is compiled")
    cells = [cell.cell_contents for cell in advance.py_func.__closure__]
    assert cells == [source_digest()]
    assert [part._cache.cache_path for part in (walk, emit)] == [None, None]


def test_long_axons_are_summed_in_batches():
    # Rows of one event list lie behind each other on the same groups: eight and more at once.
    config = PRESETS["default"].replace(neurons=64)
    for seed in range(4):
        rng = np.random.default_rng([seed, 5])
        case = random_case(config, rng, runs=1, steps=3, events=40)
        word = case.memories["axon"]
        word[:] = word[0] | np.uint64(1 << config.axon_bits_total - 1)
        word[:, 0] ^= rng.integers(0, 128, config.axons, dtype=np.uint64)  # other rows
        assert_agrees(case)


def test_states_do_not_pass_from_run_to_run():
    rng = np.random.default_rng(6)
    case = random_case(TEST_PRESETS["test_all"], rng, runs=1, steps=5)
    once = run_tile(*case)
    e = case.events
    twice = run_tile(*case._replace(events=TileEvents(
        2, e.steps, np.r_[e.start, e.start[1:] + e.start[-1]], np.tile(e.axon, 2))))
    for run in range(2):
        np.testing.assert_array_equal(twice.barrier[run], once.barrier[0])
        np.testing.assert_array_equal(twice.spike_cycle[twice.spike_run == run], once.spike_cycle)
        for name, value in twice.final.items():
            np.testing.assert_array_equal(value[run], once.final[name][0])


def test_progress_and_growing_log_change_nothing(monkeypatch):
    rng = np.random.default_rng(7)
    case = random_case(TEST_PRESETS["test_all"], rng, runs=30, steps=20)._replace(length=0)
    case.memories["threshold"][:] = 0
    whole, seen = run_tile(*case), []
    monkeypatch.setattr("neurotile.sim.engine._LOG_ROOM", 1)
    parts = run_tile(*case, progress=lambda done, total: seen.append((done, total)))
    assert len(seen) > 1 and seen[-1] == (600, 600) and seen == sorted(seen)
    assert len(whole.spike_cycle) > 1000
    for name in ("barrier", "spike_run", "spike_step", "spike_neuron", "spike_cycle", "membrane"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))


def test_axons_that_never_end_are_a_time_out():
    rng = np.random.default_rng(8)
    case = random_case(TEST_PRESETS["test_all"], rng, runs=1)
    case.memories["axon"] &= np.uint64((1 << case.config.axon_bits_total - 1) - 1)
    with pytest.raises(UserError, match="run 0, step 0: time-out, an event never ends"):
        run_tile(*case)
    silent = TileEvents(1, 3, np.zeros(4, np.int64), np.zeros(0, np.int32))
    case.memories["route"][:] = 0
    assert assert_agrees(case._replace(events=silent))["events"] == 0


def test_wrong_arguments_are_named():
    case = random_case(TEST_PRESETS["test_all"], np.random.default_rng(9))
    with pytest.raises(UserError, match=r"test_all: groups must be in 1..8, not 9"):
        run_tile(*case._replace(groups=9))
    wrong = {**case.memories, "synapse": case.memories["synapse"][1:]}
    with pytest.raises(UserError, match=r"memory 'synapse' must have shape \(256, 4\), not"):
        run_tile(*case._replace(memories=wrong))
    wrong.pop("synapse")
    with pytest.raises(UserError, match="memory 'synapse' is missing"):
        run_tile(*case._replace(memories=wrong))


def test_without_compilation_the_result_is_the_same():
    code = """
import numpy as np, numba
from neurotile.testbenches.test_fast_engine import assert_agrees, random_case, TEST_PRESETS
assert numba.config.DISABLE_JIT
for config in (c for c in TEST_PRESETS.values() if not c.learns):
    for seed in range(2):
        rng = np.random.default_rng([seed, 10])
        assert_agrees(random_case(config, rng, runs=1, steps=5))
"""
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONWARNINGS": "error"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
