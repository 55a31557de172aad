# SPDX-License-Identifier: Apache-2.0
"""The shares of the fast mesh engine are measured on what a run did."""

from dataclasses import replace

import numpy as np
import pytest

from neurotile.sim.mesh_engine import LoadedMesh
from neurotile.spec import TEST_MESH_PRESETS, UserError
from neurotile.spec.mesh_config import mesh_memories, packet_word
from neurotile.testbenches.mesh_raw_cases import MeshRawCase, random_raw_mesh_case
from neurotile.testbenches.mesh_shares import measure_shares, packets_sent, segments_read


def all_spikes_to_host(seed: int) -> MeshRawCase:
    """A random mesh whose spikes send one entry into the mesh, and one to the host."""
    config = TEST_MESH_PRESETS["test_mesh_4x4"]
    config = config.replace(tile=config.tile.replace(queue_depth=256))
    case = random_raw_mesh_case(config, seed, runs=1)
    words = {m.name: m.word for m in mesh_memories(config)}
    entry = np.arange(config.routes)
    for memory in case.memories:
        fields = words["route"].unpack(memory["route"][:, 0])
        fields["host"] = fields["last"] = entry % 2
        memory["route"] = words["route"].pack(fields)[:, None]
        memory["fanout"] = words["fanout"].pack(
            {"first": 2 * np.arange(config.tile.neurons) % config.routes, "any": 1})[:, None]
    host = np.uint64(1 << packet_word(config).offset("host"))
    return case._replace(events=replace(case.events, word=case.events.word & ~host))


@pytest.mark.parametrize("seed", range(3))
def test_parts_are_those_of_the_run(seed):
    case = all_spikes_to_host(seed)
    mesh = LoadedMesh(case.config, case.memories, case.groups, case.length)
    trace = mesh.run(case.events)
    assert trace.spike_step.size and not trace.counters["drops"].any()
    found = packets_sent(mesh, case.events, trace)
    sent = np.bincount(found["source"], minlength=case.config.tiles)[:case.config.tiles]
    np.testing.assert_array_equal(sent, trace.counters["packets"][0])
    first, axon = segments_read(mesh, case.events, found)
    tile = np.repeat(np.arange(first.size - 1), np.diff(first)) % case.config.tiles
    reads = np.bincount(tile, mesh.tiles.segment["groups"][tile, axon], case.config.tiles)
    np.testing.assert_array_equal(reads, trace.counters["synapse_reads"][0])
    shares = measure_shares(mesh, case.events, runs=1)
    assert all(shares[name] > 0 for name in shares if name != "other")
    again = mesh.run(case.events)
    assert (again.spike_cycle == trace.spike_cycle).all()


def test_what_can_not_be_measured_is_refused():
    case = random_raw_mesh_case(TEST_MESH_PRESETS["test_mesh_2x2"], 0)
    mesh = LoadedMesh(case.config, case.memories, case.groups, case.length)
    with pytest.raises(UserError, match="delay = 'none'"):
        measure_shares(mesh, case.events)
    case = random_raw_mesh_case(TEST_MESH_PRESETS["test_mesh_4x4"], 0, runs=1)
    mesh = LoadedMesh(case.config, case.memories, case.groups, case.length)
    with pytest.raises(UserError, match="each spike goes to the host"):
        measure_shares(mesh, case.events)
