# SPDX-License-Identifier: Apache-2.0
"""Runs of a mesh without cycles against those with cycles."""

import numpy as np
import pytest

from neurotile.sim import mesh_engine, mesh_layout
from neurotile.sim.mesh_engine import LoadedMesh
from neurotile.spec import TEST_MESH_PRESETS, UserError
from neurotile.spec.mesh_config import tree_word
from neurotile.spec.mesh_run import MeshTrace
from neurotile.testbenches.mesh_raw_cases import MeshRawCase, random_raw_mesh_case

UNKNOWN = {"hazard_stalls", "fifo_stalls", "queue_high_water"}


def spikes(trace: MeshTrace) -> list[tuple[int, ...]]:
    columns = trace.spike_run, trace.spike_step, trace.spike_tile, trace.spike_neuron
    return list(zip(*(column.tolist() for column in columns), strict=True))


def agrees(case: MeshRawCase) -> dict[str, int]:
    """Same spikes, states and counters; totals of the run with cycles, {} if it lost arrivals."""
    mesh = LoadedMesh(case.config, case.memories, case.groups, case.length)
    recorded = np.arange(0, case.config.tiles * case.config.tile.neurons, 3)
    exact = mesh.run(case.events, recorded=recorded)
    found = mesh.run(case.events, recorded=recorded, cycles=False)
    again = mesh.run(case.events, recorded=recorded)
    assert (exact.spike_cycle == again.spike_cycle).all() and (exact.end == again.end).all()
    for name in ("barrier", "end", "spike_cycle"):
        assert (getattr(found, name) == -1).all()
    assert spikes(found) == sorted(spikes(found))
    if exact.counters["drops"].any():
        return {}
    assert spikes(found) == sorted(spikes(exact))
    np.testing.assert_array_equal(found.lost, exact.lost)
    np.testing.assert_array_equal(found.membrane, exact.membrane)
    assert set(found.final) == set(exact.final) and set(found.counters) == set(exact.counters)
    for name, words in exact.final.items():
        np.testing.assert_array_equal(found.final[name], words, name)
    for name, counts in exact.counters.items():
        np.testing.assert_array_equal(found.counters[name], -1 if name in UNKNOWN else counts, name)
    return {"lost": int(exact.lost.sum()), "outputs": exact.spike_cycle.size,
            **{name: int(counts.sum()) for name, counts in exact.counters.items()}}


def judged(cases: list[MeshRawCase]) -> dict[str, int]:
    """Totals of the cases in which nothing was dropped, and their number."""
    total = {"cases": 0}
    for case in cases:
        counted = agrees(case)
        total["cases"] += bool(counted)
        for key, count in counted.items():
            total[key] = total.get(key, 0) + count
    return total


@pytest.mark.parametrize("name", TEST_MESH_PRESETS)
def test_presets(name):
    config = TEST_MESH_PRESETS[name]
    config = config.replace(tile=config.tile.replace(queue_depth=256))  # so that little is dropped
    total = judged([random_raw_mesh_case(config, seed) for seed in range(12)])
    assert total["cases"] >= 3
    assert all(total[key] for key in ("spikes", "packets", "received", "outputs", "synapse_reads"))
    # Every target of a unicast packet lies on a mesh whose sides are powers of two.
    assert total["lost"] or name in ("test_mesh_1x1", "test_mesh_4x4")


@pytest.mark.parametrize("seed", range(6))
def test_other_parameters(seed, monkeypatch):
    """All delays and routings, with lists that are full again and again."""
    monkeypatch.setattr(mesh_layout, "ROOM", 4)
    monkeypatch.setattr(mesh_engine, "_LOG_ROOM", 1)
    monkeypatch.setattr(mesh_engine, "_STEPS", 2)
    monkeypatch.setattr(mesh_engine, "_VISITS", 7)
    rng, cases = np.random.default_rng([seed, 11]), []
    for number, delay in enumerate(("none", "ring", "scdq")):
        for name in ("test_mesh_1x1", "test_mesh_1x3", "test_mesh_2x2"):
            config = TEST_MESH_PRESETS[name]
            tile = config.tile.replace(delay_bits=2, delay=delay, queue_depth=256,
                                       lanes=int(rng.choice([1, 4, 8])))
            routing = ("unicast", "multicast")[(seed + number) % 2]
            cases.append(random_raw_mesh_case(config.replace(tile=tile, routing=routing), seed))
    total = judged(cases)
    assert total["cases"] >= 6 and total["outputs"] and total["synapse_reads"]


def test_refusals():
    case = random_raw_mesh_case(TEST_MESH_PRESETS["test_mesh_2x2"], 1)
    mesh = LoadedMesh(case.config, case.memories, case.groups, case.length)
    with pytest.raises(UserError, match="without cycles has no timeline"):
        mesh.run(case.events, cycles=False, timeline=True)
    for name, kind in (("axon", "no axon segment"), ("route", "no route entry")):
        word = next(m.word for m in mesh_layout.mesh_memories(case.config) if m.name == name)
        last = np.uint64(1 << word.offset("last"))
        memories = [{**m, name: m[name] & ~last} for m in case.memories]
        with pytest.raises(UserError, match=kind):
            LoadedMesh(case.config, memories, case.groups, 0).run(case.events, cycles=False)
    # Every tree goes east and comes back west.
    table = [{"ports": 2 if tile % 2 == 0 else 8, "axon": 0} for tile in range(4)]
    memories = [{**m, "tree": np.full_like(m["tree"], int(tree_word(case.config).pack(entry)))}
                for m, entry in zip(case.memories, table, strict=True)]
    with pytest.raises(UserError, match="its tree leads back"):
        LoadedMesh(case.config, memories, case.groups, 0).run(case.events, cycles=False)
