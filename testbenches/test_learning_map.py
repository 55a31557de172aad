# SPDX-License-Identifier: Apache-2.0
"""The mapper and networks that learn: rows, signs, places of synapses, refusals."""

from dataclasses import replace

import numpy as np
import pytest

from neurotile.models.map import choose_preset, map_network
from neurotile.models.relay import relay_stages
from neurotile.models.retime import retime
from neurotile.sim import engine as fast
from neurotile.spec import (
    PRESETS,
    CalciumRule,
    InputPort,
    IntegerNetwork,
    Population,
    Projection,
    Sdsp,
    SdspSynapses,
    Stimulus,
    TileLearning,
    UserError,
)
from neurotile.spec.event_formats import sdsp_synapse_word
from neurotile.spec.formats import axon_word
from neurotile.testbenches.learning_cases import LEARNING_PRESETS
from neurotile.testbenches.learning_networks import plastic, random_learning_case
from neurotile.testbenches.strategies import Seeded
from neurotile.weights import delivered_weights, stored_weights

SMALL = LEARNING_PRESETS["test_learning"]  # 8 groups of 4 lanes, 64 words
RULE = CalciumRule(theta_mem=0, theta1=0, theta2=7, theta3=7)


def edge(source, target, weights, delay=0, *, inhibitory=(), mapped=True):
    weights = np.array(weights, np.int32)
    sign = np.isin(np.arange(weights.shape[1]), inhibitory)
    return Projection(source, target, np.where(sign, -weights, weights), delay, SdspSynapses(
        sign, np.broadcast_to(mapped, weights.shape).astype(np.bool_)))


def network(populations, projections, *, lines=2, **learning):
    return IntegerNetwork(
        (InputPort("in", lines),),
        tuple(Population(name, size, "if", np.array(9), calcium=RULE)
              for name, size in populations.items()),
        tuple(projections), weight_bits=4, learning=Sdsp(**learning))


MIXED = network({"a": 6, "b": 3}, [
    Projection("in", "b", np.array([[3, -2], [0, 4], [-7, 7]])),
    edge("in", "a", np.arange(12).reshape(6, 2) % 8, inhibitory=[1]),
    edge("a", "a", np.full((6, 6), 2), 1, inhibitory=[0, 5])], bistability=5)


def axons(program):
    fields = axon_word(program.config).unpack(program.memories["axon"][:, 0])
    used = np.flatnonzero(fields["last"] | fields["count"] | fields["row"] | fields["plastic"])
    return {key: value[:used[-1] + 1] for key, value in fields.items()}


def test_plastic_rows_come_first_and_signs_are_apart():
    program = map_network(MIXED, SMALL)
    fields = axons(program)
    rows = {kind: np.concatenate([row + np.arange(count + 1) for row, count, p in zip(
        fields["row"], fields["count"], fields["plastic"], strict=True) if p == kind])
        for kind in (0, 1)}
    # Two words each for 2 lines and 6 neurons; bistability reaches them and nothing else.
    assert sorted(rows[1]) == list(range(16)) and min(rows[0]) == 16
    assert program.learning == TileLearning(switches=1, offset=0, period=5, rows=16)
    words = sdsp_synapse_word().unpack(program.memories["synapse"].astype(np.int64))
    assert (words["weight"] <= 7).all() and words["weight"][:16].any()
    # Fixed synapses of each line come in a segment per sign, with magnitudes.
    fixed = fields["plastic"] == 0
    assert sorted(fields["inhibitory"][fixed]) == [0, 0, 1, 1]
    assert fields["inhibitory"].sum() == 2 + 1 + 2


def test_weights_are_read_back_as_they_are():
    program = map_network(MIXED, SMALL)
    found = stored_weights(program, program.memories["synapse"].astype(np.int64))
    for name, weights in delivered_weights(MIXED, {}).items():
        assert np.array_equal(found[name], weights), name
    index = program.synapse_index
    assert set(index) == {"in->a", "a->a"}
    places = np.concatenate([place.ravel() for place in index.values()])
    assert places.min() >= 0 and len(set(places.tolist())) == 12 + 36
    # Neurons 0 to 5 of population a are lane n % 4.
    assert (index["in->a"] % 4 == (np.arange(6) % 4)[:, None]).all()


def test_random_networks_are_read_back():
    for preset, config in LEARNING_PRESETS.items():
        for seed in range(40):
            program = random_learning_case(Seeded(seed), config).program
            found = stored_weights(program, program.memories["synapse"].astype(np.int64))
            for name, weights in delivered_weights(program.network, {}).items():
                assert np.array_equal(found[name], weights), (preset, seed, name)


