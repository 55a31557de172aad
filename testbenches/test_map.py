# SPDX-License-Identifier: Apache-2.0
"""The mapper: offsets, relays, segments, weights read back, and the choice of a preset."""

import numpy as np
import pytest

from neurotile.models.map import choose_preset, map_network
from neurotile.models.occupancy import mapping_report
from neurotile.models.pack import Segments, merge_gaps
from neurotile.models.relay import relay_stages
from neurotile.models.retime import retime
from neurotile.spec import (
    PRESETS,
    TEST_PRESETS,
    Placement,
    Population,
    Stimulus,
    UserError,
)
from neurotile.spec.codes import Model
from neurotile.spec.formats import axon_word, group_word, route_word
from neurotile.testbenches.small_networks import matrix, network
from neurotile.testbenches.strategies import Seeded, random_case

ALL = TEST_PRESETS["test_all"]  # 8 groups of 4 lanes, 8-bit weights, 16-bit states
SHARED = TEST_PRESETS["test_two_lanes"].replace(weight_bits=8)


# --- retiming ----------------------------------------------------------------------------------


def test_offsets_are_the_longest_paths():
    net = network([("a", 1), ("b", 1), ("c", 1), ("d", 1)],
                  [("in", "a", 0), ("a", "b", 0), ("b", "c", 0), ("a", "c", 0), ("in", "d", 0),
                   ("d", "c", 1)])
    schedule = retime(net)
    assert schedule.offset == {"a": 0, "b": 1, "c": 2, "d": 0}
    assert [schedule.tile_delay(e) for e in net.projections] == [0, 1, 1, 2, 0, 3]


def test_a_delay_shortens_the_path():
    assert retime(network([("a", 1), ("b", 1), ("c", 1)],
                          [("a", "b", 1), ("b", "c", 0)])).offset == {"a": 0, "b": 0, "c": 1}


def test_loops_that_have_a_step_per_projection_are_mapped():
    assert retime(network([("a", 1)], [("a", "a", 1)])).offset == {"a": 0}
    assert retime(network([("a", 1), ("b", 1)],
                          [("a", "b", 0), ("b", "a", 2)])).offset == {"a": 0, "b": 1}


def test_a_loop_that_cannot_be_retimed_is_refused():
    net = network([("x", 1), ("a", 1), ("b", 1), ("c", 1), ("y", 1)],
                  [("x", "a", 0), ("a", "b", 0), ("b", "c", 0), ("c", "a", 1), ("c", "y", 0)])
    with pytest.raises(UserError) as caught:
        retime(net)
    start, loop, end = str(caught.value).partition("the loop ")
    assert loop and start == "network: "
    names = end.split(" cannot be mapped")[0].split(" -> ")
    assert names[0] == names[-1] and "->".join(names[:-1]) in "a->b->c->a->b"
    assert len(names) == 4
    assert end.endswith("its delays add up to 1, and a spike on a tile takes a step for each of "
                        "its 3 projections; a total delay of 3 would do")


# --- relays ------------------------------------------------------------------------------------


def test_late_targets_share_a_chain_of_the_neurons_they_use():
    # Tile delays of a: b 3, c 4. b uses neurons 0 and 2, c uses 2.
    to_b, to_c = np.array([[5, 0, -5]]), np.array([[0, 0, 7]])
    net = network([("a", 3), ("b", 1), ("c", 1)],
                  [("in", "a", 0), ("a", "b", 3, to_b), ("a", "c", 4, to_c)])
    stages = relay_stages(net, retime(net))
    assert [(s.source, s.number, s.sources.tolist(), [e.target for e in s.targets])
            for s in stages] == [("a", 1, [0, 2], []), ("a", 2, [0, 2], ["b"]),
                                 ("a", 3, [2], ["c"])]
    report = mapping_report(map_network(net, ALL))
    assert report.relays == 5
    # 1 + 1 + 1 groups of populations, 3 of relays.
    assert report.groups.used == 6 and report.neurons.used == 10
    assert report.placement == {"a": Placement(0, 3, 0), "b": Placement(4, 1, 0),
                                "c": Placement(8, 1, 0)}


