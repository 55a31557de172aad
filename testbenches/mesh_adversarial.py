# SPDX-License-Identifier: Apache-2.0
"""Programs that load one part of a mesh as much as they can, by their names."""

import numpy as np
import numpy.typing as npt

from ..spec import MeshConfig
from ..spec.codes import Model
from ..spec.formats import axon_word, group_word
from ..spec.mesh_config import (
    fanout_word,
    mesh_memories,
    mesh_route_word,
    packet_word,
    tree_word,
)
from ..spec.mesh_run import MeshEvents
from .mesh_raw_cases import Memories, MeshRawCase

__all__ = ["TRAFFIC", "adversarial_case"]

TRAFFIC = ("all_to_one", "hot_spot", "tornado", "all_to_all", "long_delays", "overflow",
           "host_ports")
"""Every neuron fires in every step, and sends: all to one tile, half of all to one tile, half way
round the row, each to every tile, the same with the longest delays, more than queues hold; and to
the host, while every host port sends as much as it can."""

_RUNS, _STEPS, _SENT = 2, 5, 24
_NORTH, _EAST, _SOUTH, _WEST, _LOCAL = (1 << port for port in range(5))

Ints = npt.NDArray[np.int64]


def adversarial_case(config: MeshConfig, traffic: str, seed: int) -> MeshRawCase:
    """A program of ``TRAFFIC`` with random weights, axons and host packets."""
    rng = np.random.default_rng(seed)
    hot = int(rng.integers(config.tiles))
    memories = [_memories(config, traffic, tile, hot, rng) for tile in range(config.tiles)]
    counts = np.full(_RUNS * _STEPS * config.rows, _SENT)
    if traffic != "host_ports":
        counts = rng.integers(3, size=counts.size)
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    targets = rng.integers(config.tiles, size=int(start[-1]))
    if traffic == "host_ports":  # all links are in use, to the last column
        targets = targets // config.cols * config.cols + config.cols - 1
    word = _packets(config, traffic, _unicast(config, targets), rng)
    return MeshRawCase(config, memories, np.full(config.tiles, config.tile.groups), 0,
                       MeshEvents(_RUNS, _STEPS, start, packet_word(config).pack(word)))


def _unicast(config: MeshConfig, tile: Ints) -> Ints:
    """Target of packets to these tiles; with multicast the second half of the trees."""
    if config.multicast:
        return config.tiles + tile
    return tile // config.cols << config.x_bits | tile % config.cols


def _everywhere(config: MeshConfig, source: int) -> Ints:
    """Targets that together reach every tile."""
    return np.array([source]) if config.multicast else _unicast(config, np.arange(config.tiles))


