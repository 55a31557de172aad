# SPDX-License-Identifier: Apache-2.0
"""Every message with which the mapper of meshes refuses: how much, and what would help."""

from dataclasses import replace

import numpy as np
import pytest

from neurotile.models.mesh.map import choose_mesh, map_mesh
from neurotile.spec import (
    PRESETS,
    TEST_MESH_PRESETS,
    Population,
    Sdsp,
    UserError,
)
from neurotile.testbenches.small_networks import matrix, network

# 2 x 2 tiles of 16 neurons in 4 lanes, 64 axons, 128 words, 8-bit weights, accumulators of 20 bits.
FORKED = TEST_MESH_PRESETS["test_mesh_2x2"].replace(trees=64, name="small")
SMALL = FORKED.replace(routing="unicast")
TILE = SMALL.tile
RNG = np.random.default_rng(1)


def varied(config=SMALL, **tile):
    return config.replace(tile=config.tile.replace(**tile))


def refusal(net, config=SMALL, **options):
    with pytest.raises(UserError) as caught:
        map_mesh(net, config, **options)
    text = str(caught.value)
    assert "\n" not in text
    return text


def different(targets, sources):
    """Weights that no two sources have in common."""
    return RNG.permutation(np.arange(1, 1 + targets * sources) % 120 + 1).reshape(
        targets, sources).astype(np.int32)


def chain(count, delay=0):
    names = [f"p{k}" for k in range(count)]
    return network([(name, 1) for name in names],
                   [("in", "p0", 0), *((a, b, delay) for a, b in zip(names, names[1:],
                                                                     strict=False))])


def test_mesh_too_small():
    assert refusal(network([("a", 80)], [("in", "a", 0)])) == (
        "network does not fit small: it needs 5 tiles, 1 more than the 2 x 2 of the mesh (rows, "
        "cols); 2 x 3 would do, or tiles with more neurons (16), axons (64) or synapse_words (128)")
    map_mesh(network([("a", 80)], [("in", "a", 0)]), SMALL.replace(cols=3))


def test_more_tiles_than_any_mesh_has():
    net = network([("a", 16 * 257)], [("in", "a", 0)])
    assert refusal(net) == (
        "network: needs 257 tiles, and a mesh has 16 x 16 at most; tiles with more neurons (16), "
        "axons (64) or synapse_words (128) hold more of it")


def test_axons_of_one_neuron():
    net = network([("a", 1)], [("in", "a", 0, np.arange(1, 71)[None])], lines=70)
    assert refusal(net) == ("network: neuron 0 of 'a' alone needs 70 axon entries, 6 more than a "
                            "tile has (axons); axons = 128 would do")
    map_mesh(net, varied(axons=128))


def test_axons_without_sharing():
    net = network([("a", 1)], [("in", "a", 0)], lines=70)
    assert refusal(net, share=False).endswith(
        "alone needs 70 axon entries, 6 more than a tile has (axons); axons = 128 or sharing would "
        "do")
    map_mesh(net, SMALL)


def test_synapse_words_of_one_neuron():
    net = network([("a", 1)], [("in", "a", 0, np.arange(1, 61)[None])], lines=60)
    assert refusal(net, varied(synapse_words=32)) == (
        "network: neuron 0 of 'a' alone needs 60 synapse words, 28 more than a tile has "
        "(synapse_words); synapse_words = 64 would do")
    map_mesh(net, varied(synapse_words=64))


def test_routes_of_one_tile():
    # On one tile 4 neurons that send to 4 tiles and the host, and 12 to the host only.
    net = network([("a", 4), ("b", 44)], [("in", "a", 0), ("a", "b", 0)])
    assert refusal(net, SMALL.replace(routes=8)) == (
        "network does not fit small: it needs 28 route entries of one tile, 20 more than the mesh "
        "has (routes); routes = 32 would do")
    map_mesh(net, SMALL.replace(routes=32))


def test_trees():
    # Neurons of a whole tile, each of which reaches another set of the three others.
    weights = np.zeros((48, 16), np.int32)
    for source in range(7):
        for tile in range(3):
            weights[16 * tile:16 * (tile + 1), source] = (source + 1 >> tile & 1) * (source + 1)
    net = network([("a", 16), ("b", 48)], [("in", "a", 0), ("a", "b", 0, weights)])
    assert refusal(net, FORKED.replace(trees=4)) == (
        "network does not fit small: it needs 8 trees, 4 more than the mesh has (trees); trees = 8 "
        "or routing = 'unicast' would do")
    map_mesh(net, FORKED.replace(trees=8))
    map_mesh(net, SMALL.replace(trees=4))


def test_offset_bits():
    assert refusal(chain(10)) == (
        "network does not fit small: it needs 9 steps of offset, 2 more than the mesh has "
        "(offset_bits); offset_bits = 4 would do")
    map_mesh(chain(10), varied(offset_bits=4))


