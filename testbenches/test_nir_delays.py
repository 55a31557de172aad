# SPDX-License-Identifier: Apache-2.0
"""NIR's Delay nodes: steps, paths by delay, loops, what is refused, and the numbers afterwards."""

import itertools
import re
from typing import Any

import nir
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import neurotile
from neurotile.commands.info import info_command
from neurotile.models import golden, nir_paths
from neurotile.models.describe import describe
from neurotile.models.float_reference import simulate
from neurotile.models.learning_plan import LearningPlan
from neurotile.models.nir_import import load
from neurotile.models.quantise import quantise
from neurotile.spec import Stimulus, UserError
from neurotile.testbenches.nir_cases import edit, graph, lif, write
from neurotile.testbenches.seeds import examples

DT = 1e-3
W = np.array([[1.0, 2.0], [3.0, -4.0]])
V = np.array([[0.5, -1.0], [2.0, 0.25]])
U = np.array([[8.0, 1.0], [0.0, 1.0]])


def delay(*steps: float) -> nir.Delay:
    return nir.Delay(np.array(steps) * DT)


def integrator(size: int = 2) -> nir.IF:
    """Weights into it are those of the file."""
    return nir.IF(np.ones(size), np.ones(size))


def chain(*nodes, inputs=2, outputs=2):
    """input -> a0 -> a1 ... -> n (integrate and fire) -> output"""
    names = [f"a{k}" for k in range(len(nodes))]
    path = ["input", *names, "n", "output"]
    return graph(dict(zip(names, nodes, strict=True)) | {"n": integrator(outputs)},
                 list(itertools.pairwise(path)), inputs=inputs, outputs=outputs)


def read(made, dt: float | None = DT):
    return load(made, dt=dt, reset="zero")


def found(made, source="input", target="n") -> dict[int, list[list[float]]]:
    """Weights between two nodes by delay."""
    return {e.delay: e.weights.tolist() for e in read(made).projections
            if (e.source, e.target) == (source, target)}


def refused(made, match: str, dt: float | None = DT) -> None:
    for reader in (lambda: load(made, dt=dt, reset="zero"), lambda: describe(made, dt=dt)):
        with pytest.raises(UserError, match=match) as caught:
            reader()
        assert "\n" not in str(caught.value)


# Paths

def test_each_delay_of_the_sources_is_a_projection_with_their_columns(tmp_path):
    made = chain(delay(0, 3), nir.Linear(W))
    assert found(made) == {0: [[1, 0], [3, 0]], 3: [[0, 2], [0, -4]]}
    assert found(write(tmp_path, made)) == found(made)
    assert [e.delay for e in read(made).projections] == [0, 3]
    assert found(chain(delay(3, 0), nir.Linear(W))) == {0: [[0, 2], [0, -4]], 3: [[1, 0], [3, 0]]}


def test_behind_a_linear_node_it_delays_the_targets():
    assert found(chain(nir.Linear(W), delay(0, 3))) == {0: [[1, 2], [0, 0]], 3: [[0, 0], [3, -4]]}
    # Both: row and column together.
    assert found(chain(delay(1, 2), nir.Linear(W), delay(0, 3))) == {
        1: [[1, 0], [0, 0]], 2: [[0, 2], [0, 0]], 4: [[0, 0], [3, 0]], 5: [[0, 0], [0, -4]]}


def test_one_number_stands_for_all_and_rows_of_delays_add_up(tmp_path):
    assert found(chain(delay(2), nir.Linear(W))) == {2: W.tolist()}
    path = write(tmp_path, chain(delay(0, 0), nir.Linear(W)))
    edit(path, "nodes/a0/delay", 0.002)
    assert found(path) == {2: W.tolist()}
    assert found(chain(delay(1, 2), delay(2, 1), nir.Linear(W), delay(4))) == {7: W.tolist()}
    assert found(chain(delay(1, 2))) == {1: [[1, 0], [0, 0]], 2: [[0, 0], [0, 1]]}


def test_parallel_paths_are_delays_per_synapse_and_equal_ones_add_up():
    made = graph(
        {"w": nir.Linear(W), "d": delay(2), "v": nir.Linear(V), "e": delay(1), "f": delay(1),
         "u": nir.Linear(U), "n": integrator()},
        [("input", "w"), ("w", "n"), ("input", "d"), ("d", "v"), ("v", "n"), ("input", "e"),
         ("e", "f"), ("f", "u"), ("u", "n"), ("n", "output")])
    assert found(made) == {0: W.tolist(), 2: (V + U).tolist()}


