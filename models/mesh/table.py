# SPDX-License-Identifier: Apache-2.0
"""Axons and synapse words of one tile: what reaches the pieces of populations that lie on it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from ...spec import TileConfig, UserError
from ..pack import Segments, merge_gaps
from .graph import Graph, Sender

__all__ = ["Links", "Piece", "Table", "piece_groups", "table_of"]

Int = npt.NDArray[np.int64]

# Every stretch of a stored run may stand for a run of its own; of long ones only the whole.
_STRETCHES = 8


@dataclass(frozen=True, eq=False)
class Piece:
    """Neurons of one node that lie on one tile, in their order there, from a group boundary."""

    node: str
    neurons: Int


@dataclass(frozen=True, eq=False)
class Links:
    """Sources of one sender that reach a tile.

    Parameters
    ----------
    source : ndarray of int64, (links,)
        Line or neuron, ascending.
    chain : ndarray of int64, (links,)
        Its chain of axon segments, a number in the table.
    first : ndarray of int64, (links,)
        Steps from arrival to the chain's first level; 0 where segments hold the delay themselves.
    last : ndarray of int64, (links,)
        Steps from arrival to the last level.
    """

    source: Int
    chain: Int
    first: Int
    last: Int


@dataclass(frozen=True, eq=False)
class Table:
    """Axon chains of a tile and the words of synapses behind them.

    Parameters
    ----------
    groups : int
        Groups that the pieces take.
    length : ndarray of int64, (chains,)
        Entries of each chain.
    entries : dict of str to ndarray of int64, (all entries,)
        Fields of the axon word of every entry, chain by chain.
    words : ndarray of int32, (rows, lanes)
        Weights in the rows of the synapse memory.
    links : dict of Sender to Links
        Who uses which chain.
    unshared_rows : int
        Rows that there would be if none stood for several runs.
    synapses : int
        Weights of the network that are not 0.
    """

    groups: int
    length: Int
    entries: dict[str, Int]
    words: npt.NDArray[np.int32]
    links: dict[Sender, Links]
    unshared_rows: int = 0
    synapses: int = 0
    exact: int = field(default=0)
    """Entries with which no word would be stored that is not needed."""


def piece_groups(piece: Piece, lanes: int) -> int:
    """Groups that a piece takes."""
    return -(-len(piece.neurons) // lanes)


def table_of(graph: Graph, pieces: Sequence[Piece], tile: TileConfig, *, share: bool,
             limit: int | None = None) -> Table:
    """Table of a tile that holds these pieces one after the other.

    Parameters
    ----------
    share : bool
        Sources with the same weights and delays share a chain, and runs with the same weights rows.
    limit : int, optional
        Entries above which gaps between runs are bridged; by default those of the tile.

    Raises
    ------
    UserError
        Weights between the same ends and with the same delay add up to one that the tile cannot
        hold, or a 0 would have to be stored in 1 bit.
    """
    groups = sum(piece_groups(piece, tile.lanes) for piece in pieces)
    found, links, synapses = _Chains.none(groups, tile.lanes), {}, 0
    for sender, delays, weights in _arriving(graph, pieces, tile, groups):
        active = np.flatnonzero(weights.any(axis=(1, 2)))
        if not active.size:
            continue
        synapses += int(np.count_nonzero(weights))
        chain, level = np.nonzero(weights[active].any(axis=2))
        steps, begin = delays[level], np.flatnonzero(np.diff(chain, prepend=-1))
        first = np.zeros(active.size, np.int64) if tile.delay == "ring" else steps[begin]
        last = steps[np.append(begin[1:], chain.size) - 1]
        more = _Chains(np.diff(np.append(begin, chain.size)), steps - first[chain],
                       weights[active[chain], level].reshape(chain.size, groups, tile.lanes))
        links[sender] = Links(active, len(found.levels) + np.arange(active.size), first, last)
        found = found.joined(more)
    if share:
        found, number = found.once()
        links = {sender: replace(link, chain=number[link.chain]) for sender, link in links.items()}
    return _pack(graph, pieces, tile, groups, found, links, synapses, share,
                 tile.axons if limit is None else limit)


@dataclass(frozen=True, eq=False)
class _Chains:
    """Levels (chains,) of chains; steps and rows (groups, lanes) of each level."""

    levels: Int
    steps: Int
    rows: npt.NDArray[np.int32]

    @classmethod
    def none(cls, groups: int, lanes: int) -> "_Chains":
        nothing = np.zeros(0, np.int64)
        return cls(nothing, nothing, np.zeros((0, groups, lanes), np.int32))

    def joined(self, other: "_Chains") -> "_Chains":
        return _Chains(np.concatenate([self.levels, other.levels]),
                       np.concatenate([self.steps, other.steps]),
                       np.concatenate([self.rows, other.rows]))

    def once(self) -> tuple["_Chains", Int]:
        """Every chain once, in the order of their first ones, and the number of each in there."""
        known: dict[bytes, int] = {}
        number, kept = np.zeros(len(self.levels), np.int64), np.zeros(len(self.levels), np.bool_)
        begin = 0
        for k, count in enumerate(self.levels.tolist()):
            key = self.steps[begin:begin + count].tobytes() + self.rows[begin:begin + count
                                                                         ].tobytes()
            begin += count
            kept[k] = key not in known
            number[k] = known.setdefault(key, len(known))
        mine = np.repeat(kept, self.levels)
        return _Chains(self.levels[kept], self.steps[mine], self.rows[mine]), number


def _arriving(graph: Graph, pieces: Sequence[Piece], tile: TileConfig, groups: int
              ) -> list[tuple[Sender, Int, npt.NDArray[np.int32]]]:
    """Per sender: its delays, ascending, and weights (sources, delays, tile neurons)."""
    sums: dict[Sender, dict[int, npt.NDArray[np.int32]]] = {}
    low, high = tile.weight_limits
    first = 0
    for piece in pieces:
        columns = slice(first, first + len(piece.neurons))
        for edge in graph.into(piece.node):
            weights = edge.weights[piece.neurons]
            if not weights.any():
                continue
            levels = sums.setdefault(edge.sender, {})
            if edge.delay not in levels:
                levels[edge.delay] = np.zeros(
                    (graph.size(edge.sender.name), groups * tile.lanes), np.int32)
            total = levels[edge.delay][:, columns]
            total += weights.T
            if total.min() < low or total.max() > high:
                wrong = total[(total < low) | (total > high)][0]
                raise UserError(
                    f"the projections from {edge.sender.name!r} to {piece.node!r} add up to a "
                    f"weight of {wrong}; the tile holds {low}..{high} (weight_bits)")
        first += piece_groups(piece, tile.lanes) * tile.lanes
    return [(sender, np.array(sorted(levels)), np.stack([levels[d] for d in sorted(levels)], axis=1)
             ) for sender, levels in sums.items()]


def _pack(graph: Graph, pieces: Sequence[Piece], tile: TileConfig, groups: int, chains: _Chains,
          links: dict[Sender, Links], synapses: int, share: bool, limit: int) -> Table:
    steps, rows, count = chains.steps, chains.rows, len(chains.levels)
    owner = np.repeat(np.arange(count), chains.levels)
    level = np.arange(len(steps)) - np.repeat(np.cumsum(chains.levels) - chains.levels,
                                              chains.levels)
    edges = np.diff(np.pad(rows.any(axis=2), ((0, 0), (1, 1))).astype(np.int8), axis=1)
    which, start = np.nonzero(edges == 1)
    run = np.nonzero(edges == -1)[1] - start
    nothing = np.zeros(len(which), np.int64)
    exact = Segments.of([owner[which], level[which], nothing, start, run, nothing, nothing])
    chosen = exact if tile.weight_bits == 1 else merge_gaps(exact, limit)
    # Each level of each chain is a row of ``rows``; both are in the same order.
    which = (np.cumsum(chains.levels) - chains.levels)[chosen.sender] + chosen.source
    row, words = _rows(rows, which, chosen, share)
    if tile.weight_bits == 1:
        _refuse_zeros(graph, pieces, tile, rows[which], chosen)
    length = np.bincount(chosen.sender, minlength=count)
    entries = {"row": row, "group": chosen.first, "count": chosen.count - 1,
               **_ends(tile, chosen, steps, which)}
    return Table(groups, length, entries, words, links, int(chosen.count.sum()), synapses,
                 len(exact.first))


def _rows(rows: npt.NDArray[np.int32], which: Int, chosen: Segments, share: bool
          ) -> tuple[Int, npt.NDArray[np.int32]]:
    """First row of every segment, and the words of all rows."""
    found = np.cumsum(chosen.count) - chosen.count
    if not share:
        within = np.arange(chosen.count.sum()) - np.repeat(found, chosen.count)
        return found, rows[np.repeat(which, chosen.count),
                           np.repeat(chosen.first, chosen.count) + within]
    known: dict[bytes, int] = {}
    stored: list[npt.NDArray[np.int32]] = []
    used = 0
    for number in np.argsort(-chosen.count, kind="stable"):
        first, count = chosen.first[number], chosen.count[number]
        words = rows[which[number], first:first + count]
        key = words.tobytes()
        if key not in known:
            known[key] = used
            for a in range(count) if count <= _STRETCHES else ():
                for b in range(a + 1, count + 1):
                    known.setdefault(words[a:b].tobytes(), used + a)
            stored.append(words)
            found[number] = used
            used += int(count)
        else:
            found[number] = known[key]
    return found, np.concatenate(stored) if stored else rows[:0, 0]


def _ends(tile: TileConfig, chosen: Segments, steps: Int, which: Int) -> dict[str, Int]:
    """Fields of the axon word that say what follows a segment."""
    if not len(which):
        nothing = np.zeros(0, np.int64)
        return {"last": nothing, **{"none": {}, "ring": {"delay": nothing},
                                    "scdq": {"more": nothing, "skip": nothing}}[tile.delay]}
    next_chain = np.append(chosen.sender[1:] == chosen.sender[:-1], False)
    next_level = next_chain & np.append(which[1:] != which[:-1], False)
    if tile.delay != "scdq":
        last = {"last": (~next_chain).astype(np.int64)}
        return last | ({"delay": steps[which]} if tile.delay == "ring" else {})
    skip = np.append(steps[which[1:]] - steps[which[:-1]] - 1, 0)
    return {"last": (~next_chain | next_level).astype(np.int64),
            "more": next_level.astype(np.int64), "skip": np.where(next_level, skip, 0)}


def _refuse_zeros(graph: Graph, pieces: Sequence[Piece], tile: TileConfig,
                  rows: npt.NDArray[np.int32], chosen: Segments) -> None:
    first = 0
    for piece in pieces:
        size = piece_groups(piece, tile.lanes)
        held = np.arange(size * tile.lanes).reshape(size, tile.lanes) < len(piece.neurons)
        for row, begin, count in zip(rows, chosen.first, chosen.count, strict=True):
            low, high = max(begin, first), min(begin + count, first + size)
            if low < high and ((row[low:high] == 0) & held[low - first:high - first]).any():
                raise UserError(
                    f"{graph.network.name}: a projection to {piece.node!r} has a weight 0 between "
                    f"others, and {tile.name} stores only -1 and +1 (weight_bits = 1); "
                    "weight_bits = 2 would do")
        first += size
