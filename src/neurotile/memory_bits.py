# SPDX-License-Identifier: Apache-2.0
"""Bits that a tile or a mesh stores, exactly as the hardware has them."""

from .spec import MeshConfig, TileConfig
from .spec.formats import memories
from .spec.mesh_config import mesh_memories, packet_word

__all__ = ["memory_bits", "queue_entry_bits"]

_INPUTS = 5  # of a router


def queue_entry_bits(tile: TileConfig) -> int:
    """Bits of an entry of a tile's event queue: an axon, and with SCDQ the steps it waits."""
    return tile.axon_bits + (tile.delay_bits if tile.delay == "scdq" else 0)


def memory_bits(config: TileConfig | MeshConfig) -> dict[str, int]:
    """Bits of every memory of a tile, or of all tiles of a mesh together.

    ``event queue`` is both queues with SCDQ, ``spike fifo`` the groups that wait for the route
    stage, and ``router`` on a mesh the packets that wait at the inputs of all routers.
    """
    mesh = config if isinstance(config, MeshConfig) else None
    tile = config.tile if isinstance(config, MeshConfig) else config
    found = {m.name: m.bits for m in (memories(tile) if mesh is None else mesh_memories(mesh))}
    queues = 2 if tile.delay == "scdq" and mesh is not None else 1
    found["event queue"] = queues * tile.queue_depth * queue_entry_bits(tile)
    found["spike fifo"] = tile.spike_fifo_depth * (tile.group_bits + tile.lanes)
    if mesh is None:
        return found
    found = {name: bits * mesh.tiles for name, bits in found.items()}
    width = packet_word(mesh).width + mesh.link_parity
    return found | {"router": mesh.tiles * _INPUTS * mesh.router_depth * width}
