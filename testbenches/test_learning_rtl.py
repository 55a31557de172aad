# SPDX-License-Identifier: Apache-2.0
"""Engine rtl on tiles that learn: cost of bistability, log of weights, exported testbench."""

import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from neurotile.hw.engine import run, run_tile
from neurotile.hw.export_files import export_dir
from neurotile.models.map import map_network
from neurotile.sim import engine as fast
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
    TileEvents,
    TileLearning,
    UserError,
)
from neurotile.spec.codes import MemoryId
from neurotile.spec.formats import memories
from neurotile.testbenches.equality import differences, tile_differences
from neurotile.testbenches.learning_cases import LEARNING_PRESETS
from neurotile.testbenches.strategies import Seeded, random_raw_case

LEARN = 1


def empty(config):
    return {m.name: np.zeros((m.rows, m.lanes), np.uint64) for m in memories(config)}


def network():
    """Inputs that learn, a layer that feeds back, and inhibition from a part of the sources."""
    rng = np.random.default_rng(4)
    rule = CalciumRule(theta_mem=10, theta1=0, theta2=5, theta3=7, leak=2)
    inhibitory = np.arange(9) < 2
    weights = (rng.integers(0, 8, (10, 9)) * np.where(inhibitory, -1, 1)).astype(np.int32)
    back = (rng.integers(-5, 6, (10, 10)) * (rng.random((10, 10)) < 0.3)).astype(np.int32)
    return IntegerNetwork(
        inputs=(InputPort("in", 9),),
        populations=(Population("layer", 10, "lif", threshold=np.array(20), calcium=rule,
                                decay_v=np.array(3600)),),
        projections=(
            Projection("in", "layer", weights, synapses=SdspSynapses(
                inhibitory, rng.random((10, 9)) < 0.9)),
            Projection("layer", "layer", back, delay=1)),
        weight_bits=4, learning=Sdsp(bistability=3, propagate_unmapped=True,
                                     update_unmapped=True))


@pytest.fixture(scope="module")
def learnt():
    """A program that learns, its stimulus, and what the fast engine says."""
    dense = np.random.default_rng(5).random((3, 8, 9)) < 0.5
    stimulus = Stimulus.from_dense(dense.astype(np.uint8))
    program = map_network(network(), LEARNING_PRESETS["test_learning"])
    trace = fast.run(program, stimulus, weights_every=5)
    assert trace.tile is not None and trace.tile.counters["synapse_writes"].all()
    assert (trace.weights["in->layer"] != network().projections[0].weights).sum() > 20
    return program, stimulus, trace


@pytest.mark.parametrize("name", sorted(LEARNING_PRESETS))
@pytest.mark.parametrize("rows", [1, 2, 17])
def test_a_bistability_update_costs_r_e_1_cycles(name, rows):
    config = LEARNING_PRESETS[name]
    silent = TileEvents(2, 9, np.zeros(19, np.int64), np.zeros(0, np.int32))
    contents = empty(config)
    contents["synapse"][:] = 8 | np.arange(config.lanes, dtype=np.uint64)
    learning = TileLearning(LEARN, offset=2, period=3, rows=rows)
    without, found = (run_tile(config, contents, 3, 8, silent, learning=registers)
                      for registers in (None, learning))
    # Of the steps 2 … 9 every third ends with bistability; the next barrier is that much later.
    updates = np.cumsum([0, 0, 0, 0, 0, 1, 0, 0, 1])
    cost = rows + config.integrate_stages + 1
    assert np.array_equal(found.barrier - without.barrier, [updates * cost] * 2)
    assert found.counters["synapse_writes"].tolist() == [2 * rows] * 2
    steps = np.array([-2, -2, -2, -2, 2, 2, 2, 2])[:config.lanes]
    settled = np.clip(np.arange(config.lanes) + 2 * steps, 0, 7)
    assert (found.synapse[:rows] == 8 | settled).all()
    assert np.array_equal(found.synapse[rows:], contents["synapse"][rows:].astype(np.int64))


