# SPDX-License-Identifier: Apache-2.0
"""The quantiser: formats kept, errors as reported, and networks that behave as their originals."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neurotile
from neurotile.models import golden
from neurotile.models.float_network import FloatNetwork, FloatPopulation, FloatProjection
from neurotile.models.float_reference import simulate
from neurotile.models.nir_import import load
from neurotile.models.quantise import quantise
from neurotile.spec import InputPort, Stimulus, UserError
from neurotile.testbenches.nir_cases import graph, lif, shared_data

ROOT = Path(__file__).resolve().parents[1]


def one(weights, model="lif", *, reset="zero", **values):
    """Network of one population, ``n``, fed by one input."""
    weights = np.array(weights, float)
    defaults = dict(decay_v=0.5, decay_i=0.0, gain=1.0, bias=0.0, leak=0.0, threshold=1.0,
                    v_reset=0.0)
    given: dict[str, Any] = {key: np.broadcast_to(np.asarray(value, float), len(weights))
                             for key, value in (defaults | values).items()}
    p = FloatPopulation("n", len(weights), model, reset=reset, **given)
    return FloatNetwork((InputPort("in", weights.shape[1]),), (p,),
                        (FloatProjection("in", "n", weights),))


def stored(network, **formats):
    integer, report = quantise(network, **formats)
    return integer.projections[0].weights.tolist(), integer.populations[0], report


def test_weights_fill_their_bits():
    real = [[1.0, -0.5, 0.26], [0.124, 0.0, -1.0]]
    assert stored(one(real), weight_bits=8)[0] == [[127, -64, 33], [16, 0, -127]]
    assert stored(one(real), weight_bits=3)[0] == [[3, -2, 1], [0, 0, -3]]
    assert stored(one(real), weight_bits=2)[0] == [[1, 0, 0], [0, 0, -1]]
    assert stored(one(real), weight_bits=16, state_bits=24)[0][0] == [32767, -16384, 8519]


def test_one_bit_keeps_signs_and_mean_size():
    weights, p, report = stored(one([[0.5, -1.5, 1.0]], threshold=2.0), weight_bits=1)
    assert weights == [[1, -1, 1]]
    assert report.nodes[0].weight_scale == 1.0  # mean size 1.0 is one unit
    assert p.threshold.tolist() == [2 << p.shift]
    assert report.tensors[0].max_error == pytest.approx(1 / 3)
    assert report.tensors[0].rms_error == pytest.approx(np.sqrt(0.5 / 3) / 1.5)
    with pytest.raises(UserError, match="in->n: 2 of 3 weights are 0, which 1-bit"):
        quantise(one([[0.0, 1.0, 0.0]]), weight_bits=1)


def test_gains_of_a_current_go_into_the_weights():
    # i is kept in units of v: weights times gain; v_leak becomes a constant current.
    network = one([[1.0], [1.0]], "cubalif", gain=[0.5, 1.0], decay_i=0.75, bias=[0.2, 0.2],
                  leak=[0.0, 0.4], threshold=2.0)
    integer, _ = quantise(network, weight_bits=8, state_bits=16, decay_bits=4)
    p, scale = integer.populations[0], integer.scales["n"]
    assert integer.projections[0].weights.tolist() == [[64], [127]]
    assert p.decay_i.tolist() == [12, 12] and p.decay_v.tolist() == [8, 8]
    assert p.bias.tolist() == [round(0.1 * scale), round(0.3 * scale)]
    assert scale == 127 * (1 << p.shift)


def test_one_scale_for_all_tensors_into_a_node():
    network = one([[1.0, 0.5]])
    extra = FloatProjection("n", "n", np.array([[-4.0]]), 1)
    network = dataclasses.replace(network, projections=(*network.projections, extra))
    integer, report = quantise(network)
    assert [e.weights.tolist() for e in integer.projections] == [[[32, 16]], [[-127]]]
    assert [e.delay for e in integer.projections] == [0, 1]
    assert [t.effective_bits for t in report.tensors] == [7, 8]
    assert report.tensors[0].name == "in->n"


def test_threshold_is_rounded_down_but_not_below_an_integer():
    # 0.1 * 3 is 0.30000000000000004, 0.3 is below three times 0.1: both mean three weights.
    for threshold, weights in ((1.0, 1), (0.3 / 0.1, 3), (0.1 * 3 / 0.1, 3), (1.006, 1),
                               (1.009, 1)):
        _, p, _ = stored(one([[1.0]], "if", decay_v=1.0, threshold=threshold), state_bits=14)
        assert p.shift == 0
        above = {1.009: 1}.get(threshold, 0)  # 1.009 * 127 = 128.1, 1.006 * 127 = 127.8
        assert p.threshold.tolist() == [127 * weights + above]


@pytest.mark.parametrize(("state_bits", "shift"), [(14, 0), (15, 1), (16, 2), (24, 7)])
def test_shift_gives_room_for_64_thresholds(state_bits, shift):
    # worst case without end (IF), 64 * 127 = 8128 < 2^13
    _, p, report = stored(one([[1.0, -1.0]], "if", decay_v=1.0), state_bits=state_bits)
    assert p.shift == shift
    assert report.nodes[0].headroom >= 64
    assert p.threshold.tolist() == [127 << shift]
    assert p.decay_v.tolist() == [0]


def test_shift_uses_the_worst_case_if_it_is_smaller():
    # |v| stays below (1 + 1) / (1 - 0.5) = 4 -> 508; 16383 / 508 = 32.2
    _, p, report = stored(one([[1.0, 1.0]]), state_bits=15)
    assert p.shift == 5
    assert not report.nodes[0].may_saturate
    # and at least four thresholds: 8 * 127 = 1016 -> 16
    _, p, _ = stored(one([[1.0, 1.0]], threshold=2.0), state_bits=15)
    assert p.shift == 4


def test_narrow_states_cost_weight_bits():
    weights, p, report = stored(one([[1.0, -0.5]], "if", decay_v=1.0), state_bits=8)
    assert p.shift == 0 and p.threshold.tolist() == [31]
    assert weights == [[32, -16]]
    assert report.nodes[0].lost_bits == pytest.approx(2.0)
    assert [w.split(":")[0] for w in report.warnings] == ["n", "n"]
    assert "lost 2.0 bits" in report.warnings[0] and "saturates at 4" in report.warnings[1]


def test_thresholds_that_no_state_holds():
    with pytest.raises(UserError, match=r"node 'n': 4e\+03 times its largest weight .* state_bits "
                                        "= 8 .* weight_bits = 8; about 13 are needed"):
        quantise(one([[1.0]], threshold=1000.0), state_bits=8)
    assert quantise(one([[1.0]], threshold=1000.0), state_bits=13)
    with pytest.raises(UserError, match="weight_bits = 1; about 13 are needed"):
        quantise(one([[1.0]], threshold=1000.0), weight_bits=1, state_bits=12)
    assert quantise(one([[1.0]], threshold=1000.0), weight_bits=1, state_bits=13)
    for key in ("bias", "v_reset"):  # they must fit as well
        with pytest.raises(UserError, match="state_bits = 8"):
            quantise(one([[1.0]], **{key: -1000.0}), state_bits=8)


def test_readouts_get_their_worst_case_or_a_warning():
    _, p, report = stored(one([[1.0, 1.0]], "li", decay_v=0.75), state_bits=12)
    assert p.shift == 1  # 2 / 0.25 * 127 = 1016 of 2047
    assert report.warnings == () and report.nodes[0].headroom is None
    _, p, _ = stored(one([[-1.0, -1.0]], "li", decay_v=0.75), state_bits=12)
    assert p.shift == 1
    _, p, report = stored(one([[1.0, 1.0]], "li", decay_v=0.75), state_bits=10)
    assert p.shift == 0
    assert "n: the readout may saturate at 4.02" in report.warnings[0]


def test_bounds_hold_in_integers():
    # The bound that says "cannot saturate" is met by the worst input, and no more.
    network = one([[1.0, -0.3]], "cubali", decay_v=0.9, decay_i=0.8, threshold=0.0)
    integer, report = quantise(network, state_bits=16)
    assert not report.nodes[0].may_saturate
    trace = golden.run(integer, Stimulus.from_dense(np.tile([1, 0], (400, 1))))
    top = trace.potentials["n"].max() / integer.scales["n"]
    assert 0.97 * 50 < top <= 50.1 < report.nodes[0].largest_state


def test_decays_that_round_to_one_are_told():
    _, p, report = stored(one([[1.0]], decay_v=0.999), decay_bits=4)
    assert p.decay_v.tolist() == [16]
    assert any("does not leak any more" in w for w in report.warnings)
    _, _, report = stored(one([[1.0]], "cubalif", decay_i=0.999), decay_bits=4)
    assert any("does not decay any more" in w for w in report.warnings)
    assert report.nodes[0].decay_error == pytest.approx(0.001)


def test_other_warnings():
    _, _, report = stored(one([[100.0]], threshold=0.1), weight_bits=2, state_bits=9)
    assert "n: a positive threshold became 0" in report.warnings
    _, _, report = stored(one([[1.0]], "cubalif", leak=0.1))
    assert any("v_leak acts through" in w for w in report.warnings)


def test_a_population_without_weights():
    network = dataclasses.replace(one([[1.0]], bias=0.5, threshold=0.9, decay_v=0.75),
                                  projections=())
    integer, _ = quantise(network)
    stimulus = Stimulus.from_dense(np.zeros((20, 1), int))
    expected = simulate(network, stimulus.dense()).spikes["n"]
    assert expected.any()
    assert (golden.run(integer, stimulus).spikes["n"] == expected).all()
    quantise(dataclasses.replace(network, populations=(dataclasses.replace(
        network.populations[0], bias=np.zeros(1), threshold=np.zeros(1)),)))


@pytest.mark.parametrize(("key", "value", "legal"), [
    ("weight_bits", 0, "1..16"), ("weight_bits", 17, "1..16"), ("state_bits", 7, "8..32"),
    ("state_bits", 33, "8..32"), ("decay_bits", 3, "4..15"), ("shift_bits", 5, "1..4")])
def test_formats_have_limits(key, value, legal):
    with pytest.raises(UserError, match=f"{key} must be an integer in {legal}, not {value}"):
        quantise(one([[1.0]]), **{key: value})


def test_report_is_plain_data():
    _, report = quantise(one([[1.0, 0.3]]))
    assert json.loads(json.dumps(dataclasses.asdict(report)))["nodes"][0]["name"] == "n"


MODELS = st.sampled_from(["if", "lif", "cubalif", "li", "cubali"])


@settings(max_examples=80, deadline=None)
@given(MODELS, st.integers(2, 16), st.integers(12, 32), st.integers(4, 15), st.integers(1, 4),
       st.sampled_from(["zero", "subtract"]), st.integers(0, 2**32 - 1))
def test_formats_hold_and_errors_are_as_reported(model, weight_bits, state_bits, decay_bits,
                                                 shift_bits, reset, seed):
    # IntegerNetwork itself refuses what does not fit its formats.
    rng = np.random.default_rng(seed)
    network = one(rng.normal(size=(4, 5)) * rng.lognormal(), model, reset=reset,
                  decay_v=1.0 if model == "if" else rng.uniform(0, 1, 4),
                  gain=rng.lognormal(size=4), decay_i=rng.uniform(0, 1, 4), bias=rng.normal(size=4),
                  threshold=rng.lognormal(size=4), v_reset=rng.normal(size=4))
    if model not in ("cubalif", "cubali"):
        network = dataclasses.replace(network, populations=(dataclasses.replace(
            network.populations[0], gain=np.ones(4)),))
    try:
        integer, report = quantise(network, weight_bits=weight_bits, state_bits=state_bits,
                                   decay_bits=decay_bits, shift_bits=shift_bits)
    except UserError as refusal:
        assert "state_bits" in str(refusal) and state_bits < 20
        return
    p, (node,), (tensor,) = integer.populations[0], report.nodes, report.tensors
    scale = node.weight_scale
    assert 0 <= p.shift < 1 << shift_bits
    assert np.log2(integer.scales["n"] / scale) == pytest.approx(p.shift)
    real = network.populations[0].gain[:, None] * network.projections[0].weights
    error = np.abs(integer.projections[0].weights / scale - real) / np.abs(real).max()
    assert tensor.max_error == pytest.approx(error.max()) and tensor.max_error <= 0.5 / (
        scale * np.abs(real).max()) + 1e-9
    assert tensor.rms_error <= tensor.max_error
    assert tensor.effective_bits <= weight_bits and tensor.clipped == 0
    if network.populations[0].spikes:
        exact = network.populations[0].threshold * integer.scales["n"]
        assert (np.abs(p.threshold - exact) < 1).all() and (p.threshold <= exact * (1 + 1e-8)).all()


@settings(max_examples=25, deadline=None)
@given(MODELS, st.integers(0, 2**32 - 1))
def test_fine_formats_follow_the_float_potential(model, seed):
    # Without spikes nothing is chaotic: the potential follows up to rounding.
    rng = np.random.default_rng(seed)
    network = one(rng.normal(size=(3, 6)), model, decay_v=1.0 if model == "if" else 0.9,
                  decay_i=0.8, bias=rng.normal(size=3) * 0.1, threshold=1e3)
    integer, _ = quantise(network, weight_bits=16, state_bits=32, decay_bits=15)
    spikes = rng.integers(0, 2, (60, 6))
    wanted = simulate(network, spikes, record=["n"]).potentials["n"]
    got = golden.run(integer, Stimulus.from_dense(spikes), record={"n": np.arange(3)})
    np.testing.assert_allclose(got.potentials["n"] / integer.scales["n"], wanted, atol=0.05)


def test_a_trained_chain_keeps_its_spikes():
    rng = np.random.default_rng(3)
    made = graph({"a": nir.Affine(rng.normal(size=(20, 10)), rng.normal(size=20) * 0.1),
                  "n": lif(20, r=5.0), "b": nir.Linear(rng.normal(size=(4, 20))),
                  "m": lif(4, r=5.0)},
                 [("input", "a"), ("a", "n"), ("n", "b"), ("b", "m"), ("m", "output")],
                 inputs=10, outputs=4)
    spikes = rng.integers(0, 2, (8, 50, 10))
    for rule in ("zero", "subtract"):
        network = load(made, dt=1e-3, reset=rule)
        wanted = simulate(network, spikes).spikes
        assert wanted["m"].sum() > 50
        integer, _ = quantise(network, weight_bits=16, state_bits=24)
        got = golden.run(integer, Stimulus.from_dense(spikes)).spikes
        assert all((got[key] != wanted[key]).mean() < 0.002 for key in wanted)


def test_documented_network_in_integers():
    text = (ROOT / "docs" / "integer_networks.md").read_text()
    code, delays = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    exec(delays, dict(names))
    expected = names["trace"].spikes
    for engine in ("fast", "rtl"):  # the document says that every engine runs it
        found = neurotile.run(names["network"], names["spikes"], engine=engine).spikes
        assert all(np.array_equal(found[node], expected[node]) for node in expected)


@pytest.mark.parametrize("formats", [{}, {"weight_bits": 16, "state_bits": 24}])
def test_single_lif_of_the_nir_paper(formats):
    folder = shared_data("nir_lif")
    network = load(folder / "lif_norse.nir", dt=1e-4, reset="zero")
    drive, potential, _ = np.loadtxt(folder / "lif_norse.csv", delimiter=",").T
    integer, report = quantise(network, **formats)
    trace = golden.run(integer, Stimulus.from_dense(drive[:, None]), record={"1": np.arange(1)})
    assert np.flatnonzero(trace.spikes["1"]).tolist() == [460, 510, 710, 760]
    assert report.warnings == ()
    np.testing.assert_allclose(trace.potentials["1"][0, :, 0] / integer.scales["1"], potential,
                               atol=1e-3)


# Mismatches of the NIR paper's platforms: Norse 23, Spyx 146, SpiNNaker 2 148, Lava 158, Nengo 209.
@pytest.mark.parametrize(("weight_bits", "state_bits", "most"),
                         [(16, 24, 0), (16, 32, 0), (12, 24, 10), (8, 24, 140), (8, 16, 140)])
def test_braille_network_of_the_nir_paper(weight_bits, state_bits, most):
    folder = shared_data("nir_braille")
    network = load(folder / "braille_noDelay_bias_zero.nir", dt=1e-4, reset="zero")
    integer, _ = quantise(network, weight_bits=weight_bits, state_bits=state_bits)
    with np.load(folder / "sample0_input.npz") as data:
        trace = golden.run(integer, Stimulus.from_dense(data["spikes"]))
    with np.load(folder / "sample0_lif1_bias_zero.npz") as data:
        assert int((trace.spikes["lif1.lif"][0] != data["snntorch"]).sum()) <= most
