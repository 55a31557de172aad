# SPDX-License-Identifier: Apache-2.0
"""Packing: axons, their segments and the words of synapses (docs/semantics.md, section 5)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..spec import IntegerNetwork, TileConfig, UserError
from .layout import Layout
from .parts import Part, parts

__all__ = ["Segments", "all_parts", "merge_gaps", "segments", "synapse_index", "synapse_words"]

Int = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Segments:
    """Runs of groups that the axons reach, axon by axon.

    Parameters
    ----------
    sender, source : ndarray of int, (segments,)
        Whose axon it is: number in ``Layout.senders``, line or neuron of that sender.
    part : ndarray of int, (segments,)
        Which of the sender's parts it holds.
    first, count : ndarray of int, (segments,)
        First group and number of groups.
    plastic, inhibitory : ndarray of bool, (segments,)
        Bits of a learning tile.
    """

    sender: Int
    source: Int
    part: Int
    first: Int
    count: Int
    plastic: npt.NDArray[np.bool_]
    inhibitory: npt.NDArray[np.bool_]

    @classmethod
    def none(cls) -> "Segments":
        """No segment at all."""
        return cls.of([np.zeros(0, np.int64)] * 7)

    @classmethod
    def of(cls, columns: list[Int]) -> "Segments":
        """Segments of these columns, in the order of the parameters."""
        sender, source, part, first, count, plastic, inhibitory = columns
        return cls(sender, source, part, first, count, plastic != 0, inhibitory != 0)

    @property
    def begins(self) -> npt.NDArray[np.bool_]:
        """Segments that are the first of their axon."""
        return np.concatenate([[True], ~self._same])[:len(self.first)]

    @property
    def ends(self) -> npt.NDArray[np.bool_]:
        """Segments that are the last of their axon."""
        return np.concatenate([~self._same, [True]])[-len(self.first):][:len(self.first)]

    @property
    def _same(self) -> npt.NDArray[np.bool_]:
        return (np.diff(self.sender) == 0) & (np.diff(self.source) == 0)

    @property
    def row(self) -> Int:
        """First row of synapses of each segment: the plastic ones come first."""
        order = np.argsort(~self.plastic, kind="stable")
        row = np.zeros(len(self.first), np.int64)
        row[order] = np.cumsum(self.count[order]) - self.count[order]
        return row

    @property
    def axons(self) -> int:
        """Lines and neurons that have synapses."""
        return int(self.begins.sum())

    @property
    def words(self) -> int:
        """Words of synapses."""
        return int(self.count.sum())

    @property
    def plastic_words(self) -> int:
        """Words of plastic synapses, which lie in the first rows."""
        return int(self.count[self.plastic].sum())


def all_parts(network: IntegerNetwork, layout: Layout, config: TileConfig) -> list[list[Part]]:
    """Parts of every sender of a layout.

    Raises
    ------
    UserError
        Projections between the same nodes add up to a weight that the tile cannot hold.
    """
    return [parts(sender, config, network.learning) for sender in layout.senders]


def segments(found: list[list[Part]]) -> Segments:
    """Exact segments: no word that is not needed."""
    columns: list[list[Int]] = [[np.zeros(0, np.int64)] for _ in range(7)]
    for sender, sender_parts in enumerate(found):
        for number, part in enumerate(sender_parts):
            edges = np.diff(np.pad(part.needed, ((0, 0), (1, 1))).astype(np.int8), axis=1)
            source, start = np.nonzero(edges == 1)
            end = np.nonzero(edges == -1)[1]
            same = np.ones(len(source), np.int64)
            for column, value in zip(columns, (
                    same * sender, source, same * number, part.first + start, end - start,
                    same * part.plastic, same * part.inhibitory), strict=True):
                column.append(value)
    whole = [np.concatenate(column) for column in columns]
    order = np.lexsort((whole[3], whole[2], whole[1], whole[0]))
    return Segments.of([column[order] for column in whole])


def merge_gaps(exact: Segments, limit: int) -> Segments:
    """At most ``limit`` segments by bridging the smallest gaps; more if axons are more.

    Plastic segments stay as they are: what lies in their gaps could learn.
    """
    excess = len(exact.first) - limit
    if excess <= 0:
        return exact
    same = ~exact.begins[1:] & (np.diff(exact.part) == 0) & ~exact.plastic[1:]
    gap = exact.first[1:] - (exact.first[:-1] + exact.count[:-1])
    order = np.argsort(np.where(same, gap, np.iinfo(np.int64).max), kind="stable")
    bridged = np.zeros(len(gap), np.bool_)
    bridged[order[:min(excess, int(same.sum()))]] = True
    begins, ends = np.concatenate([[True], ~bridged]), np.concatenate([~bridged, [True]])
    first = exact.first[begins]
    return Segments(exact.sender[begins], exact.source[begins], exact.part[begins], first,
                    (exact.first + exact.count)[ends] - first, exact.plastic[begins],
                    exact.inhibitory[begins])


def synapse_words(layout: Layout, config: TileConfig, found: list[list[Part]], chosen: Segments
                  ) -> npt.NDArray[np.uint64]:
    """Words of synapses (synapse_words, lanes) in the rows of the segments.

    Raises
    ------
    UserError
        A tile with weights of 1 bit, which are -1 and +1, would have to hold a 0.
    """
    memory = np.zeros((config.synapse_words, config.lanes), np.uint64)
    for sender, sender_parts in enumerate(found):
        for number, part in enumerate(sender_parts):
            source, group, row = _stored(chosen, sender, number)
            if not source.size:
                continue
            words = part.words[source, group - part.first]
            if config.weight_bits == 1:
                _refuse_zeros(layout, layout.senders[sender].name, words, group, config)
                memory[row] = words > 0
            else:
                memory[row] = words.astype(np.uint64) & np.uint64((1 << config.weight_bits) - 1)
    return memory


def synapse_index(layout: Layout, config: TileConfig, found: list[list[Part]], chosen: Segments
                  ) -> dict[str, Int]:
    """Where the synapses of plastic projections lie; see ``Program.synapse_index``."""
    index: dict[str, Int] = {}
    for sender, item in enumerate(layout.senders):
        if not item.plastic:
            continue
        rows = np.full((2, item.size, layout.groups), -1)
        for number, part in enumerate(found[sender]):
            if part.plastic:
                source, group, row = _stored(chosen, sender, number)
                rows[int(part.inhibitory), source, group] = row
        for node, projection in item.plastic:
            assert projection.synapses is not None
            sign = projection.synapses.inhibitory.astype(np.int64)
            row = rows[sign[None, :], np.arange(item.size)[None, :],
                       (node.neuron // config.lanes)[:, None]]
            lane = (node.neuron % config.lanes)[:, None]
            index[projection.name] = np.where(row < 0, -1, row * config.lanes + lane)
    return index


def _stored(chosen: Segments, sender: int, part: int) -> tuple[Int, Int, Int]:
    """Source, group and row of every word of one part of a sender."""
    mine = (chosen.sender == sender) & (chosen.part == part)
    count = chosen.count[mine]
    step = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return (np.repeat(chosen.source[mine], count), np.repeat(chosen.first[mine], count) + step,
            np.repeat(chosen.row[mine], count) + step)


def _refuse_zeros(layout: Layout, sender: str, words: Int, group: Int,
                  config: TileConfig) -> None:
    owner = np.full(layout.groups * config.lanes, -1)
    for number, node in enumerate(layout.nodes):
        owner[node.neuron] = number
    target = owner.reshape(-1, config.lanes)[group]
    wrong = (words == 0) & (target >= 0)
    if wrong.any():
        name = layout.nodes[target[wrong][0]].population.name
        raise UserError(
            f"the projection from {sender!r} to {name!r} has a weight 0 between others, and "
            f"{config.name} stores only -1 and +1 (weight_bits = 1); weight_bits = 2 would do")
