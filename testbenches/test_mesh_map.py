# SPDX-License-Identifier: Apache-2.0
"""The mapper of meshes: weights in the tables, packets, bounds of queues."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurotile.mesh_weights import check_packets, stored_mesh_weights
from neurotile.models.mesh.map import choose_mesh, map_mesh, mesh_needs
from neurotile.sim.mesh_engine import run_mesh
from neurotile.spec import TEST_MESH_PRESETS, Stimulus, UserError, projection_names
from neurotile.spec.formats import axon_word
from neurotile.spec.mesh_config import fanout_word, mesh_route_word, packet_word, tree_word
from neurotile.testbenches.mesh_networks import NetworkCase, random_network_case, run_case
from neurotile.testbenches.seeds import examples
from neurotile.testbenches.small_networks import network

SEEDS = st.integers(0, (1 << 32) - 1)
DELAYS = ("none", "ring", "scdq")


# Weights

def weight_differences(program):
    """Projections whose synapses are not all in the tables, with the right weight and step.

    Projections that take equally long between the same ends count as one, which sums them.
    """
    stored = stored_mesh_weights(program)
    wanted: dict[tuple[str, str, int], np.ndarray] = {}
    found: dict[tuple[str, str, int], np.ndarray] = {}
    net = program.network
    for e, key in zip(net.projections, projection_names(net.projections), strict=True):
        same = (e.source, e.target, e.delay)
        nothing = np.zeros(e.weights.shape, np.int64)
        wanted[same] = wanted.get(same, nothing) + e.weights
        found[same] = found.get(same, nothing) + stored[key]
    return [key for key in wanted if not np.array_equal(wanted[key], found[key])]


def sized(config, seed, *, routing="unicast", delay=None):
    """A random network for tiles of ``config`` with these delays, on tables as large as needed."""
    tile = config.tile.replace(axons=512, synapse_words=512, delay_bits=3,
                               delay=delay or config.tile.delay)
    config = config.replace(routing=routing, routes=2048, trees=2048, tile=tile)
    return config, random_network_case(config, seed).program.network


@pytest.mark.parametrize("delay", DELAYS)
@pytest.mark.parametrize("routing", ["unicast", "multicast"])
@examples(15)
@given(seed=SEEDS, share=st.booleans(), spread=st.booleans())
def test_weights_are_in_the_tables(routing, delay, seed, share, spread):
    config, net = sized(TEST_MESH_PRESETS["test_mesh_2x2"], seed, routing=routing, delay=delay)
    program = map_mesh(net, config, share=share, spread=spread)
    check_packets(program)
    assert weight_differences(program) == []


@pytest.mark.parametrize("name", TEST_MESH_PRESETS)
@examples(15)
@given(seed=SEEDS)
def test_weights_are_in_the_tables_of_full_meshes(name, seed):
    program = random_network_case(TEST_MESH_PRESETS[name], seed).program
    check_packets(program)
    assert weight_differences(program) == []


@pytest.mark.parametrize("routing", ["unicast", "multicast"])
def test_spread_takes_fuller_tiles_where_even_ones_are_too_few(routing):
    # Six groups in three pairs: with three groups a tile each would hold one pair.
    config = TEST_MESH_PRESETS["test_mesh_2x2"].replace(rows=1, cols=2, routing=routing)
    net = network([(name, 2 * config.tile.lanes) for name in "abc"],
                  [("in", name, 0) for name in "abc"])
    for program in (map_mesh(net, config, spread=True),
                    choose_mesh(net, tile=config.tile, shape=(1, 2), routing=routing,
                                spread=True)):
        assert sorted(program.groups) == [2, 4]
        check_packets(program)
        assert weight_differences(program) == []


@examples(15)
@given(seed=SEEDS, share=st.booleans(), routing=st.sampled_from(["unicast", "multicast"]),
       delay=st.sampled_from(["ring", "scdq"]))
def test_weights_are_in_the_tables_of_chosen_meshes(seed, share, routing, delay):
    base = TEST_MESH_PRESETS["test_mesh_2x2"].tile.replace(delay="scdq")
    _, net = sized(TEST_MESH_PRESETS["test_mesh_2x2"], seed)
    program = choose_mesh(net, tile=base.replace(axons=128), routing=routing, delay=delay,
                          share=share)
    check_packets(program)
    assert weight_differences(program) == []


@pytest.mark.parametrize("routing", ["unicast", "multicast"])
def test_relays_carry_their_weights(routing):
    config = TEST_MESH_PRESETS["test_mesh_4x4"].replace(routing=routing)
    weights = np.array([[3, 0, -2], [0, 5, 0]])
    net = network([("a", 3), ("b", 2)], [("in", "a", 2), ("a", "b", 4, weights),
                                         ("a", "b", 2, 2 * weights)],
                  weight_bits=8, state_bits=config.tile.state_bits,
                  decay_bits=config.tile.decay_bits)
    program = map_mesh(net, config)
    relays = sum(int(fanout_word(config).unpack(m["fanout"][:, 0])["any"].sum())
                 for m in program.memories) - 5
    assert relays == 3 + 3 + 3  # delays of 2 and 4 steps: three stages of three neurons
    assert weight_differences(program) == []


def test_a_wrong_weight_is_seen():
    program = damaged_example("unicast")
    memory = program.memories[used_tile(program)]["synapse"]
    lane = np.flatnonzero(memory[0])[0]
    memory[0, lane] ^= 1
    assert weight_differences(program)


# Packets

def damaged_example(routing, *, delay="scdq"):
    """A program whose memories may be written to: a chain of populations over several tiles."""
    config = TEST_MESH_PRESETS["test_mesh_2x2"]
    config = config.replace(routing=routing, tile=config.tile.replace(delay=delay))
    net = network([("a", 12), ("b", 12), ("c", 12)],
                  [("in", "a", 0), ("in", "a", 2), ("a", "b", 1), ("a", "b", 3), ("b", "c", 1)],
                  weight_bits=8, state_bits=config.tile.state_bits,
                  decay_bits=config.tile.decay_bits)
    program = map_mesh(net, config, spread=True)
    check_packets(program)
    return replace(program, memories=[{k: v.copy() for k, v in m.items()}
                                      for m in program.memories],
                   input_word=program.input_word.copy())


def used_tile(program):
    """A tile whose neurons send to other tiles."""
    return next(t for t, m in enumerate(program.memories)
                if (mesh_route_word(program.config).unpack(m["route"][:, 0])["target"]
                    * (m["route"][:, 0] != 0)).any())


def change(word, memory, index, **fields):
    held = {name: value.copy() for name, value in word.unpack(memory[:, 0]).items()}
    for name, value in fields.items():
        held[name][index] = value
    memory[:, 0] = word.pack(held)


def entry_of(program, tile):
    """Neuron of ``tile``, and its first route entry that does not lead to the host."""
    fanout = fanout_word(program.config).unpack(program.memories[tile]["fanout"][:, 0])
    route = mesh_route_word(program.config).unpack(program.memories[tile]["route"][:, 0])
    neuron = int(np.flatnonzero(fanout["any"])[0])
    entry = int(fanout["first"][neuron])
    assert not route["host"][entry]
    return neuron, entry


def test_routes_off_the_mesh_are_refused():
    config = TEST_MESH_PRESETS["test_mesh_1x3"]
    net = network([("a", 20), ("b", 20)], [("in", "a", 0), ("a", "b", 1)], weight_bits=8,
                  state_bits=config.tile.state_bits, decay_bits=config.tile.decay_bits)
    program = map_mesh(net, config, spread=True)
    tile = used_tile(program)
    neuron, entry = entry_of(program, tile)
    change(mesh_route_word(config), program.memories[tile]["route"], entry, target=3)
    with pytest.raises(UserError, match=f"^a packet of neuron {neuron} of tile {tile} leads to "
                       "column 3, row 0; the mesh has 3 columns and 1 rows$"):
        check_packets(program)


def test_host_packets_off_the_mesh_are_refused():
    config = TEST_MESH_PRESETS["test_mesh_1x3"]
    net = network([("a", 3)], [("in", "a", 0)], lines=2, weight_bits=8,
                  state_bits=config.tile.state_bits, decay_bits=config.tile.decay_bits)
    program = map_mesh(net, config)
    word = {k: v.copy() for k, v in packet_word(config).unpack(program.input_word).items()}
    word["target"][1] = 3
    program = replace(program, input_word=packet_word(config).pack(word))
    with pytest.raises(UserError, match="^a packet of line 1 leads to column 3, row 0; the mesh "
                       "has 3 columns and 1 rows$"):
        check_packets(program)


def tree_of(program, tile):
    _, entry = entry_of(program, tile)
    route = mesh_route_word(program.config).unpack(program.memories[tile]["route"][:, 0])
    return int(route["target"][entry])


def test_trees_towards_no_neighbour_are_refused():
    program = damaged_example("multicast")
    tile = used_tile(program)
    tree = tree_of(program, tile)
    away = 0b0001 if tile < program.config.cols else 0b0100  # off the north or south edge
    memory = program.memories[tile]["tree"]
    ports = int(tree_word(program.config).unpack(memory[:, 0])["ports"][tree])
    change(tree_word(program.config), memory, tree, ports=ports | away)
    with pytest.raises(UserError, match=f"leaves the mesh at tile {tile}: its tree {tree} has a "
                       "port towards no neighbour$"):
        check_packets(program)


def test_trees_that_end_are_refused():
    program = damaged_example("multicast")
    tile = used_tile(program)
    tree = tree_of(program, tile)
    change(tree_word(program.config), program.memories[tile]["tree"], tree, ports=0)
    with pytest.raises(UserError, match=f"ends at tile {tile}: its tree {tree} has no ports "
                       "there$"):
        check_packets(program)


def test_trees_that_go_round_are_refused():
    program = damaged_example("multicast")
    tile = used_tile(program)
    tree, word = tree_of(program, tile), tree_word(program.config)
    west = tile - tile % 2
    change(word, program.memories[west]["tree"], tree, ports=0b00010)
    change(word, program.memories[west + 1]["tree"], tree, ports=0b01000)
    with pytest.raises(UserError, match=f"comes to tile {tile} twice: its tree {tree} has ports "
                       "that lead back there$"):
        check_packets(program)


@pytest.mark.parametrize("delay", ["scdq", "ring"])
def test_axons_in_the_middle_of_a_chain_are_refused(delay):
    program = damaged_example("unicast", delay=delay)
    tile = used_tile(program)
    neuron, entry = entry_of(program, tile)
    route = mesh_route_word(program.config).unpack(program.memories[tile]["route"][:, 0])
    x_bits = program.config.x_bits
    there = (int(route["target"][entry]) >> x_bits) * program.config.cols \
        + (int(route["target"][entry]) & (1 << x_bits) - 1)
    axon = int(route["value"][entry])
    change(mesh_route_word(program.config), program.memories[tile]["route"], entry,
           value=axon + 1)
    with pytest.raises(UserError, match=f"^a packet of neuron {neuron} of tile {tile} leads to "
                       f"axon entry {axon + 1} of tile {there}, in the middle of a chain; it must "
                       "be the first entry of one$"):
        check_packets(program)


@pytest.mark.parametrize("delay", ["scdq", "ring"])
def test_axon_chains_without_last_are_refused(delay):
    program = damaged_example("unicast", delay=delay)
    for memory in program.memories:
        change(axon_word(program.tile), memory["axon"], slice(None), last=0)
    with pytest.raises(UserError, match="^a packet of line 0 leads to axon entry [0-9]+ of tile "
                       "[0-3], whose segments never end: neither it nor one after it has its "
                       "'last' bit set$"):
        check_packets(program)
    with pytest.raises(UserError, match="^the segments of an axon of tile [0-3] never end$"):
        stored_mesh_weights(program)


def test_route_entries_without_last_are_refused():
    program = damaged_example("unicast")
    tile = used_tile(program)
    neuron, _ = entry_of(program, tile)
    change(mesh_route_word(program.config), program.memories[tile]["route"], slice(None), last=0,
           host=0)
    with pytest.raises(UserError, match=f"^the route entries of neuron {neuron} of tile {tile} "
                       "never end: none has its 'last' bit set$"):
        check_packets(program)


# Queues

def dense(net, samples=1, steps=70):
    return Stimulus.from_dense(np.ones((samples, steps, net.input_size), np.uint8))


def firing(net):
    """The network with IF neurons that fire in every step."""
    return replace(net, populations=tuple(
        replace(p, model="if", threshold=np.full(p.size, -1), v_reset=np.zeros(p.size, np.int64),
                bias=np.zeros(p.size, np.int64), reset="zero",
                decay_v=np.full(p.size, 1 << net.decay_bits),
                decay_i=np.zeros(p.size, np.int64)) for p in net.populations),
        projections=tuple(replace(e, weights=np.abs(e.weights)) for e in net.projections))


@pytest.mark.parametrize("routing", ["unicast", "multicast"])
@pytest.mark.parametrize("delay", DELAYS)
@examples(12)
@given(seed=SEEDS)
def test_no_stimulus_exceeds_the_bound_of_queues(delay, routing, seed):
    config, net = sized(TEST_MESH_PRESETS["test_mesh_2x2"], seed, routing=routing, delay=delay)
    config = config.replace(tile=config.tile.replace(queue_depth=4096))
    rng = np.random.default_rng(seed)
    for network_ in (net, firing(net)):
        program = map_mesh(network_, config)
        bound = mesh_needs(network_, config).queue
        for stimulus in (dense(net), Stimulus.from_dense(
                (rng.random((2, 30, net.input_size)) < rng.choice([0.1, 0.5])).astype(np.uint8))):
            level = run_case(NetworkCase(program, stimulus, False),
                             run_mesh).counters["queue_high_water"]
            assert level.max() <= bound


def fullest(delay, routing="unicast"):
    """Bound, and level when all lines and neurons fire in every step, of a recurrent network."""
    config = TEST_MESH_PRESETS["test_mesh_2x2"]
    tile = config.tile.replace(axons=1024, synapse_words=1024, queue_depth=4096,
                               delay=delay)
    config = config.replace(routing=routing, routes=1024, trees=1024, tile=tile)
    delays = (1, 3, 6) if delay != "none" else (1,)
    rng = np.random.default_rng(1)
    net = network([("a", 30), ("b", 30)],
                  [(*ends, d, rng.integers(1, 9, (30, 30))) for d in delays
                   for ends in (("a", "b"), ("b", "a"), ("a", "a"))]
                  + [("in", "a", 0, rng.integers(1, 9, (30, 8)))], lines=8, weight_bits=8,
                  state_bits=tile.state_bits, decay_bits=tile.decay_bits)
    net = firing(net)
    program = map_mesh(net, config, spread=True)
    level = run_case(NetworkCase(program, dense(net), False), run_mesh).counters[
        "queue_high_water"].max()
    return mesh_needs(net, config, spread=True).queue, int(level)


@pytest.mark.parametrize("routing", ["unicast", "multicast"])
@pytest.mark.parametrize("delay", DELAYS)
def test_a_full_stimulus_comes_close_to_the_bound_of_queues(delay, routing):
    # Spikes arrive while the update holds the fetch back; a few are fetched before the last came.
    bound, level = fullest(delay, routing)
    assert 0.95 * bound <= level <= bound


def test_worst_case_refuses_queues_that_could_overflow():
    config = TEST_MESH_PRESETS["test_mesh_2x2"]
    net = network([("a", 12)], [("in", "a", 0), ("in", "a", 3)], lines=3, weight_bits=8,
                  state_bits=config.tile.state_bits, decay_bits=config.tile.decay_bits)
    assert mesh_needs(net, config).queue == 3 * (3 + 1)  # lines times steps in the queue
    with pytest.raises(UserError, match="needs queues of 12 entries so that no stimulus overflows "
                       r"them, 4 more than the 8 of the tiles \(queue_depth\); queue_depth = 16 or "
                       "queues by profile would do"):
        map_mesh(net, config, queue="worst_case")
    map_mesh(net, config.replace(tile=config.tile.replace(queue_depth=16)), queue="worst_case")


@examples(10)
@given(seed=SEEDS)
def test_programs_are_the_same_each_time(seed):
    config, net = sized(TEST_MESH_PRESETS["test_mesh_2x2"], seed)
    assert map_mesh(net, config).digest == map_mesh(net, config).digest
