# SPDX-License-Identifier: Apache-2.0
"""NIR files that cannot be imported: one clear line each."""

import h5py
import nir
import numpy as np
import pytest

from neurotile.models.describe import describe
from neurotile.models.nir_import import load
from neurotile.spec import UserError
from neurotile.testbenches.nir_cases import cuba, edit, graph, lif, write

W = np.array([[1.0, 2.0], [3.0, -4.0]])
EDGES = [("input", "w"), ("w", "n"), ("n", "output")]


def small(**nodes):
    return graph({"w": nir.Linear(W), "n": lif(), **nodes}, EDGES)


def refused(source, match, dt=1e-3, reset="zero"):
    with pytest.raises(UserError, match=match) as caught:
        load(source, dt=dt, reset=reset)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("reader", [load, describe])
def test_files_that_are_none(tmp_path, reader):
    def check(path, match):
        with pytest.raises(UserError, match=match) as caught:
            reader(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)

    check(tmp_path / "absent.nir", "there is no such file")
    check(tmp_path, "not a readable NIR file")
    (tmp_path / "text.nir").write_text("hello")
    check(tmp_path / "text.nir", "not a readable NIR file")
    (tmp_path / "empty.nir").touch()
    check(tmp_path / "empty.nir", "not a readable NIR file")
    with h5py.File(tmp_path / "other.nir", "w") as file:
        file["data"] = np.zeros(3)
    check(tmp_path / "other.nir", "no group 'node'")
    with h5py.File(tmp_path / "flat.nir", "w") as file:
        file["node"] = np.zeros(3)
    check(tmp_path / "flat.nir", "no group 'node'")


def test_every_cut_of_a_file_is_refused(tmp_path):
    whole = write(tmp_path, small()).read_bytes()
    path = tmp_path / "cut.nir"
    for part in np.linspace(0, len(whole) - 1, 40).astype(int):
        path.write_bytes(whole[:part])
        refused(path, "cut.nir")


def test_names_that_are_no_text(tmp_path):
    path = write(tmp_path, small())
    with h5py.File(path, "r+") as file:
        file["node/nodes"][b"\xf1"] = np.zeros(2)
    refused(path, r"node \"b'\\\\xf1'\" is without a type")
    path = write(tmp_path, small())
    edit(path, "edges", np.array([[b"input", b"\xf1"]]))
    refused(path, "edge 'input' -> '\ufffd' names '\ufffd', which is no node")


def test_a_shape_without_bounds(tmp_path):
    path = write(tmp_path, small())
    with h5py.File(path, "r+") as file:
        del file["node/nodes/w/weight"]
        file["node/nodes/w"].create_dataset("weight", (1 << 20, 1 << 20), "f4", chunks=True)
    refused(path, "/node/nodes/w/weight holds 1099511627776 numbers, more than any tile could")


def test_unsupported_node_names_node_type_and_list(tmp_path):
    made = small(w=nir.Conv1d(2, np.ones((2, 2, 1)), 1, 0, 1, 1, np.zeros(2)))
    message = refused(write(tmp_path, made), "node 'w' is of type 'Conv1d', which is not supported")
    assert message.endswith("supported are Input, Output, Linear, Affine, IF, LIF, CubaLIF, LI, "
                            "CubaLI, Scale, Threshold, Delay, Flatten, Conv2d, SumPool2d, "
                            "AvgPool2d, NIRGraph")
    inner = graph({"s": nir.I(np.ones(2))}, [("input", "s"), ("s", "output")])
    refused(write(tmp_path, small(w=inner)), "node 'w.s' is of type 'I'")


@pytest.mark.parametrize(("key", "value", "match"), [
    ("nodes/w/weight", np.array([[1.0, np.nan], [0, 0]]),
     r"node 'w' \(Linear\): weight\[0, 1\] is nan; every number must be finite"),
    ("nodes/n/tau", np.array([1e-2, np.inf]), r"node 'n' \(LIF\): tau\[1\] is inf"),
    ("nodes/n/r", np.nan, r"node 'n' \(LIF\): r is nan"),
    ("nodes/w/weight", np.array([["a", "b"]], "S1"), "weight must hold numbers"),
    ("nodes/w/weight", np.zeros((0, 2)), r"weight is empty, its shape is \(0, 2\)"),
    ("nodes/w/weight", np.zeros(2), r"weight must have shape \(outputs, inputs\), not \(2,\)"),
    ("nodes/w/weight", np.zeros((3, 2)), "edge 'w' -> 'n': 'w' gives 3 values, 'n' takes 2"),
    ("nodes/w/weight", None, r"node 'w' \(Linear\) has no 'weight'"),
    ("nodes/n/tau", None, r"node 'n' \(LIF\) has no 'tau'"),
    ("nodes/n/r", np.ones(3), "the shapes do not fit each other: tau"),
    ("nodes/n/tau", np.array([0.0, 1.0]), "tau must be positive, not 0 s"),
    ("nodes/n/tau", np.array([9.99e-4, 1.0]),
     "tau of 0.000999 s is shorter than the step of 0.001 s; give a --dt of at most 0.000999"),
    ("nodes/n/type", None, "node 'n' is without a type"),
    ("nodes/n/type", "Strange", "node 'n' is of type 'Strange'"),
    ("nodes/input/shape", np.array([0.5]), r"node 'input' \(Input\): shape must be integers"),
    ("nodes/input/shape", np.array([2, 0]), r"node 'input' \(Input\) has no values"),
    ("nodes", None, "the graph has no nodes"),
    ("edges", None, "the graph has no nodes or no edges"),
    ("edges", np.array([b"a", b"b"]), r"edges must be pairs of names, not an array of shape \(2,"),
    ("edges", np.array([[b"input", b"x"]]), "edge 'input' -> 'x' names 'x', which is no node"),
    ("edges", np.array([[b"input", b"w"]] * 2), "edge 'input' -> 'w' is given twice"),
    ("edges", np.array([[b"w", b"input"]]), "leads into the network's Input"),
    ("edges", np.array([[b"output", b"w"]]), "leaves the network's Output"),
    ("type", "LIF", "the root is of type 'LIF'; a NIRGraph is needed"),
])
def test_wrong_contents(tmp_path, key, value, match):
    path = write(tmp_path, small())
    edit(path, key, value)
    assert refused(path, match).startswith(f"{path}: ")