def test_matrices_that_are_zero_are_left_out_but_not_the_last_one():
    gap = np.array([[1.0, 0.0], [3.0, 0.0]])
    assert found(chain(delay(0, 3), nir.Linear(gap))) == {0: gap.tolist()}
    assert found(chain(delay(2, 3), nir.Linear(0 * W))) == {2: (0 * W).tolist()}


def test_scale_flatten_and_subgraphs_in_between():
    inner = graph({"d": delay(1, 2), "s": nir.Scale(np.array([2.0, 3.0]))},
                  [("input", "d"), ("d", "s"), ("s", "output")])
    flat = nir.Flatten({"input": np.array([1, 2])}, start_dim=0)
    assert found(chain(inner, flat, nir.Linear(W), delay(1))) == {
        2: [[2, 0], [6, 0]], 3: [[0, 6], [0, -12]]}


def test_convolution_and_pool_in_between():
    # Pixels of a 2 x 2 image, delayed one by one; the shape comes through the Delay.
    made = graph(
        {"image": nir.Input(np.array([1, 2, 2])),
         "d": nir.Delay(DT * np.array([[[0.0, 1.0], [2.0, 3.0]]])),
         "c": nir.Conv2d(None, np.full((1, 1, 1, 1), 5.0), 1, 0, 1, 1, np.ones(1)),
         "p": nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
         "n": integrator(1)},
        [("image", "d"), ("d", "c"), ("c", "p"), ("p", "n"), ("n", "output")], outputs=1)
    assert found(made, "image") == {k: [[5.0 * (j == k) for j in range(4)]] for k in range(4)}
    assert read(made).populations[0].bias.tolist() == [4]


def test_constants_pass_unchanged():
    made = chain(nir.Affine(W, np.array([1.0, 2.0])), delay(0, 5), nir.Linear(V))
    assert read(made).populations[0].bias.tolist() == (V @ [1, 2]).tolist()
    # From the first step on, while the spikes take their time.
    trace = simulate(read(chain(nir.Affine(0.25 * np.eye(2), np.full(2, 0.125)), delay(2))),
                     np.ones((4, 2)), record=["n"])
    assert trace.potentials["n"][0, :, 0].tolist() == [0.125, 0.25, 0.625, 1]


@examples(60)
@given(st.data())
def test_composition_equals_passing_values_along_step_by_step(data):
    # A random graph of nodes without neurons, evaluated edge by edge over all steps: a Delay looks
    # back, and constants have been there for ever.
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    nodes: dict[str, Any] = {}
    edges = []
    for k in range(data.draw(st.integers(1, 6))):
        nodes[f"a{k}"] = data.draw(st.sampled_from([
            delay(*rng.integers(0, 4, 3)), delay(*rng.integers(0, 4, 1)),
            nir.Affine(rng.normal(size=(3, 3)), rng.normal(size=3)),
            nir.Linear(rng.normal(size=(3, 3))), nir.Scale(rng.normal(size=3))]))
        sources = ["input", *(f"a{j}" for j in range(k))]
        edges += [(s, f"a{k}") for s in data.draw(st.sets(st.sampled_from(sources), min_size=1))]
    last = data.draw(st.sets(st.sampled_from(["input", *nodes]), min_size=1))
    edges += [(s, "n") for s in last] + [("n", "output")]
    network = read(graph({**nodes, "n": integrator(3)}, edges, inputs=3, outputs=3))
    before, steps = 40, 50  # steps without input, after which every constant has arrived
    x = np.concatenate([np.zeros((before, 3)), rng.normal(size=(steps - before, 3))])
    value = {"input": x}
    for name in [*nodes, "n"]:
        total = np.sum([value[a] for a, b in edges if b == name], axis=0)
        node = nodes.get(name)
        if isinstance(node, nir.Delay):
            late = np.broadcast_to(np.rint(node.delay / DT).astype(int), 3)
            total = np.stack([np.concatenate([np.zeros(d), total[:, k]])[:steps]
                              for k, d in enumerate(late)], axis=1)
        elif isinstance(node, nir.Affine | nir.Linear):
            total = total @ node.weight.T + getattr(node, "bias", 0)
        elif isinstance(node, nir.Scale):
            total = total * node.scale
        value[name] = total
    got = np.tile(network.populations[0].bias, (steps, 1))
    for e in network.projections:
        got[e.delay:] += x[:steps - e.delay] @ e.weights.T
    assert len({e.delay for e in network.projections}) == len(network.projections)
    np.testing.assert_allclose(got[before:], value["n"][before:], rtol=1e-9, atol=1e-9)


