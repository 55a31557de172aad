# SPDX-License-Identifier: Apache-2.0
"""Golden model against values worked out by hand from docs/semantics.md, sections 1 and 2."""

import numpy as np
import pytest

from neurotile.models import golden
from neurotile.models.golden import engine
from neurotile.spec import (
    InputPort,
    IntegerNetwork,
    Population,
    Projection,
    Stimulus,
    UserError,
)


def neuron(model, weights, lines, *, state_bits=8, decay_bits=4, **parameters):
    """Potentials and spikes of one neuron whose line k has ``weights[k]``.

    ``lines[t]`` lists the lines that spike in step t.
    """
    parameters = {key: value if key == "reset" or key == "shift" else np.array(value)
                  for key, value in {"threshold": 127, **parameters}.items()}
    network = IntegerNetwork(
        (InputPort("in", len(weights)),), (Population("n", 1, model, **parameters),),
        (Projection("in", "n", np.array([weights])),), state_bits=state_bits,
        decay_bits=decay_bits)
    step = [t for t, spiking in enumerate(lines) for _ in spiking]
    stimulus = Stimulus.from_events(step, [k for spiking in lines for k in spiking],
                                    steps=len(lines), inputs=len(weights))
    trace = golden.run(network, stimulus, record={"n": np.array([0])})
    spikes = trace.spikes["n"][0, :, 0].tolist() if "n" in trace.spikes else None
    return trace.potentials["n"][0, :, 0].tolist(), spikes, trace


def test_if_sums_and_resets_to_v_reset():
    # 3, then 3 + 3 = 6 > 5: fires and loads -1, then -1 + 3 = 2.
    v, s, _ = neuron("if", [3], [[0], [0], [0]], threshold=5, v_reset=-1)
    assert (v, s) == ([3, -1, 2], [0, 1, 0])


def test_soft_reset_subtracts_the_threshold():
    # 6 > 5 leaves 6 - 5 = 1; 1 + 3 = 4; 7 - 5 = 2.
    v, s, _ = neuron("if", [3], [[0]] * 4, threshold=5, v_reset=-1, reset="subtract")
    assert (v, s) == ([3, 1, 4, 2], [0, 1, 0, 1])


@pytest.mark.parametrize(("model", "fires"), [("if", 0), ("lif", 0), ("cubalif", 0), ("sublif", 1)])
def test_only_sublif_fires_at_the_threshold(model, fires):
    _, s, _ = neuron(model, [7], [[0]], threshold=7)
    assert s == [fires]
    assert neuron(model, [7], [[0]], threshold=6)[1] == [1]
    assert neuron(model, [7], [[0]], threshold=8)[1] == [0]


def test_lif_rounds_half_up_for_either_sign():
    # Decay 8/16. 3 -> 1.5 -> 2 -> 1 -> 0.5 -> 1 -> 1 (never 0: half goes up).
    assert neuron("lif", [3], [[0], [], [], []], decay_v=8)[0] == [3, 2, 1, 1]
    # -5 -> -2.5 -> -2 -> -1 -> -0.5 -> 0.
    assert neuron("lif", [-5], [[0], [], [], []], decay_v=8)[0] == [-5, -2, -1, 0]
    # 5/16 of 5 is 1.5625 -> 2, of 2 is 0.625 -> 1, of 1 is 0.3125 -> 0; of -5 is -1.5625 -> -2.
    assert neuron("lif", [5], [[0], [], [], []], decay_v=5)[0] == [5, 2, 1, 0]
    assert neuron("lif", [-5], [[0], []], decay_v=5)[0] == [-5, -2]


def test_decay_of_one_keeps_and_more_amplifies():
    assert neuron("lif", [3], [[0], [], []], decay_v=16)[0] == [3, 3, 3]
    # 31/16: 3 -> 5.8125 -> 6 -> 11.625 -> 12.
    assert neuron("lif", [3], [[0], [], []], decay_v=31)[0] == [3, 6, 12]


def test_cubalif_filters_its_input_twice():
    # i: 8, then 8/2 = 4, 2, 1. v (decay 12/16): 0 + 8; 6 + 4; 7.5 -> 8 + 2; 7.5 -> 8 + 1.
    v, _, trace = neuron("cubalif", [8], [[0], [], [], []], decay_v=12, decay_i=8)
    assert v == [8, 10, 10, 9]
    assert trace.states["n.i"].tolist() == [[1]]


def test_current_is_not_reset():
    # i: 8, 4. v: 8 > 7 fires -> 0; 0 + 4.
    v, s, _ = neuron("cubalif", [8], [[0], []], threshold=7, decay_v=16, decay_i=8)
    assert (v, s) == ([0, 4], [1, 0])


