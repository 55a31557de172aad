# SPDX-License-Identifier: Apache-2.0
"""What a program takes of its mesh, read off the memory images, and the traffic it makes."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...spec import MeshProgram
from ...spec.formats import axon_word
from ...spec.mesh_config import fanout_word, mesh_route_word, packet_word, tree_word
from ..occupancy import Use
from .plan import Rates

__all__ = ["LINKS", "MeshReport", "TileUse", "link_traffic", "mesh_report"]

Floats = npt.NDArray[np.float64]
Int = npt.NDArray[np.int64]

LINKS = ("north", "east", "south", "west", "local")
"""Outputs of a router; ``west`` of column 0 is the host port, ``local`` the tile's queue."""


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

    @property
    def words(self) -> Use:
        """Synapse words in use, of those of the used tiles."""
        mine = [tile.synapse_words for tile in self.tiles if tile.neurons.used]
        return Use(sum(use.used for use in mine), sum(use.available for use in mine))

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


def link_traffic(program: MeshProgram, rates: Rates | None = None) -> Floats:
    """Packets per step on every output of every router, (tiles, 5), in the order of ``LINKS``.

    Parameters
    ----------
    rates : Rates, optional
        Spikes per step of lines and neurons; without them each spikes in every step.
    """
    config, network = program.config, program.network
    load = np.zeros((config.tiles, len(LINKS)))
    trees = [tree_word(config).unpack(memory["tree"][:, 0]) for memory in program.memories
             ] if config.multicast else []

    def rate_of(name: str, size: int) -> Floats:
        return np.ones(size) if rates is None or name not in rates else np.asarray(rates[name])

    lines = np.concatenate([rate_of(p.name, p.size) for p in network.inputs])
    counts = np.diff(program.input_start)
    word = packet_word(config).unpack(program.input_word)
    _spread(program, trees, load, program.input_row.astype(np.int64) * config.cols,
            word["target"], np.zeros(len(counts.repeat(counts)), np.int64),
            np.repeat(lines, counts))
    spiking = np.zeros(program.neurons)
    relays = np.ones(program.neurons, np.bool_)
    for p in network.populations:
        relays[program.neurons_of(p.name)] = False
        spiking[program.neurons_of(p.name)] = rate_of(p.name, p.size) if p.spikes else 0.0
    spiking[relays] = 1.0 if rates is None else float(spiking[~relays].mean())
    for tile, memory in enumerate(program.memories):
        fanout = fanout_word(config).unpack(memory["fanout"][:, 0])
        route = mesh_route_word(config).unpack(memory["route"][:, 0])
        ends = np.flatnonzero(route["last"])
        for neuron in np.flatnonzero(fanout["any"]):
            first = int(fanout["first"][neuron])
            stop = int(ends[np.searchsorted(ends, first)]) + 1
            span = slice(first, stop)
            count = stop - first
            _spread(program, trees, load, np.full(count, tile), route["target"][span],
                    route["host"][span],
                    np.full(count, spiking[tile * config.tile.neurons + neuron]))
    return load


def _spread(program: MeshProgram, trees: list[dict[str, Int]], load: Floats, origin: Int,
            target: Int, host: Int, rate: Floats) -> None:
    """Add packets to the links that they take, a hop of all of them at a time."""
    config = program.config
    at = origin
    shift = np.array([-config.cols, 1, config.cols, -1])
    for _ in range(config.rows + config.cols + 1):
        if not at.size:
            return
        x, y = at % config.cols, at // config.cols
        to_x, to_y = target & (1 << config.x_bits) - 1, target >> config.x_bits
        if config.multicast:
            ports = np.array([int(trees[a]["ports"][t % config.trees])
                              for a, t in zip(at, target, strict=True)])
            ports = np.where(host != 0, 1 << 3, ports)
        else:
            ports = 1 << np.select([host != 0, to_x > x, to_x < x, to_y > y, to_y < y],
                                   [3, 1, 3, 2, 0], 4)
        following = []
        for port in range(5):
            mine = (ports >> port & 1) != 0
            np.add.at(load[:, port], at[mine], rate[mine])
            if port < 4:
                leaves = mine & ~((port == 3) & (x == 0))
                following.append((at[leaves] + shift[port], target[leaves], host[leaves],
                                  rate[leaves]))
        at, target, host = (np.concatenate([part[k] for part in following]) for k in range(3))
        rate = np.concatenate([part[3] for part in following])
