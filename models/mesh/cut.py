# SPDX-License-Identifier: Apache-2.0
"""Cuts populations into pieces and puts pieces together on tiles.

A neuron's sum cannot be divided over tiles, so populations are cut by neurons only. Axons limit a
piece: it takes neurons as long as the chains that they need together, at one entry for each level,
fit the axon table, and their words the synapse memory. Neurons that share sources stay together, so
that a piece of an image is a patch with all its channels and needs few axons. Where the piece of a
single neuron does not fit, the network does not; with sharing one neuron needs no more chains than
there are different weights, whatever its fan-in.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...spec import TileConfig, UserError
from .graph import Graph
from .table import Piece, Table, piece_groups, table_of

__all__ = ["TilePlan", "cut"]

Int = npt.NDArray[np.int64]


@dataclass(eq=False)
class TilePlan:
    """Pieces that share a tile, and their table."""

    pieces: list[Piece]
    table: Table


def cut(graph: Graph, tile: TileConfig, *, share: bool, groups: int | None = None,
        limit: int | None = None) -> list[TilePlan]:
    """Tiles with their pieces, in the order of the network.

    Parameters
    ----------
    groups : int, optional
        Most groups of a tile to use; by default all.
    limit : int, optional
        Most axon entries of a tile to use; by default all.

    Raises
    ------
    UserError
        A single neuron does not fit a tile; the message says by how much.
    """
    most = min(groups or tile.groups, tile.groups)
    entries = tile.axons if limit is None else limit
    plans: list[TilePlan] = []

    def together(pieces: list[Piece]) -> Table | None:
        if sum(piece_groups(piece, tile.lanes) for piece in pieces) > most:
            return None
        table = table_of(graph, pieces, tile, share=share, limit=entries)
        fits = table.length.sum() <= entries and len(table.words) <= tile.synapse_words
        return table if fits else None

    for name, node in graph.nodes.items():
        left, reach = np.arange(node.population.size), _Reach.of(graph, name)
        while left.size:
            piece, table = _largest(graph, name, reach, left, tile, most, together)
            left = np.setdiff1d(left, piece.neurons)
            # A whole tile shares with nobody; what is left over goes where there is room.
            for plan in plans if table.groups < most else ():
                if plan.table.groups + table.groups <= most and (
                        both := together([*plan.pieces, piece])):
                    plan.pieces.append(piece)
                    plan.table = both
                    break
            else:
                plans.append(TilePlan([piece], table))
    return plans


def _largest(graph: Graph, name: str, reach: "_Reach", left: Int, tile: TileConfig, most: int,
             together: Callable[[list[Piece]], Table | None]) -> tuple[Piece, Table]:
    """Largest piece of ``left`` that fits an empty tile, and its table."""
    grown = reach.grown(left, most * tile.lanes)

    def take(count: int) -> tuple[Piece, Table | None]:
        piece = Piece(name, reach.ordered(grown[:count]))
        return piece, together([piece])

    piece, table = take(len(grown))
    if table is not None:
        return piece, table
    # The largest number of groups that fits, by halving; fewer neurons need no more of anything.
    low, high, best = 1, -(-len(grown) // tile.lanes), None
    while low < high:
        middle = (low + high) // 2
        tried, found = take(middle * tile.lanes)
        if found is None:
            high = middle
        else:
            low, best = middle + 1, (tried, found)
    if best is not None:
        return best
    for count in range(tile.lanes - 1, 0, -1):
        piece, table = take(min(count, len(grown)))
        if table is not None:
            return piece, table
    whole = table_of(graph, [piece], tile, share=True)
    neuron = int(piece.neurons[0])
    levels = whole.exact
    need, have, key = ((levels, tile.axons, "axons") if levels > tile.axons else
                       (len(whole.words), tile.synapse_words, "synapse_words"))
    raise UserError(
        f"{graph.network.name}: neuron {neuron} of {name!r} alone needs {need} "
        f"{'axon entries' if key == 'axons' else 'synapse words'}, a tile has {have} ({key}); "
        f"{key} = {1 << (need - 1).bit_length()} would do")


@dataclass(frozen=True, eq=False)
class _Reach:
    """Which sources reach the neurons of a node; neurons with the same ones are of one kind.

    ``kind`` is (size,), ``sources`` (kinds, sources) of 0 and 1; kinds are numbered in the order of
    their first neurons. Sources that reach the same neurons count once.
    """

    kind: Int
    sources: npt.NDArray[np.float32]

    @classmethod
    def of(cls, graph: Graph, name: str) -> "_Reach":
        found: dict[str, npt.NDArray[np.bool_]] = {}
        for edge in graph.into(name):
            there, key = edge.weights != 0, edge.sender.name
            found[key] = found[key] | there if key in found else there
        size = graph.nodes[name].population.size
        whole = np.concatenate(list(found.values()), axis=1) if found else np.zeros((size, 1), bool)
        _, once = np.unique(np.packbits(whole, axis=0).T, axis=0, return_index=True)
        whole = whole[:, once]
        _, first, kind = np.unique(np.packbits(whole, axis=1), axis=0, return_index=True,
                                   return_inverse=True)
        order = np.argsort(first)
        number = np.empty_like(order)
        number[order] = np.arange(order.size)
        return cls(number[kind.ravel()], whole[first[order]].astype(np.float32))

    def grown(self, left: Int, most: int) -> Int:
        """Up to ``most`` neurons of ``left``: from the first on, those that share most sources."""
        if left.size <= most:
            return left
        kinds = np.unique(self.kind[left])
        members = np.split(left[np.argsort(self.kind[left], kind="stable")],
                           np.cumsum(np.bincount(self.kind[left])[kinds])[:-1])
        reach = self.sources[kinds]
        size = reach.sum(axis=1)
        shared, free = np.zeros(len(kinds), np.float32), np.ones(len(kinds), np.bool_)
        covered = np.zeros(reach.shape[1], np.bool_)
        taken: list[Int] = []
        count = chosen = 0
        while count < most and free.any():
            if taken:  # fewest new sources; of equals the one that shares most, then the first
                new = np.where(free, size - shared, np.inf)
                best = np.flatnonzero(new == new.min())
                chosen = int(best[np.argmax(shared[best])])
            free[chosen] = False
            taken.append(members[chosen])
            count += len(members[chosen])
            fresh = np.flatnonzero((reach[chosen] != 0) & ~covered)
            covered[fresh] = True
            shared += reach[:, fresh].sum(axis=1)
        return np.concatenate(taken)[:most]

    def ordered(self, neurons: Int) -> Int:
        """Neurons such that those of one kind are neighbours, else ascending."""
        return neurons[np.lexsort((neurons, self.kind[neurons]))]
