# SPDX-License-Identifier: Apache-2.0
"""Which tile stands where: few packets times hops, by exchanging pairs of tiles."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...spec import MeshConfig

__all__ = ["Traffic", "hops", "place", "weighted_hops"]

Floats = npt.NDArray[np.float64]
Int = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Traffic:
    """Packets per step.

    Parameters
    ----------
    between : ndarray of float64, (tiles, tiles)
        From a tile to a tile.
    from_host, to_host : ndarray of float64, (tiles,)
        From and to the host port of the tile's row.
    """

    between: Floats
    from_host: Floats
    to_host: Floats


def hops(config: MeshConfig) -> Int:
    """Links on the way from place to place, (tiles, tiles)."""
    x, y = np.arange(config.tiles) % config.cols, np.arange(config.tiles) // config.cols
    return np.abs(x[:, None] - x) + np.abs(y[:, None] - y)


def weighted_hops(config: MeshConfig, traffic: Traffic, where: Int) -> float:
    """Packets times links per step, with tile k at place ``where[k]``; host ports count as links.

    Every packet of a unicast network; with multicast copies share links and it is an upper bound.
    """
    distance, column = hops(config), np.arange(config.tiles) % config.cols + 1
    host = (traffic.from_host + traffic.to_host) @ column[where]
    return float((traffic.between * distance[np.ix_(where, where)]).sum() + host)


def place(config: MeshConfig, traffic: Traffic) -> Int:
    """Place of every tile of ``traffic``, which may be fewer than the mesh has.

    Begins with the tiles along a line that goes to and fro over the columns, and exchanges the pair
    that gains most until none does; where that is worse than the tiles in order, begins with those.
    A local minimum, and always the same one.
    """
    # Column by column from the west, where the host is; every other one from south to north.
    x, y = np.arange(config.tiles) // config.rows, np.arange(config.tiles) % config.rows
    line = np.where(x % 2, config.rows - 1 - y, y) * config.cols + x
    found, plain = _improved(config, traffic, line), np.arange(config.tiles)
    used = len(traffic.from_host)
    if weighted_hops(config, traffic, found[:used]) > weighted_hops(config, traffic, plain[:used]):
        found = _improved(config, traffic, plain)
    return found[:used]


def _improved(config: MeshConfig, traffic: Traffic, where: Int) -> Int:
    """Places after exchanges of pairs; those after the last tile are of tiles without traffic."""
    used, tiles = len(traffic.from_host), config.tiles
    between = np.zeros((tiles, tiles))
    between[:used, :used] = traffic.between + traffic.between.T
    np.fill_diagonal(between, 0.0)
    host = np.zeros(tiles)
    host[:used] = traffic.from_host + traffic.to_host
    distance = hops(config).astype(np.float64)
    column = np.arange(tiles) % config.cols + 1.0
    where = where.copy()
    for _ in range(tiles * tiles):
        at = distance[:, where][where]  # between the places of tiles
        toward = between @ at           # cost of tile j if it stood where i stands: [j, i]
        own = np.diagonal(toward)
        # Both tiles move; the way between them stays, but was counted as if one alone moved.
        gain = own[:, None] + own[None, :] - toward - toward.T - 2 * between * at
        here = host * column[where]
        gain += here[:, None] + here[None, :] - np.outer(host, column[where]) \
            - np.outer(column[where], host)
        gain[np.abs(gain) < 1e-9] = 0.0
        i, j = np.unravel_index(int(np.argmax(gain)), gain.shape)
        if gain[i, j] <= 0:
            break
        where[[i, j]] = where[[j, i]]
    return where
