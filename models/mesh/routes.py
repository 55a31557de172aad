# SPDX-License-Identifier: Apache-2.0
"""Packets of neurons and of the host, axon addresses, and trees with multicast."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ...spec import MeshConfig
from ...spec.mesh_config import packet_word
from .cut import TilePlan
from .graph import Graph, Sender
from .place import hops

__all__ = ["Location", "Packets", "Routing", "packed", "route"]

Int = npt.NDArray[np.int64]

_NORTH, _EAST, _SOUTH, _WEST, _LOCAL = range(5)


@dataclass(frozen=True, eq=False)
class Location:
    """Tile and neuron on it of each neuron of a node, (size,)."""

    tile: Int
    neuron: Int


@dataclass(frozen=True, eq=False)
class Packets:
    """Packets of a sender in the order in which a source sends them; arrays are (packets,).

    Parameters
    ----------
    source : ndarray of int64
        Line or neuron, ascending.
    target, value, delay : ndarray of int64
        Fields of the packet.
    row : ndarray of int64
        Row of the host port, for input ports.
    """

    source: Int
    target: Int
    value: Int
    delay: Int
    row: Int


@dataclass(eq=False)
class Routing:
    """What :func:`route` decided.

    Parameters
    ----------
    packets : dict of Sender to Packets
        Without those to the host.
    blocks : list of list of (int, int)
        Per tile, address and number of the chains in its axon table; a chain may be there twice.
    trees : list of ndarray of int64, (trees, 2)
        Per tile ``ports`` and ``axon`` of every tree.
    entries : list of int
        Axon entries of each tile, padding included.
    """

    packets: dict[Sender, Packets] = field(default_factory=dict)
    blocks: list[list[tuple[int, int]]] = field(default_factory=list)
    trees: list[Int] = field(default_factory=list)
    entries: list[int] = field(default_factory=list)


def route(graph: Graph, config: MeshConfig, plans: Sequence[TilePlan], where: Int,
          locations: dict[str, Location]) -> Routing:
    """Routing for tiles ``plans`` that stand at places ``where``."""
    done = Routing(blocks=[[] for _ in range(config.tiles)], entries=[0] * config.tiles)
    senders = list(dict.fromkeys(sender for plan in plans for sender in plan.table.links))
    if config.multicast:
        _forked(config, plans, where, locations, senders, done)
    else:
        _single(config, plans, where, locations, senders, done)
    return done


def _coordinates(config: MeshConfig, tile: Int) -> Int:
    return tile // config.cols << config.x_bits | tile % config.cols


def _links(plans: Sequence[TilePlan], where: Int, sender: Sender) -> tuple[Int, Int, Int, Int]:
    """Source, tile, chain and first delay of all links of a sender, over all tiles."""
    found = [(plan.table.links[sender], tile) for plan, tile in zip(plans, where, strict=True)
             if sender in plan.table.links]
    return (np.concatenate([links.source for links, _ in found]),
            np.concatenate([np.full(len(links.source), tile) for links, tile in found]),
            np.concatenate([links.chain for links, _ in found]),
            np.concatenate([links.first for links, _ in found]))


def _single(config: MeshConfig, plans: Sequence[TilePlan], where: Int,
            locations: dict[str, Location], senders: Sequence[Sender], done: Routing) -> None:
    address = {}
    for plan, tile in zip(plans, where, strict=True):
        length = plan.table.length
        address[tile] = np.cumsum(length) - length
        done.blocks[tile] = [(int(a), chain) for chain, a in enumerate(address[tile])]
        done.entries[tile] = int(length.sum())
    done.trees = [np.zeros((0, 2), np.int64) for _ in range(config.tiles)]
    distance = hops(config)
    for sender in senders:
        source, tile, chain, first = _links(plans, where, sender)
        value = np.zeros(len(source), np.int64)
        for number in np.unique(tile):
            mine = tile == number
            value[mine] = address[number][chain[mine]]
        row = tile // config.cols
        far = (distance[locations[sender.name].tile[source], tile]
               if sender.name in locations else tile % config.cols)
        order = np.lexsort((tile, -far, source))  # the farthest first: it takes longest
        done.packets[sender] = Packets(source[order], _coordinates(config, tile)[order],
                                       value[order], first[order], row[order])


def _forked(config: MeshConfig, plans: Sequence[TilePlan], where: Int,
            locations: dict[str, Location], senders: Sequence[Sender], done: Routing) -> None:
    """One packet for all tiles that a source reaches with the same first delay.

    All sources of a tree (same origin, same tiles) have a slot of the same place in the axon tables
    of its tiles, as long as the longest of their chains there.
    """
    length = {tile: plan.table.length for plan, tile in zip(plans, where, strict=True)}
    ports: list[dict[int, int]] = []
    axons: list[dict[int, int]] = []
    for sender in senders:
        source, tile, chain, first = _links(plans, where, sender)
        order = np.lexsort((tile, first, source))
        source, tile, chain, first = source[order], tile[order], chain[order], first[order]
        starts = np.flatnonzero(np.r_[True, (np.diff(source) != 0) | (np.diff(first) != 0)])
        ends = np.r_[starts[1:], len(source)]
        members: dict[tuple[int, tuple[int, ...]], list[int]] = {}
        for number, (a, b) in enumerate(zip(starts, ends, strict=True)):
            reached = tuple(tile[a:b].tolist())
            origin = (int(locations[sender.name].tile[source[a]]) if sender.name in locations
                      else _host_row(config, reached) * config.cols)
            members.setdefault((origin, reached), []).append(number)
        target, value, row = (np.zeros(len(starts), np.int64) for _ in range(3))
        for (origin, reached), packets in members.items():
            tree = len(ports)
            ports.append(_tree(config, origin, reached))
            axons.append({there: done.entries[there] for there in reached})
            slots: dict[tuple[int, ...], int] = {}
            used = 0
            for number in packets:
                chains = tuple(chain[starts[number]:ends[number]].tolist())
                if chains not in slots:
                    slots[chains] = used
                    for there, one in zip(reached, chains, strict=True):
                        done.blocks[there].append((axons[-1][there] + used, one))
                    used += max(int(length[there][one])
                                for there, one in zip(reached, chains, strict=True))
                target[number], value[number] = tree, slots[chains]
                row[number] = origin // config.cols
            for there in reached:
                done.entries[there] += used
        done.packets[sender] = Packets(source[starts], target, value, first[starts], row)
    done.trees = [np.array([[ports[tree].get(tile, 0), axons[tree].get(tile, 0)]
                            for tree in range(len(ports))], np.int64).reshape(-1, 2)
                  for tile in range(config.tiles)]


def _host_row(config: MeshConfig, reached: Sequence[int]) -> int:
    """Row with the fewest links to these tiles, by the middle one of their rows."""
    rows = sorted(tile // config.cols for tile in reached)
    return rows[(len(rows) - 1) // 2]


def _tree(config: MeshConfig, origin: int, reached: Sequence[int]) -> dict[int, int]:
    """Output ports of every router on the ways, X then Y, from a tile to others."""
    ports: dict[int, int] = {}
    for tile in reached:
        at = origin
        while at != tile:
            x, y, to_x, to_y = at % config.cols, at // config.cols, tile % config.cols, \
                tile // config.cols
            if x != to_x:
                port, following = (_EAST, at + 1) if to_x > x else (_WEST, at - 1)
            else:
                port, following = ((_SOUTH, at + config.cols) if to_y > y
                                   else (_NORTH, at - config.cols))
            ports[at] = ports.get(at, 0) | 1 << port
            at = following
        ports[tile] = ports.get(tile, 0) | 1 << _LOCAL
    return ports


def packed(config: MeshConfig, packets: Packets) -> npt.NDArray[np.uint64]:
    """Words of these packets."""
    delay = {"delay": packets.delay} if config.tile.delay == "scdq" else {}
    return packet_word(config).pack({"target": packets.target, "value": packets.value,
                                     "host": np.zeros_like(packets.value), **delay})
