# SPDX-License-Identifier: Apache-2.0
"""What a program takes of its mesh, read off the memory images."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...spec import MeshProgram
from ...spec.formats import axon_word
from ...spec.mesh_config import fanout_word
from ..occupancy import Use

__all__ = ["RESOURCES", "MeshReport", "TileUse", "mesh_report"]

Int = npt.NDArray[np.int64]

RESOURCES = (("neurons", "neurons"), ("axon entries", "axons"),
             ("synapse words", "synapse_words"), ("route entries", "routes"))
"""What a tile has a number of: how it is called, and the field of :class:`TileUse`."""


@dataclass(frozen=True)
class TileUse:
    """What one tile has in use.

    Parameters
    ----------
    neurons, axons, synapse_words, routes : Use
        Entries in use, of those of the tile.
    weights : Use
        Weights that are not 0, of those in the words in use.
    populations : dict of str to int
        Neurons of each population of the network on the tile.
    """

    neurons: Use
    axons: Use
    synapse_words: Use
    routes: Use
    weights: Use
    populations: dict[str, int]


@dataclass(frozen=True)
class MeshReport:
    """What a program takes of its mesh.

    Parameters
    ----------
    tiles : tuple of TileUse
        Every tile of the mesh, row by row.
    used : Use
        Tiles with neurons.
    synapses : int
        Weights of the network that are not 0.
    stored : Use
        Weights that are not 0, of all that the synapse memories of the used tiles could hold.
    relays : int
        Neurons that only delay spikes.
    drain : int
        Tile steps after the last model step.
    """

    tiles: tuple[TileUse, ...]
    used: Use
    synapses: int
    stored: Use
    relays: int
    drain: int

    def total(self, resource: str) -> Use:
        """All that the used tiles have of one of ``RESOURCES``."""
        mine: list[Use] = [getattr(tile, resource) for tile in self.tiles if tile.neurons.used]
        return Use(sum(use.used for use in mine), sum(use.available for use in mine))

    def fullest(self, resource: str) -> Use:
        """The tile that has most of one of ``RESOURCES`` in use."""
        found: list[Use] = [getattr(tile, resource) for tile in self.tiles]
        return max(found, key=lambda use: use.used)

    @property
    def words(self) -> Use:
        """Synapse words in use, of those of the used tiles."""
        return self.total("synapse_words")

    @property
    def weights(self) -> Use:
        """Weights that are not 0, of those in the words in use."""
        return Use(sum(tile.weights.used for tile in self.tiles),
                   sum(tile.weights.available for tile in self.tiles))


def mesh_report(program: MeshProgram) -> MeshReport:
    """Report on a program that the mapper of meshes made."""
    config, tile = program.config, program.tile
    owners = [np.full(tile.neurons, -1) for _ in range(config.tiles)]
    names = list(program.placement)
    for number, name in enumerate(names):
        there, neuron = np.divmod(program.neurons_of(name), tile.neurons)
        for t in np.unique(there):
            owners[t][neuron[there == t]] = number
    found, relays = [], 0
    for number, memory in enumerate(program.memories):
        fanout = fanout_word(config).unpack(memory["fanout"][:, 0])
        relay = (fanout["any"] != 0) & (owners[number] < 0)
        relays += int(relay.sum())
        axon = axon_word(tile).unpack(memory["axon"][:, 0])
        reached = _reached(axon, memory["synapse"])
        words = _rows_of(axon, reached, tile.synapse_words)
        weights = memory["synapse"][words]
        routes = int(np.count_nonzero(memory["route"]))
        if routes:  # entries are filled from 0; one of zeros is a packet to tile 0, axon 0
            routes = int(np.flatnonzero(memory["route"][:, 0])[-1]) + 1
        placed = owners[number] >= 0
        found.append(TileUse(
            Use(int((placed | relay).sum()), tile.neurons), Use(int(reached.sum()), tile.axons),
            Use(int(words.sum()), tile.synapse_words), Use(routes, config.routes),
            Use(int(np.count_nonzero(weights)) if tile.weight_bits > 1 else weights.size,
                weights.size),
            {names[k]: int((owners[number] == k).sum()) for k in np.unique(owners[number][placed])}
        ))
    used = [t for t in found if t.neurons.used]
    synapses = sum(int(np.count_nonzero(e.weights)) for e in program.network.projections)
    return MeshReport(
        tuple(found), Use(len(used), config.tiles), synapses,
        Use(sum(t.weights.used for t in found),
            max(1, len(used)) * tile.synapse_words * tile.lanes), relays, program.drain)


def _reached(axon: dict[str, Int], synapse: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Entries of the axon table that belong to chains; unused ones are single segments of row 0."""
    unused = (axon["last"] == 1) & (axon["row"] == 0) & (axon["group"] == 0) & (axon["count"] == 0)
    for name in ("more", "skip", "delay"):
        if name in axon:
            unused &= axon[name] == 0
    # The mapper fills the table from 0; a first chain may look like an unused entry.
    last = np.flatnonzero(~unused)
    end = int(last[-1]) + 1 if last.size else int(synapse[0].any())
    return np.arange(len(unused)) < end


def _rows_of(axon: dict[str, Int], entries: npt.NDArray[np.bool_], rows: int
             ) -> npt.NDArray[np.bool_]:
    used = np.zeros(rows, np.bool_)
    for row, count in set(zip(axon["row"][entries].tolist(), axon["count"][entries].tolist(),
                              strict=True)):
        used[row:row + count + 1] = True
    return used