def test_bias_of_another_length():
    made = small(w=nir.Affine(W, np.ones(3)))
    refused(made, r"node 'w' \(Affine\): bias must hold 2 values or one, not \(3,\)")


def test_products_that_overflow():
    refused(small(w=nir.Linear(W * 1e300), n=lif(r=1e300)), "the path 'input' -> 'n' grows beyond")


def test_sizes_that_nothing_tells(tmp_path):
    made = graph({"a": nir.Input(np.array([2])), "f": nir.Flatten({"input": np.array([2])}),
                  "n": lif()}, [("a", "f"), ("f", "output"), ("input", "n")])
    path = write(tmp_path, made)
    edit(path, "nodes/a/shape")
    edit(path, "nodes/output/shape")
    refused(path, r"node 'a' \(Input\): the file does not tell its size")


def test_graphs_without_ends():
    refused(graph({"n": lif()}, [("n", "output")]), "the graph has no Input node")
    refused(graph({"w": nir.Linear(W)}, [("input", "w")]), "the graph has no neurons")


def test_subgraphs_need_one_input_and_one_output():
    inner = graph({"n": lif()}, [("n", "output")])
    refused(graph({"s": inner}, [("input", "s")]),
            "subgraph 's' must have one Input to be the target of an edge, not 0")
    inner = graph({"n": lif()}, [("input", "n")])
    refused(graph({"s": inner}, [("input", "s"), ("s", "output")]),
            "subgraph 's' must have one Output to be the source of an edge, not 0")
    twice = graph({"a": graph({"b": lif()}, [("input", "b")]), "a.b": lif()}, [("input", "a")])
    refused(twice, "two nodes are called 'a.b'")
    bad = graph({"n": lif()}, [("input", "n")])
    bad.edges.append(("n", "gone"))
    refused(graph({"s": bad}, [("input", "s")]), "subgraph 's': edge 'n' -> 'gone' names 'gone'")


def test_linear_loops_and_readouts():
    made = graph({"a": nir.Linear(W), "b": nir.Linear(W), "n": lif()},
                 [("input", "a"), ("a", "b"), ("b", "a"), ("b", "n"), ("n", "output")])
    message = refused(made, "holds no neuron")
    assert "'a'" in message and "'b'" in message
    li = nir.LI(np.ones(2), np.ones(2), np.zeros(2))
    made = graph({"li": li, "w": nir.Linear(W), "n": lif()},
                 [("input", "li"), ("li", "w"), ("w", "n"), ("n", "output")])
    refused(made, r"node 'li' \(LI\) reaches node 'n' \(LIF\), but it has a potential")


def test_output_needs_a_neuron():
    made = graph({"n": lif(), "w": nir.Linear(W)}, [("input", "n"), ("n", "w"), ("w", "output")])
    refused(made, r"Output 'output' is fed by node 'w' \(Linear\) with no neuron in between")
    made = graph({"n": lif()}, [("input", "n"), ("input", "output")])
    refused(made, r"Output 'output' is fed by node 'input' \(Input\)")


def test_dt_is_needed_positive_and_one():
    message = refused(small(), r"node 'n' \(LIF\) has the time constant tau", dt=None)
    assert "--dt" in message
    for dt in (0.0, -1.0, np.nan, np.inf):
        refused(small(), "--dt must be a positive number of seconds", dt=dt)
    made = small()
    for value in (-1.0, "fast", np.ones(2)):
        made.metadata = {"dt": value}
        refused(made, "the graph: metadata dt must be a positive number of seconds", dt=None)
    inner = graph({"n": cuba()}, [("input", "n"), ("n", "output")], dt=1e-4)
    made = graph({"s": inner}, [("input", "s"), ("s", "output")], dt=1e-3)
    refused(made, "the metadata disagree about dt .*; give --dt", dt=None)
    assert load(made, dt=1e-3, reset="zero").dt == 1e-3


def test_reset_rules_are_known():
    refused(small(), "reset must be 'zero' or 'subtract', not 'hard'", reset="hard")
    refused(small(), "--reset names 'w', but only IF, LIF and CubaLIF nodes reset; they are n",
            reset={"w": "zero"})
    made = small()
    made.metadata = {"reset": "soft"}
    refused(made, "the graph: metadata reset must be 'zero' or 'subtract', not 'soft'")