def test_no_relay_for_weights_that_are_zero():
    net = network([("a", 3), ("b", 1)], [("in", "a", 0), ("a", "b", 3, matrix(1, 3, 0))])
    assert relay_stages(net, retime(net)) == []


@pytest.mark.parametrize(("model", "threshold"),
                         [("if", 0), ("sublif", 1), ("lif", 0), ("cubalif", 0)])
def test_relays_take_a_model_that_is_there(model, threshold):
    firing = Population("a", 1, model, np.array(3))
    net = network([firing, Population("b", 1, model, np.array(3))],
                  [("in", "a", 0), ("a", "b", 2)])
    program = map_network(net, ALL.replace(models=(model,)))
    relay = group_word(program.config).unpack(program.memories["group"][2, 0])
    assert relay["model"] == Model[model.upper()] and relay["soft_reset"] == 0
    assert program.memories["threshold"][2].tolist() == [threshold] + [0x7FFF] * 3
    assert program.memories["bias"][2, 0] == 0


def test_relays_do_not_report_their_spikes():
    net = network([("a", 1), ("b", 1)], [("in", "a", 0), ("a", "b", 2)])
    route = route_word(ALL).unpack(map_network(net, ALL).memories["route"][:, 0])
    assert route["output"].nonzero()[0].tolist() == [0, 4]
    assert route["local"].nonzero()[0].tolist() == [0, 8]


# --- what the memories mean --------------------------------------------------------------------


def reach(program, axon):
    """Weights (neurons,) that an event on this axon adds, read from the memories."""
    config = program.config
    word, weight = axon_word(config), program.memories["synapse"].astype(np.int64)
    if config.weight_bits == 1:
        weight = 2 * weight - 1
    else:
        weight = np.where(weight > config.weight_limits[1], weight - (1 << config.weight_bits),
                          weight)
    total = np.zeros((config.groups, config.lanes), np.int64)
    while True:
        segment = {key: int(value)
                   for key, value in word.unpack(program.memories["axon"][axon, 0]).items()}
        size = segment["count"] + 1
        total[segment["group"]:segment["group"] + size] += weight[segment["row"]:][:size]
        if segment["last"]:
            return total.reshape(-1)
        axon += 1


def delayed_weights(program):
    """(source, target, delay) to weights (targets, sources), as the tile's memories say."""
    net = program.network
    found: dict[tuple[str, str, int], np.ndarray] = {}
    route = route_word(program.config).unpack(program.memories["route"][:, 0])

    def follow(name, index, tile_delay, reached):
        known = np.zeros(program.config.neurons, bool)
        for target, place in program.placement.items():
            part = slice(place.first, place.first + place.size)
            known[part] = True
            if reached[part].any():
                offset = program.placement[name].offset if name in program.placement else 0
                key = (name, target, tile_delay - place.offset + offset)
                shape = (place.size, net.sizes[name])
                found.setdefault(key, np.zeros(shape, np.int64))[:, index] += reached[part]
        for relay in np.flatnonzero(reached * ~known * route["local"]):
            if reached[relay] > 0:  # weights of 1 bit inhibit the other relays' padding
                assert reached[relay] == 1
                follow(name, index, tile_delay + 1, reach(program, route["axon"][relay]))

    lines = [(port.name, k) for port in net.inputs for k in range(port.size)]
    for line, (name, index) in enumerate(lines):
        for k in range(program.input_start[line], program.input_start[line + 1]):
            follow(name, index, int(program.input_delay[k]), reach(program, program.input_axon[k]))
    for name, place in program.placement.items():
        for index in np.flatnonzero(route["local"][place.first:place.first + place.size]).tolist():
            follow(name, index, 1, reach(program, route["axon"][place.first + index]))
    return found