def test_step_bits():
    config = varied(offset_bits=4, step_bits=4)
    assert refusal(chain(16), config) == (
        "network does not fit small: it needs 16 steps for the shortest run, 1 more than the mesh "
        "has (step_bits); step_bits = 5 would do")
    map_mesh(chain(16), varied(offset_bits=4, step_bits=5))


@pytest.mark.parametrize(("delay", "hint"), [
    (9, "delay_bits = 4 would do"),
    (64, "63 steps are the most (delay_bits = 6); populations in between would do")])
def test_delay_bits(delay, hint):
    net = network([("a", 2)], [("in", "a", delay)])
    assert refusal(net) == (
        f"projection 'in->a' with delay {delay} needs a delay of {delay} steps in the queue "
        f"of its tile; small has up to 7 (delay_bits = 3); {hint}")
    if delay < 64:
        map_mesh(net, varied(delay_bits=4))


def test_queue_depth():
    net = network([("a", 2)], [("in", "a", 0)], lines=20)
    assert refusal(net, queue="worst_case") == (
        "network does not fit small: it needs queues of 20 entries so that no stimulus overflows "
        "them, 12 more than the 8 of the tiles (queue_depth); queue_depth = 32 or queues by "
        "profile would do")
    map_mesh(net, SMALL)  # fixed: a stimulus may overflow them
    map_mesh(net, varied(queue_depth=32), queue="worst_case")


def test_accumulators():
    net = network([("a", 1)], [("in", "a", 0, matrix(1, 5, 127))], lines=5)
    assert refusal(net, varied(acc_bits=10)) == (
        "network does not fit small: it needs accumulators of 11 bits for the sum of the weights "
        "into population 'a', 1 more than the tiles have (acc_bits); acc_bits = 11 would do")
    map_mesh(net, varied(acc_bits=11))


def test_loops_without_delay():
    net = network([("a", 1), ("b", 1)], [("in", "a", 0), ("a", "b", 0), ("b", "a", 1)])
    assert refusal(net) == (
        "network: the loop a -> b -> a cannot be mapped: its delays add up to 1, and a spike on a "
        "tile takes a step for each of its 2 projections; a total delay of 2 would do")


def test_unknown_outputs():
    net = network([("a", 1), Population("b", 1, "li", np.array(0), decay_v=np.array(1))],
                  [("in", "a", 0), ("a", "b", 0)])
    config = varied(models=("if", "li"))
    for name in ("z", "b"):
        assert refusal(net, config, outputs=["a", name]) == (
            f"outputs: {name!r} is no spiking population of network; these are a")


def test_networks_that_learn():
    net = replace(network([("a", 1)], [("in", "a", 0)], weight_bits=4), learning=Sdsp())
    for refused in (refusal(net), _chosen(net)):
        assert refused == ("network: learns, which the tiles of a mesh do not; one tile does "
                           "(preset 'learning')")


@pytest.mark.parametrize("routing", ["unicast", "multicast"])
def test_tiles_that_learn(routing):
    net = network([("a", 1)], [("in", "a", 0)], weight_bits=4)
    tile = PRESETS["learning"]
    config = SMALL.replace(tile=tile, routing=routing)
    for refused in (refusal(net, config), _chosen(net, tile=tile, routing=routing)):
        assert refused == ("network: the tiles of a mesh do not learn, and tile learning does; "
                           "learning = 'none' would do")


def _chosen(net, **options):
    with pytest.raises(UserError) as caught:
        choose_mesh(net, **options)
    return str(caught.value)


def test_parameter_sets():
    net = network([Population(f"p{k}", 1, "if", np.array(k)) for k in range(3)], [])
    net = replace(net, projections=network([("p0", 1)], [("in", "p0", 0)]).projections)
    config = varied(parameters="shared", parameter_sets=2)
    assert refusal(net, config) == (
        "network does not fit small: it needs 3 parameter sets of one tile, 1 more than the mesh "
        "has (parameter_sets); parameter_sets = 4 or parameters = 'neuron' would do")


def test_all_that_is_wrong_is_said():
    net = network([("a", 4), ("b", 44)], [("in", "a", 0), ("a", "b", 0)])
    text = refusal(net, varied(SMALL.replace(routes=8), queue_depth=2), queue="worst_case")
    assert "route entries" in text and "; it also needs queues of 5 entries" in text
    lif = Population("a", 1, "lif", np.array(0), decay_v=np.array(1))
    text = refusal(network([lif], [("in", "a", 0)], state_bits=20), varied(models=("if",)))
    assert "it has states of 20 bits" in text and "; it also needs the model 'lif'" in text


def test_values_that_no_mesh_can_have_are_not_proposed():
    # A descriptor of an axon has 32 bits, and so many groups leave none for more words.
    config = varied(neurons=8192, lanes=16, delay_bits=6, synapse_words=64)
    net = network([("a", 1)], [("in", "a", 0, np.arange(1, 71)[None])], lines=70)
    assert refusal(net, config.replace(tile=config.tile.replace(axons=128))).endswith(
        "alone needs 70 synapse words, 6 more than a tile has (synapse_words); synapse_words = 128 "
        "is more than there can be")
