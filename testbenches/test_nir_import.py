# SPDX-License-Identifier: Apache-2.0
"""Import of NIR: every node, every path between neurons, delays, resets; what it refuses is in
test_nir_errors.py."""

import itertools

import nir
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurotile.models.describe import describe
from neurotile.models.nir_import import load, parse_reset
from neurotile.models.recurrence import delays, forward_order
from neurotile.spec import InputPort, UserError
from neurotile.testbenches.nir_cases import cuba, edit, graph, lif, shared_data, write

DT = 1e-3
W = np.array([[1.0, 2.0], [3.0, -4.0]])
V = np.array([[0.5, -1.0], [2.0, 0.25]])


def weights(network, source="input", target="n"):
    (found,) = [e for e in network.projections if (e.source, e.target) == (source, target)]
    return found.weights


def chain(*nodes, sizes=(2, 2), **metadata):
    """input -> a0 -> a1 ... -> n (the last) -> output"""
    names = [f"a{k}" for k in range(len(nodes) - 1)] + ["n"]
    path = ["input", *names, "output"]
    return graph(dict(zip(names, nodes, strict=True)), list(itertools.pairwise(path)),
                 inputs=sizes[0], outputs=sizes[1], **metadata)


@pytest.mark.parametrize(("node", "model", "expected"), [
    (nir.IF(r=np.array([2.0, 3.0]), v_threshold=np.array([4.0, 5.0]), v_reset=np.array([1.0, 0.5])),
     "if", dict(decay_v=[1, 1], decay_i=[0, 0], gain=[1, 1], leak=[0, 0], threshold=[4, 5],
                v_reset=[1, 0.5], inflow=[2, 3])),
    (lif(tau=[1e-2, 2e-3], r=[1.0, 4.0], v_leak=[0.0, 0.5], v_threshold=2.0, v_reset=-1.0),
     "lif", dict(decay_v=[0.9, 0.5], decay_i=[0, 0], gain=[1, 1], leak=[0, 0.25], threshold=[2, 2],
                 v_reset=[-1, -1], inflow=[0.1, 2])),
    (cuba(tau_syn=[5e-3, 2e-3], tau_mem=[1e-2, 4e-3], r=[1.0, 8.0], w_in=[10.0, 4.0], v_leak=0.4),
     "cubalif", dict(decay_v=[0.9, 0.75], decay_i=[0.8, 0.5], gain=[0.1, 2], leak=[0.04, 0.1],
                     threshold=[1, 1], v_reset=[0, 0], inflow=[2, 2])),
    (nir.LI(tau=np.array([1e-2, 2e-3]), r=np.array([1.0, 4.0]), v_leak=np.array([0.0, 0.5])),
     "li", dict(decay_v=[0.9, 0.5], decay_i=[0, 0], gain=[1, 1], leak=[0, 0.25], threshold=[0, 0],
                v_reset=[0, 0], inflow=[0.1, 2])),
    (nir.CubaLI(tau_syn=np.array([5e-3, 2e-3]), tau_mem=np.array([1e-2, 4e-3]),
                r=np.array([1.0, 8.0]), v_leak=np.zeros(2), w_in=np.array([10.0, 4.0])),
     "cubali", dict(decay_v=[0.9, 0.75], decay_i=[0.8, 0.5], gain=[0.1, 2], leak=[0, 0],
                    threshold=[0, 0], v_reset=[0, 0], inflow=[2, 2])),
    (nir.Threshold(threshold=np.array([1.0, 2.0])),
     "lif", dict(decay_v=[0, 0], decay_i=[0, 0], gain=[1, 1], leak=[0, 0], threshold=[1, 2],
                 v_reset=[0, 0], inflow=[1, 1])),
], ids=lambda x: type(x).__name__ if isinstance(x, nir.NIRNode) else None)
def test_every_neuron_is_discretised_as_nir_says(tmp_path, node, model, expected):
    # The expected numbers are the forward Euler coefficients of docs/nir.md, worked out by hand.
    bias = np.array([1.0, 3.0])
    network = load(write(tmp_path, chain(nir.Affine(W, bias), node)), dt=DT, reset="zero")
    (p,) = network.populations
    assert (p.name, p.model, p.kind) == ("n", model, type(node).__name__)
    inflow = np.array(expected.pop("inflow"))
    for key, value in expected.items():
        np.testing.assert_allclose(getattr(p, key), value, rtol=1e-12, atol=1e-15, err_msg=key)
    np.testing.assert_allclose(weights(network), inflow[:, None] * W)
    np.testing.assert_allclose(p.bias, inflow * bias)
    assert network.inputs == (InputPort("input", 2),)
    assert network.outputs == {"output": ("n",)}
    assert network.dt == DT and network.warnings == ()


