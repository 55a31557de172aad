# SPDX-License-Identifier: Apache-2.0
"""Formats, configuration and stimulus: one description, refused when wrong, total when read."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurotile.spec import (
    MODELS,
    PRESETS,
    TEST_PRESETS,
    Field,
    InputPort,
    IntegerNetwork,
    Population,
    Projection,
    Stimulus,
    TileConfig,
    UserError,
    Word,
    preset,
)
from neurotile.spec.formats import memories

WORD = Word("state", (Field("v", 12, "membrane potential", signed=True),
                      Field("refractory", 3, "steps left"),
                      Field("parity", 1, "even parity")))
ALL = {**PRESETS, **TEST_PRESETS}


def test_word_positions():
    assert (WORD.width, WORD.offset("v"), WORD.offset("parity")) == (16, 0, 15)
    assert int(WORD.pack({"v": -1, "refractory": 5, "parity": 1})) == 0b1101_1111_1111_1111


@given(st.integers(0, 0xFFFF))
def test_word_is_total(bits):
    assert int(WORD.pack(WORD.unpack(bits))) == bits


def test_word_refuses_by_name():
    with pytest.raises(ValueError, match=r"state.v must be in -2048..2047, not 2048"):
        WORD.pack({"v": [0, 2048], "refractory": 0, "parity": 0})
    with pytest.raises(TypeError, match=r"takes \['v', 'refractory', 'parity'\]"):
        WORD.pack({"v": 0})
    with pytest.raises(ValueError, match="70 bits do not fit in 64"):
        Word("wide", (Field("a", 70, ""),))
    with pytest.raises(ValueError, match="must differ"):
        Word("twice", (Field("a", 1, ""), Field("a", 1, "")))


@pytest.mark.parametrize("config", ALL.values(), ids=ALL)
def test_presets_round_trip_and_fit(config, tmp_path):
    path = tmp_path / "tile.toml"
    path.write_text(config.to_toml())
    assert TileConfig.from_toml(path) == config
    assert all(m.word.width <= 32 for m in memories(config)), "the host port has 32-bit words"
    assert config.event_cycles <= 6 and config.update_cycles <= 8


def test_test_presets_reach_every_structural_option():
    tests = TEST_PRESETS.values()
    reached = {key: {getattr(c, key) for c in tests} for key in
               ("lanes", "weight_bits", "integrate_stages", "update_stages", "parameters")}
    assert reached == {"lanes": {1, 2, 4, 8, 16}, "weight_bits": {1, 2, 4, 8, 16},
                       "integrate_stages": {1, 2}, "update_stages": {1, 2, 3, 4},
                       "parameters": {"neuron", "shared"}}
    for model in MODELS:
        assert any(model in c.models for c in tests) and any(model not in c.models for c in tests)
    assert {c.has_decay for c in tests} == {c.has_current for c in tests} == {True, False}
    assert any(c.queue_depth < c.neurons for c in tests), "spikes can be dropped"
    assert any(c.spike_fifo_depth < c.update_stages + 2 for c in tests), "credits can run out"
    assert {8, 32} <= {c.state_bits for c in tests} and {8, 32} <= {c.acc_bits for c in tests}
    assert len(tests) <= 8


@pytest.mark.parametrize("key, value, message", [
    ("lanes", 3, r"lanes must be a power of two in 1..16, not 3"),
    ("state_bits", 33, r"state_bits must be an integer in 8..32, not 33"),
    ("axons", "many", r"axons must be a power of two in 2..65536, not 'many'"),
    ("update_stages", True, r"update_stages must be an integer in 1..4, not True"),
    ("models", ("lif", "if"), r"models must be one or more of if, lif.*in this order"),
    ("models", (), r"models must be"),
    ("parameters", "both", r"parameters must be 'neuron' or 'shared', not 'both'"),
    ("neurons", 8, r"neurons must be at least 2 \* lanes = 16, not 8"),
    ("name", "", r"name must be"),
    ("synapse_words", 1 << 20, r"default: .* 31 bits|default"),
])
def test_config_names_key_value_and_range(key, value, message):
    default = preset("default")
    if key == "synapse_words":
        with pytest.raises(UserError, match="must fit in 32"):
            default.replace(synapse_words=value, neurons=4096)
        return
    with pytest.raises(UserError, match=message):
        default.replace(**{key: value})


@pytest.mark.parametrize("edit, message", [
    (lambda t: t.replace("lanes = 8\n", ""), "missing key 'lanes'"),
    (lambda t: t + "colour = 1\n", "unknown key 'colour'; known are name, axons"),
    (lambda t: t + "= 1\n", "not a TOML file"),
    (lambda t: t.replace('models = ["if"', 'models = 3 #'), "models must be a list of names"),
])
def test_toml_errors(edit, message, tmp_path):
    path = tmp_path / "tile.toml"
    path.write_text(edit(preset("default").to_toml()))
    with pytest.raises(UserError, match=message):
        TileConfig.from_toml(path)


def test_missing_and_binary_toml(tmp_path):
    with pytest.raises(UserError, match="there is no such file"):
        TileConfig.from_toml(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="cannot be read"):
        TileConfig.from_toml(tmp_path / "bad.toml")


def test_unknown_preset_suggests():
    message = r"unknown preset 'defualt'; did you mean 'default'\? there are"
    with pytest.raises(UserError, match=message):
        preset("defualt")


def test_digest_ignores_only_the_name():
    default = preset("default")
    assert default.replace(name="other").digest == default.digest
    assert default.replace(lanes=4).digest != default.digest


@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 4), st.randoms(use_true_random=False))
def test_stimulus_round_trip(samples, steps, inputs, random):
    dense = np.array([random.random() < 0.4 for _ in range(samples * steps * inputs)], np.uint8)
    dense = dense.reshape(samples, steps, inputs)
    stimulus = Stimulus.from_dense(dense)
    np.testing.assert_array_equal(stimulus.dense(), dense)
    np.testing.assert_array_equal(stimulus.first(1).dense(), dense[:1])
    _, step, line = np.nonzero(dense[:1])
    events = Stimulus.from_events(step[::-1], line[::-1], steps=steps, inputs=inputs)
    assert events.digest == stimulus.first(1).digest


@pytest.mark.parametrize("spikes, labels, message", [
    (np.zeros((2, 3, 4, 5)), None, r"must have shape \(steps, inputs\)"),
    (np.full((3, 4), 2), None, r"only 0 and 1, found 2"),
    (np.full((3, 4), np.nan), None, r"only 0 and 1, found nan"),
    (np.array([["a"]]), None, r"numbers 0 and 1, not dtype"),
    (np.zeros((0, 4)), None, r"is empty"),
    (np.zeros((2, 3, 4)), [1], r"labels must be 2 integers"),
    (np.zeros((1, 3, 4)), [0.5], r"labels must be 1 integers"),
])
def test_stimulus_refuses(spikes, labels, message):
    with pytest.raises(UserError, match=message):
        Stimulus.from_dense(spikes, labels)


@pytest.mark.parametrize("step, line, message", [
    ([0, 0], [1, 1], "twice in one step"), ([9], [0], "steps must be in 0..3"),
    ([0], [7], "lines must be in 0..4"), ([0, 1], [0], "lists of one length")])
def test_stimulus_events_refused(step, line, message):
    with pytest.raises(UserError, match=message):
        Stimulus.from_events(step, line, steps=4, inputs=5)


def test_stimulus_files(tmp_path):
    good = tmp_path / "good.npz"
    np.savez_compressed(good, spikes=np.eye(3, dtype=np.uint8), labels=np.array([1]))
    assert Stimulus.from_file(good).labels == [1]
    (tmp_path / "cut.npz").write_bytes(good.read_bytes()[:40])
    np.savez(tmp_path / "other.npz", events=np.zeros(3))
    np.save(tmp_path / "array.npy", np.zeros(3))
    for name, message in [("none.npz", "no such file"), ("cut.npz", "not a readable .npz"),
                          ("other.npz", "no array 'spikes', only events"),
                          ("array.npy", "is one array")]:
        with pytest.raises(UserError, match=message):
            Stimulus.from_file(tmp_path / name)


def network(**changes):
    """Two IF neurons fed by three lines, with parts replaced."""
    values = {"inputs": (InputPort("in", 3),),
              "populations": (Population("a", 2, "if", np.array([1, 2])),),
              "projections": (Projection("in", "a", np.ones((2, 3), np.int32)),)}
    return IntegerNetwork(**{**values, **changes})


def test_network_order_and_digest():
    chain = network(populations=(Population("b", 1, "li", np.array(0)),
                                 Population("a", 2, "if", np.array(1))),
                    projections=(Projection("in", "a", np.ones((2, 3), np.int32)),
                                 Projection("a", "b", np.ones((1, 2), np.int32)),
                                 Projection("a", "a", np.ones((2, 2), np.int32), delay=1)))
    assert [p.name for p in chain.order] == ["a", "b"]
    assert network().digest == network().digest != chain.digest


@pytest.mark.parametrize("changes, message", [
    ({"populations": ()}, "at least one population"),
    ({"inputs": (InputPort("a", 3),)}, "'a' is used twice"),
    ({"populations": (Population("a", 2, "if", np.array([1, 1 << 15])),)},
     "a: threshold must be in -32768..32767, not 32768"),
    ({"projections": (Projection("x", "a", np.ones((2, 3), np.int32)),)}, "no source 'x'"),
    ({"projections": (Projection("in", "x", np.ones((2, 3), np.int32)),)}, "no population 'x'"),
    ({"projections": (Projection("in", "a", np.ones((3, 2), np.int32)),)},
     r"shape \(2, 3\), not \(3, 2\)"),
    ({"projections": (Projection("in", "a", np.full((2, 3), 128, np.int32)),)},
     "weights must be in -128..127, not 128"),
    ({"weight_bits": 0}, "weight_bits must be an integer in 1..16, not 0"),
    ({"state_bits": 64}, "state_bits must be an integer in 8..32, not 64"),
    ({"decay_bits": 2.0}, "decay_bits must be an integer in 4..15, not 2.0"),
    ({"projections": (Projection("a", "a", np.ones((2, 2), np.int32)),)}, "form a cycle"),
])
def test_network_refuses(changes, message):
    with pytest.raises(UserError, match=message):
        network(**changes)


@pytest.mark.parametrize("weights, delay, message", [
    (np.ones((2, 3)), 0, "weights must be integers"),
    (np.full((2, 3), 1 << 40), 0, "weights must be in -32768..32767"),
    ([[1]], -1, "delay must be an integer in 0"), ([[1]], 1.5, "delay must be an integer in 0")])
def test_projection_refuses(weights, delay, message):
    with pytest.raises(UserError, match=message):
        Projection("in", "a", weights, delay=delay)


def test_input_port_refuses():
    with pytest.raises(UserError, match="input 'in': size must be an integer in 1"):
        InputPort("in", 0)


@pytest.mark.parametrize("arguments, message", [
    ((0, "if", np.array(1)), "size must be an integer in 1"),
    ((2, "if", np.array(2**64 - 1, np.uint64)), "threshold must be in -2147483648..4294967295"),
    ((2, "hh", np.array(1)), "model must be one of if, lif"),
    ((2, "if", np.array([1, 2, 3])), r"threshold must have shape \(2,\)"),
    ((2, "if", np.array(1.5)), "threshold must be integers"),
])
def test_population_refuses(arguments, message):
    with pytest.raises(UserError, match=message):
        Population("p", *arguments)
    for shift in (-1, 1.5, 70):
        with pytest.raises(UserError, match=r"shift must be an integer in 0\.\.15"):
            Population("p", 2, "if", np.array(1), shift=shift)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="reset must be 'zero' or 'subtract'"):
        Population("p", 2, "if", np.array(1), reset="none")


def test_readout_sends_no_spikes():
    with pytest.raises(UserError, match="'r' is a li readout and sends no spikes"):
        network(populations=(Population("r", 1, "li", np.array(0)),
                             Population("a", 2, "if", np.array(1))),
                projections=(Projection("r", "a", np.ones((2, 1), np.int32)),))


def test_spec_stays_plain_python():
    code = ("import neurotile.spec, sys; "
            "sys.exit(any(m in sys.modules for m in ('amaranth', 'numba', 'nir')))")
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
