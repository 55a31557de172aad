# SPDX-License-Identifier: Apache-2.0
"""The cases that every mutant of a mesh has to get wrong at least once."""

import random
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from neurotile.spec import TEST_MESH_PRESETS, MeshConfig
from neurotile.spec.mesh_config import mesh_memories, packet_word
from neurotile.spec.mesh_run import MeshEvents, MeshTrace
from neurotile.testbenches.mesh_random import random_mesh_case
from neurotile.testbenches.mesh_raw_cases import MeshRawCase, random_raw_mesh_case

__all__ = ["MESHES", "MeshCheck", "busy_mesh_case", "mesh_checks", "mesh_differences",
           "refused_cases"]

_PRESETS = dict(TEST_MESH_PRESETS)
# Two rows, so that with parity there are links in all four directions.
_PARITY = _PRESETS["test_mesh_1x3"].replace(name="test_mesh_2x3", rows=2)
MESHES = {**_PRESETS, _PARITY.name: _PARITY}
"""What the mutants are checked on."""


@dataclass(frozen=True, eq=False)
class MeshCheck:
    """Memory contents, packets and the trace that a right engine gives."""

    name: str
    case: MeshRawCase
    expected: MeshTrace


def busy_mesh_case(config: MeshConfig, seed: int, *, steps: int = 8) -> MeshRawCase:
    """Memory contents with which most neurons spike and FIFOs, queues and credits run full."""
    rng = np.random.default_rng([seed, 11])
    case = random_raw_mesh_case(config, seed, runs=1, steps=steps)
    words = {memory.name: memory.word for memory in mesh_memories(config)}
    tile, memories = config.tile, []
    # Some events go on at once and for ever, the others arrive and end within a few steps.
    delays, skips = (int(rng.choice(choices)) for choices in ([1, 2, 3], [1, 2]))
    for contents in case.memories:
        contents = dict(contents)
        contents["threshold"] = rng.integers(
            0, 3, contents["threshold"].shape).astype(np.uint64)
        group = words["group"].unpack(contents["group"])
        group["model"][:] = rng.integers(1, 4, group["model"].shape)
        group["shift"][:], group["offset"][:] = 0, 0
        contents["group"] = words["group"].pack(group)
        fanout = words["fanout"].unpack(contents["fanout"])
        fanout["any"][:] = rng.random(fanout["any"].shape) < 0.9
        contents["fanout"] = words["fanout"].pack(fanout)
        axon = words["axon"].unpack(contents["axon"])
        axon["count"] %= min(2, tile.groups)
        if "skip" in axon:
            axon["skip"] %= skips
        contents["axon"] = words["axon"].pack(axon)
        contents["route"] = _hasten(words["route"], contents["route"], delays)
        memories.append(contents)
    counts = rng.poisson(rng.choice([3.0, 12.0, 2.0 * tile.queue_depth]),
                         steps * config.rows)
    counts[-config.rows:] = 0  # the last steps are those of the packets on their way
    start = np.concatenate([[0], np.cumsum(counts)])
    word = rng.choice(case.events.word if case.events.word.size else
                      memories[0]["route"][:, 0] & np.uint64((1 << packet_word(config).width) - 1),
                      int(start[-1]))
    return case._replace(memories=memories, groups=np.full(config.tiles, tile.groups),
                         length=int(rng.choice([0, steps - 1])),
                         events=MeshEvents(1, steps, start,
                                           _hasten(packet_word(config), word, delays)))


def _hasten(word: Any, values: Any, delays: int) -> Any:
    """Packets whose delay is below ``delays``."""
    found = word.unpack(values)
    if "delay" in found:
        found["delay"] %= delays
    return word.pack(found)


def refused_cases(config: MeshConfig) -> list[MeshRawCase]:
    """Cases that an engine refuses: too few memories or groups, chains that never end."""
    case = random_raw_mesh_case(config, 0, runs=1)
    endless = []
    for name in ("axon", "route"):
        word = next(memory.word for memory in mesh_memories(config) if memory.name == name)
        last = np.uint64(1 << word.offset("last"))
        # Of one tile, so that the message tells which.
        memories = [dict(contents) for contents in case.memories]
        memories[-1][name] = memories[-1][name] & ~last
        endless.append(case._replace(memories=memories))
    missing = [dict(contents) for contents in case.memories]
    del missing[-1]["fanout"]
    short = [{**contents, "fanout": contents["fanout"][1:]} for contents in case.memories]
    return [case._replace(memories=case.memories[1:]), case._replace(groups=case.groups[1:]),
            case._replace(memories=missing), case._replace(memories=short), *endless]


def _case(config: MeshConfig, seed: int, steps: int) -> MeshRawCase:
    if seed % 4 == 0:
        rng = random.Random(seed)
        case = (random_mesh_case(config, rng) if seed else
                random_mesh_case(config, rng, runs=1, steps=steps, traffic=0.5))
        return MeshRawCase(case.config, case.memories, case.groups, case.length, case.events)
    if seed % 4 == 1:
        return random_raw_mesh_case(config, seed)
    return busy_mesh_case(config, seed)


def mesh_checks(engine: Any, config: MeshConfig, count: int, *, steps: int = 0
                ) -> list[MeshCheck]:
    """``count`` seeded cases with the trace of an engine's ``run_mesh``.

    Parameters
    ----------
    steps : int
        Of the first case; 0: as many as the step counter allows, so that its upper bits move.
    """
    found = []
    for seed in range(count):
        case = _case(config, seed, steps or (1 << config.tile.step_bits) - 1)
        found.append(MeshCheck(f"{config.name} seed {seed}", case, engine.run_mesh(*case)))
    return found


def mesh_differences(a: MeshTrace, b: MeshTrace) -> list[str]:
    """What differs of all that both engines report, the first of each array."""
    # Not before: this loads the engines, of which one may have a bug to be planted first.
    from neurotile.testbenches.equality import array_differences, dictionary_differences

    found: list[str] = []
    for field in fields(MeshTrace):
        left, right = getattr(a, field.name), getattr(b, field.name)
        if isinstance(left, dict):
            found += dictionary_differences(field.name, left, right)
        elif isinstance(left, np.ndarray):
            found += array_differences(field.name, left, right)
    return found
