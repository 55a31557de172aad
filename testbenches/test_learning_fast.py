# SPDX-License-Identifier: Apache-2.0
"""Learning in the fast engine against a tile simulated clock by clock; weights in model time."""

import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from neurotile.models.map import map_network
from neurotile.sim.engine import run, run_tile
from neurotile.spec import (
    TEST_PRESETS,
    CalciumRule,
    InputPort,
    IntegerNetwork,
    Population,
    Projection,
    Sdsp,
    SdspSynapses,
    Stimulus,
    TileLearning,
    UserError,
)
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
    for number in range(case.events.runs):
        tile = ClockedLearningTile(case.config, case.memories, case.groups, case.length, learning,
                                   synapse)
        tile.run(case.events, number)
        kept += tile.log
        seen = tile.seen()
        assert trace.barrier[number].tolist() == seen["barrier"]
        mine = trace.spike_run == number
        columns = trace.spike_step[mine], trace.spike_neuron[mine], trace.spike_cycle[mine]
        assert list(zip(*(c.tolist() for c in columns), strict=True)) == seen["spikes"]
        assert {k: v[number] for k, v in trace.counters.items()} == seen["counters"]
        assert set(trace.final) == set(seen["final"])
        for name, expected in seen["final"].items():
            np.testing.assert_array_equal(trace.final[name][number], expected, name)
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


def test_weights_and_their_log_in_model_time():
    # Relays make the layer start one step late; 'in' learns from the second step on.
    rule = CalciumRule(theta_mem=-1000, theta1=0, theta2=7, theta3=7)
    network = IntegerNetwork(
        (InputPort("in", 2),),
        (Population("first", 1, "if", np.array(-1)),
         Population("layer", 1, "if", np.array(1000), calcium=rule)),
        (Projection("in", "layer", np.array([[1, -1]]),
                    synapses=SdspSynapses(np.array([False, True]), np.array([[True, True]]))),
         Projection("first", "layer", np.array([[3]]))),
        weight_bits=4, learning=Sdsp())
    program = map_network(network, SMALL)
    assert program.learning is not None and program.learning.offset == 1
    stimulus = Stimulus.from_dense(np.ones((2, 4, 2)))
    weights = [[1, 2, 3, 4, 4, 5, 6, 7], [1, 2, 3, 4, 5, 6, 7, 7]]
    for keep_state, expected in zip((False, True), weights, strict=True):
        for every in (1, 3, 8, 9):
            trace = run(program, stimulus, keep_state=keep_state, weights_every=every)
            found = trace.weight_log["in->layer"]
            wanted = np.array(expected)[every - 1::every, None, None] * np.array([1, -1])
            np.testing.assert_array_equal(found, wanted, f"every {every}")
            np.testing.assert_array_equal(trace.weights["in->layer"], [[7, -7]])
    assert run(program, stimulus).weight_log == {}
    with pytest.raises(UserError, match="weights_every must be a number of steps"):
        run(program, stimulus, weights_every=-1)


def test_without_compilation_the_result_is_the_same():
    code = """
import numpy as np, numba
from neurotile.testbenches.test_learning_fast import *
assert numba.config.DISABLE_JIT
for config in (SMALL, DEEP, SMALL.replace(integrate_stages=2, synapse_words=2)):
    for seed in range(3):
        rng = np.random.default_rng([seed, 23])
        case = random_case(config, rng, steps=5)
        assert_agrees(case, random_learning(config, rng, steps=5))
"""
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONWARNINGS": "error"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