@pytest.mark.parametrize("preset", sorted(TEST_PRESETS))
def test_the_memories_hold_the_network(preset):
    relays = 0
    for seed in range(40):
        program = random_case(Seeded(seed), TEST_PRESETS[preset]).program
        wanted = {}
        for e in program.network.projections:
            if e.weights.any():
                wanted[e.source, e.target, e.delay] = e.weights
        found = delayed_weights(program)
        assert set(found) == set(wanted), seed
        for key, weights in wanted.items():
            np.testing.assert_array_equal(found[key], weights, err_msg=f"seed {seed}: {key}")
        relays += mapping_report(program).relays
        for p in program.network.populations:
            place = program.placement[p.name]
            assert place.first % program.config.lanes == 0 and place.size == p.size
            group = slice(place.first // program.config.lanes,
                          (place.first + p.size - 1) // program.config.lanes + 1)
            word = group_word(program.config).unpack(program.memories["group"][group, 0])
            assert (word["model"] == Model[p.model.upper()]).all()
            assert (word["shift"] == p.shift).all() and (word["offset"] == place.offset).all()
            assert (word["soft_reset"] == (p.reset == "subtract")).all()
    assert relays


def test_segments_cover_runs_and_nothing_else():
    # Groups 0 and 1 are a, 2 is b, 3 and 4 are c. Line 0 reaches a and b: one run, over the border.
    # Line 1 reaches group 0 and group 3. Line 2 reaches nothing.
    to_a, to_b, to_c = matrix(8, 3, 0), matrix(4, 3, 0), matrix(8, 3, 0)
    to_a[7, 0], to_b[1, 0], to_a[2, 1], to_c[0, 1] = 1, 2, 3, 4
    net = network([("a", 8), ("b", 4), ("c", 8)],
                  [("in", "a", 0, to_a), ("in", "b", 0, to_b), ("in", "c", 0, to_c)], lines=3)
    program = map_network(net, ALL)
    words = axon_word(ALL).unpack(program.memories["axon"][:3, 0])
    assert {key: value.tolist() for key, value in words.items()} == {
        "row": [0, 2, 3], "group": [1, 0, 3], "count": [1, 0, 0], "last": [1, 0, 1]}
    assert program.input_start.tolist() == [0, 1, 2, 2]
    assert program.input_axon.tolist() == [0, 1]
    assert program.memories["synapse"][:4].tolist() == [[0, 0, 0, 1], [0, 2, 0, 0], [0, 0, 3, 0],
                                                        [4, 0, 0, 0]]
    # With two axons there is one segment less: the gap of line 1 is stored as zeros.
    narrow = map_network(net, ALL.replace(axons=2))
    words = axon_word(narrow.config).unpack(narrow.memories["axon"][:, 0])
    assert {key: value.tolist() for key, value in words.items()} == {
        "row": [0, 2], "group": [1, 0], "count": [1, 3], "last": [1, 1]}
    assert mapping_report(narrow).synapse_words.used == 6
    np.testing.assert_array_equal(delayed_weights(narrow)["in", "c", 0], to_c)


def test_the_smallest_gaps_are_bridged_first():
    #  axon 0: groups 0, 2, 7; axon 1: groups 1, 3. Gaps: 1, 4 and 1.
    none, one = np.zeros(5, int), np.ones(5, int)
    exact = Segments.of([none, np.array([0, 0, 0, 1, 1]), none, np.array([0, 2, 7, 1, 3]), one,
                         none, none])
    assert merge_gaps(exact, 5) is exact
    for limit, first, count in ((4, [0, 7, 1, 3], [3, 1, 1, 1]), (3, [0, 7, 1], [3, 1, 3]),
                                (2, [0, 1], [8, 3]), (1, [0, 1], [8, 3])):
        merged = merge_gaps(exact, limit)
        assert (merged.first.tolist(), merged.count.tolist()) == (first, count)
    assert merged.axons == 2


def test_inputs_have_an_axon_for_every_delay():
    # a lies 0 steps late, b (behind a) 1: line 0 needs 0 and 2 for a, and 1 for b with d = 0.
    net = network([("a", 1), ("b", 1)],
                  [("in", "a", 0), ("in", "a", 2), ("in", "b", 0), ("a", "b", 0)], lines=2)
    program = map_network(net, ALL)
    assert program.input_start.tolist() == [0, 3, 6]
    assert program.input_delay.tolist() == [0, 1, 2, 0, 1, 2]
    assert program.drain == 1


def test_an_event_delayed_beyond_the_run_is_not_sent():
    net = network([("a", 1)], [("in", "a", 3)])
    events = map_network(net, ALL).events(Stimulus.from_dense(np.ones((2, 4, 1))))
    assert events.start.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2]


