# SPDX-License-Identifier: Apache-2.0
"""Every message with which the mapper refuses a network."""

import numpy as np
import pytest

from neurotile.models.map import map_network
from neurotile.models.relay import Stage, relay_population
from neurotile.spec import PRESETS, TEST_PRESETS, Population, UserError
from neurotile.testbenches.small_networks import matrix, network

ALL = TEST_PRESETS["test_all"]  # 8 groups of 4 lanes, 8-bit weights, 16-bit states
SHARED = TEST_PRESETS["test_two_lanes"].replace(weight_bits=8)


def refusal(net, config=ALL, **arguments):
    with pytest.raises(UserError) as caught:
        map_network(net, config, **arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_too_many_axons():
    net = network([("a", 10)], [("in", "a", 0)], lines=784)
    assert refusal(net, PRESETS["default"]) == (
        "network does not fit default: it needs 784 axons, the tile has 256 (axons); preset 'wide' "
        "has 2048")


def test_too_many_neurons():
    assert refusal(network([("a", 30), ("b", 3)], [("in", "a", 0)])) == (
        "network does not fit test_all: it needs 36 neurons in groups of 4, the tile has 32 "
        "(neurons); preset 'default' has 256")
    relayed = network([("a", 20), ("b", 12)], [("in", "a", 0), ("a", "b", 2)])
    assert "it needs 52 neurons in groups of 4, 20 of them relays, the tile has 32" in refusal(
        relayed)
    assert refusal(network([("a", 1000)], []), ALL).endswith("the tile has 32 (neurons)")


def test_too_many_synapse_words():
    net = network([("a", 32)], [("in", "a", 0)], lines=40)
    assert refusal(net) == (
        "network does not fit test_all: it needs 320 synapse words of 4 weights, the tile has 256 "
        "(synapse_words)")


def test_too_late():
    names = [f"p{k}" for k in range(5)]
    net = network([(name, 1) for name in names],
                  [(a, b, 0) for a, b in zip(names, names[1:], strict=False)])
    assert refusal(net, ALL.replace(offset_bits=2)) == (
        "network does not fit test_all: it needs step offsets up to 4, the tile has up to 3 "
        "(offset_bits)")
    long = [f"p{k}" for k in range(16)]
    net = network([(name, 1) for name in long],
                  [(a, b, 0) for a, b in zip(long, long[1:], strict=False)])
    assert refusal(net, ALL.replace(offset_bits=4, step_bits=4, neurons=64)) == (
        "network does not fit test_all: it needs 16 steps for the shortest run, the tile counts 15 "
        "(step_bits)")


def test_shift_that_is_too_large():
    net = network([Population("a", 1, "if", np.array(0), shift=9)], [("in", "a", 0)])
    assert refusal(net) == ("network does not fit test_all: it needs a shift of 9, the tile has up "
                            "to 7 (shift_bits)")


def test_number_formats_that_differ():
    lif = Population("a", 1, "lif", np.array(0), decay_v=np.array(1))
    edge = [("in", "a", 0)]
    assert refusal(network([("a", 1)], edge, weight_bits=9)).endswith(
        "it needs weights of 9 bits, the tile has 8 (weight_bits)")
    assert refusal(network([("a", 1)], edge, state_bits=20)).endswith(
        "it has states of 20 bits, the tile has 16 (state_bits); they must be equal")
    assert refusal(network([lif], edge, decay_bits=8)).endswith(
        "it has decay coefficients of 8 bits, the tile has 12 (decay_bits); they must be equal")
    map_network(network([("a", 1)], edge, decay_bits=8), ALL)  # nothing decays


def test_model_that_is_not_built_in():
    net = network([Population("a", 1, "lif", np.array(0))], [("in", "a", 0)], weight_bits=4)
    assert refusal(net, PRESETS["up5k"]) == (
        "network does not fit up5k: it needs the model 'lif' (population 'a'), the tile has if, "
        "sublif (models); preset 'default' has it")


def test_no_model_for_relays():
    # No tile without a firing model can have a source that needs them: made by hand.
    with pytest.raises(UserError, match=r"^test_all: the spikes of 'a' must be delayed by relay "
                                        r"neurons, and no model that fires is built in "
                                        r"\(models = li\)$"):
        relay_population(Stage("a", 1, np.arange(1), 0, ()), ALL.replace(models=("li",)))


def test_parameters_that_differ_on_a_shared_tile():
    net = network([Population("a", 2, "if", np.array(1), bias=np.array([3, 4]))], [("in", "a", 0)])
    assert refusal(net, SHARED) == (
        "population 'a': bias differs between neurons of one group, and test_two_lanes has "
        "parameters = \"shared\"; parameters = \"neuron\" would do")


def test_too_many_parameter_sets():
    net = network([Population(f"p{k}", 1, "if", np.array(k)) for k in range(5)], [])
    assert refusal(net, SHARED) == (
        "network does not fit test_two_lanes: it needs 5 parameter sets, the tile has 4 "
        "(parameter_sets); preset 'default' has 16")


@pytest.mark.parametrize(("weight", "lines", "bits"), [(127, 4, 10), (127, 5, 11), (-128, 4, 11)])
def test_accumulators_that_could_wrap(weight, lines, bits):
    # 4 x 127 = 508 needs 10 bits, 5 x 127 = 635 needs 11; |4 x -128| = 512 must stay below 2**9.
    net = network([("a", 1), ("b", 1)], [("in", "b", 0, matrix(1, lines, weight)), ("in", "a", 0)],
                  lines=lines)
    map_network(net, ALL.replace(acc_bits=bits))
    assert refusal(net, ALL.replace(acc_bits=bits - 1)) == (
        f"population 'b' needs accumulators of {bits} bits for the sum of its weights, the tile "
        f"has {bits - 1} (acc_bits)")


def test_signs_do_not_add_up_in_accumulators():
    # Positive and negative weights apart: 4 x 100 and 4 x -100, never 800.
    weights = np.array([[100, -100] * 4])
    map_network(network([("a", 1)], [("in", "a", 0, weights)], lines=8), ALL.replace(acc_bits=10))


def test_zeros_cannot_be_stored_in_one_bit():
    tile = TEST_PRESETS["test_two_lanes"]
    weights = np.array([[1, 1], [1, 0]])
    net = network([("a", 2)], [("in", "a", 0, weights)], lines=2, weight_bits=1)
    assert refusal(net, tile) == (
        "the projection from 'in' to 'a' has a weight 0 between others, and test_two_lanes stores "
        "only -1 and +1 (weight_bits = 1); weight_bits = 2 would do")
    map_network(net, tile.replace(weight_bits=2))


def test_projections_that_add_up_to_too_much():
    net = network([("a", 1)], [("in", "a", 0, matrix(1, 1, 100)), ("in", "a", 0, matrix(1, 1, 28))])
    assert refusal(net) == ("the projections from 'in' to 'a' add up to a weight of 128; the tile "
                            "holds -128..127 (weight_bits)")


def test_outputs_that_are_not_there():
    net = network([("a", 1), ("b", 1)], [("in", "a", 0), ("a", "b", 0)])
    assert refusal(net, outputs=["b", "z"]) == ("outputs: 'z' is no spiking population of network; "
                                                "these are a, b")