def test_current_saturates_before_it_is_added():
    # X = 100 * 2 = 200: i is 127, and v = 127 of its own accord; next i = 127 + 0 and
    # v = round(127 * 1/16) + 127 = 8 + 127, which saturates.
    v, _, trace = neuron("cubali", [100], [[0], []], shift=1, decay_v=1, decay_i=16)
    assert v == [127, 127]
    # Below: X = -200, i = -128, v = -128, then round(-128 / 16) - 128 saturates as well.
    v, _, trace = neuron("cubali", [-100], [[0], []], shift=1, decay_v=1, decay_i=16)
    assert v == [-128, -128] and trace.states["n.i"].tolist() == [[-128]]


def test_saturated_current_against_a_negative_potential():
    # v0 = -128 with i = -128. Then X = 400: i = sat(-128 + 400) = 127 (not 272), v = -128 + 127.
    v, _, _ = neuron("cubali", [-100, 100], [[0], [1]], shift=2, decay_v=16, decay_i=16)
    assert v == [-128, -1]


def test_readouts_never_fire():
    v, s, trace = neuron("li", [100], [[0], [0]], threshold=-128, decay_v=8)
    assert v == [100, 127] and s is None and trace.spikes == {}  # 100/2 + 100 = 150 saturates


def test_sublif_leaks_down_to_zero():
    # Leak 3: 10 - 3 = 7, 4, 1, then 1 - 3 is floored at 0 and stays there.
    assert neuron("sublif", [10], [[0], [], [], [], []], bias=-3)[0] == [7, 4, 1, 0, 0]


def test_sublif_floors_inhibition_and_soft_resets():
    # 5 - 9 -> 0; 5 + 5 = 10 >= 8 fires, 2 stays; v_reset is not used.
    v, s, _ = neuron("sublif", [5, -9, 10], [[0], [1], [2]], threshold=8, reset="subtract",
                     v_reset=50)
    assert (v, s) == ([5, 0, 2], [0, 0, 1])


def test_threshold_is_compared_with_the_saturated_potential():
    # 100 + 100 = 200 is 127, which is not above 127.
    v, s, _ = neuron("if", [100], [[0], [0]], threshold=127)
    assert (v, s) == ([100, 127], [0, 0])


def test_soft_reset_saturates():
    # u = 100 > -100 fires; 100 + 100 = 200 is 127. The next u is 127 again.
    v, s, _ = neuron("if", [100], [[0], []], threshold=-100, reset="subtract")
    assert (v, s) == ([127, 127], [1, 1])


def test_shift_applies_to_the_sum_and_not_to_the_bias():
    # (3 - 1) * 4 + 5 = 13, then bias alone: 18.
    v, _, _ = neuron("if", [3, -1], [[0, 1], []], shift=2, bias=5)
    assert v == [13, 18]


def test_nir_threshold_keeps_nothing():
    # lif with decay 0: v is the input of the step alone.
    v, s, _ = neuron("lif", [6, 4], [[0], [1], []], threshold=5)
    assert (v, s) == ([0, 4, 0], [1, 0, 0])


def relay(name, **parameters):
    """Neuron that fires in the step in which it gets a spike of weight 1."""
    return Population(name, 1, "if", np.array(0), **parameters)


ONE = np.array([[1]])


def chain(*projections, populations):
    return IntegerNetwork((InputPort("in", 1),), tuple(relay(p) for p in populations),
                          tuple(Projection(a, b, ONE, d) for a, b, d in projections))


def test_delays_and_order():
    # The list has b before a; b hears a in the same step, c hears b two steps later, d the input
    # three steps later.
    network = chain(("in", "a", 0), ("a", "b", 0), ("b", "c", 2), ("in", "d", 3),
                    populations=("b", "a", "c", "d"))
    trace = golden.run(network, Stimulus.from_events([0, 3], [0, 0], steps=5, inputs=1))
    assert trace.spikes["a"][0, :, 0].tolist() == [1, 0, 0, 1, 0]
    assert trace.spikes["b"][0, :, 0].tolist() == [1, 0, 0, 1, 0]
    assert trace.spikes["c"][0, :, 0].tolist() == [0, 0, 1, 0, 0]
    assert trace.spikes["d"][0, :, 0].tolist() == [0, 0, 0, 1, 0]


def test_recurrence_takes_a_step():
    network = chain(("in", "a", 0), ("a", "a", 1), populations=("a",))
    trace = golden.run(network, Stimulus.from_events([1], [0], steps=4, inputs=1))
    assert trace.spikes["a"][0, :, 0].tolist() == [0, 1, 1, 1]


