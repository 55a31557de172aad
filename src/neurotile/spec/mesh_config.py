# SPDX-License-Identifier: Apache-2.0
"""MeshConfig: tiles on a mesh network, and the format of its packets (docs/mesh.md)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Self

from .config import COUNTERS, TileConfig
from .configuration import Configuration, power_of_two, whole_number
from .errors import UserError
from .formats import Memory, memories
from .presets import PRESETS, TEST_PRESETS
from .word import Field, Word

__all__ = ["MESH_COUNTERS", "MESH_ID_VALUE", "MESH_PRESETS", "TEST_MESH_PRESETS", "MeshConfig",
           "MeshMemoryId", "MeshRegister", "fanout_word", "mesh_memories", "mesh_request_word",
           "mesh_route_word", "packet_word", "tree_word"]

_INDEX_BITS = 18

MESH_COUNTERS = (*COUNTERS, "packets", "received", "north", "east", "south", "west")
"""Counters of a tile on a mesh, after which those of learning follow if it learns."""


class MeshMemoryId(IntEnum):
    """Memories that only tiles on a mesh have; ``MESH`` stands for the registers of the mesh."""

    ROUTE = 11
    FANOUT = 15
    TREE = 16
    MESH = 31


MESH_ID_VALUE = 0x4E544D48


class MeshRegister(IntEnum):
    """Index of a register behind ``MeshMemoryId.MESH``."""

    ID = 0
    VERSION = 1
    DIGEST = 2
    STATUS = 3
    RUN = 4
    CLEAR = 5
    STEP = 8
    LOST = 16
    PARITY_ERRORS = 17


@dataclass(frozen=True, kw_only=True)
class MeshConfig(Configuration):
    """Parameters of a mesh of equal tiles, checked when made.

    Raises
    ------
    UserError
        A value is outside its legal range; the message names key, value and range.
    """

    rows: int = whole_number(1, 16)
    """Tiles from north to south; each row has a host port at its west end."""
    cols: int = whole_number(1, 16)
    """Tiles from west to east."""
    router_depth: int = power_of_two(2, 16)
    """Packets that wait at an input of a router."""
    routing: str
    """``unicast``: a packet for every destination; ``multicast``: packets fork along trees."""
    trees: int = power_of_two(2, 65536)
    """Trees that routers know, with multicast."""
    routes: int = power_of_two(2, 65536)
    """Entries of a tile's route table."""
    link_parity: bool
    """Packets carry a parity bit; one that is wrong drops the packet."""
    barrier_stages: int = whole_number(1, 8)
    """Cycles from what the tiles do to what the barrier knows."""
    tile: TileConfig
    """Every tile."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.routing not in ("unicast", "multicast"):
            self._refuse("routing", "'unicast' or 'multicast'")
        if not isinstance(self.link_parity, bool):
            self._refuse("link_parity", "true or false")
        if not isinstance(self.tile, TileConfig):
            self._refuse("tile", "a table with every key of a tile")
        for memory in mesh_memories(self):
            if memory.rows * memory.lanes > 1 << _INDEX_BITS:
                raise UserError(f"{self.name}: memory {memory.name} of a tile has "
                                f"{memory.rows * memory.lanes} words; on a mesh "
                                f"{1 << _INDEX_BITS} are the most")

    @property
    def tiles(self) -> int:
        """Tiles of the mesh; tile y * cols + x lies in row y and column x."""
        return self.rows * self.cols

    @property
    def x_bits(self) -> int:
        """Bits of a column."""
        return max(1, (self.cols - 1).bit_length())

    @property
    def y_bits(self) -> int:
        """Bits of a row."""
        return max(1, (self.rows - 1).bit_length())

    @property
    def tree_bits(self) -> int:
        """Bits of a tree number."""
        return (self.trees - 1).bit_length()

    @property
    def multicast(self) -> bool:
        """Packets fork along trees."""
        return self.routing == "multicast"

    @property
    def target_bits(self) -> int:
        """Bits of a packet's target."""
        place = self.x_bits + self.y_bits
        return max(place, self.tree_bits) if self.multicast else place

    @property
    def value_bits(self) -> int:
        """Bits of a packet's value, an axon or a neuron."""
        return max(self.tile.axon_bits, self.tile.neuron_bits)

    def to_dict(self) -> dict[str, Any]:
        """All keys as plain values; ``tile`` is a table."""
        return {**super().to_dict(), "tile": self.tile.to_dict()}

    @property
    def digest(self) -> str:
        """SHA-256 over all keys but the names, hexadecimal."""
        return self.replace(tile=self.tile.replace(name="tile"))._digest

    @property
    def _digest(self) -> str:
        return super().digest

    def to_toml(self) -> str:
        """TOML text that :meth:`from_toml` reads back as this configuration."""
        flat = {k: v for k, v in self.to_dict().items() if k != "tile"}
        lines = "".join(f"{k} = {json.dumps(v)}\n" for k, v in flat.items())
        return f"{lines}\n[tile]\n{self.tile.to_toml()}"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str) -> Self:
        """See :meth:`Configuration.from_dict`; ``tile`` is a table."""
        table = values.get("tile")
        if isinstance(table, dict):
            if "mode" in table:
                raise UserError(f"{where}: tile: a mesh has no tiles in event mode")
            values = {**values, "tile": TileConfig.from_dict(table, where=f"{where}: tile")}
        return super().from_dict(values, where=where)