# Steps

@pytest.mark.parametrize(("seconds", "steps"), [
    (0.0, 0), (1.5e-3, 2), (2.5e-3, 3), (0.49e-3, 0), (2.00001e-3, 2), (1.999e-3, 2)])
def test_what_is_no_whole_number_of_steps_is_rounded_and_told(seconds, steps):
    made = chain(nir.Delay(np.array([seconds, 4 * DT])), nir.Linear(W))
    network = read(made)
    assert {e.delay for e in network.projections} == {steps, 4}
    told = (f"node 'a0' (Delay): delay of {seconds:g} s is no whole number of steps of 0.001 s; "
            f"taken as {steps}")
    assert list(network.warnings) == ([told] if seconds else [])


def test_a_warning_counts_values_and_reaches_the_notes():
    network = read(chain(nir.Delay(np.array([1.0, 0.3, 1.7]) * DT), nir.Linear(np.ones((2, 3))),
                         inputs=3))
    (told,) = network.warnings
    assert told == ("node 'a0' (Delay): delay of 0.0003 s (and 1 more) is no whole number of steps "
                    "of 0.001 s; taken as 0")
    assert told in neurotile.build(network).notes


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_numbers_of_32_bits_are_whole_steps(kind):
    for steps in (1, 3, 30, 63, 4097, 10**6):
        network = read(chain(nir.Delay(np.array([steps * DT], kind)), nir.Linear(W)))
        assert [e.delay for e in network.projections] == [steps] and network.warnings == ()


def test_what_is_refused(tmp_path):
    made = chain(delay(0, -1), nir.Linear(W))
    refused(made, r"^node 'a0' \(Delay\): delay must not be negative, as -0.001 s is$")
    refused(write(tmp_path, made), r"network.nir: node 'a0' \(Delay\): delay must not be negative")
    for wrong in (np.inf, np.nan):
        refused(chain(delay(0, wrong), nir.Linear(W)),
                rf"^node 'a0' \(Delay\): delay\[1\] is {wrong}; every number must be finite$")
    refused(chain(delay(0, 1), nir.Linear(W)), r"^node 'a0' \(Delay\) delays by seconds, so a step "
            r"needs a length: give --dt SECONDS \(the file's metadata have no dt\)$", dt=None)
    refused(chain(delay(0, (1 << 24) + 1), nir.Linear(W)), r"^node 'a0' \(Delay\): delay of "
            r"16777.2 s is 1.67772e\+07 steps of 0.001 s; at most 16777216 are possible$")
    refused(chain(nir.Delay(np.full(2, 1e300)), nir.Linear(W)), "is inf steps of 1e-300 s", 1e-300)
    refused(chain(delay(1, 2, 3), nir.Linear(W)), "edge 'a0' -> 'a1': 'a0' gives 3 values, "
            "'a1' takes 2")
    path = write(tmp_path, chain(delay(0, 1), nir.Linear(W)))
    edit(path, "nodes/a0/delay", np.zeros(0))
    refused(path, r"node 'a0' \(Delay\): delay is empty")
    edit(path, "nodes/a0/delay")
    refused(path, r"node 'a0' \(Delay\) has no 'delay'")


def test_nothing_but_an_output_follows_a_readout_and_an_output_shows_no_delay():
    li = nir.LI(np.ones(2), np.ones(2), np.zeros(2))
    refused(graph({"li": li, "d": delay(1), "n": integrator()},
                  [("input", "li"), ("li", "d"), ("d", "n"), ("n", "output")]),
            r"node 'li' \(LI\) reaches node 'n' \(IF\)")
    refused(graph({"n": integrator(), "d": delay(1)},
                  [("input", "n"), ("n", "d"), ("d", "output")]),
            r"Output 'output' is fed by node 'd' \(Delay\) with no neuron in between")
    refused(graph({"d": delay(1), "e": delay(1), "n": integrator()},
                  [("input", "d"), ("d", "e"), ("e", "d"), ("e", "n"), ("n", "output")]),
            "holds no neuron, and nothing else carries a state")


@pytest.mark.parametrize(("path", "where"), [
    ((delay(*range(40)), nir.Linear(np.ones((50, 40)))), "'a1' (Linear)"),  # 40 times 50 x 40
    ((nir.Linear(np.ones((40, 50))), delay(*range(40))), "'a1' (Delay)"),
    ((delay(*range(50)),), "'n' (IF)")], ids=["before", "behind", "alone"])