def test_shared_parameters_use_one_set_for_equal_ones():
    def p(name, threshold, **more):
        return Population(name, 3, "if", np.array(threshold), **more)

    # c differs from a only in v_reset, which a soft reset does not read.
    net = network([p("a", 5, v_reset=np.array(0)), p("b", 6),
                   p("c", 5, v_reset=np.array(9), reset="subtract")], [("in", "a", 0)])
    program = map_network(net, SHARED)
    groups = group_word(SHARED).unpack(program.memories["group"][:6, 0])
    assert groups["set"].tolist() == [0, 0, 1, 1, 0, 0]
    assert program.memories["threshold"][:, 0].tolist() == [5, 6, 0, 0]


def test_lanes_without_a_neuron_have_the_largest_threshold():
    net = network([Population("a", 3, "if", np.array(-7))], [("in", "a", 0)])
    program = map_network(net, ALL)
    assert program.memories["threshold"][0].tolist() == [0xFFF9] * 3 + [0x7FFF]
    assert not program.memories["threshold"][1:].any()


def test_outputs_can_be_chosen():
    net = network([("a", 1), ("b", 1)], [("in", "a", 0), ("a", "b", 0)])
    route = route_word(ALL).unpack(map_network(net, ALL, outputs=["b"]).memories["route"][:, 0])
    assert route["output"].nonzero()[0].tolist() == [4]


def test_a_network_without_synapses():
    program = map_network(network([("a", 1)], []), ALL)
    assert not program.memories["axon"].any() and program.input_start.tolist() == [0, 0]
    assert mapping_report(program).axons.used == 0


# --- choosing a preset -------------------------------------------------------------------------


def test_the_smallest_preset_that_fits_is_chosen():
    small = network([("a", 10)], [("in", "a", 0)], lines=200, weight_bits=3, state_bits=20,
                    decay_bits=10)
    config = choose_preset(small)
    assert config == PRESETS["default"].replace(weight_bits=4, state_bits=20, decay_bits=10)
    map_network(small, config)
    large = network([("a", 10)], [("in", "a", 0)], lines=784)
    assert choose_preset(large) == PRESETS["wide"]


def test_accumulators_of_a_chosen_preset_are_wide_enough():
    net = network([("a", 1)], [("in", "a", 0, matrix(1, 100, -32768))], lines=100, weight_bits=16)
    # 100 * 32768 = 3276800 has 22 bits, and a sign.
    assert choose_preset(net).acc_bits == 23
    map_network(net, choose_preset(net))


def test_no_preset_fits():
    net = network([("a", 600), Population("b", 1, "if", np.array(0), shift=9)],
                  [("in", "a", 0, matrix(600, 3000, 0) + np.eye(600, 3000, dtype=np.int32)),
                   ("in", "b", 0)], lines=3000)
    with pytest.raises(UserError) as caught:
        choose_preset(net)
    assert str(caught.value) == (
        "network fits no preset: on the largest, 'wide', it needs a shift of 9, the tile has up to "
        "7 (shift_bits); it needs 608 neurons in groups of 8, the tile has 512 (neurons); it needs "
        "3000 axons, the tile has 2048 (axons); a mesh of tiles may hold it (--mesh auto)")


def test_the_report_counts():
    net = network([("a", 5), ("b", 2)], [("in", "a", 0), ("a", "b", 0)], lines=3)
    report = mapping_report(map_network(net, ALL))
    assert (report.neurons.used, report.neurons.available) == (7, 32)
    assert (report.groups.used, report.axons.used, report.axons.available) == (3, 8, 64)
    # 3 lines x 2 groups and 5 neurons x 1 group; 15 + 10 weights in 11 words of 4.
    assert (report.synapse_words.used, report.synapses.used) == (11, 25)
    assert report.synapses.share == 25 / 44
    assert (report.own_spikes, report.queue_depth, report.relays, report.drain) == (5, 32, 0, 1)
