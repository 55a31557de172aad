# SPDX-License-Identifier: Apache-2.0
"""Words of all memories of the tiles of a mesh."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ...spec import MeshConfig
from ...spec.formats import axon_word
from ...spec.mesh_config import fanout_word, mesh_memories, mesh_route_word, tree_word
from ..layout import Layout
from ..layout import Node as PlacedNode
from ..parameters import fill_parameters
from .cut import TilePlan
from .graph import Graph, Sender, subset
from .routes import Location, Routing
from .table import Table, piece_groups

__all__ = ["fill", "route_entries", "tile_layout"]

Int = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]


def tile_layout(graph: Graph, plan: TilePlan, lanes: int) -> Layout:
    """The pieces of a tile as a layout of a tile that is alone."""
    nodes, groups = [], 0
    for piece in plan.pieces:
        node = graph.nodes[piece.node]
        nodes.append(PlacedNode(subset(node.population, piece.neurons), node.offset,
                                groups * lanes + np.arange(len(piece.neurons)), node.output,
                                node.relay))
        groups += piece_groups(piece, lanes)
    return Layout(nodes, [], groups)


def route_entries(graph: Graph, config: MeshConfig, routing: Routing,
                  locations: dict[str, Location]) -> list[dict[str, Int]]:
    """Per tile the columns of its route table, ascending by neuron; ``neuron`` is one of them."""
    columns: list[tuple[Int, ...]] = []
    for name, place in locations.items():
        packets = routing.packets.get(Sender(name))
        if packets is not None:
            s = packets.source
            columns.append((place.tile[s], place.neuron[s], np.zeros(len(s), np.int64),
                            packets.target, packets.value, packets.delay))
        if graph.nodes[name].output:
            nothing = np.zeros(len(place.tile), np.int64)
            columns.append((place.tile, place.neuron, nothing + 1, nothing, nothing, nothing))
    tile, neuron, host, target, value, delay = (
        np.concatenate(column) for column in zip(*columns, strict=True)) if columns else (
        np.zeros(0, np.int64) for _ in range(6))
    order = np.lexsort((host, neuron, tile))  # stable, so a source's packets keep their order
    found = {"neuron": neuron[order], "host": host[order], "target": target[order],
             "value": value[order], "delay": delay[order]}
    bounds = np.searchsorted(tile[order], np.arange(config.tiles + 1))
    return [{key: column[a:b] for key, column in found.items()}
            for a, b in zip(bounds[:-1], bounds[1:], strict=True)]


def fill(graph: Graph, config: MeshConfig, plans: Sequence[TilePlan], where: Int,
         routing: Routing, entries: Sequence[dict[str, Int]]) -> list[dict[str, Words]]:
    """Memory contents of every tile; those without neurons hold zeros."""
    tile = config.tile
    found = [{memory.name: np.zeros((memory.rows, memory.lanes), np.uint64)
              for memory in mesh_memories(config)} for _ in range(config.tiles)]
    for number, contents in enumerate(found):
        _fill_routes(config, contents, entries[number])
        if config.multicast and len(routing.trees[number]):
            trees = routing.trees[number]
            contents["tree"][:len(trees), 0] = tree_word(config).pack(
                {"ports": trees[:, 0], "axon": trees[:, 1]})
    for plan, number in zip(plans, where, strict=True):
        contents, table = found[number], plan.table
        fill_parameters(contents, tile_layout(graph, plan, tile.lanes), tile)
        mask = (1 << tile.weight_bits) - 1
        weights = table.words > 0 if tile.weight_bits == 1 else table.words & mask
        contents["synapse"][:len(table.words)] = weights.astype(np.uint64)
        _fill_axons(config, contents["axon"], table, routing.blocks[number])
    return found


def _fill_axons(config: MeshConfig, memory: Words, table: Table,
                blocks: Sequence[tuple[int, int]]) -> None:
    words = axon_word(config.tile).pack(table.entries)
    start = np.cumsum(table.length) - table.length
    for address, chain in blocks:
        length = int(table.length[chain])
        memory[address:address + length, 0] = words[start[chain]:start[chain] + length]
    # An entry that nobody sends to would never end an event that reached it by mistake.
    unused = np.ones(len(memory), np.bool_)
    for address, chain in blocks:
        unused[address:address + int(table.length[chain])] = False
    fields = dict.fromkeys((f.name for f in axon_word(config.tile).fields), 0)
    memory[unused, 0] = axon_word(config.tile).pack(fields | {"last": 1})


def _fill_routes(config: MeshConfig, contents: dict[str, Words], entries: dict[str, Int]) -> None:
    neuron = entries["neuron"]
    if not neuron.size:
        return
    ends = np.r_[np.diff(neuron) != 0, True]
    fields = {"target": entries["target"], "value": entries["value"], "host": entries["host"],
              "last": ends.astype(np.int64)}
    if config.tile.delay == "scdq":
        fields["delay"] = entries["delay"]
    contents["route"][:neuron.size, 0] = mesh_route_word(config).pack(fields)
    first = np.flatnonzero(np.r_[True, ends[:-1]])
    contents["fanout"][neuron[first], 0] = fanout_word(config).pack(
        {"first": first, "any": np.ones(len(first), np.int64)})