def test_the_log_costs_no_cycles():
    config, changes = LEARNING_PRESETS["test_learning"], 0
    for seed in range(6):
        case = random_raw_case(Seeded(seed), config)
        arguments = (config, case.contents, case.groups, case.length, case.events)
        total = case.events.runs * case.events.steps
        plain = run_tile(*arguments, learning=case.learning)
        assert plain.synapse_log is None
        whole = run_tile(*arguments, learning=case.learning, log=np.arange(total))
        some = run_tile(*arguments, learning=case.learning, log=np.arange(0, total, 3))
        assert whole.synapse_log is not None and some.synapse_log is not None
        assert np.array_equal(whole.synapse_log[-1], plain.synapse), f"seed {seed}"
        assert np.array_equal(whole.synapse_log[::3], some.synapse_log), f"seed {seed}"
        for logged in (whole, some):
            assert not tile_differences(plain, replace(logged, synapse_log=None)), f"seed {seed}"
        changes += int((whole.synapse_log[1:] != whole.synapse_log[:-1]).sum())
    assert changes


def test_weights_and_their_log_are_those_of_the_fast_engine(learnt):
    program, stimulus, one = learnt
    for keep_state in (False, True):
        one = fast.run(program, stimulus, keep_state=keep_state, weights_every=5)
        other = run(program, stimulus, keep_state=keep_state, weights_every=5)
        assert one.tile is not None and other.tile is not None
        assert not differences(one, other) and not tile_differences(one.tile, other.tile)
        assert one.weight_log["in->layer"].shape == (4, 10, 9)
        assert np.array_equal(one.weight_log["in->layer"], other.weight_log["in->layer"])
        assert np.array_equal(one.weights["in->layer"], other.weights["in->layer"])


def test_registers_of_learning_need_a_tile_that_learns():
    config = TEST_PRESETS["test_all"]
    silent = TileEvents(1, 1, np.zeros(2, np.int64), np.zeros(0, np.int32))
    with pytest.raises(UserError, match=r"test_all: has learning = 'none', so that it has no reg"):
        run_tile(config, empty(config), 1, 0, silent, learning=TileLearning())


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
def test_the_exported_testbench_learns(learnt, tmp_path):
    program, stimulus, trace = learnt
    out = tmp_path / "out"
    export_dir(program.config, out, program=program, stimulus=stimulus, trace=trace)
    subprocess.run(["iverilog", "-g2001", "-o", "tb", "tile_tb.v", "tile.v"], cwd=out, check=True)

    def said():
        done = subprocess.run(["vvp", "-n", "tb"], cwd=out, capture_output=True, text=True,
                              check=False)
        return done.stdout + done.stderr

    assert "PASS: " in said()
    # The last word but one is the last synapse that learns.
    script = out / "vectors" / "script.hex"
    lines = script.read_text().splitlines()
    lines[-2] = f"{int(lines[-2], 16) ^ 1:025x}"
    script.write_text("\n".join(lines) + "\n")
    answer = said()
    assert f"error: memory {int(MemoryId.SYNAPSE)}, index" in answer and "FAIL: 1 errors" in answer


def test_theta_mem_at_the_limits():
    config, flags = LEARNING_PRESETS["test_learning"], np.zeros(2, np.int64)
    low, high = config.state_limits
    limits = np.array([low, low + 1, -1, 0, 1, high - 1, high])
    for seed in range(25):
        rng = np.random.default_rng(seed)
        case = random_raw_case(Seeded(seed), config)
        contents = dict(case.contents)
        for name in ("theta_mem", "threshold", "v_reset", "bias"):
            words = rng.choice(limits, contents[name].shape)
            contents[name] = words.astype(np.uint64) & np.uint64((1 << config.state_bits) - 1)
        arguments = (config, contents, config.groups, 0, case.events)
        one = fast.run_tile(*arguments, np.zeros(0, np.int64), learning=case.learning)
        other = run_tile(*arguments, learning=case.learning)
        assert not tile_differences(one, other), f"seed {seed}"
        flags += [(one.final["calcium"] >> bit & 1).sum() for bit in (8, 9)]
    assert (flags > 50).all(), flags
