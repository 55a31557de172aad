# SPDX-License-Identifier: Apache-2.0
"""Where packets of a mesh come out, for runs without cycles."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..spec import MeshConfig
from .mesh_layout import Tiles
from .noc import NocState, walk_packet

__all__ = ["ENDLESS", "HOST", "Paths", "PathTable"]

HOST, ENDLESS = 1, 2
"""Bits of ``Paths.kind``: comes out at a host port; goes round in the network for ever."""

Ints = npt.NDArray[np.int64]


class Paths(NamedTuple):
    """Paths by their numbers, one for each router and target where packets enter."""

    entry: Ints
    """(tiles, routes): number of the path of a route entry."""
    first: Ints
    """(paths + 1,): its first place in ``tile`` and ``axon``."""
    tile: Ints
    axon: Ints
    """What is added to a packet's value there."""
    kind: Ints
    uses: Ints
    """Packets that went along it."""


class PathTable:
    """The paths that packets of a mesh can take, found once each.

    Parameters
    ----------
    config : MeshConfig
        The mesh.
    net : NocState
        Its network.
    tiles : Tiles
        Its tiles.
    """

    def __init__(self, config: MeshConfig, net: NocState, tiles: Tiles) -> None:
        self._net, self._config = net, config
        self._number = np.full(net.ways.size, -1)
        self._ends: list[npt.NDArray[np.int64]] = []
        self._kind: list[int] = []
        self._lost: list[int] = []
        self._links: list[Ints] = []
        self._entry = self.numbers(np.arange(config.tiles)[:, None], tiles.packet)

    def numbers(self, router: npt.NDArray[np.integer], word: Ints) -> Ints:
        """Numbers of the paths of packets that enter at these routers."""
        net = self._net
        low = word & (1 << net.target_bits) - 1 | (word >> net.host_shift & 1) << net.target_bits
        code = (router << net.target_bits + 1) + low
        number = self._number[code]
        if number.size == 0 or number.min() >= 0:
            return number
        used = np.zeros(self._number.size, np.bool_)
        used[code] = True
        for new in np.flatnonzero(used & (self._number < 0)):
            ends, links, lost, host = walk_packet(net, int(new))
            self._number[new] = len(self._kind)
            self._ends.append(np.array(ends or [], np.int64).reshape(-1, 2))
            self._kind.append(ENDLESS if ends is None else HOST if host else 0)
            self._lost.append(lost)
            self._links.append(links)
        return self._number[code]

    def paths(self) -> Paths:
        """All paths known, none used."""
        ends = np.concatenate([*self._ends, np.zeros((1, 2), np.int64)])
        sizes = [len(found) for found in self._ends]
        return Paths(self._entry, np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
                     ends[:, 0].copy(), ends[:, 1].copy(), np.array(self._kind, np.int64),
                     np.zeros(len(sizes), np.int64))

    def counts(self, uses: Ints) -> tuple[Ints, int]:
        """Packets sent on the links of every router, (routers, 4), and lost packets."""
        return ((uses @ np.array(self._links)).reshape(-1, 4), int(uses @ np.array(self._lost)))
