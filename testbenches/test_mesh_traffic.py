# SPDX-License-Identifier: Apache-2.0
"""Traffic and sizes read off the memory images, against the fast engine's counters and the plan."""

from dataclasses import fields

import numpy as np
import pytest

from neurotile.models import golden
from neurotile.models.mesh.costs import key_costs, memory_costs
from neurotile.models.mesh.graph import graph_of
from neurotile.models.mesh.map import map_mesh
from neurotile.models.mesh.needs import queue_bounds
from neurotile.models.mesh.plan import plan_mesh
from neurotile.models.mesh.report import mesh_report
from neurotile.models.mesh.traffic import LINKS, mesh_traffic
from neurotile.sim.mesh_engine import run_mesh
from neurotile.spec import MESH_PRESETS, TEST_MESH_PRESETS, MeshConfig, Stimulus, TileConfig
from neurotile.spec.mesh_config import mesh_memories
from neurotile.testbenches.mesh_networks import random_network_case, run_case
from neurotile.testbenches.small_networks import matrix, network

# Without delays on tiles the host sends late and what comes after the last step is not sent.
DELAYED = [name for name, config in TEST_MESH_PRESETS.items() if config.tile.delay != "none"]


def counts(case):
    """Spikes of every line and neuron in the whole run, by the golden model."""
    stimulus = case.stimulus
    spikes = golden.run(case.program.network, stimulus, keep_state=case.keep_state).spikes
    return {"in": np.bincount(stimulus.line, minlength=stimulus.inputs),
            **{name: raster.sum(axis=(0, 1), dtype=np.int64) for name, raster in spikes.items()}}


@pytest.mark.parametrize("name", DELAYED)
def test_links_are_those_that_the_engine_counts(name):
    seen, packets, config = 0, 0.0, TEST_MESH_PRESETS[name]
    config = config.replace(tile=config.tile.replace(queue_depth=256))
    for seed in range(40, 52):
        case = random_network_case(config, seed)
        mesh = run_case(case, run_mesh)
        if mesh.counters["drops"].any():  # golden knows no queue that is full
            continue
        seen += 1
        traffic = mesh_traffic(case.program, counts(case))
        for port, link in enumerate((*LINKS[:4], "received")):
            assert np.array_equal(traffic.links[:, port], mesh.counters[link].sum(axis=0)), (
                seed, link)
        entering = np.diff(case.program.events(case.stimulus).start).sum()
        assert case.keep_state or traffic.entering.sum() == entering
        if not case.program.config.multicast:  # copies share links
            hops = traffic.hops @ np.arange(traffic.hops.size)
            assert hops == traffic.links[:, :4].sum()
        assert traffic.hops.sum() == mesh.counters["received"].sum() + mesh.spike_cycle.size
        packets += traffic.links.sum()
    assert seen >= 8 and packets > 100


@pytest.mark.parametrize("name", TEST_MESH_PRESETS)
def test_bounds_of_queues_are_those_of_the_plan_and_hold(name):
    config = TEST_MESH_PRESETS[name]
    largest = 0
    for seed in range(20, 32):
        case = random_network_case(config, seed)
        net = case.program.network
        plan = plan_mesh(graph_of(net, config), config, share=True, groups=None, rates=None,
                         grow=False)
        wanted = np.zeros(config.tiles, np.int64)
        wanted[plan.where] = queue_bounds(plan)
        bound = mesh_traffic(map_mesh(net, config)).queue
        assert np.array_equal(bound, wanted), seed
        level = run_case(case, run_mesh).counters["queue_high_water"].max(axis=0)
        assert (level <= mesh_traffic(case.program).queue).all()
        largest = max(largest, int(level.max()))
    assert largest > 2


