# SPDX-License-Identifier: Apache-2.0
"""Random contents of meshes, and what two engines say differently about them."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..spec import MeshConfig
from ..spec.formats import axon_word, group_word
from ..spec.mesh_config import mesh_memories, mesh_route_word, packet_word, tree_word
from ..spec.mesh_run import MeshEvents
from .noc_cases import random_trees

__all__ = ["MeshRawCase", "random_raw_mesh_case"]

Memories = dict[str, npt.NDArray[np.uint64]]


class MeshRawCase(NamedTuple):
    """Arguments of an engine's ``run_mesh``."""

    config: MeshConfig
    memories: list[Memories]
    groups: npt.NDArray[np.int64]
    length: int
    events: MeshEvents


def random_raw_mesh_case(config: MeshConfig, seed: int, *, runs: int = 2,
                         steps: int = 6) -> MeshRawCase:
    """Random bits in every memory; chains of axon segments and route entries end, trees too."""
    rng = np.random.default_rng(seed)
    trees = random_trees(config, seed) if config.multicast else []
    busy = float(rng.choice([0.2, 0.5, 1.0]))
    memories = [_contents(config, rng, busy) for _ in range(config.tiles)]
    if trees:
        for contents, table in zip(memories, trees, strict=True):
            contents["tree"] = tree_word(config).pack(
                {"ports": table[:, 0], "axon": table[:, 1]})[:, None]
    density = rng.choice([0.0, 2.0, 8.0])
    counts = rng.poisson(density, runs * steps * config.rows)
    start = np.concatenate([[0], np.cumsum(counts)])
    word = _packets(config, rng, int(start[-1]))
    return MeshRawCase(
        config, memories, rng.integers(1, config.tile.groups, config.tiles, endpoint=True),
        int(rng.choice([0, steps, 2])), MeshEvents(runs, steps, start, word))


def _packets(config: MeshConfig, rng: np.random.Generator, count: int) -> npt.NDArray[np.uint64]:
    """Packets, few of them to the host, most to a tile of the mesh."""
    word = packet_word(config)
    fields = word.unpack(rng.integers(0, 1 << word.width, count, dtype=np.uint64))
    fields["host"] = (rng.random(count) < 0.2).astype(np.int64)
    if not config.multicast:
        tile = rng.integers(config.tiles, size=count)
        inside = tile // config.cols << config.x_bits | tile % config.cols
        fields["target"] = np.where(rng.random(count) < 0.95, inside, fields["target"])
    return word.pack(fields)


def _contents(config: MeshConfig, rng: np.random.Generator, busy: float) -> Memories:
    tile, found = config.tile, {}
    for memory in mesh_memories(config):
        shape = (memory.rows, memory.lanes)
        found[memory.name] = rng.integers(0, 1 << memory.word.width, shape, dtype=np.uint64)
    word = axon_word(tile)
    fields = word.unpack(found["axon"])
    fields["count"] %= rng.integers(1, tile.groups, endpoint=True)
    fields["last"] = (rng.random((tile.axons, 1)) < rng.choice([0.5, 0.9])).astype(np.int64)
    fields["last"][rng.integers(tile.axons)] = 1
    if "more" in fields:
        fields["more"] &= rng.random((tile.axons, 1)) < 0.6
        fields["skip"] %= rng.choice([2, 1 << tile.delay_bits])
    found["axon"] = word.pack(fields)
    word = group_word(tile)
    fields = word.unpack(found["group"])
    fields["offset"] %= 2
    found["group"] = word.pack(fields)
    mask = np.uint64((1 << tile.state_bits) - 1)
    for name in ("threshold", "bias", "v_reset"):
        small = rng.integers(-8, 40, found[name].shape)
        found[name] = small.astype(np.uint64) & mask
    entries = mesh_route_word(config)
    fields = {"last": (rng.random(config.routes) < rng.choice([0.4, 0.8])).astype(np.int64),
              **packet_word(config).unpack(_packets(config, rng, config.routes))}
    fields["last"][rng.integers(config.routes)] = 1
    found["route"] = entries.pack(fields)[:, None]
    silent = rng.random((tile.neurons, 1)) >= busy
    found["fanout"] = np.where(silent, found["fanout"] & ~_any(config), found["fanout"])
    return found


def _any(config: MeshConfig) -> np.uint64:
    word = next(m.word for m in mesh_memories(config) if m.name == "fanout")
    return np.uint64(1 << word.offset("any"))
