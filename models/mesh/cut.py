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
from .hints import power_above, would_do
from .reach import Reach
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
        left, reach = np.arange(node.population.size), Reach.of(graph, name)
        while left.size:
            piece, table = _largest(graph, name, reach, left, tile, most, together, share=share,
                                    entries=entries)
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


def _largest(graph: Graph, name: str, reach: Reach, left: Int, tile: TileConfig, most: int,
             together: Callable[[list[Piece]], Table | None], *, share: bool, entries: int
             ) -> tuple[Piece, Table]:
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
    raise _too_small(graph, piece, tile, share=share, entries=entries)


def _too_small(graph: Graph, piece: Piece, tile: TileConfig, *, share: bool, entries: int
               ) -> UserError:
    """By how much a single neuron does not fit a tile."""
    table = table_of(graph, [piece], tile, share=share, limit=entries)
    need, have, key, what = int(table.length.sum()), entries, "axons", "axon entries"
    if need <= have:
        need, have, key, what = len(table.words), tile.synapse_words, "synapse_words", \
            "synapse words"
    wanted = need * tile.axons // entries if key == "axons" else need  # room for padding as well
    left = " after padding for trees" if have < getattr(tile, key) else ""
    hint = would_do(tile, key, power_above(wanted), "" if share else "sharing")
    return UserError(f"{graph.network.name}: neuron {piece.neurons[0]} of {piece.node!r} alone "
                     f"needs {need} {what}, {need - have} more than a tile has{left} ({key}){hint}")