def _chains(config: MeshConfig, traffic: str, source: int, hot: int,
            rng: np.random.Generator) -> list[Ints]:
    """Targets of the neurons' chains of routes; the neurons take them in turn."""
    if traffic == "all_to_one":
        return [_unicast(config, np.array([hot]))]
    if traffic == "hot_spot":
        return [_unicast(config, np.array([tile])) for pair in
                zip([hot] * 4, rng.integers(config.tiles, size=4), strict=True) for tile in pair]
    if traffic == "tornado":
        x = (source + max(1, config.cols // 2)) % config.cols
        return [_unicast(config, np.array([source // config.cols * config.cols + x]))]
    if traffic == "overflow":
        return [_unicast(config, np.full(12, hot))]
    return [_everywhere(config, source)]


def _packets(config: MeshConfig, traffic: str, target: Ints, rng: np.random.Generator
             ) -> dict[str, npt.ArrayLike]:
    size, top = target.size, (1 << config.tile.delay_bits) - 1
    fields: dict[str, npt.ArrayLike] = {
        "target": target, "value": rng.integers(config.tile.axons, size=size),
        "host": np.zeros(size, np.int64)}
    if config.tile.delay == "scdq":
        fields["delay"] = (rng.choice([0, 1, _STEPS - 1, top], size=size)
                           if traffic == "long_delays" else np.zeros(size, np.int64))
    return fields


def _memories(config: MeshConfig, traffic: str, source: int, hot: int, rng: np.random.Generator
              ) -> Memories:
    tile = config.tile
    found = {m.name: np.zeros((m.rows, m.lanes), np.uint64) for m in mesh_memories(config)}
    groups, one = (tile.groups, 1), np.ones(tile.neurons, np.int64)
    found["group"] = group_word(tile).pack({
        **{field.name: np.zeros(groups, np.int64) for field in group_word(tile).fields},
        "model": np.full(groups, int(Model.IF))})
    # Above the threshold whatever the weights sum up to.
    limit = tile.state_limits[1]
    found["threshold"][:], found["bias"][:] = 1, limit
    weights = found["synapse"].shape
    found["synapse"] = rng.integers(0, 1 << min(tile.weight_bits, 2), weights, dtype=np.uint64)

    axons = (tile.axons, 1)
    last = tile.groups - 1 if traffic == "overflow" else 0
    segments: dict[str, npt.ArrayLike] = {
        **{field.name: np.zeros(axons, np.int64) for field in axon_word(tile).fields},
        "row": rng.integers(tile.synapse_words, size=axons),
        "group": rng.integers(tile.groups, size=axons), "count": np.full(axons, last),
        "last": np.ones(axons, np.int64)}
    if traffic == "long_delays" and tile.delay == "scdq":
        # Two levels: an even axon goes on to the next.
        segments["more"] = (np.arange(tile.axons) % 2 == 0).astype(np.int64)[:, None]
        segments["skip"] = rng.choice([0, 1, (1 << tile.delay_bits) - 1], size=axons)
    if traffic == "long_delays" and tile.delay == "ring":
        segments["delay"] = rng.choice([0, 1, (1 << tile.delay_bits) - 1], size=axons)
    found["axon"] = axon_word(tile).pack(segments)

    host = traffic == "host_ports"
    chains = [np.concatenate([chain, [0]]) if host else chain
              for chain in _chains(config, traffic, source, hot, rng)]
    sizes = np.array([chain.size for chain in chains])
    entries = _packets(config, traffic, np.concatenate(chains), rng)
    ends = np.isin(np.arange(sizes.sum()), np.cumsum(sizes) - 1).astype(np.int64)
    entries |= {"last": ends, "host": ends * host}
    found["route"][:sizes.sum(), 0] = mesh_route_word(config).pack(entries)
    first = (np.cumsum(sizes) - sizes)[np.arange(tile.neurons) % sizes.size]
    found["fanout"] = fanout_word(config).pack({"first": first, "any": one})[:, None]
    if config.multicast:
        ports = [_branches(config, tree, source) for tree in range(config.tiles)]
        ports += [_way(config, tree, source) for tree in range(config.tiles)]
        found["tree"][:len(ports), 0] = tree_word(config).pack(
            {"ports": ports, "axon": rng.integers(tile.axons, size=len(ports))})
    return found


def _branches(config: MeshConfig, source: int, at: int) -> int:
    """Mask at a tile of the tree from ``source`` to every tile: along its row, then all columns."""
    dx, dy = at % config.cols - source % config.cols, at // config.cols - source // config.cols
    found = _LOCAL
    if dy == 0:
        found |= _EAST * (0 <= dx and at % config.cols < config.cols - 1)
        found |= _WEST * (dx <= 0 and at % config.cols > 0)
    found |= _SOUTH * (0 <= dy and at // config.cols < config.rows - 1)
    return found | _NORTH * (dy <= 0 and at // config.cols > 0)


def _way(config: MeshConfig, target: int, at: int) -> int:
    """Mask at a tile of the tree that leads to one tile only: X, then Y."""
    dx, dy = target % config.cols - at % config.cols, target // config.cols - at // config.cols
    if dx:
        return _EAST if dx > 0 else _WEST
    if dy:
        return _SOUTH if dy > 0 else _NORTH
    return _LOCAL
