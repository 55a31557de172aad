# SPDX-License-Identifier: Apache-2.0
"""The fast engine of a mesh against a mesh simulated clock by clock."""

import numpy as np
import pytest

from neurotile.models import golden
from neurotile.sim.mesh_engine import run_mesh
from neurotile.spec import (
    MODELS,
    TEST_MESH_PRESETS,
    InputPort,
    IntegerNetwork,
    Population,
    Projection,
    Stimulus,
    UserError,
)
from neurotile.spec.mesh_config import mesh_memories, packet_word
from neurotile.spec.mesh_run import MeshEvents
from neurotile.testbenches.clocked_mesh import ClockedMesh
from neurotile.testbenches.mesh_raw_cases import MeshRawCase, random_raw_mesh_case


def assert_agrees(case: MeshRawCase) -> dict[str, int]:
    """Same barriers, spikes, cycles, counters and states; what was counted over all runs."""
    config, events = case.config, case.events
    neurons = config.tiles * config.tile.neurons
    recorded = np.random.default_rng(neurons).permutation(neurons)[:neurons // 2 + 1]
    trace = run_mesh(*case, recorded=recorded, timeline=True)
    assert trace.timeline is not None
    total = {"lost": int(trace.lost.sum()), "outputs": trace.spike_cycle.size}
    for run in range(events.runs):
        mesh = ClockedMesh(config, case.memories, case.groups, case.length)
        first = run * events.steps * config.rows
        sent = [[events.word[events.start[k]:events.start[k + 1]].tolist()
                 for k in range(first + step * config.rows, first + (step + 1) * config.rows)]
                for step in range(events.steps)]
        end, seen = mesh.run(sent), mesh.seen()
        assert trace.barrier[run].tolist() == seen["barrier"]
        mine = trace.spike_run == run
        columns = trace.spike_cycle, trace.spike_step, trace.spike_tile, trace.spike_neuron
        assert list(zip(*(c[mine].tolist() for c in columns), strict=True)) == [
            (cycle, step, tile, neuron) for cycle, _, step, tile, neuron in seen["spikes"]]
        assert {k: v[run].tolist() for k, v in trace.counters.items()} == seen["counters"]
        assert set(trace.final) == set(seen["final"])
        for name, expected in seen["final"].items():
            np.testing.assert_array_equal(trace.final[name][run], expected, name)
        np.testing.assert_array_equal(trace.membrane[run],
                                      np.array(seen["membrane"])[:, recorded])
        assert {name: getattr(trace.timeline, name)[run].tolist()
                for name in seen["timeline"]} == seen["timeline"]
        assert (trace.end[run], trace.lost[run], trace.parity_errors[run]) == (end, seen["lost"], 0)
        for name, counts in seen["counters"].items():
            total[name] = total.get(name, 0) + sum(counts)
    return total


@pytest.mark.parametrize("name", TEST_MESH_PRESETS)
def test_presets(name):
    config = TEST_MESH_PRESETS[name]
    total: dict[str, int] = {}
    for seed in range(6 if config.tiles > 4 else 16):
        counted = assert_agrees(random_raw_mesh_case(config, seed))
        total = {key: total.get(key, 0) + count for key, count in counted.items()}
    assert all(total[key] for key in ("spikes", "packets", "received", "hazard_stalls", "outputs"))


def test_placed_network_equals_golden():
    config, rng, size, lines, steps, samples = TEST_MESH_PRESETS["test_mesh_4x4"], \
        np.random.default_rng(5), 4, 4, 20, 3
    tile, tiles = config.tile, config.tiles
    names = [f"p{number}" for number in range(tiles)]
    unit, limit = 1 << tile.decay_bits, tile.weight_limits
    populations = tuple(Population(
        name, size, str(rng.choice(["if", "lif", "cubalif"])), threshold=rng.integers(4, 30, size),
        v_reset=rng.integers(-4, 5, size), bias=rng.integers(-2, 4, size),
        decay_v=rng.integers(unit // 2, unit, size), decay_i=rng.integers(0, unit, size),
        reset=str(rng.choice(["zero", "subtract"]))) for name in names)
    # Every tile hears the input, itself and two others; axons are numbered in this order.
    heard = [["in", name, *(names[k] for k in rng.choice(tiles, 2, replace=False))]
             for name in names]
    heard = [list(dict.fromkeys(sources)) for sources in heard]
    weights = [[rng.integers(limit[0], limit[1], (size, size), np.int32, endpoint=True)
                for _ in sources] for sources in heard]
    network = IntegerNetwork(
        (InputPort("in", lines),), populations,
        tuple(Projection(source, name, w, 0 if source == "in" else 1)
              for name, sources, found in zip(names, heard, weights, strict=True)
              for source, w in zip(sources, found, strict=True)),
        weight_bits=tile.weight_bits, state_bits=tile.state_bits, decay_bits=tile.decay_bits)
    stimulus = Stimulus.from_dense(rng.random((samples, steps, lines)) < 0.3)
    memories = [_placed(config, number, names, heard, populations[number], weights[number])
                for number in range(tiles)]
    counts, words = [], []
    for row in range(samples * steps):
        spiking = stimulus.line[stimulus.start[row]:stimulus.start[row + 1]]
        for y in range(config.rows):
            sent = [(_place(config, y * config.cols + x), int(line))
                    for x in range(config.cols) for line in spiking]
            counts.append(len(sent))
            words += sent
    target, value = np.array(words).T
    word = packet_word(config).pack({"target": target, "value": value, "host": 0})
    trace = run_mesh(config, memories, [size // tile.lanes] * tiles, 0, MeshEvents(
        samples, steps, np.concatenate([[0], np.cumsum(counts)]), word))
    expected = golden.run(network, stimulus)
    found = np.zeros((tiles, samples, steps, size), np.uint8)
    np.add.at(found, (trace.spike_tile, trace.spike_run, trace.spike_step, trace.spike_neuron), 1)
    for number, name in enumerate(names):
        np.testing.assert_array_equal(found[number], expected.spikes[name], name)
        np.testing.assert_array_equal(trace.final["membrane"][:, number, :size],
                                      expected.states[f"{name}.v"])
    assert found.mean() > 0.05
    assert not trace.counters["drops"].any()


def _place(config, number):
    return number // config.cols << config.x_bits | number % config.cols


def _placed(config, number, names, heard, population, weights):
    """Memories of the tile of one population."""
    tile, size = config.tile, population.size
    groups, words = size // tile.lanes, {m.name: m for m in mesh_memories(config)}
    contents = {m.name: np.zeros((m.rows, m.lanes), np.uint64) for m in words.values()}
    axons = np.arange(len(weights) * size)
    contents["axon"][axons, 0] = words["axon"].word.pack(
        {"row": axons * groups, "group": 0, "count": groups - 1, "last": 1})
    table = np.concatenate([w.T for w in weights]).reshape(-1, tile.lanes)
    contents["synapse"][:len(table)] = words["synapse"].word.pack({"value": table})
    fields = {"model": MODELS.index(population.model) + 1, "shift": 0, "offset": 0,
              "soft_reset": int(population.reset == "subtract")}
    contents["group"][:groups, 0] = words["group"].word.pack(
        {name: fields.get(name, 0) for name in (f.name for f in words["group"].word.fields)})
    for name in ("threshold", "v_reset", "bias"):
        values = getattr(population, name).reshape(groups, tile.lanes)
        contents[name][:groups] = words[name].word.pack({"value": values})
    contents["decay"][:groups] = words["decay"].word.pack(
        {"v": population.decay_v.reshape(groups, -1), "i": population.decay_i.reshape(groups, -1)})
    hearers = [(k, sources.index(names[number])) for k, sources in enumerate(heard)
               if names[number] in sources]
    entries = [{"target": _place(config, k), "value": place * size + neuron, "host": 0, "last": 0}
               for neuron in range(size) for k, place in hearers]
    per_neuron = len(hearers) + 1
    for neuron in range(size):
        entries.insert(neuron * per_neuron, {"target": 0, "value": 0, "host": 1, "last": 0})
        entries[neuron * per_neuron + per_neuron - 1]["last"] = 1
    route = words["route"].word
    contents["route"][:len(entries), 0] = [int(route.pack(entry)) for entry in entries]
    contents["fanout"][:size, 0] = words["fanout"].word.pack(
        {"first": np.arange(size) * per_neuron, "any": 1})
    return contents


def test_refusals():
    case = random_raw_mesh_case(TEST_MESH_PRESETS["test_mesh_1x3"], 0)
    with pytest.raises(UserError, match="3 tiles"):
        run_mesh(*case._replace(memories=case.memories[:2]))
    axon, route = ([{**m, name: m[name] & ~_bit(case.config, name, "last")} for m in case.memories]
                   for name in ("axon", "route"))
    with pytest.raises(UserError, match="no axon segment"):
        run_mesh(*case._replace(memories=axon))
    with pytest.raises(UserError, match="no route entry"):
        run_mesh(*case._replace(memories=route))
    for wrong in ([-1], [48], [[1]], [0.5]):
        with pytest.raises(UserError, match=r"recorded must be a list of neurons in 0\.\.47"):
            run_mesh(*case, recorded=np.array(wrong))


def _bit(config, memory, field):
    word = next(m.word for m in mesh_memories(config) if m.name == memory)
    return np.uint64(1 << word.offset(field))


@pytest.mark.parametrize("seed", range(8))
def test_other_parameters(seed):
    rng = np.random.default_rng([seed, 7])
    for name in ("test_mesh_1x1", "test_mesh_1x3", "test_mesh_2x2"):
        config = TEST_MESH_PRESETS[name]
        tile = config.tile.replace(
            spike_fifo_depth=2, update_stages=int(rng.integers(1, 5)), delay_bits=2,
            integrate_stages=int(rng.integers(1, 3)), queue_depth=int(rng.choice([4, 16, 64])),
            delay=str(rng.choice(["none", "ring", "scdq"])), lanes=int(rng.choice([1, 4, 8])))
        config = config.replace(
            tile=tile, barrier_stages=int(rng.integers(1, 9)),
            router_depth=int(rng.choice([2, 8])),
            routing=str(rng.choice(["unicast", "multicast"])))
        assert_agrees(random_raw_mesh_case(config, seed))
