# SPDX-License-Identifier: Apache-2.0
"""What the kernels of a mesh work on: contents and states of all tiles, stacked."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..spec import MESH_COUNTERS, MeshConfig, UserError
from ..spec.mesh_config import mesh_memories, packet_word
from .layout import SPAN, Setup, load_contents, make_setup

__all__ = ["AT", "ROOM", "Memories", "Tiles", "clear_tiles", "load_tiles"]

Memories = dict[str, npt.NDArray[np.uint64]]
Ints = npt.NDArray[np.int32]
Times = npt.NDArray[np.int64]

AT = 35
"""Scalars of a tile in ``Tiles.at``; ``mesh_tile`` names them."""

ROOM = 1024
"""Entries of the lists of a tile; full ones are worked off before the barrier."""



class Tiles(NamedTuple):
    """Memories and states of all tiles; the first axis is the tile."""

    segment: npt.NDArray[np.void]
    skip: Ints
    """Skip to the level after this last segment; -1: there is none."""
    delay: Ints
    weight: npt.NDArray[np.signedinteger]
    span: npt.NDArray[np.void]
    spans: Times
    threshold: Ints
    v_reset: Ints
    bias: Ints
    decay_v: Ints
    decay_i: Ints
    mapped: Times
    endless: npt.NDArray[np.uint8]
    """No axon segment is the last one (bit 0), no route entry is (bit 1)."""
    fanout: Ints
    """First route entry of a neuron, -1: none."""
    packet: Times
    """Packet of a route entry."""
    entry: npt.NDArray[np.uint8]
    """Its ``last`` in bit 0, its ``host`` in bit 1."""
    own: Times
    """(tiles,): packet to the host of neuron 0."""
    membrane: Ints
    current: Ints
    accumulator: Ints
    """Slot after slot."""
    potential: Ints
    fired: npt.NDArray[np.uint8]
    fired_words: npt.NDArray[np.uint64]
    batch: Times
    spike: Ints
    queue: Times
    """(tiles, 2, Q): axons, and ``wait`` from bit 32 on."""
    arrival: Times
    """(tiles, ROOM): the same, of packets that arrived."""
    arrival_cycle: Times
    order: Times
    """(tiles,): those that send."""
    noted: Ints
    """(tiles, ROOM): segments whose weights are to be added."""
    credit: Times
    """(tiles, 2, F): cycles in which credits come back, of groups without and with spikes."""
    at: Times
    counter: Times
    unused: Ints
    unused_bytes: npt.NDArray[np.uint8]
    unused_times: Times


def load_tiles(config: MeshConfig, memories: Sequence[Memories],
               groups: Sequence[int] | npt.NDArray[np.integer], length: int
               ) -> tuple[Setup, Tiles]:
    """Contents of all tiles, any bit patterns, and cleared states.

    Raises
    ------
    UserError
        A memory is missing or has the wrong shape, their number or ``groups`` is wrong, or the
        tiles learn.
    """
    tile, count = config.tile, config.tiles
    if tile.learns:
        raise UserError(f"{config.name}: learning = 'sdsp': the fast engine runs meshes of tiles "
                        "with learning = 'none' only")
    if len(memories) != count or len(groups) != count:
        raise UserError(f"{config.name}: has {count} tiles, not memories of {len(memories)} and "
                        f"groups of {len(groups)}")
    words = [_unpacked(config, index, memory) for index, memory in enumerate(memories)]
    without = np.zeros((tile.neurons, 1), np.uint64)  # routes of a tile that is alone
    contents = [load_contents(tile, {**memory, "route": without}, int(mapped))
                for memory, mapped in zip(memories, groups, strict=True)]
    setups = [make_setup(tile, found, groups=int(mapped), length=length)
              for found, mapped in zip(contents, groups, strict=True)]

    def field(memory: str, name: str) -> npt.NDArray[np.int64]:
        return np.stack([found[memory][name][:, 0] for found in words])

    span = np.zeros((count, max(found.span.size for found in contents)), SPAN)
    for index, found in enumerate(contents):
        span[index, :found.span.size] = found.span
    skip = np.full((count, tile.axons), -1)
    if tile.delay == "scdq":
        skip = np.where((field("axon", "last") & field("axon", "more")) != 0,
                        field("axon", "skip"), -1)
    delay = field("axon", "delay") if tile.delay == "ring" else np.zeros((count, tile.axons))
    last, host = field("route", "last"), field("route", "host")
    word = packet_word(config)
    packet = word.pack({f.name: field("route", f.name) for f in word.fields})
    number = np.arange(count)
    place = number // config.cols << config.x_bits | number % config.cols
    # A host entry keeps no more than its delay: target and value are those of the spike.
    kept = word.pack({f.name: 0 if f.name in ("target", "value") else (1 << f.width) - 1
                      for f in word.fields})
    packet = np.where(host != 0, packet & kept, packet)
    own = place.astype(np.uint64) << np.uint64(word.offset("target"))
    endless = np.array([setup.endless for setup in setups]) + 2 * ~last.any(axis=1)
    n, pad = tile.neurons, -(-tile.neurons // 8) * 8
    fired = np.zeros((count, pad), np.uint8)

    def parameter(name: str) -> Any:
        return np.stack([getattr(found, name) for found in contents])

    def zeros(*shape: int) -> Times:
        return np.zeros((count, *shape), np.int64)

    def ints(*shape: int) -> Ints:
        return np.zeros((count, *shape), np.int32)

    tiles = Tiles(
        segment=parameter("segment"), skip=skip.astype(np.int32), delay=delay.astype(np.int32),
        weight=parameter("weight"), span=span,
        spans=np.array([found.span.size for found in contents], np.int64),
        threshold=parameter("threshold"), v_reset=parameter("v_reset"), bias=parameter("bias"),
        decay_v=parameter("decay_v"), decay_i=parameter("decay_i"),
        mapped=np.array(groups, np.int64), endless=endless.astype(np.uint8),
        fanout=np.where(field("fanout", "any") != 0, field("fanout", "first"),
                        -1).astype(np.int32),
        packet=packet.astype(np.int64), entry=(last | host << 1).astype(np.uint8),
        own=own.astype(np.int64),
        membrane=ints(n), current=ints(n), accumulator=ints(tile.accumulator_rows * tile.lanes),
        potential=ints(n), fired=fired, fired_words=fired.view(np.uint64), batch=zeros(8),
        spike=ints(n + 2), queue=zeros(2, tile.queue_depth), arrival=zeros(ROOM),
        arrival_cycle=zeros(ROOM), order=zeros(), noted=ints(ROOM),
        credit=zeros(2, tile.spike_fifo_depth), at=zeros(AT),
        counter=zeros(len(MESH_COUNTERS)), unused=np.zeros(1, np.int32),
        unused_bytes=np.zeros(1, np.uint8), unused_times=np.zeros(1, np.int64))
    narrow = min(setup.narrow for setup in setups)
    return setups[0]._replace(mapped=tile.groups, narrow=narrow), tiles


def clear_tiles(tiles: Tiles) -> None:
    """CLEAR of all tiles."""
    for array in (tiles.membrane, tiles.current, tiles.accumulator, tiles.fired, tiles.at,
                  tiles.counter):
        array[:] = 0


def _unpacked(config: MeshConfig, tile: int, memories: Memories
              ) -> dict[str, dict[str, npt.NDArray[np.int64]]]:
    found = {}
    for memory in mesh_memories(config):
        if memory.name in ("axon", "route", "fanout", "tree"):
            shape = (memory.rows, memory.lanes)
            if memory.name not in memories or memories[memory.name].shape != shape:
                raise UserError(f"{config.name}: tile {tile}: memory {memory.name!r} must be there "
                                f"and have shape {shape}")
            found[memory.name] = memory.word.unpack(memories[memory.name])
    return found
