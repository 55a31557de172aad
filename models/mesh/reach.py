# SPDX-License-Identifier: Apache-2.0
"""Which neurons hear the same sources, so that they are put on one tile."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .graph import Graph

__all__ = ["Reach"]

Int = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_ALIKE = 0.75  # of the likeness of neurons to their nearest: then they are of one kind
_WITHIN = 0.9  # of a neuron's sources that lie in the patch of a kind: then it is of this kind
_SIZE = 0.72
_BLOCK = 256
_MOST = 1 << 14  # kinds that are compared pair by pair


@dataclass(frozen=True, eq=False)
class Reach:
    """Kinds of neurons with about the same sources, as the channels of a pixel have.

    Parameters
    ----------
    kind : ndarray of int64, (size,)
        Kind of every neuron, in the order of their first ones.
    common : ndarray of float32, (kinds, kinds)
        Sources that two kinds have in common.
    """

    kind: Int
    common: Floats

    @classmethod
    def of(cls, graph: Graph, name: str) -> "Reach":
        """Kinds of the neurons of a node."""
        found: dict[str, npt.NDArray[np.bool_]] = {}
        for edge in graph.into(name):
            there, key = edge.weights != 0, edge.sender.name
            found[key] = found[key] | there if key in found else there
        size = graph.nodes[name].population.size
        whole = np.concatenate(list(found.values()), axis=1) if found else np.ones((size, 1), bool)
        # Sources that reach the same neurons, as those of a pooled pixel do, count once.
        _, once = np.unique(np.packbits(whole, axis=0).T, axis=0, return_index=True)
        sources = whole[:, np.sort(once)].astype(np.float32)
        kind, first = _kinds(sources)
        if len(first) > _MOST:
            return cls(np.arange(size), np.zeros((0, 0), np.float32))
        heard = sources[first]
        return cls(kind, heard @ heard.T)

    def grown(self, left: Int, most: int) -> Int:
        """Up to ``most`` neurons of ``left`` that share sources, and share few with the others.

        Begins at a corner and adds the kind that has most in common with those taken and least with
        those that stay, so that pieces are compact and leave no islands.
        """
        if left.size <= most or not self.common.size:
            return left[:most]
        kinds = np.unique(self.kind[left])
        by_kind = left[np.argsort(self.kind[left], kind="stable")]
        weight = np.bincount(self.kind[left])[kinds]
        members = np.split(by_kind, np.cumsum(weight)[:-1])
        common = self.common[np.ix_(kinds, kinds)]
        score = -(common @ weight.astype(np.float32))
        free, taken, count = np.ones(len(kinds), np.bool_), [], 0
        chosen = int(np.argmax(score))
        while True:
            free[chosen] = False
            taken.append(members[chosen])
            count += len(members[chosen])
            if count >= most or not free.any():
                return np.concatenate(taken)[:most]
            score += 2 * common[:, chosen] * weight[chosen]
            chosen = int(np.argmax(np.where(free, score, -np.inf)))

    def ordered(self, neurons: Int) -> Int:
        """Neurons such that those of one kind are neighbours, else ascending."""
        return neurons[np.lexsort((neurons, self.kind[neurons]))]


def _kinds(sources: Floats) -> tuple[Int, Int]:
    """Kind of every neuron and first neuron of every kind, of sources (neurons, sources)."""
    size = sources.sum(axis=1)
    least = _ALIKE * _nearest(sources, size)
    kind = np.full(len(sources), -1)
    first: list[int] = []
    while (left := np.flatnonzero(kind < 0)).size:
        # Leaders are tried a block at a time; of two alike the earlier one leads.
        block = left[:_BLOCK]
        shared = sources[left] @ sources[block].T
        alike = shared >= least * (size[left][:, None] + size[block] - shared)
        for column, leader in enumerate(block):
            if kind[leader] < 0:
                free = left[kind[left] < 0]
                mine = left[alike[:, column] & (kind[left] < 0)]
                # Weights of 0 are missing at random; together those alike show the whole patch.
                patch = np.flatnonzero(sources[mine].any(axis=0))
                within = sources[np.ix_(free, patch)].sum(axis=1) >= _WITHIN * size[free]
                within &= size[free] >= _SIZE * size[mine].mean()  # the border has smaller patches
                kind[free[within]] = kind[mine] = kind[leader] = len(first)
                first.append(int(leader))
    return kind, np.array(first, np.int64)


def _nearest(sources: Floats, size: Floats) -> float:
    """Likeness of a neuron to the one most like it: sources of both among those of either.

    Median over some neurons. Weights that were rounded to 0 make the channels of a pixel less
    alike, and by how much differs from layer to layer.
    """
    some = np.unique(np.linspace(0, len(sources) - 1, _BLOCK).astype(np.int64))
    shared = sources[some] @ sources.T
    likeness = shared / np.maximum(size[some][:, None] + size - shared, 1)
    likeness[np.arange(len(some)), some] = 0
    return float(np.median(likeness.max(axis=1)))
