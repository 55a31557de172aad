# SPDX-License-Identifier: Apache-2.0
"""Convolution and pooling: as matrices, in NIR files, on the golden engine; wrong ones."""

import nir
import numpy as np
import pytest

import neurotile
from neurotile.models.images import Window, convolution, pooling
from neurotile.spec import UserError
from neurotile.testbenches.nir_cases import shared_data


def slid(image, weight, stride, padding, dilation, groups):
    """Convolution (a correlation) by its definition, output pixel by output pixel."""
    out, within, taps_y, taps_x = weight.shape
    image = np.pad(image, ((0, 0), (padding[0],) * 2, (padding[1],) * 2))
    rows = (image.shape[1] - dilation[0] * (taps_y - 1) - 1) // stride[0] + 1
    cols = (image.shape[2] - dilation[1] * (taps_x - 1) - 1) // stride[1] + 1
    found = np.zeros((out, rows, cols))
    for o, y, x in np.ndindex(*found.shape):
        first = o // (out // groups) * within
        for c, i, j in np.ndindex(within, taps_y, taps_x):
            found[o, y, x] += weight[o, c, i, j] * image[
                first + c, stride[0] * y + dilation[0] * i, stride[1] * x + dilation[1] * j]
    return found


@pytest.mark.parametrize("seed", range(20))
def test_a_convolution_is_its_definition(seed):
    rng = np.random.default_rng(seed)
    groups = int(rng.choice([1, 2, 4]))
    shape = (4, int(rng.integers(6, 10)), int(rng.integers(6, 10)))
    size, stride, dilation = (tuple(rng.integers(1, top, 2).tolist()) for top in (4, 3, 3))
    padding = tuple(rng.integers(0, 3, 2).tolist())
    weight = rng.integers(-9, 10, (4 * int(rng.integers(1, 3)), 4 // groups, *size)).astype(float)
    image = rng.integers(0, 5, shape).astype(float)
    matrix, result = convolution(weight, Window(size, stride, padding, dilation), groups, shape)
    expected = slid(image, weight, stride, padding, dilation, groups)
    assert result == expected.shape
    np.testing.assert_array_equal((matrix @ image.ravel()).reshape(result), expected)


def test_same_padding_keeps_the_size_and_the_middle():
    weight = np.zeros((1, 1, 3, 5))
    weight[0, 0, 1, 2] = 1
    matrix, result = convolution(weight, Window((3, 5), padding="same"), 1, (1, 4, 6))
    assert result == (1, 4, 6)
    np.testing.assert_array_equal(matrix, np.eye(24))


def test_pools_add_or_average_each_channel():
    image = np.arange(2 * 4 * 4).reshape(2, 4, 4)
    blocks = image.reshape(2, 2, 2, 2, 2).sum(axis=(2, 4))
    for mean in (False, True):
        matrix, result = pooling(Window((2, 2), (2, 2)), (2, 4, 4), mean=mean)
        np.testing.assert_array_equal((matrix @ image.ravel()).reshape(result),
                                      blocks / (4 if mean else 1))


def image_graph(rng, **changes):
    """Input -> Conv2d -> IF -> SumPool2d -> Conv2d -> IF -> Flatten -> Affine -> IF -> Output."""
    def neurons(*shape):
        one = np.ones(shape)
        return nir.IF(one, rng.integers(2, 6, shape) + 0.37, 0 * one)

    nodes = {
        "input": nir.Input({"input": np.array([2, 8, 8])}),
        "c1": nir.Conv2d((8, 8), rng.integers(-3, 4, (3, 2, 3, 3)).astype(float), 1, 1, 1, 1,
                         rng.integers(-1, 2, 3).astype(float)),
        "n1": neurons(3, 8, 8),
        "pool": nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        "c2": nir.Conv2d((4, 4), rng.integers(-3, 4, (4, 3, 2, 2)).astype(float), (2, 1), 0, 1, 1,
                         np.zeros(4)),
        "n2": neurons(4, 2, 3),
        "flat": nir.Flatten({"input": np.array([4, 2, 3])}, 0, -1),
        "fc": nir.Affine(rng.integers(-3, 4, (5, 24)).astype(float), np.zeros(5)),
        "n3": neurons(5), "output": nir.Output({"output": np.array([5])}), **changes}
    names = list(nodes)
    return nir.NIRGraph(nodes, list(zip(names, names[1:], strict=False)), type_check=False)


@pytest.mark.parametrize("seed", range(4))
def test_an_image_network_on_golden_is_its_definition(seed, tmp_path):
    rng = np.random.default_rng(seed)
    graph = image_graph(rng)
    nir.write(tmp_path / "net.nir", graph)
    net = neurotile.load(tmp_path / "net.nir", dt=1.0, reset="subtract")
    spikes = (rng.random((3, 12, 128)) < 0.3).astype(np.uint8)
    # With 16 bits, and no potential near a threshold, the spikes are those in reals.
    found = neurotile.run(net, spikes, engine="golden", weight_bits=16, state_bits=24)
    expected = _definition(graph.nodes, spikes)
    for name, values in expected.items():
        np.testing.assert_array_equal(found.spikes[name], values, err_msg=name)
        assert values.any() and not values.all()


def _definition(nodes, spikes):
    """Spikes by node, every drive computed from the images themselves."""
    samples, steps = spikes.shape[:2]
    found = {name: np.zeros((samples, steps, *nodes[name].r.shape), np.uint8)
             for name in ("n1", "n2", "n3")}
    for s in range(samples):
        v = {name: np.zeros(nodes[name].r.shape) for name in found}
        for t in range(steps):
            image = spikes[s, t].reshape(2, 8, 8)
            drive = slid(image, nodes["c1"].weight, (1, 1), (1, 1), (1, 1), 1)
            drive += nodes["c1"].bias[:, None, None]
            one = found["n1"][s, t] = _fire(v, "n1", nodes, drive)
            pooled = one.reshape(3, 4, 2, 4, 2).sum(axis=(2, 4))
            drive = slid(pooled, nodes["c2"].weight, (2, 1), (0, 0), (1, 1), 1)
            two = found["n2"][s, t] = _fire(v, "n2", nodes, drive)
            found["n3"][s, t] = _fire(v, "n3", nodes, nodes["fc"].weight @ two.ravel())
    return {name: values.reshape(samples, steps, -1) for name, values in found.items()}


def _fire(v, name, nodes, drive):
    v[name] += drive
    fired = v[name] > nodes[name].v_threshold
    v[name] -= fired * nodes[name].v_threshold
    return fired.astype(int)


@pytest.mark.parametrize(("changes", "message"), [
    ({"pool": nir.SumPool2d(np.array([5, 5]), np.array([1, 1]), np.array([0, 0]))},
     r"node 'pool' \(SumPool2d\): a window of 5 does not fit 4 pixels"),
    ({"c2": nir.Conv2d((4, 4), np.ones((4, 2, 2, 2)), 1, 0, 1, 1, np.zeros(4))},
     r"node 'c2' \(Conv2d\): is made for an input of shape \(2, 4, 4\), but \(3, 4, 4\) arrives"),
    ({"c2": nir.Conv2d((4, 4), np.full((4, 3, 2, 2), np.nan), 1, 0, 1, 1, np.zeros(4))},
     r"node 'c2' \(Conv2d\): weight\[0, 0, 0, 0\] is nan"),
    ({"c2": nir.Conv2d((4, 4), np.ones((4, 3, 2, 2)), -1, 0, 1, 1, np.zeros(4))},
     r"node 'c2' \(Conv2d\): stride must be at least 1, not \(-1, -1\)"),
    ({"c2": nir.Conv2d((4, 4), np.ones((4, 3, 2, 2)), 1, 0, 1, 1, np.zeros(3))},
     r"node 'c2' \(Conv2d\): bias must hold 4 values or one, not \(3,\)"),
])
def test_wrong_images_are_refused(changes, message, tmp_path):
    rng = np.random.default_rng(0)
    if "pool" in changes:
        changes = {**changes, "n1": nir.IF(np.ones((3, 4, 4)), np.ones((3, 4, 4)),
                                           np.zeros((3, 4, 4))),
                   "c1": nir.Conv2d((8, 8), np.ones((3, 2, 3, 3)), 2, 1, 1, 1, np.zeros(3))}
    nir.write(tmp_path / "net.nir", image_graph(rng, **changes))
    with pytest.raises(UserError, match=message):
        neurotile.load(tmp_path / "net.nir", dt=1.0, reset="zero")


def test_a_pool_without_a_known_image_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    graph = image_graph(rng)
    graph.nodes["n1"] = nir.IF(np.ones(192), np.ones(192), np.zeros(192))
    graph.nodes["c1"] = nir.Affine(np.ones((192, 128)), np.zeros(192))
    nir.write(tmp_path / "net.nir", graph)
    with pytest.raises(UserError, match=r"node 'pool' \(SumPool2d\): nothing before it tells"):
        neurotile.load(tmp_path / "net.nir", dt=1.0, reset="zero")


def test_the_paper_network_is_read():
    net = neurotile.load(shared_data("nir_cnn") / "cnn_sinabs.nir", dt=1e-3, reset="subtract")
    assert [p.size for p in net.populations] == [4096, 4096, 512, 256, 10]
    assert net.input_size == 2 * 34 * 34
