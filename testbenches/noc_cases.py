# SPDX-License-Identifier: Apache-2.0
"""Traffic and trees for tests of the network."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from neurotile.spec import TEST_PRESETS, MeshConfig
from neurotile.spec.mesh_config import packet_word
from neurotile.spec.noc_traffic import NocTrace, NocTraffic

__all__ = ["PATTERNS", "differences", "make_traffic", "network", "packets", "random_trees",
           "uniform_traffic"]

Ints = npt.NDArray[np.int64]


def network(rows: int, cols: int, depth: int, *, multicast: bool = False, parity: bool = False,
            stages: int = 2, delay: str = "none") -> MeshConfig:
    """A mesh whose tiles count only by the widths of their packets."""
    tile = TEST_PRESETS["test_all"].replace(
        name="stub", neurons=64, axons=64, delay=delay, delay_bits=3 if delay == "scdq" else 1)
    return MeshConfig(
        name=f"noc_{rows}x{cols}", rows=rows, cols=cols, router_depth=depth, trees=32, routes=64,
        routing="multicast" if multicast else "unicast", link_parity=parity,
        barrier_stages=stages, tile=tile)


def packets(config: MeshConfig, target: npt.ArrayLike, value: npt.ArrayLike,
            host: npt.ArrayLike = 0) -> npt.NDArray[np.uint64]:
    """Packets to these tiles, or trees, as words."""
    target = np.asarray(target, np.int64)
    if not config.multicast:
        target = target // config.cols << config.x_bits | target % config.cols
    fields: dict[str, npt.ArrayLike] = {"target": target, "value": value, "host": host}
    if config.tile.delay == "scdq":
        fields["delay"] = np.asarray(value, np.int64) % (1 << config.tile.delay_bits)
    return packet_word(config).pack(fields)


def _uniform(config: MeshConfig, source: int, count: int, rng: np.random.Generator) -> Ints:
    return rng.integers(config.tiles, size=count)


def _all_to_one(config: MeshConfig, source: int, count: int, rng: np.random.Generator) -> Ints:
    return np.full(count, config.tiles // 2)


def _hot_spot(config: MeshConfig, source: int, count: int, rng: np.random.Generator) -> Ints:
    return np.where(rng.random(count) < 0.3, config.tiles - 1,
                    rng.integers(config.tiles, size=count))


def _tornado(config: MeshConfig, source: int, count: int, rng: np.random.Generator) -> Ints:
    """Half way round each row and column, which loads the links of the middle most."""
    x, y = source % config.cols, min(source // config.cols, config.rows - 1)
    x = (x + max(1, config.cols // 2)) % config.cols
    y = (y + max(1, config.rows // 2)) % config.rows
    return np.full(count, y * config.cols + x)


PATTERNS: dict[str, Callable[[MeshConfig, int, int, np.random.Generator], Ints]] = {
    "uniform": _uniform, "all_to_one": _all_to_one, "hot_spot": _hot_spot, "tornado": _tornado}
"""Destination tiles of the packets of one source."""


def make_traffic(config: MeshConfig, pattern: str, seed: int, *, load: float, cycles: int,
                 steps: int = 0, **stubs: Any) -> NocTraffic:
    """Packets of all tiles and host ports; some go to the host or off the mesh.

    Parameters
    ----------
    load : float
        Packets per source and cycle.
    cycles : int
        Cycles of a step in which packets are offered.
    steps : int
        Steps with a barrier; 0: one without.
    stubs : int
        ``work``, ``stall`` of the traffic.
    """
    rng = np.random.default_rng(seed)
    start, step, wait, word = [0], [], [], []
    for source in range(config.tiles + config.rows):
        for number in range(max(steps, 1)):
            times = np.flatnonzero(rng.random(cycles) < load)
            count = times.size
            host = rng.random(count) < 0.1
            if config.multicast:
                target = rng.integers(config.trees, size=count)
            else:
                target = PATTERNS[pattern](config, source, count, rng)
            words = packets(config, target, rng.integers(1 << config.value_bits, size=count), host)
            if not config.multicast:
                # Any target: with a side that is no power of two, some lie off the mesh.
                anywhere = rng.integers(1 << config.target_bits, size=count).astype(np.uint64)
                stray = words >> np.uint64(config.target_bits) << np.uint64(config.target_bits)
                words = np.where(rng.random(count) < 0.02, stray | anywhere, words)
            start.append(count)
            step.append(np.full(count, number))
            wait.append(times)
            word.append(words)
    per_source = np.array(start[1:]).reshape(-1, max(steps, 1)).sum(axis=1)
    return NocTraffic(start=np.concatenate([[0], np.cumsum(per_source)]),
                      step=np.concatenate(step), wait=np.concatenate(wait),
                      word=np.concatenate(word), steps=steps, **stubs)


def uniform_traffic(config: MeshConfig, load: float, cycles: int, seed: int) -> NocTraffic:
    """Uniform random unicast traffic between tiles; ``value`` is the number of the source."""
    rng = np.random.default_rng(seed)
    offered = rng.random((config.tiles, cycles)) < load
    source, wait = np.nonzero(offered)
    word = packets(config, rng.integers(config.tiles, size=source.size), source)
    counts = np.concatenate([offered.sum(axis=1), np.zeros(config.rows, np.int64)])
    return NocTraffic(start=np.concatenate([[0], np.cumsum(counts)]),
                      step=np.zeros(source.size, np.int64), wait=wait, word=word)


def random_trees(config: MeshConfig, seed: int) -> list[Ints]:
    """X-then-Y trees from random tiles to random sets of tiles; some lead off the mesh, some end.

    A tree is entered anywhere: what does not belong to it ends there, with mask 0.
    """
    rng = np.random.default_rng(seed)
    tables = [np.zeros((config.trees, 2), np.int64) for _ in range(config.tiles)]
    for tree in range(config.trees):
        root = int(rng.integers(config.tiles))
        for leaf in rng.choice(config.tiles, size=rng.integers(1, config.tiles + 1), replace=False):
            x, y = root % config.cols, root // config.cols
            to_x, to_y = leaf % config.cols, leaf // config.cols
            while (x, y) != (to_x, to_y):
                port = 1 if to_x > x else 3 if to_x < x else 2 if to_y > y else 0
                tables[y * config.cols + x][tree, 0] |= 1 << port
                x += (port == 1) - (port == 3)
                y += (port == 2) - (port == 0)
            tables[leaf][tree, 0] |= 16
        for table in tables:
            table[tree, 1] = rng.integers(config.tile.axons)
    for tile, table in enumerate(tables):
        x, y = tile % config.cols, tile // config.cols
        for port, edge in enumerate((y == 0, x == config.cols - 1, y == config.rows - 1, x == 0)):
            if edge:
                table[:, 0] |= (rng.random(config.trees) < 0.2) << port
    return tables


def differences(left: NocTrace, right: NocTrace) -> list[str]:
    """Names of what two engines do not agree on; the number of cycles only with barriers."""
    names = ["taken", "cycle", "port", "word", "barrier", "sent", "lost"]
    if left.barrier.size:
        names.append("cycles")
    return [name for name in names
            if not np.array_equal(getattr(left, name), getattr(right, name))]
