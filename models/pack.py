# SPDX-License-Identifier: Apache-2.0
"""Packing: axons, their segments and the words of synapses (docs/semantics.md, section 5)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..spec import TileConfig, UserError
from .layout import Layout, Sender

__all__ = ["Segments", "block", "merge_gaps", "segments", "synapse_words"]

Int = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Segments:
    """Runs of groups that the axons reach, axon by axon.

    Parameters
    ----------
    sender, source : ndarray of int, (segments,)
        Whose axon it is: number in ``Layout.senders``, line or neuron of that sender.
    first, count : ndarray of int, (segments,)
        First group and number of groups.
    """

    sender: Int
    source: Int
    first: Int
    count: Int

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
    def axons(self) -> int:
        """Lines and neurons that have synapses."""
        return int(self.begins.sum())

    @property
    def words(self) -> int:
        """Words of synapses."""
        return int(self.count.sum())


def block(sender: Sender, config: TileConfig) -> tuple[int, Int]:
    """First group that a sender reaches, and its weights (size, groups, lanes) from there on.

    Raises
    ------
    UserError
        Projections between the same nodes add up to a weight that the tile cannot hold.
    """
    lanes = config.lanes
    if not sender.weights:
        return 0, np.zeros((sender.size, 0, lanes), np.int64)
    first = min(int(node.neuron[0]) for node, _ in sender.weights) // lanes
    last = max(int(node.neuron[-1]) for node, _ in sender.weights) // lanes
    dense = np.zeros((sender.size, (last - first + 1) * lanes), np.int64)
    low, high = config.weight_limits
    for node, weights in sender.weights:
        columns = node.neuron - first * lanes
        dense[:, columns] += weights.T
        sums = dense[:, columns]
        wrong = (sums < low) | (sums > high)
        if wrong.any():
            raise UserError(
                f"the projections from {sender.name!r} to {node.population.name!r} add up to a "
                f"weight of {sums[wrong][0]}; the tile holds {low}..{high} (weight_bits)")
    return first, dense.reshape(sender.size, -1, lanes)


def segments(layout: Layout, config: TileConfig) -> Segments:
    """Exact segments: no word without a weight that is not zero."""
    found = []
    for number, sender in enumerate(layout.senders):
        group, weights = block(sender, config)
        touched = np.pad((weights != 0).any(axis=2), ((0, 0), (1, 1))).astype(np.int8)
        edges = np.diff(touched, axis=1)
        source, start = np.nonzero(edges == 1)
        end = np.nonzero(edges == -1)[1]
        found.append((np.full(len(source), number), source, group + start, end - start))
    columns = zip(*found, strict=True) if found else [[np.zeros(0, np.int64)]] * 4
    return Segments(*(np.concatenate(column) for column in columns))


def merge_gaps(exact: Segments, limit: int) -> Segments:
    """At most ``limit`` segments by bridging the smallest gaps; more if axons are more."""
    excess = len(exact.first) - limit
    if excess <= 0:
        return exact
    same = ~exact.begins[1:]
    gap = exact.first[1:] - (exact.first[:-1] + exact.count[:-1])
    order = np.argsort(np.where(same, gap, np.iinfo(np.int64).max), kind="stable")
    bridged = np.zeros(len(gap), np.bool_)
    bridged[order[:min(excess, int(same.sum()))]] = True
    begins, ends = np.concatenate([[True], ~bridged]), np.concatenate([~bridged, [True]])
    first = exact.first[begins]
    return Segments(exact.sender[begins], exact.source[begins], first,
                    (exact.first + exact.count)[ends] - first)


def synapse_words(layout: Layout, config: TileConfig, chosen: Segments
                  ) -> npt.NDArray[np.uint64]:
    """Words of synapses (synapse_words, lanes), segment after segment from row 0.

    Raises
    ------
    UserError
        A tile with weights of 1 bit, which are -1 and +1, would have to hold a 0.
    """
    memory = np.zeros((config.synapse_words, config.lanes), np.uint64)
    stop = np.cumsum(chosen.count)
    for number, sender in enumerate(layout.senders):
        mine = chosen.sender == number
        if not mine.any():
            continue
        group, weights = block(sender, config)
        count, first = chosen.count[mine], chosen.first[mine]
        source = np.repeat(chosen.source[mine], count)
        step = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        words = weights[source, np.repeat(first, count) - group + step]
        row = np.repeat(stop[mine] - count, count) + step
        if config.weight_bits == 1:
            _refuse_zeros(layout, sender, words, np.repeat(first, count) + step, config)
            memory[row] = words > 0
        else:
            memory[row] = words.astype(np.uint64) & np.uint64((1 << config.weight_bits) - 1)
    return memory


def _refuse_zeros(layout: Layout, sender: Sender, words: Int, group: Int,
                  config: TileConfig) -> None:
    owner = np.full(layout.groups * config.lanes, -1)
    for number, node in enumerate(layout.nodes):
        owner[node.neuron] = number
    target = owner.reshape(-1, config.lanes)[group]
    wrong = (words == 0) & (target >= 0)
    if wrong.any():
        name = layout.nodes[target[wrong][0]].population.name
        raise UserError(
            f"the projection from {sender.name!r} to {name!r} has a weight 0 between others, and "
            f"{config.name} stores only -1 and +1 (weight_bits = 1); weight_bits = 2 would do")
