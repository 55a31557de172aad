# SPDX-License-Identifier: Apache-2.0
"""A mapping to a mesh that is decided, whether or not the mesh has room for it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...spec import MeshConfig, UserError
from .cut import TilePlan, cut
from .fill import route_entries
from .graph import Graph
from .place import Traffic, place
from .routes import Location, Routing, route
from .table import piece_groups

__all__ = ["Plan", "Rates", "plan_mesh", "shape_for", "traffic_of"]

Int = npt.NDArray[np.int64]
Rates = Mapping[str, npt.NDArray[np.float64]]
"""Spikes per step of the lines of each input port and the neurons of each population."""

_TRIES, _LARGEST = 12, 256


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything but the words of the memories.

    Parameters
    ----------
    config : MeshConfig
        The mesh it is planned for; ``rows`` and ``cols`` hold all tiles of the plan.
    tiles : list of TilePlan
        Tiles in use.
    where : ndarray of int64
        Number on the mesh of each of them.
    locations : dict of str to Location
        Place of the neurons of every node.
    routing : Routing
        Packets, axon addresses, trees.
    entries : list of dict
        Per tile of the mesh the columns of its route table.
    """

    config: MeshConfig
    graph: Graph
    tiles: list[TilePlan]
    where: Int
    locations: dict[str, Location]
    routing: Routing
    entries: list[dict[str, Int]]


def plan_mesh(graph: Graph, config: MeshConfig, *, share: bool, groups: int | None,
              rates: Rates | None, grow: bool, shaped: bool = True) -> Plan:
    """Cut, place and route.

    Parameters
    ----------
    share : bool
        See :func:`~neurotile.models.mesh.table.table_of`.
    groups : int, optional
        Most groups of a tile to use; more where the mesh has too few tiles for that.
    rates : Rates, optional
        What the placement weighs packets with; without them every source counts the same.
    grow : bool
        Route tables are as large as needed; else fewer neurons are put on a tile until its table
        suffices, if that is possible.
    shaped : bool
        The mesh has its size; else the smallest is taken that holds all tiles.

    Raises
    ------
    UserError
        A single neuron does not fit a tile, or more tiles are needed than a mesh can have.
    """
    most, limit = groups or config.tile.groups, config.tile.axons
    first = None
    for _ in range(_TRIES):
        tiles = cut(graph, config.tile, share=share, groups=most, limit=limit)
        while groups and not first and len(tiles) > config.tiles and most < config.tile.groups:
            # Pieces are not divided to fill gaps, so that even tiles may not hold all of them.
            most = min(config.tile.groups, max(most + 1, most * 9 // 8))
            tiles = cut(graph, config.tile, share=share, groups=most, limit=limit)
        fitted = _fitted(config, len(tiles), shaped, graph)
        plan = _arrange(graph, fitted, tiles, rates)
        padded = max(plan.routing.entries)
        routes = max(len(entries["neuron"]) for entries in plan.entries)
        if padded > config.tile.axons and limit > 1:
            # Slots of trees are as long as the longest chain, so that less room is left for chains.
            limit = max(1, min(limit - 1, limit * config.tile.axons // padded))
        elif routes > config.routes and not grow and most > 1 and len(tiles) <= config.tiles:
            first = first or plan
            most = max(1, min(most - 1, most * config.routes // routes))
        else:
            break
    # Fewer neurons per tile did not help: what is missing is what was missing before.
    return first if first and (len(tiles) > config.tiles or routes > config.routes) else plan


def _fitted(config: MeshConfig, tiles: int, shaped: bool, graph: Graph) -> MeshConfig:
    """The mesh; a larger one where it is too small: by how much is said when all is known."""
    if tiles > _LARGEST:
        raise UserError(f"{graph.network.name}: needs {tiles} tiles, and a mesh has 16 x 16 at "
                        f"most; tiles with more neurons ({config.tile.neurons}), axons "
                        f"({config.tile.axons}) or synapse_words ({config.tile.synapse_words}) "
                        "hold more of it")
    if shaped and tiles <= config.tiles:
        return config
    rows, cols = shape_for(tiles)
    return config.replace(rows=rows, cols=cols)


def shape_for(tiles: int) -> tuple[int, int]:
    """Rows and columns of the smallest mesh with so many tiles, at most twice as wide as high."""
    shapes = [(rows, cols) for rows in range(1, 17) for cols in range(rows, min(16, 2 * rows) + 1)
              if rows * cols >= tiles]
    return min(shapes, key=lambda s: (s[0] * s[1], s[1] - s[0]))


def _arrange(graph: Graph, config: MeshConfig, tiles: list[TilePlan], rates: Rates | None) -> Plan:
    lanes = config.tile.lanes
    slots = {name: (np.zeros(node.population.size, np.int64),
                    np.zeros(node.population.size, np.int64))
             for name, node in graph.nodes.items()}
    for number, tile in enumerate(tiles):
        first = 0
        for piece in tile.pieces:
            slots[piece.node][0][piece.neurons] = number
            slots[piece.node][1][piece.neurons] = first + np.arange(len(piece.neurons))
            first += piece_groups(piece, lanes) * lanes
    traffic = traffic_of(graph, tiles, {name: slot for name, (slot, _) in slots.items()}, rates)
    where = place(config, traffic)
    locations = {name: Location(where[slot], neuron) for name, (slot, neuron) in slots.items()}
    routing = route(graph, config, tiles, where, locations)
    return Plan(config, graph, tiles, where, locations, routing,
                route_entries(graph, config, routing, locations))


def traffic_of(graph: Graph, tiles: list[TilePlan], slots: dict[str, Int], rates: Rates | None
               ) -> Traffic:
    """Packets per step between tiles if each destination takes a packet of its own."""
    count = len(tiles)
    traffic = Traffic(np.zeros((count, count)), np.zeros(count), np.zeros(count))
    for number, tile in enumerate(tiles):
        for sender, links in tile.table.links.items():
            rate = _rate(graph, rates, sender.name)[links.source]
            if sender.name in slots:
                np.add.at(traffic.between[:, number], slots[sender.name][links.source], rate)
            else:
                traffic.from_host[number] += rate.sum()
    for name, slot in slots.items():
        if graph.nodes[name].output:
            np.add.at(traffic.to_host, slot, _rate(graph, rates, name))
    return traffic


def _rate(graph: Graph, rates: Rates | None, name: str) -> npt.NDArray[np.float64]:
    # A relay fires as its source does; the network's own names have profiles.
    if rates is None or name not in rates:
        return np.ones(graph.size(name))
    return np.asarray(rates[name], np.float64)