def test_linear_nodes_are_multiplied_in_order(tmp_path):
    scale = np.array([2.0, -1.0])
    made = chain(nir.Affine(W, np.array([1.0, 2.0])), nir.Scale(scale),
                 nir.Flatten({"input": np.array([1, 2])}, start_dim=0), nir.Linear(V),
                 nir.IF(r=np.ones(2), v_threshold=np.ones(2)))
    network = load(write(tmp_path, made), reset="zero")
    np.testing.assert_allclose(weights(network), V @ np.diag(scale) @ W)
    np.testing.assert_allclose(network.populations[0].bias, V @ (scale * [1.0, 2.0]))
    assert network.dt is None  # an IF needs none


def test_input_and_neuron_may_touch(tmp_path):
    network = load(write(tmp_path, chain(nir.Scale(np.array([3.0, 5.0])), lif())), dt=DT)
    np.testing.assert_allclose(weights(network), np.diag([3.0, 5.0]) / 10)


def test_parallel_paths_add_up_and_skips_stay_apart(tmp_path):
    made = graph(
        {"a": nir.Affine(W, np.array([1.0, 0.0])), "b": nir.Scale(np.array([2.0, 3.0])),
         "n": nir.IF(np.ones(2), np.ones(2)), "m": nir.IF(np.ones(2), np.ones(2)),
         "c": nir.Linear(V)},
        [("input", "a"), ("input", "b"), ("a", "n"), ("b", "n"), ("input", "n"), ("n", "c"),
         ("c", "m"), ("a", "m"), ("n", "m"), ("m", "output"), ("n", "output")])
    network = load(write(tmp_path, made), reset="subtract")
    np.testing.assert_allclose(weights(network), W + np.diag([2, 3]) + np.eye(2))
    np.testing.assert_allclose(weights(network, "input", "m"), W)
    np.testing.assert_allclose(weights(network, "n", "m"), V + np.eye(2))
    for p in network.populations:
        np.testing.assert_allclose(p.bias, [1, 0])
        assert p.reset == "subtract"
    assert {e.delay for e in network.projections} == {0}
    assert network.outputs == {"output": ("m", "n")}


