# SPDX-License-Identifier: Apache-2.0
"""How much of a tile a program uses, for people."""

from dataclasses import dataclass

import numpy as np

from ..spec import Placement, Program
from ..spec.formats import axon_word, route_word

__all__ = ["MappingReport", "Use", "mapping_report"]


@dataclass(frozen=True)
class Use:
    """Part of a resource that is in use."""

    used: int
    available: int

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.used / self.available


@dataclass(frozen=True)
class MappingReport:
    """What a program takes of its tile.

    Parameters
    ----------
    tile : str
        Name of the configuration.
    neurons : Use
        Neurons that stand for one of the network or are relays.
    groups : Use
        Groups that are updated, of those of the tile.
    axons : Use
        Entries of the axon table.
    synapse_words : Use
        Words of ``lanes`` weights.
    synapses : Use
        Weights of the network that are not 0, of the weights in the words in use.
    relays : int
        Neurons that only delay spikes.
    own_spikes : int
        Most spikes that can enter the event queue in one update; above ``queue_depth`` some may be
        dropped.
    queue_depth : int
        Entries of the event queue.
    placement : dict of str to Placement
        Place of every population.
    """

    tile: str
    neurons: Use
    groups: Use
    axons: Use
    synapse_words: Use
    synapses: Use
    relays: int
    own_spikes: int
    queue_depth: int
    placement: dict[str, Placement]

    @property
    def drain(self) -> int:
        """Tile steps after the last model step."""
        return max(place.offset for place in self.placement.values())


def mapping_report(program: Program) -> MappingReport:
    """Report on a program that :func:`neurotile.models.map.map_network` made."""
    config, network = program.config, program.network
    # The mapper fills the axon table from 0 and without holes; the word 0 is not the last of an
    # axon, so another one follows it.
    entries = np.flatnonzero(program.memories["axon"][:, 0])
    axons = int(entries[-1]) + 1 if entries.size else 0
    descriptor = axon_word(config).unpack(program.memories["axon"][:axons, 0])
    words = int((descriptor["count"] + 1).sum())
    local = route_word(config).unpack(program.memories["route"][:, 0])["local"]
    placed = np.zeros(config.neurons, np.bool_)
    for place in program.placement.values():
        placed[place.first:place.first + place.size] = True
    relays = int(local[~placed].sum())
    synapses = sum(int(np.count_nonzero(e.weights)) for e in network.projections) + relays
    return MappingReport(
        tile=config.name,
        neurons=Use(int(placed.sum()) + relays, config.neurons),
        groups=Use(program.groups, config.groups),
        axons=Use(axons, config.axons),
        synapse_words=Use(words, config.synapse_words),
        synapses=Use(synapses, max(words * config.lanes, 1)),
        relays=relays, own_spikes=int(local.sum()), queue_depth=config.queue_depth,
        placement=dict(program.placement))