def test_delays_that_would_fill_the_memory(path, where, monkeypatch):
    first = path[0].weight.shape[1] if isinstance(path[0], nir.Linear) else len(path[0].delay)
    last = path[-1].weight.shape[0] if isinstance(path[-1], nir.Linear) else len(path[-1].delay)
    made = chain(*path, inputs=first, outputs=last)
    monkeypatch.setattr(nir_paths, "_MOST", 79_999)
    refused(made, rf"^node {re.escape(where)}: \d0 distinct delays from 'input' make "
                  "(80000|125000) weights, more than any tile could hold$")
    monkeypatch.setattr(nir_paths, "_MOST", 125_000)
    assert len(read(made).projections) == (50 if len(path) == 1 else 40)
    # Without delays nothing is refused.
    monkeypatch.setattr(nir_paths, "_MOST", 1)
    assert len(read(chain(delay(3), nir.Linear(W))).projections) == 1


# Loops

def test_a_loop_costs_a_step_and_its_delays_come_on_top():
    made = graph({"n": integrator(), "w": nir.Linear(W), "d": delay(0, 3)},
                 [("input", "n"), ("n", "w"), ("w", "d"), ("d", "n"), ("n", "output")])
    assert found(made, "n", "n") == {1: [[1, 2], [0, 0]], 4: [[0, 0], [3, -4]]}


def test_a_loop_of_two_populations_has_room_on_a_tile_with_a_delay():
    def loop(steps):
        return read(graph(
            {"a": integrator(), "b": integrator(), "w": nir.Linear(W), "d": delay(steps)},
            [("input", "a"), ("a", "w"), ("w", "b"), ("b", "d"), ("d", "a"), ("b", "output")]))

    with pytest.raises(UserError, match="its delays add up to 1, and a spike on a tile takes"):
        neurotile.build(loop(0))
    assert neurotile.build(loop(1)).program is not None


@examples(60)
@given(st.sets(st.tuples(st.integers(0, 5), st.integers(1, 5)), min_size=1, max_size=14),
       st.integers(0, 2**32 - 1))
def test_delays_do_not_decide_which_edge_closes_a_loop(pairs, seed):
    rng = np.random.default_rng(seed)

    def made(*, late):
        steps = {pair: int(rng.integers(0, 4)) if late else 0 for pair in sorted(pairs)}
        nodes: dict[str, Any] = {f"n{k}": integrator(1) for k in range(1, 6)}
        nodes |= {f"d{a}_{b}": delay(d) for (a, b), d in steps.items()}
        nodes["n0"] = nir.Input(np.array([1]))
        edges = [pair for a, b in sorted(pairs)
                 for pair in ((f"n{a}", f"d{a}_{b}"), (f"d{a}_{b}", f"n{b}"))]
        return steps, read(graph(nodes, edges))

    _, plain = made(late=False)
    steps, network = made(late=True)
    closing = {(e.source, e.target): e.delay for e in plain.projections}
    assert {(e.source, e.target): e.delay for e in network.projections} == {
        (f"n{a}", f"n{b}"): closing[f"n{a}", f"n{b}"] + d for (a, b), d in steps.items()}
    assert [p.name for p in network.populations] == [p.name for p in plain.populations]


# After the import

def levels(*weights: Any) -> nir.NIRGraph:
    """input -> Delay of k steps -> weights[k] -> n, a path each."""
    nodes: dict[str, Any] = {"n": nir.LI(np.ones(2), np.ones(2), np.zeros(2))}
    edges = [("n", "output")]
    for k, weight in enumerate(weights):
        nodes |= {f"d{k}": nir.Delay(np.array([float(k)])), f"w{k}": nir.Linear(np.array(weight))}
        edges += [("input", f"d{k}"), (f"d{k}", f"w{k}"), (f"w{k}", "n")]
    return graph(nodes, edges)