def test_unmapped_synapses_are_stored_if_they_matter():
    mapped = np.zeros((6, 2), bool)
    mapped[0, 0] = True
    weights = np.zeros((6, 2), int)
    weights[0] = 3

    def index(**learning):
        net = network({"a": 6}, [edge("in", "a", weights, mapped=mapped)], **learning)
        return map_network(net, SMALL).synapse_index["in->a"] >= 0

    # One word of four lanes holds the mapped synapse, or one with a weight; the others are away.
    assert index().tolist() == [[True, True]] * 4 + [[False, False]] * 2
    assert index(update_unmapped=True).all() and index(propagate_unmapped=True).all()


def test_program_with_weights_is_the_program_of_the_network_with_weights():
    for config in LEARNING_PRESETS.values():
        for seed in range(30):
            case = random_learning_case(Seeded(seed), config)
            trace = fast.run(case.program, case.stimulus)
            learnt = case.program.with_weights(trace.weights)
            assert trace.tile is not None
            for place in learnt.synapse_index.values():
                # Elsewhere lie lanes of no neuron, which learn if those without mapping bit do.
                flat = learnt.memories["synapse"].ravel()[place[place >= 0]]
                assert np.array_equal(flat, trace.tile.synapse.ravel()[place[place >= 0]]), seed
            again = fast.run(learnt, case.stimulus)
            assert again.network == case.network.with_weights(trace.weights).digest
            found = stored_weights(learnt, learnt.memories["synapse"].astype(np.int64))
            for e in plastic(learnt.network):
                assert np.array_equal(
                    found[e.name], delivered_weights(learnt.network, {})[e.name])


def test_wrong_weights_for_a_program():
    program = map_network(MIXED, SMALL)
    before = program.memories["synapse"].copy()
    for weights, says in (({"in->b": np.zeros((3, 2), int)}, "no plastic projection 'in->b'"),
                          ({"in->a": np.full((6, 2), 8)}, "plastic weight must be in 0..7"),
                          ({"in->a": np.full((6, 2), 3)}, "plastic weight must be in 0..7"),
                          ({"in->a": np.full((5, 2), 0)}, "weights must have shape")):
        with pytest.raises(UserError, match=says):
            program.with_weights(weights)
    assert np.array_equal(program.memories["synapse"], before)
    mapped = np.zeros((6, 2), bool)
    mapped[:4] = True
    part = map_network(network({"a": 6}, [edge("in", "a", np.ones((6, 2)) * mapped,
                                               mapped=mapped)]), SMALL)
    with pytest.raises(UserError, match="a synapse without mapping bit has no place on the tile"):
        part.with_weights({"in->a": np.ones((6, 2), int)})


def refusal(net, config=SMALL):
    with pytest.raises(UserError) as caught:
        map_network(net, config)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_plastic_projections_at_different_depths():
    one = [edge("in", "a", [[1, 1]]), edge("a", "b", [[1]])]
    assert refusal(network({"a": 1, "b": 1}, one)) == (
        "plastic projections must end at one depth: population 'b' is updated 1 steps after 'a'")
    one[0] = replace(one[0], synapses=None)
    registers = map_network(network({"a": 1, "b": 1}, one), SMALL).learning
    assert registers is not None and registers.offset == 1


def test_relays_cannot_learn():
    net = network({"a": 1}, [edge("a", "a", [[1]], 2)])
    with pytest.raises(UserError, match="'a->a' needs a delay of 2 steps on the tile"):
        relay_stages(net, retime(net))
    assert "only 1 is possible" in refusal(net)


def test_tiles_that_do_not_learn():
    assert refusal(MIXED, PRESETS["default"]) == (
        "network does not fit default: it learns, the tile cannot (learning); preset 'learning' "
        "has it")
    assert choose_preset(MIXED).name == "learning"
    far = replace(MIXED, learning=Sdsp(bistability=256))
    assert refusal(far).endswith("it has bistability every 256 steps, the tile counts 255 "
                                 "(step_bits)")


def test_accumulators_have_room_for_all_that_can_be_learnt():
    net = network({"a": 1}, [edge("in", "a", np.zeros((1, 40)))], lines=40)
    assert "needs accumulators of 10 bits" in refusal(net, SMALL.replace(acc_bits=8))
    map_network(net, SMALL.replace(acc_bits=10))


def test_a_network_without_learning_runs_on_a_tile_that_learns():
    fixed = replace(
        MIXED, learning=None, populations=tuple(replace(p, calcium=None)
                                                for p in MIXED.populations),
        projections=tuple(replace(e, synapses=None) for e in MIXED.projections))
    program = map_network(fixed, SMALL)
    assert program.learning == TileLearning() and program.synapse_index == {}
    stimulus = Stimulus.from_dense(np.ones((1, 5, 2)))
    tile = fast.run(program, stimulus).tile
    assert tile is not None and tile.counters["synapse_writes"].tolist() == [0]
