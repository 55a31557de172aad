# SPDX-License-Identifier: Apache-2.0
"""Parts: what an axon's segments hold, by kind of synapse (docs/semantics.md, sections 5 and 9)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..spec import Sdsp, TileConfig, UserError
from ..spec.event_formats import sdsp_synapse_word
from .layout import Sender

__all__ = ["Part", "parts"]

Int = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

_TOP_WEIGHT = 7


@dataclass(frozen=True, eq=False)
class Part:
    """Synapses of a sender that lie in segments of one kind.

    Parameters
    ----------
    first : int
        First group.
    words : ndarray of int, (size, groups, lanes)
        Stored words from the first group on; signed weights where the tile has these.
    needed : ndarray of bool, (size, groups)
        Words that must be stored.
    most, least : ndarray of int, (groups, lanes)
        Bounds of what all its sources together add to a neuron.
    plastic, inhibitory : bool
        Bits of its segments.
    """

    first: int
    words: Int
    needed: Bool
    most: Int
    least: Int
    plastic: bool = False
    inhibitory: bool = False


def parts(sender: Sender, config: TileConfig, rule: Sdsp | None) -> list[Part]:
    """All parts of a sender; one, where the tile has signed weights.

    Raises
    ------
    UserError
        Projections between the same nodes add up to a weight that the tile cannot hold.
    """
    first, weights = _dense(sender, config)
    if not config.learns:
        needed: Bool = np.any(weights != 0, axis=2)
        return [Part(first, weights, needed, np.maximum(weights, 0).sum(axis=0),
                     np.minimum(weights, 0).sum(axis=0))]
    found = []
    for inhibitory in (False, True):
        found.append(_plastic(sender, config, rule or Sdsp(), inhibitory))
    for inhibitory in (False, True):
        there = weights < 0 if inhibitory else weights > 0
        magnitude = np.abs(weights) * there
        found.append(_part(first, magnitude, there, there, magnitude.sum(axis=0),
                           plastic=False, inhibitory=inhibitory))
    return found


def _dense(sender: Sender, config: TileConfig) -> tuple[int, Int]:
    """First group that the fixed weights reach, and these (size, groups, lanes) from there on."""
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


def _plastic(sender: Sender, config: TileConfig, rule: Sdsp, inhibitory: bool) -> Part:
    lanes = config.lanes
    neurons = max((int(node.neuron[-1]) + 1 for node, _ in sender.plastic), default=0)
    shape = (sender.size, -(-neurons // lanes), lanes)
    magnitude, mapped = np.zeros(shape, np.int64), np.zeros(shape, np.bool_)
    there = np.zeros(shape, np.bool_)
    for node, projection in sender.plastic:
        synapses = projection.synapses
        assert synapses is not None
        source = np.flatnonzero(synapses.inhibitory == inhibitory)
        place = np.ix_(source, node.neuron)
        for array, value in ((magnitude, np.abs(projection.weights)), (mapped, synapses.mapped)):
            array.reshape(sender.size, -1)[place] = value.T[source]
        # A synapse without mapping bit is stored if it has a weight, may get one or may count.
        counts = rule.update_unmapped or rule.propagate_unmapped
        there.reshape(sender.size, -1)[place] = (
            (synapses.mapped | (projection.weights != 0) | counts).T[source])
    return _part(0, magnitude, mapped, there, _TOP_WEIGHT * there.sum(axis=0),
                 plastic=True, inhibitory=inhibitory)


def _part(first: int, magnitude: Int, mapped: Bool, there: Bool, most: Int, *, plastic: bool,
          inhibitory: bool) -> Part:
    words = sdsp_synapse_word().pack({"weight": magnitude, "mapped": mapped}).astype(np.int64)
    nothing = np.zeros_like(most)
    needed: Bool = np.any(there, axis=2)
    return Part(first, words, needed, nothing if inhibitory else most,
                -most if inhibitory else nothing, plastic, inhibitory)
