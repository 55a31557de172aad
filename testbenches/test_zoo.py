# SPDX-License-Identifier: Apache-2.0
"""The zoo's networks reach their accuracies on the tile, and the RTL agrees."""

import numpy as np
import pytest

import neurotile
from neurotile.models import zoo
from neurotile.models.zoo import encode
from neurotile.testbenches.equality import differences, tile_differences
from neurotile.testbenches.nir_cases import shared_data

FLOORS = {"digits": 0.95, "yinyang": 0.94}
MNIST_FLOORS = {16: 0.96, 28: 0.97}


def correct(result, labels):
    """Right answers by the rule of docs/cli.md, counted here once more."""
    counts = list(result.trace.spikes.values())[-1].sum(axis=1, dtype=int)
    return float((counts.argmax(axis=1) == labels).mean())


@pytest.mark.parametrize("name", FLOORS)
def test_embedded_sets(name):
    spikes, labels = zoo.test_set(name)
    made = neurotile.build(zoo.path(name), weight_bits=8, state_bits=16)
    result = neurotile.run(made, spikes, labels=labels)
    assert result.accuracy == correct(result, labels) >= FLOORS[name]


def test_digits_lose_at_most_a_point():
    from neurotile.models.float_reference import simulate
    spikes, labels = zoo.test_set("digits")
    floating = simulate(neurotile.load(zoo.path("digits")), spikes).spikes["lif2"]
    accuracy = (floating.sum(axis=1).argmax(axis=1) == labels).mean()
    result = neurotile.run(zoo.path("digits"), spikes, labels=labels)
    assert result.accuracy >= accuracy - 0.01


def agree(made, spikes):
    fast, rtl = (neurotile.run(made, spikes, engine=engine).trace for engine in ("fast", "rtl"))
    assert fast.tile is not None and rtl.tile is not None
    return differences(fast, rtl) + tile_differences(fast.tile, rtl.tile)


def test_digits_on_rtl():
    spikes, _ = zoo.test_set("digits")
    assert agree(neurotile.build(zoo.path("digits")), spikes[:200]) == []


@pytest.mark.parametrize("size", MNIST_FLOORS)
def test_mnist(size):
    spikes, labels = zoo.load_mnist_test(shared_data("mnist"), size=size)
    result = neurotile.run(zoo.path(f"mnist{size}"), spikes, labels=labels)
    assert result.accuracy == correct(result, labels) >= MNIST_FLOORS[size]


@pytest.mark.long
@pytest.mark.parametrize("size", MNIST_FLOORS)
def test_mnist_on_rtl(size):
    spikes, _ = zoo.load_mnist_test(shared_data("mnist"), size=size)
    assert agree(neurotile.build(zoo.path(f"mnist{size}")), spikes[:200]) == []


def test_yin_yang_rule():
    # Drawn again from the rule's text (arXiv 2102.08211): the classes are balanced, the dots lie
    # within 0.1 of the two centres, and points mirrored at the middle swap yin and yang.
    points, labels = encode.yin_yang(40, 600)
    near = np.minimum(np.hypot(points[:, 0] - 0.25, points[:, 1] - 0.5),
                      np.hypot(points[:, 0] - 0.75, points[:, 1] - 0.5))
    assert ((near < 0.1) == (labels == 2)).all()
    assert np.bincount(labels, minlength=3).min() > 150
    np.testing.assert_allclose(points[:, 2:], 1 - points[:, :2])
    again, _ = encode.yin_yang(40, 600)
    np.testing.assert_array_equal(points, again)