def test_describe_and_info(tmp_path, capsys):
    made = graph({"w": nir.Linear(W), "d": delay(2, 3), "v": nir.Linear(U), "n": lif()},
                 [("input", "w"), ("w", "n"), ("input", "d"), ("d", "v"), ("v", "n"),
                  ("n", "output")])
    described = describe(made, dt=DT)
    assert described["projections"] == [
        {"source": "input", "target": "n", "delay": d, "synapses": s}
        for d, s in ((0, 4), (2, 1), (3, 2))]
    (p,) = described["populations"]
    assert (p["fan_in"], p["recurrent"]) == (4, False)
    assert described["needs"] == {"inputs": 2, "neurons": 2, "axons": 2, "synapses": 7}
    assert described["dt"] is None and described["needs_dt"]
    assert describe(chain(delay(1), nir.Linear(W)), dt=DT)["needs_dt"]
    info_command(write(tmp_path, made), preset_name=None, config=None, weight_bits=None,
                 state_bits=None, dt=DT, reset=["zero"])
    shown = capsys.readouterr().out
    assert [line.split()[-2:] for line in shown.splitlines() if "input -> n" in line] == [
        ["0", "4"], ["2", "1"], ["3", "2"]]
    assert "fits      yes" in shown


def test_float_reference_takes_all_delays():
    network = load(levels([[1.0, 0], [0, 2]], [[4.0, 0], [0, 8]], [[16.0, 32], [0, 0]]), dt=1.0)
    spikes = [[1, 1], [0, 0], [0, 0], [1, 0], [0, 0]]
    assert simulate(network, spikes).potentials["n"][0].tolist() == [
        [1, 2], [4, 8], [48, 0], [1, 0], [4, 0]]


def test_all_delays_share_a_scale_and_reports_name_them():
    network = load(levels([[1.0, 0.5], [0, 0.25]], [[0.5, 0], [0, -2.0]]), dt=1.0)
    integers, report = quantise(network, weight_bits=8)
    assert [(e.delay, e.weights.tolist()) for e in integers.projections] == [
        (0, [[64, 32], [0, 16]]), (1, [[32, 0], [0, -127]])]
    assert [t.name for t in report.tensors] == ["input->n@0", "input->n@1"]
    assert [t.weights for t in report.tensors] == [3, 2]
    alone, report = quantise(load(levels([[1.0, 0.5], [0, 0.25]]), dt=1.0))
    assert report.tensors[0].name == "input->n" == alone.projections[0].name


@pytest.mark.parametrize(("bits", "saturates"), [(9, True), (10, False)])
def test_bounds_add_up_over_the_delays(bits, saturates):
    # Sources spike in every step, so 127 of this one meet 127 + 64 of the step before: 318 is more
    # than the 255 that 9 bits hold.
    network = load(levels([[1.0, 0], [0, 1]], [[1.0, 0.5], [0, 1]]), dt=1.0)
    integers, report = quantise(network, state_bits=bits, shift_bits=1)
    assert report.nodes[0].may_saturate is saturates
    trace = golden.run(integers, Stimulus.from_dense(np.ones((3, 2))))
    top = int(trace.potentials["n"].max())
    assert top == (255 if saturates else 318)


def test_one_bit_weights_need_a_synapse_of_some_delay():
    made = chain(delay(0, 3), nir.Linear(np.array([[1.0, 2.0], [3.0, -6.0]])))
    integers, report = quantise(read(made), weight_bits=1)
    assert [e.weights.tolist() for e in integers.projections] == [[[1, 0], [1, 0]],
                                                                   [[0, 1], [0, -1]]]
    assert report.nodes[0].weight_scale == 1 / 3  # the mean of 1, 2, 3 and 6
    with pytest.raises(UserError, match=r"^input->n: 1 of 4 weights are 0, which 1-bit"):
        quantise(read(chain(delay(0, 3), nir.Linear(U))), weight_bits=1)


def test_a_pair_with_several_delays_cannot_learn():
    plan = LearningPlan.from_dict(
        {"projection": [{"name": "input->n"}],
         "population": {"n": {"theta_mem": 0.5, "theta1": 1, "theta2": 3, "theta3": 5}}},
        where="learn.toml")
    with pytest.raises(UserError, match="'input->n': is plastic and must be the only one"):
        neurotile.build(read(chain(delay(0, 3), nir.Linear(np.abs(W)))), learning=plan)


def test_weights_of_one_delay_are_set_by_its_name():
    network, _ = quantise(load(levels(W, V), dt=1.0))
    changed = network.with_weights({"input->n@1": np.zeros((2, 2), int)})
    assert [bool(e.weights.any()) for e in changed.projections] == [True, False]
    for name in ("input->n", "input->n@2"):
        with pytest.raises(UserError, match=f"there is no projection '{name}'; there are "
                                            "input->n@0, input->n@1$"):
            network.with_weights({name: np.zeros((2, 2), int)})
    with pytest.raises(UserError, match=r"projection 'input->n@0': weights must have shape"):
        network.with_weights({"input->n@0": np.zeros((1, 2), int)})
