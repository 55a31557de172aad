# SPDX-License-Identifier: Apache-2.0
"""Random networks on a mesh whose chains of segments and routes end and whose trees are trees."""

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurotile.spec import MeshConfig
from neurotile.spec.codes import Model
from neurotile.spec.formats import Memory
from neurotile.spec.mesh_config import mesh_memories, packet_word
from neurotile.spec.mesh_run import MeshEvents

__all__ = ["MeshCase", "random_mesh_case"]


@dataclass(frozen=True, eq=False)
class MeshCase:
    """What runs on a mesh; memories per tile."""

    config: MeshConfig
    memories: list[dict[str, npt.NDArray[np.uint64]]]
    groups: npt.NDArray[np.int64]
    length: int
    events: MeshEvents


def random_mesh_case(config: MeshConfig, rng: random.Random, *, runs: int = 2, steps: int = 6,
                     traffic: float = 1.0, lost: float = 0.05) -> MeshCase:
    """Random memories of all tiles and random host packets.

    Parameters
    ----------
    traffic : float
        Scales host packets per step and neurons that send.
    lost : float
        Share of unicast packets whose target may be off the mesh.
    """
    trees = _random_trees(config, rng) if config.multicast else []
    memories = []
    for tile in range(config.tiles):
        contents = {}
        for memory in mesh_memories(config):
            words = [_random_word(config, memory, rng, traffic, lost)
                     for _ in range(memory.rows * memory.lanes)]
            if memory.name in ("axon", "route"):
                words[-1]["last"] = 1
            if memory.name == "tree":
                words = [{"ports": trees[tile][n], "axon": rng.randrange(config.tile.axons)}
                         for n in range(config.trees)]
            fields = {f.name: np.array([word[f.name] for word in words], np.int64)
                      for f in memory.word.fields}
            contents[memory.name] = np.asarray(memory.word.pack(fields), np.uint64).reshape(
                memory.rows, memory.lanes)
        memories.append(contents)
    start, word = [0], []
    for _ in range(runs * steps * config.rows):
        for _ in range(int(rng.random() * rng.choice([0, 2, 5]) * traffic)):
            word.append(int(packet_word(config).pack(_random_packet(config, rng, lost))))
        start.append(len(word))
    return MeshCase(
        config, memories,
        np.array([rng.randint(1, config.tile.groups) for _ in range(config.tiles)], np.int64),
        rng.choice([0, 0, steps - 1]),
        MeshEvents(runs, steps, np.array(start, np.int64), np.array(word, np.uint64)))


def _random_packet(config: MeshConfig, rng: random.Random, lost: float) -> dict[str, int]:
    found = {f.name: rng.randint(*f.limits) for f in packet_word(config).fields}
    found["host"] = 0
    if config.multicast:
        found["target"] = rng.randrange(config.trees)
    elif rng.random() >= lost:
        found["target"] = rng.randrange(config.rows) << config.x_bits | rng.randrange(config.cols)
    if "delay" in found:
        found["delay"] = rng.choice([0, 0, 1, 2, found["delay"]])
    return found


def _random_word(config: MeshConfig, memory: Memory, rng: random.Random, traffic: float,
                 lost: float) -> dict[str, Any]:
    found: dict[str, int] = {f.name: rng.randint(*f.limits) for f in memory.word.fields}
    name, limit = memory.name, 1 << config.tile.state_bits - 6
    if name in ("membrane", "current", "accumulator"):
        return dict.fromkeys(found, 0)
    if name == "threshold":
        found["value"] = rng.randrange(1, limit)
    elif name in ("bias", "v_reset"):
        found["value"] = rng.randrange(-limit // 8, limit // 8)
    elif name == "group":
        found["model"] = rng.choice([Model.IF, Model.LIF, Model.CUBALIF, rng.randrange(8)])
        found["offset"] = rng.choice([0, 0, rng.randrange(3)])
    elif name == "axon":
        found["last"] = int(rng.random() < 0.7)
        if rng.random() < 0.5:
            found["count"] = rng.randrange(min(2, config.tile.groups))
        if "more" in found:
            found["more"] = int(rng.random() < 0.4)
            found["skip"] = rng.choice([0, 0, 1, found["skip"]])
    elif name == "fanout":
        found["any"] = int(rng.random() < 0.6 * traffic)
    elif name == "route":
        found |= _random_packet(config, rng, lost)
        found["host"] = int(rng.random() < 0.4)
        found["last"] = int(rng.random() < 0.7)
    return found


def _random_trees(config: MeshConfig, rng: random.Random) -> list[list[int]]:
    """Masks (tiles, trees): along Y to a row, along it east to random tiles.

    West of a tree's first column packets only pass, beyond its last they are lost; none turns back.
    """
    masks = [[0] * config.trees for _ in range(config.tiles)]
    for tree in range(config.trees):
        first, row = rng.randrange(config.cols), rng.randrange(config.rows)
        last = rng.randrange(first, config.cols)
        for tile in range(config.tiles):
            x, y = tile % config.cols, tile // config.cols
            if y != row:
                mask = 4 if y < row else 1
            elif x < first:
                mask = 2
            elif x > last:
                mask = 0
            else:
                mask = (16 if rng.random() < 0.7 else 0) | (2 if x < last else 0)
            masks[tile][tree] = mask
    return masks
