# SPDX-License-Identifier: Apache-2.0
"""Learning in the fast engine: rules computed by hand, and a tile simulated clock by clock."""

from collections import Counter

import numpy as np
import pytest

from neurotile.sim.engine import run_tile
from neurotile.spec import TEST_PRESETS, TileLearning
from neurotile.testbenches.clocked_learning import ClockedLearningTile
from neurotile.testbenches.tile_fuzz import Case, random_case, random_config, random_learning

SMALL = TEST_PRESETS["test_all"].replace(name="learns", learning="sdsp", weight_bits=4)
DEEP = SMALL.replace(lanes=8, neurons=64, integrate_stages=2, parameters="shared",
                     parameter_sets=4, synapse_words=16)


def assert_agrees(case: Case, learning: TileLearning) -> Counter[str]:
    """Same spikes, cycles, counters, states and synapses; returns what was counted in all runs."""
    log = np.arange(0, case.events.runs * case.events.steps, 2)
    trace = run_tile(*case, learning=learning, log=log)
    total: Counter[str] = Counter()
    synapse = case.memories["synapse"].astype(np.int64)
    kept = []
    for run in range(case.events.runs):
        tile = ClockedLearningTile(case.config, case.memories, case.groups, case.length, learning,
                                   synapse)
        tile.run(case.events, run)
        kept += tile.log
        seen = tile.seen()
        assert trace.barrier[run].tolist() == seen["barrier"]
        mine = trace.spike_run == run
        columns = trace.spike_step[mine], trace.spike_neuron[mine], trace.spike_cycle[mine]
        assert list(zip(*(c.tolist() for c in columns), strict=True)) == seen["spikes"]
        assert {k: v[run] for k, v in trace.counters.items()} == seen["counters"]
        assert set(trace.final) == set(seen["final"])
        for name, expected in seen["final"].items():
            np.testing.assert_array_equal(trace.final[name][run], expected, name)
        total.update(seen["counters"])
        total["flags"] += int((seen["final"]["calcium"] >> 8).any())
    np.testing.assert_array_equal(trace.synapse, synapse)
    assert trace.synapse_log is not None
    np.testing.assert_array_equal(trace.synapse_log, np.array(kept)[log])
    total["changed"] = int((case.memories["synapse"].astype(np.int64) != synapse).sum())
    return total


@pytest.mark.parametrize("config", [SMALL, DEEP], ids=["small", "deep"])
def test_tiles(config):
    total: Counter[str] = Counter()
    for seed in range(40):
        rng = np.random.default_rng([seed, 21])
        case = random_case(config, rng, events=float(rng.choice([2, 8])))
        total += assert_agrees(case, random_learning(config, rng, steps=case.events.steps))
    assert all(total[key] for key in ("changed", "flags", "synapse_writes", "hazard_stalls"))


@pytest.mark.parametrize("block", range(6))
def test_random_tiles(block):
    total: Counter[str] = Counter()
    for seed in range(15):
        rng = np.random.default_rng([block, seed, 22])
        config = random_config(rng, learning="sdsp")
        case = random_case(config, rng, events=float(rng.choice([1, 5, 20])))
        total += assert_agrees(case, random_learning(config, rng, steps=case.events.steps))
    assert total["changed"]