def test_samples_start_from_zero_unless_the_state_is_kept():
    network = IntegerNetwork((InputPort("in", 1),), (Population("n", 1, "if", np.array(2)),),
                             (Projection("in", "n", ONE), Projection("n", "n", -2 * ONE, 2)))
    stimulus = Stimulus.from_dense(np.ones((2, 3, 1)))
    apart = golden.run(network, stimulus)
    # 1, 2, 3 > 2 fires.
    assert apart.spikes["n"][:, :, 0].tolist() == [[0, 0, 1], [0, 0, 1]]
    assert apart.states["n.v"].tolist() == [[0], [0]]
    kept = golden.run(network, stimulus, keep_state=True)
    # 1, 2, 3 fires -> 0; then 1, 1 - 2 + 1 = 0 (the spike of the sample before, d = 2), 1.
    assert kept.spikes["n"][:, :, 0].tolist() == [[0, 0, 1], [0, 0, 0]]
    assert kept.states["n.v"].tolist() == [[1]]
    assert kept.keep_state and not apart.keep_state


def test_ports_are_numbered_through_and_parameters_are_per_neuron():
    network = IntegerNetwork(
        (InputPort("left", 2), InputPort("right", 1)),
        (Population("n", 2, "if", np.array([4, 100]), bias=np.array([0, 1])),),
        (Projection("left", "n", np.array([[1, 2], [10, 20]])),
         Projection("right", "n", np.array([[4], [40]]))))
    trace = golden.run(network, Stimulus.from_events([0, 1, 1], [1, 0, 2], steps=2, inputs=3),
                       record={"n": np.array([1, 0])})
    # Neuron 0: 2, 2 + 1 + 4 = 7 > 4 -> 0. Neuron 1: 20 + 1, 21 + 10 + 40 + 1 = 72.
    assert trace.potentials["n"][0].tolist() == [[21, 2], [72, 0]]
    assert trace.spikes["n"][0].tolist() == [[0, 0], [1, 0]]


def test_largest_numbers_are_exact():
    """Against Python's unlimited integers: weights of 16 bits, states of 32, decay near 2."""
    rng = np.random.default_rng(0)
    weights = rng.choice([-32768, -1, 1, 32767], (1, 400))
    dense = rng.integers(0, 2, (1, 6, 400))
    network = IntegerNetwork(
        (InputPort("in", 400),),
        (Population("n", 1, "cubalif", np.array(-2**31), bias=np.array(2**31 - 1), shift=15,
                    decay_v=np.array(65535), decay_i=np.array(65535), reset="subtract"),),
        (Projection("in", "n", weights),), weight_bits=16, state_bits=32, decay_bits=15)
    trace = golden.run(network, Stimulus.from_dense(dense), record={"n": np.array([0])})

    def sat(x):
        return max(-2**31, min(2**31 - 1, x))

    v = i = 0
    for t in range(6):
        acc = sum(int(w) for w, s in zip(weights[0], dense[0, t], strict=True) if s)
        i = sat((i * 65535 + 2**14) // 2**15 + acc * 2**15 + 2**31 - 1)
        u = sat((v * 65535 + 2**14) // 2**15 + i)
        v = sat(u + 2**31) if u > -2**31 else u
        assert trace.potentials["n"][0, t, 0] == v
    assert trace.states["n.i"][0, 0] == i


def test_portions_do_not_matter(monkeypatch):
    rng = np.random.default_rng(1)
    network = IntegerNetwork(
        (InputPort("in", 9),), (Population("n", 5, "lif", np.array(30), decay_v=np.array(3000)),),
        (Projection("in", "n", rng.integers(-20, 30, (5, 9), dtype=np.int32)),
         Projection("n", "n", rng.integers(-20, 30, (5, 5), dtype=np.int32), 1)))
    stimulus = Stimulus.from_dense(rng.random((7, 6, 9)) < 0.4)
    whole = golden.run(network, stimulus)
    monkeypatch.setattr(engine, "_PORTION", 1)
    single = golden.run(network, stimulus)
    assert whole.spikes["n"].any()
    np.testing.assert_array_equal(whole.spikes["n"], single.spikes["n"])
    np.testing.assert_array_equal(whole.states["n.v"], single.states["n.v"])


def test_wrong_arguments_are_refused():
    network = chain(("in", "a", 0), populations=("a",))
    with pytest.raises(UserError, match=r"^the stimulus has 2 inputs, the network has 1$"):
        golden.run(network, Stimulus.from_dense(np.zeros((3, 2))))
    stimulus = Stimulus.from_dense(np.zeros((3, 1)))
    with pytest.raises(UserError, match=r"^record: there is no population 'in'$"):
        golden.run(network, stimulus, record={"in": np.array([0])})
    with pytest.raises(UserError, match=r"^record: population 'a' has neurons 0..0, not 1$"):
        golden.run(network, stimulus, record={"a": np.array([1])})