def test_a_bound_is_reached_where_all_arrive_in_time():
    # 20 lines that nothing reads before all are there: the tile updates 4 groups meanwhile.
    config = TEST_MESH_PRESETS["test_mesh_1x3"]
    net = network([("a", 16)], [("in", "a", 3)], lines=20)
    program = map_mesh(net, config)
    traffic = mesh_traffic(program)
    assert traffic.queue.max() == 20 * 4  # each stays for its step and three more
    stimulus = Stimulus.from_dense(np.ones((1, 12, 20), np.uint8))
    mesh = run_mesh(program.config, program.memories, program.groups, 12, program.events(stimulus))
    assert 60 <= mesh.counters["queue_high_water"].max() <= 80 > config.tile.queue_depth // 2


def test_hops_of_a_chain():
    # Tiles in a row: one neuron on each, 16 lines into the first.
    config = TEST_MESH_PRESETS["test_mesh_1x3"]
    net = network([("a", 16), ("b", 16), ("c", 16)],
                  [("in", "a", 0), ("a", "b", 1), ("b", "c", 1)])
    traffic = mesh_traffic(map_mesh(net, config))
    # The line to a: no link. 16 each a -> b and b -> c: one. To the host from columns 0, 1, 2.
    assert traffic.hops.tolist() == [1, 16 + 16 + 16, 16, 16]
    assert traffic.mean_hops == (48 + 32 + 48) / 81
    assert traffic.entering.tolist() == [1]
    assert traffic.links[0, LINKS.index("west")] == 48 and traffic.worst == (0, 3)


def test_report_sums_what_the_used_tiles_have():
    config = TEST_MESH_PRESETS["test_mesh_1x3"]
    use = mesh_report(map_mesh(network([("a", 20)], [("in", "a", 0, matrix(20, 2))], lines=2),
                               config))
    assert (use.total("neurons").used, use.total("neurons").available) == (20, 32)
    assert use.fullest("neurons").used == 16
    assert use.total("synapse_words") == use.words


# --- what memories and keys cost -----------------------------------------------------------------

ALL = [*MESH_PRESETS.values(), *TEST_MESH_PRESETS.values()]


@pytest.mark.parametrize("config", ALL, ids=lambda c: c.name)
def test_memory_costs(config):
    costs = {cost.name: cost for cost in memory_costs(config)}
    for memory in mesh_memories(config):
        assert costs.pop(memory.name).bits == memory.bits * config.tiles
    tile, entry = config.tile, config.tile.axon_bits
    queues = 2 if tile.delay == "scdq" else 1
    entry += tile.delay_bits if tile.delay == "scdq" else 0
    assert costs.pop("event queue").bits == queues * entry * tile.queue_depth * config.tiles
    assert costs.pop("router FIFOs").words == 5 * config.router_depth
    assert not costs


@pytest.mark.parametrize("config", ALL, ids=lambda c: c.name)
def test_key_costs_are_differences(config):
    before = sum(cost.bits for cost in memory_costs(config))
    keys = {key.key: key for key in key_costs(config)}
    assert {"rows", "cols", "neurons", "axons", "synapse_words", "routes", "queue_depth",
            "weight_bits"} <= set(keys)
    assert ("trees" in keys) == config.multicast
    assert ("delay_bits" in keys) == (config.tile.delay != "none")
    for name, key in keys.items():
        changed = (config.replace(**{name: key.tried}) if hasattr(config, name) else
                   config.replace(tile=config.tile.replace(**{name: key.tried})))
        assert sum(cost.bits for cost in memory_costs(changed)) - before == key.change
        assert sum(key.memories.values()) == key.change and key.tried != key.value
    # What is not listed costs no memory: pipeline stages, counters of steps.
    numbers = {f.name for kind in (MeshConfig, TileConfig) for f in fields(kind)
               if "legal" in f.metadata}
    assert numbers - set(keys) <= {"barrier_stages", "integrate_stages", "update_stages",
                                   "spike_fifo_depth", "step_bits", "trees", "delay_bits",
                                   "parameter_sets", "decay_bits"}
