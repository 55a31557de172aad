# SPDX-License-Identifier: Apache-2.0
"""The float reference against hand-worked steps and against the traces of the NIR paper."""

from typing import Any

import nir
import numpy as np
import pytest

from neurotile.models.float_network import FloatNetwork, FloatPopulation, FloatProjection
from neurotile.models.float_reference import simulate
from neurotile.models.nir_import import load
from neurotile.spec import InputPort, UserError
from neurotile.testbenches.nir_cases import cuba, graph, lif, shared_data


def one(model, steps, *, reset="zero", weight=1.0, **values):
    """Spikes and potentials of one neuron driven by one input line."""
    defaults = dict(decay_v=0.5, decay_i=0.0, gain=1.0, bias=0.0, leak=0.0, threshold=1.0,
                    v_reset=0.0)
    given: dict[str, Any] = {k: np.array([v]) for k, v in (defaults | values).items()}
    p = FloatPopulation("n", 1, model, reset=reset, **given)
    network = FloatNetwork((InputPort("in", 1),), (p,),
                           (FloatProjection("in", "n", np.array([[weight]])),))
    trace = simulate(network, np.array(steps)[:, None], record=["n"] if p.spikes else [])
    spikes = trace.spikes["n"][0, :, 0].tolist() if p.spikes else None
    return spikes, trace.potentials["n"][0, :, 0].tolist()


def test_lif_by_hand():
    # 1 does not fire (not above 1); 0.5 + 1 fires.
    assert one("lif", [1, 1, 0, 1]) == ([0, 1, 0, 0], [1, 0, 0, 1])
    assert one("lif", [1, 1, 0, 1], reset="subtract") == ([0, 1, 0, 1], [1, 0.5, 0.25, 0.125])
    assert one("lif", [1, 1, 0], v_reset=-0.5) == ([0, 1, 0], [1, -0.5, -0.25])
    assert one("lif", [0, 0], leak=0.25, bias=0.5) == ([0, 1], [0.75, 0])


def test_if_and_readouts_by_hand():
    assert one("if", [1, 0, 1], decay_v=1.0, weight=0.75) == ([0, 0, 1], [0.75, 0.75, 0])
    assert one("li", [1, 0, 1], weight=4.0) == (None, [4, 2, 5])
    # i = 4, 1, 0.25 with decay 1/4; v = v/2 + i/2
    assert one("cubali", [1, 0, 0], weight=4.0, decay_i=0.25, gain=0.5) == (None, [2, 1.5, 0.875])
    assert one("cubalif", [1, 0, 0], weight=4.0, decay_i=0.25, gain=0.5, threshold=1.5,
               leak=0.25) == ([1, 0, 0], [0, 0.75, 0.75])


def test_delays_and_layers():
    # n fires in the step of its input; its own -2 arrives one step later.
    made = graph({"n": nir.IF(np.ones(1), np.full(1, 0.5)), "rec": nir.Linear(np.array([[-2.0]])),
                  "m": nir.Threshold(np.zeros(1))},
                 [("input", "n"), ("n", "rec"), ("rec", "n"), ("n", "m"), ("m", "output")],
                 inputs=1, outputs=1)
    trace = simulate(load(made, reset="zero"), np.ones((6, 1)), record=["n"])
    assert trace.potentials["n"][0, :, 0].tolist() == [0, -1, 0, 0, -1, 0]
    assert trace.spikes["n"][0, :, 0].tolist() == [1, 0, 0, 1, 0, 0]
    assert trace.spikes["m"][0].tolist() == trace.spikes["n"][0].tolist()


def test_inputs_share_the_lines():
    nodes = {"a": nir.Input(np.array([2])), "b": nir.Input(np.array([1])),
             "wa": nir.Linear(np.array([[1.0, 2.0]])), "wb": nir.Linear(np.array([[4.0]])),
             "n": nir.LI(np.ones(1), np.ones(1), np.zeros(1))}
    made = graph(nodes, [("a", "wa"), ("b", "wb"), ("wa", "n"), ("wb", "n"), ("n", "output")],
                 outputs=1)
    trace = simulate(load(made, dt=1.0), np.eye(3))
    assert trace.potentials["n"][0, :, 0].tolist() == [1, 2, 4]


def test_samples_are_apart_and_batches_do_not_matter():
    made = graph({"a": nir.Linear(np.full((3, 2), 4.0)), "n": lif(3),
                  "r": nir.Linear(np.eye(3)), "m": cuba(3, r=9.0, w_in=5.0)},
                 [("input", "a"), ("a", "n"), ("n", "r"), ("r", "m"), ("m", "n"), ("m", "output")],
                 outputs=3)
    network = load(made, dt=2e-3, reset="subtract")
    spikes = np.random.default_rng(1).integers(0, 2, (5, 40, 2))
    whole = simulate(network, spikes)
    parts = simulate(network, spikes, batch=2)
    for key in ("n", "m"):
        assert whole.spikes[key].any()
        assert (whole.spikes[key] == parts.spikes[key]).all()
    for k in range(5):
        assert (simulate(network, spikes[k]).spikes["m"][0] == whole.spikes["m"][k]).all()


def test_wrong_arguments():
    network = load(graph({"n": lif()}, [("input", "n"), ("n", "output")]), dt=1e-3, reset="zero")
    with pytest.raises(UserError, match=r"shape \(samples, steps, 2\), not \(1, 4, 3\)"):
        simulate(network, np.zeros((4, 3)))
    with pytest.raises(UserError, match="no population 'x' to record; there are n"):
        simulate(network, np.zeros((4, 2)), record=["x"])


def test_single_lif_of_the_nir_paper():
    folder = shared_data("nir_lif")
    network = load(folder / "lif_norse.nir", dt=1e-4, reset="zero")
    drive, potential, fired = np.loadtxt(folder / "lif_norse.csv", delimiter=",").T
    trace = simulate(network, drive[:, None], record=["1"])
    assert np.flatnonzero(trace.spikes["1"]).tolist() == [460, 510, 710, 760]
    assert (trace.spikes["1"][0, :, 0] == fired).all()
    np.testing.assert_allclose(trace.potentials["1"][0, :, 0], potential, atol=1e-6)  # theirs: f32


def test_braille_network_of_the_nir_paper():
    folder = shared_data("nir_braille")
    network = load(folder / "braille_noDelay_bias_zero.nir", dt=1e-4, reset="zero")
    with np.load(folder / "sample0_input.npz") as data:
        trace = simulate(network, data["spikes"])
    with np.load(folder / "sample0_lif1_bias_zero.npz") as data:
        assert (trace.spikes["lif1.lif"][0] == data["snntorch"]).all()