def test_subgraphs_are_flattened_with_dots(tmp_path):
    inner = graph({"lif": lif(), "w_rec": nir.Linear(V)},
                  [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")],
                  reset="subtract")
    outer = graph({"layer": inner, "w": nir.Linear(W)},
                  [("input", "w"), ("w", "layer"), ("layer", "output")])
    top = graph({"net": outer, "last": lif()},
                [("input", "net"), ("net", "last"), ("last", "output")], dt=DT, reset="zero")
    network = load(write(tmp_path, top))
    assert [p.name for p in network.populations] == ["net.layer.lif", "last"]
    assert [p.reset for p in network.populations] == ["subtract", "zero"]
    assert network.origin["net.layer.lif.reset"] == "metadata of subgraph 'net.layer'"
    assert network.origin["last.reset"] == "metadata of the graph"
    assert network.outputs == {"output": ("last",)}
    assert {e.name: e.delay for e in network.projections} == {
        "input->net.layer.lif": 0, "net.layer.lif->net.layer.lif": 1, "net.layer.lif->last": 0}
    np.testing.assert_allclose(weights(network, target="net.layer.lif"), W / 10)


def test_a_graph_in_memory_loads_like_its_file(tmp_path):
    made = chain(nir.Linear(W), cuba(), dt=DT, reset="zero")
    a, b = load(made), load(write(tmp_path, made))
    np.testing.assert_array_equal(weights(a), weights(b))
    assert (a.dt, a.origin["dt"]) == (DT, "metadata of the graph")
    assert (a.name, b.name) == ("network", "network")


def test_one_number_stands_for_all_neurons(tmp_path):
    path = write(tmp_path, chain(nir.Linear(W), lif(), dt=DT, reset="zero"))
    for key, value in (("tau", 5e-3), ("r", np.array([2.0])), ("v_threshold", 3)):
        edit(path, f"nodes/n/{key}", value)
    p, = load(path).populations
    assert (p.size, p.threshold.tolist()) == (2, [3, 3])
    for key in ("v_leak", "v_reset"):
        edit(path, f"nodes/n/{key}", 0.0)
    network = load(path)
    np.testing.assert_allclose(network.populations[0].decay_v, [0.8, 0.8])
    np.testing.assert_allclose(weights(network), 0.4 * W)


@pytest.mark.parametrize("node", [
    lif(v_reset=1.0), cuba(v_reset=1.0),
    nir.IF(r=np.ones(2), v_threshold=np.ones(2), v_reset=np.ones(2))],
    ids=lambda node: type(node).__name__)
def test_missing_v_reset_is_zero(tmp_path, node):
    path = write(tmp_path, chain(nir.Linear(W), node, dt=DT, reset="zero"))
    assert load(path).populations[0].v_reset.tolist() == [1, 1]
    edit(path, "nodes/n/v_reset")
    network = load(path)
    assert network.populations[0].v_reset.tolist() == [0, 0]
    assert network.origin["n.v_reset"] == "the file has none, so 0"


def test_missing_w_in_is_one(tmp_path):
    path = write(tmp_path, chain(nir.Linear(W), cuba(w_in=7.0), dt=DT, reset="zero"))
    edit(path, "nodes/n/w_in")
    network = load(path)
    np.testing.assert_allclose(weights(network), 0.2 * W)
    assert network.origin["n.w_in"] == "the file has none, so 1"


def test_shapes_of_many_dimensions_count_values(tmp_path):
    node = nir.IF(r=np.ones((2, 1, 2)), v_threshold=np.arange(4.0).reshape(2, 1, 2))
    made = chain(nir.Flatten({"input": np.array([2, 1, 2])}), nir.Linear(np.eye(4)), node,
                 sizes=(4, 4), reset="zero")
    made.nodes["input"] = nir.Input(np.array([2, 1, 2]))
    path = write(tmp_path, made)
    edit(path, "nodes/n/r", np.array([1.0, 2.0]).reshape(2, 1, 1))
    network = load(path)
    assert network.populations[0].threshold.tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(weights(network), np.diag([1, 1, 2, 2]))


def test_tau_of_one_step_may_be_rounded(tmp_path):
    tau = np.float32(1e-4)  # a little below 1e-4, as snnTorch writes it for beta = 0
    p, = load(chain(nir.Linear(W), lif(tau=tau)), dt=1e-4, reset="zero").populations
    assert p.decay_v.tolist() == [0, 0]


def test_inputs_in_natural_order(tmp_path):
    nodes = {f"in{k}": nir.Input(np.array([k])) for k in (2, 10)}
    nodes |= {f"w{k}": nir.Linear(np.ones((2, k))) for k in (2, 10)} | {"n": lif()}
    edges = [(f"in{k}", f"w{k}") for k in (10, 2)] + [(f"w{k}", "n") for k in (10, 2)]
    network = load(write(tmp_path, graph(nodes, [*edges, ("n", "output")])), dt=DT, reset="zero")
    assert network.inputs == (InputPort("in2", 2), InputPort("in10", 10))
    assert network.input_size == 12


def test_rule_of_reset_comes_from_the_nearest_place(tmp_path):
    made = graph({"a": lif(), "b": lif(), "c": lif()},
                 [("input", "a"), ("a", "b"), ("b", "c"), ("c", "output")], dt=DT)
    made.nodes["b"].metadata = {"reset": "subtract"}
    path = write(tmp_path, made)

    def rules(reset=None):
        network = load(path, reset=reset)
        return "".join(p.reset[0] for p in network.populations), network

    guessed, network = rules()
    assert guessed == "zsz"
    assert network.origin["a.reset"] == "default"
    (warning,) = network.warnings
    assert "a, c" in warning and "--reset" in warning
    assert rules("subtract")[0] == "sss"
    assert rules({"c": "subtract"})[0] == "zss"
    found, network = rules({"": "subtract", "b": "zero"})
    assert (found, network.warnings) == ("szs", ())
    assert network.origin["b.reset"] == "argument"


def test_reset_option():
    assert parse_reset(["zero", "lif1.lif=subtract"]) == {"": "zero", "lif1.lif": "subtract"}
    assert parse_reset(["a=b=zero"]) == {"a=b": "zero"}
    for options, message in ((["never"], "not 'never'"), (["=zero"], "not '=zero'"),
                             (["a=x"], "not 'a=x'"), (["zero", "zero"], "twice for all"),
                             (["a=zero", "a=zero"], "twice for 'a'")):
        with pytest.raises(UserError, match=message):
            parse_reset(options)


def test_dt_comes_from_the_argument_first(tmp_path):
    network = load(chain(nir.Linear(W), lif(), dt=1e-2, reset="zero"), dt=DT)
    assert (network.dt, network.origin["dt"]) == (DT, "argument")


def test_an_unconnected_neuron_is_told(tmp_path):
    made = graph({"n": lif(), "m": lif(), "b": nir.Affine(W, np.ones(2))},
                 [("input", "n"), ("n", "output"), ("b", "m")])
    network = load(write(tmp_path, made), dt=DT, reset="zero")
    assert network.warnings == ("node 'b' (Affine) has no incoming edge",)
    assert {p.name: p.bias.tolist() for p in network.populations}["m"] == [0.1, 0.1]


def test_loops_get_their_delay():
    pairs = [("in", "a"), ("a", "b"), ("b", "c"), ("c", "a"), ("b", "b"), ("in", "c")]
    assert delays(["in"], pairs) == {pair: int(pair in [("c", "a"), ("b", "b")]) for pair in pairs}
    # Entered at two places: the smaller name comes first, whatever the order of edges.
    two = [("in", "n10"), ("in", "n9"), ("n9", "n10"), ("n10", "n9")]
    for order in itertools.permutations(two):
        assert delays(["in"], order) == dict.fromkeys(two, 0) | {("n10", "n9"): 1}
    assert forward_order(["n10", "n9", "n1", "n2"], {("n10", "n1"): 0, ("n2", "n9"): 1}) == [
        "n2", "n9", "n10", "n1"]
    # Not reached from any input.
    assert delays([], [("x", "y"), ("y", "x")]) == {("x", "y"): 0, ("y", "x"): 1}


@settings(max_examples=60, deadline=None)
@given(st.sets(st.tuples(st.integers(0, 6), st.integers(1, 6)), max_size=20), st.randoms())
def test_delays_break_every_loop_whatever_the_order(numbers, random):
    pairs = [(f"n{a}", f"n{b}") for a, b in numbers]
    found = delays(["n0"], pairs)
    shuffled = random.sample(pairs, len(pairs))
    assert delays(["n0"], shuffled) == found
    names = [f"n{k}" for k in range(1, 7)]
    order = ["n0", *forward_order(names, found)]
    assert sorted(order) == ["n0", *names]
    assert all(order.index(a) < order.index(b) for (a, b), d in found.items() if d == 0)
    # No delay without need: one on a pair that lies on no loop would have no reason.
    reach = {a: {b for x, b in pairs if x == a} for a in order}
    for _ in order:
        reach = {a: direct | {c for b in direct for c in reach[b]} for a, direct in reach.items()}
    assert all(a in reach[b] for (a, b), d in found.items() if d)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_composition_equals_passing_values_along(data):
    # A random graph of linear nodes between input and one IF, against evaluation edge by edge.
    count = data.draw(st.integers(1, 5))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    nodes, edges = {}, []
    for k in range(count):
        nodes[f"a{k}"] = data.draw(st.sampled_from([
            nir.Affine(rng.normal(size=(3, 3)), rng.normal(size=3)),
            nir.Linear(rng.normal(size=(3, 3))), nir.Scale(rng.normal(size=3)),
            nir.Flatten({"input": np.array([3])}, start_dim=0)]))
        sources = ["input", *(f"a{j}" for j in range(k))]
        edges += [(s, f"a{k}") for s in data.draw(st.sets(st.sampled_from(sources), min_size=1))]
    last = data.draw(st.sets(st.sampled_from(["input", *nodes]), min_size=1))
    edges += [(s, "n") for s in last] + [("n", "output")]
    made = graph({**nodes, "n": nir.IF(np.ones(3), np.ones(3))}, edges, inputs=3, outputs=3)
    network = load(made, reset="zero")
    x = rng.normal(size=3)
    value = {"input": x}
    for name in [*nodes, "n"]:
        total = np.sum([value[a] for a, b in edges if b == name], axis=0)
        node = nodes.get(name)
        if isinstance(node, nir.Affine | nir.Linear):
            total = node.weight @ total + getattr(node, "bias", 0)
        elif isinstance(node, nir.Scale):
            total = node.scale * total
        value[name] = total
    got = network.populations[0].bias + sum(e.weights @ x for e in network.projections)
    np.testing.assert_allclose(got, value["n"], rtol=1e-9, atol=1e-9)


def test_describe():
    made = graph({"w": nir.Affine(W * [[1, 0], [1, 1]], np.zeros(2)), "n": lif(),
                  "rec": nir.Linear(V), "out": nir.Linear(np.array([[1.0, 0.0]])),
                  "li": nir.LI(np.ones(1), np.ones(1), np.zeros(1))},
                 [("input", "w"), ("w", "n"), ("n", "rec"), ("rec", "n"), ("n", "out"),
                  ("out", "li"), ("li", "output")], outputs=1)
    found = describe(made)
    assert found["needs"] == {"inputs": 2, "neurons": 3, "axons": 4, "synapses": 8}
    assert found["populations"] == [
        {"name": "n", "type": "LIF", "size": 2, "fan_in": 4, "fan_out": 3, "recurrent": True},
        {"name": "li", "type": "LI", "size": 1, "fan_in": 1, "fan_out": 0, "recurrent": False}]
    assert {"source": "n", "target": "n", "delay": 1, "synapses": 4} in found["projections"]
    assert {"name": "w", "type": "Affine", "size": 2, "parameters": 6} in found["nodes"]
    assert (found["dt"], found["needs_dt"], found["unknown_reset"]) == (None, True, ["n"])
    assert found["outputs"] == {"output": ["li"]}


def test_braille_and_rockpool_files_load():
    braille = shared_data("nir_braille") / "braille_noDelay_bias_zero.nir"
    network = load(braille, dt=1e-4, reset="zero")
    assert {e.name: (e.delay, e.weights.shape) for e in network.projections} == {
        "input->lif1.lif": (0, (38, 12)), "lif1.lif->lif1.lif": (1, (38, 38)),
        "lif1.lif->lif2": (0, (7, 38))}
    assert network.outputs == {"output": ("lif2",)}
    # Its Output says [1, 1, 1], its LIF [1]: the nir package reads it only unchecked.
    rockpool = load(shared_data("nir_lif") / "lif_rockpool.nir", dt=1e-4, reset="zero")
    assert [(p.name, p.size) for p in rockpool.populations] == [("1_LIFNeuronTorch", 1)]