def packet_word(config: MeshConfig) -> Word:
    """Packet of one flit, without its parity bit.

    ``target`` is y << x_bits | x of the destination, or a tree; with ``host`` that of the source.
    ``value`` is an axon of the destination (with multicast: relative to the tree's first), or the
    neuron that fired.
    """
    delay = ((Field("delay", config.tile.delay_bits, "steps from arrival to the first level"),)
             if config.tile.delay == "scdq" else ())
    return Word("packet", (Field("target", config.target_bits, "destination, tree or source"),
                           Field("value", config.value_bits, "axon or neuron"),
                           Field("host", 1, "goes west along its row, to the host"), *delay))


def mesh_route_word(config: MeshConfig) -> Word:
    """Entry of a tile's route table: a packet, and whether it is the last of the spike."""
    return Word("route", (*packet_word(config).fields, Field("last", 1, "no entry follows")))


def fanout_word(config: MeshConfig) -> Word:
    """Where the route entries of a neuron begin."""
    return Word("fanout", (Field("first", (config.routes - 1).bit_length(), "first route entry"),
                           Field("any", 1, "spikes are sent")))


def tree_word(config: MeshConfig) -> Word:
    """What a router does with a packet of a tree."""
    return Word("tree", (Field("ports", 5, "north, east, south, west, local"),
                         Field("axon", config.tile.axon_bits, "added to the value at this tile")))


def mesh_memories(config: MeshConfig) -> tuple[Memory, ...]:
    """Memories of every tile of the mesh."""
    found = [memory for memory in memories(config.tile) if memory.id != MeshMemoryId.ROUTE]
    found += [Memory(MeshMemoryId.ROUTE, mesh_route_word(config), config.routes, 1),
              Memory(MeshMemoryId.FANOUT, fanout_word(config), config.tile.neurons, 1)]
    if config.multicast:
        found.append(Memory(MeshMemoryId.TREE, tree_word(config), config.trees, 1))
    return tuple(found)


def mesh_request_word() -> Word:
    """Request at the host port of a mesh."""
    return Word("request", (Field("data", 32, "word to write"),
                            Field("index", _INDEX_BITS, "row * lanes + lane"),
                            Field("memory", 5, "MemoryId or MeshMemoryId"),
                            Field("tile", 8, "tile; ignored by MeshMemoryId.MESH"),
                            Field("write", 1, "write, do not read")))


_TILE = PRESETS["default"].replace(name="mesh", axons=1024, synapse_words=16384,
                                   queue_depth=1024, delay="scdq", delay_bits=6)

MESH_PRESETS = {
    config.name: config for config in (
        MeshConfig(name="mesh_4x4", rows=4, cols=4, router_depth=4, routing="unicast", trees=64,
                   routes=1024, link_parity=False, barrier_stages=2, tile=_TILE),)}

_SMALL = TEST_PRESETS["test_all"].replace(
    name="small", neurons=16, lanes=4, axons=64, synapse_words=128, queue_depth=64,
    models=("if", "lif", "cubalif"), step_bits=8)

# Small meshes that together reach every structural option.
TEST_MESH_PRESETS = {
    config.name: config for config in (
        MeshConfig(name="test_mesh_1x1", rows=1, cols=1, router_depth=2, routing="unicast",
                   trees=4, routes=64, link_parity=False, barrier_stages=1,
                   tile=_SMALL.replace(delay="ring", delay_bits=3, integrate_stages=2)),
        MeshConfig(name="test_mesh_1x3", rows=1, cols=3, router_depth=2, routing="unicast",
                   trees=4, routes=64, link_parity=True, barrier_stages=3,
                   tile=_SMALL.replace(delay="scdq", delay_bits=6)),
        MeshConfig(name="test_mesh_2x2", rows=2, cols=2, router_depth=4, routing="multicast",
                   trees=16, routes=64, link_parity=False, barrier_stages=2,
                   tile=_SMALL.replace(delay="scdq", delay_bits=3, queue_depth=8)),
        MeshConfig(name="test_mesh_4x4", rows=4, cols=4, router_depth=2, routing="unicast",
                   trees=16, routes=32, link_parity=False, barrier_stages=2,
                   tile=_SMALL.replace(neurons=8, lanes=2, axons=32, synapse_words=64,
                                       queue_depth=32)),
    )
}
