# SPDX-License-Identifier: Apache-2.0
"""Weights of a network, by projection: as given, and as a tile's memories hold them."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from .spec import IntegerNetwork, Program, projection_names
from .spec.event_formats import sdsp_synapse_word
from .spec.formats import axon_word, route_word
from .spec.learning import learning_switches_word

__all__ = ["delivered_weights", "network_weights", "projection_keys", "stored_weights"]

Int = npt.NDArray[np.int64]


def projection_keys(network: IntegerNetwork) -> list[str]:
    """Names of the projections of ``network``, which are the keys of its weights."""
    return projection_names(network.projections)


def network_weights(network: IntegerNetwork) -> dict[str, Int]:
    """Weights (targets, sources) by projection."""
    found: dict[str, Int] = {}
    for key, e in zip(projection_keys(network), network.projections, strict=True):
        # Two projections with the same ends and delay act as their sum.
        found[key] = found.get(key, 0) + e.weights.astype(np.int64)
    return found


def delivered_weights(network: IntegerNetwork, learnt: Mapping[str, Int]) -> dict[str, Int]:
    """Weights (targets, sources) that a spike adds, with what plastic projections have learnt."""
    found = network_weights(network)
    for e in network.projections:
        if e.synapses is not None and network.learning is not None:
            delivers = e.synapses.mapped | network.learning.propagate_unmapped
            found[e.name] = np.where(delivers, learnt.get(e.name, e.weights), 0).astype(np.int64)
    return found


def stored_weights(program: Program, synapse: Int) -> dict[str, Int]:
    """Weights (targets, sources) that a spike of each source really adds, by projection.

    Follows input lines, routes, relay neurons and axon segments through the memory images, so
    that a wrong table shows as a wrong weight.

    Parameters
    ----------
    program : Program
        Tables of the tile.
    synapse : ndarray of int, (synapse_words, lanes)
        Bit patterns in the synapse memory.
    """
    network, reader = program.network, _Reader(program, synapse)
    keys = dict(zip(projection_keys(network), network.projections, strict=True))
    found = {key: np.zeros(e.weights.shape, np.int64) for key, e in keys.items()}
    first_line, line = {}, 0
    for port in network.inputs:
        first_line[port.name] = line
        line += port.size
    for source, size in network.sizes.items():
        mine = {key: e for key, e in keys.items() if e.source == source}
        for number in range(size) if mine else ():
            if source in first_line:
                arrived = reader.from_line(first_line[source] + number)
            else:
                place = program.placement[source]
                arrived = reader.from_neuron(place.first + number, place.offset + 1)
            for key, e in mine.items():
                target = program.placement[e.target]
                row = arrived.get(e.delay + target.offset)
                if row is not None:
                    found[key][:, number] = row[target.first:target.first + target.size]
    return found


class _Reader:
    """Walks axon and route tables; a walk gives the weights added by (step, neuron)."""

    def __init__(self, program: Program, synapse: Int) -> None:
        config = program.config
        self.config, self.program = config, program
        self.axons = axon_word(config).unpack(program.memories["axon"][:, 0])
        self.routes = route_word(config).unpack(program.memories["route"][:, 0])
        bits = np.asarray(synapse, np.int64) & (1 << config.weight_bits) - 1
        if config.learns:
            fields, switches = sdsp_synapse_word().unpack(bits), program.learning
            every = switches is not None and learning_switches_word().unpack(
                switches.switches)["propagate_unmapped"]
            self.values = fields["weight"] * (fields["mapped"] | every)
        elif config.weight_bits == 1:
            self.values = 2 * bits - 1
        else:
            self.values = np.where(bits >> config.weight_bits - 1, bits - (1 << config.weight_bits),
                                   bits)
        self.mapped = np.zeros(config.neurons, bool)
        for place in program.placement.values():
            self.mapped[place.first:place.first + place.size] = True

    def from_line(self, line: int) -> dict[int, Int]:
        start, end = self.program.input_start[line:line + 2]
        total: dict[int, Int] = {}
        for axon, delay in zip(self.program.input_axon[start:end],
                               self.program.input_delay[start:end], strict=True):
            self._add(total, int(axon), int(delay))
        return total

    def from_neuron(self, neuron: int, step: int) -> dict[int, Int]:
        total: dict[int, Int] = {}
        if self.routes["local"][neuron]:
            self._add(total, int(self.routes["axon"][neuron]), step)
        return total

    def _add(self, total: dict[int, Int], axon: int, step: int) -> None:
        """Add what an event of ``axon`` in tile step ``step`` does, through relays as well."""
        config = self.config
        row = total.setdefault(step, np.zeros(config.neurons, np.int64)).reshape(-1, config.lanes)
        relays = set()
        for _ in range(config.axons):
            count = int(self.axons["count"][axon]) + 1
            rows = (self.axons["row"][axon] + np.arange(count)) % config.synapse_words
            groups = (self.axons["group"][axon] + np.arange(count)) % config.groups
            values = self.values[rows]
            if config.learns and self.axons["inhibitory"][axon]:
                values = -values
            np.add.at(row, groups, values)
            reached = groups[:, None] * config.lanes + np.arange(config.lanes)
            relays |= set(reached[(values > 0) & ~self.mapped[reached]].tolist())
            if self.axons["last"][axon]:
                break
            axon = (axon + 1) % config.axons
        for relay in sorted(relays):
            if self.routes["local"][relay] and step < 1 << config.offset_bits + 1:
                self._add(total, int(self.routes["axon"][relay]), step + 1)
