# SPDX-License-Identifier: Apache-2.0
"""Network on chip of a mesh, cycle by cycle, visiting only routers with packets (docs/mesh.md).

A caller makes the state with :func:`noc_state` and then, per cycle: :func:`room` tells whether an
input takes a packet in this cycle; :func:`enter` transfers one to it; then :func:`advance` makes
the transfers of the routers and ends the cycle. Packets that left lie in ``out_port`` and
``out_word`` until the next :func:`advance`, ``counts[OUT]`` of them; ``counts[PACKETS]`` are in the
network. While that is 0 and nothing enters, cycles need no call.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..spec import MeshConfig
from ..spec.mesh_config import packet_word
from .jit import INT, kernel

__all__ = ["BUSY", "ENTERING", "LOST", "OUT", "PACKETS", "NocState", "advance", "enter",
           "host_input", "local_input", "noc_state", "room"]

PACKETS, ENTERING, OUT, BUSY, LOST = range(5)
"""Places in ``counts``: packets in the network, that enter in this cycle, that left in the last;
routers in ``busy``; packets lost so far."""

_TO_TILE, _TO_HOST, _TO_SINK = -1, -2, -3
_WEST, _LOCAL, _SINK, _NOWHERE = 3, 4, 5, 6  # outputs; 0 to 3 are the links
_WAYS = 8  # entries per router in tables by output


class NocState(NamedTuple):
    """State of the network, arrays that the kernels change; see :func:`noc_state`.

    An input of a router has number router * 5 + port. A mask of outputs has bits north, east,
    south, west, local, sink to the west, none.
    """

    cols: int
    depth: int
    target_mask: int
    tree_bits: int  # bits of an index into ``ways``
    host_shift: int
    value_shift: int
    axon_mask: int  # 0 without multicast
    value_mask: int
    ways: npt.NDArray[np.uint8]         # (routers << tree_bits,): outputs of a target
    axon: npt.NDArray[np.uint16]        # the same, with multicast: first axon
    behind: npt.NDArray[np.int32]       # (routers * 8,): the input behind an output
    first_of: npt.NDArray[np.uint8]     # (5 * 32,): choice by pointer and requests
    host_ready: npt.NDArray[np.uint8]   # (rows,): set by the caller, 1 at the start
    word: npt.NDArray[np.uint64]        # (inputs * depth,): packets that wait
    head: npt.NDArray[np.int32]         # (inputs,): where the oldest lies
    held: npt.NDArray[np.int32]         # (inputs,): how many wait
    left: npt.NDArray[np.uint8]         # (inputs,): outputs that the oldest is still sent to
    request: npt.NDArray[np.uint8]      # (routers * 8,): inputs whose oldest wants the output
    wanted: npt.NDArray[np.uint8]       # (routers,): outputs that are requested
    pointer: npt.NDArray[np.uint8]      # (routers * 8,)
    busy: npt.NDArray[np.int32]         # routers with packets, and some that had
    listed: npt.NDArray[np.uint8]       # (routers,): is in ``busy``
    move: npt.NDArray[np.int32]         # transfers of a cycle: input * 8 + output
    enter_input: npt.NDArray[np.int32]
    enter_word: npt.NDArray[np.uint64]
    out_port: npt.NDArray[np.int32]     # tile, or tiles + row of the host port
    out_word: npt.NDArray[np.uint64]    # with multicast ``value`` is the axon
    sent: npt.NDArray[np.int64]         # (routers * 4,): packets sent on links
    counts: npt.NDArray[np.int64]       # see PACKETS


def noc_state(config: MeshConfig, trees: Sequence[npt.NDArray[np.integer[Any]]] | None = None
              ) -> NocState:
    """An empty network.

    Parameters
    ----------
    config : MeshConfig
        The mesh.
    trees : sequence of ndarray, (trees, 2), optional
        Per tile, with multicast: ``ports`` and ``axon`` of every tree.
    """
    rows, cols, tiles = config.rows, config.cols, config.tiles
    word = packet_word(config)
    bits = config.tree_bits if config.multicast else config.x_bits + config.y_bits
    ways = np.zeros((tiles, 1 << bits), np.uint8)
    axon = np.zeros((tiles, 1 << bits) if config.multicast else (1, 1), np.uint16)
    behind = np.full((tiles, _WAYS), _TO_SINK, np.int32)
    target = np.arange(1 << bits)
    to_x, to_y = target & (1 << config.x_bits) - 1, target >> config.x_bits
    for tile in range(tiles):
        x, y = tile % cols, tile // cols
        if config.multicast:
            assert trees is not None, "with multicast every router has a tree table"
            ways[tile], axon[tile] = trees[tile][:, 0], trees[tile][:, 1]
        else:
            ways[tile] = 1 << np.select([to_x > x, to_x < x, to_y > y, to_y < y], [1, 3, 2, 0], 4)
        ways[tile, ways[tile] == 0] = 1 << _NOWHERE
        if x == 0:
            west = ways[tile] & 1 << _WEST
            ways[tile] += (west != 0) * np.uint8((1 << _SINK) - (1 << _WEST))
        for port, there, inside in ((0, tile - cols, y > 0), (1, tile + 1, x + 1 < cols),
                                    (2, tile + cols, y + 1 < rows), (3, tile - 1, x > 0)):
            if inside:
                behind[tile, port] = there * 5 + (port + 2) % 4
        if x == 0:
            behind[tile, _WEST] = _TO_HOST
        behind[tile, _LOCAL] = _TO_TILE
    first_of = np.zeros((5, 32), np.uint8)
    for pointer in range(5):
        for mask in range(1, 32):
            first_of[pointer, mask] = next(i % 5 for i in range(pointer, pointer + 5)
                                           if mask >> i % 5 & 1)
    inputs = tiles * 5
    return NocState(
        cols, config.router_depth, (1 << bits) - 1, bits, word.offset("host"),
        word.offset("value"), config.tile.axons - 1 if config.multicast else 0,
        (1 << config.value_bits) - 1, ways.ravel(), axon.ravel(), behind.ravel(),
        first_of.ravel(), np.ones(rows, np.uint8),
        np.zeros(inputs * config.router_depth, np.uint64),
        np.zeros(inputs, np.int32), np.zeros(inputs, np.int32), np.zeros(inputs, np.uint8),
        np.zeros(tiles * _WAYS, np.uint8), np.zeros(tiles, np.uint8),
        np.zeros(tiles * _WAYS, np.uint8), np.zeros(tiles, np.int32), np.zeros(tiles, np.uint8),
        np.zeros(tiles * 11, np.int32), np.zeros(tiles + rows, np.int32),
        np.zeros(tiles + rows, np.uint64), np.zeros(tiles + rows, np.int32),
        np.zeros(tiles + rows, np.uint64), np.zeros(tiles * 4, np.int64), np.zeros(5, np.int64))


@kernel
def local_input(net: NocState, tile: int) -> int:
    """Number of the input that a tile sends to."""
    return tile * 5 + 4


@kernel
def host_input(net: NocState, row: int) -> int:
    """Number of the input that the host port of a row sends to."""
    return row * net.cols * 5 + 3


@kernel
def room(net: NocState, place: int) -> bool:
    """Input ``place`` takes a packet in this cycle; asked before :func:`advance`."""
    return bool(net.held[place] < net.depth)


@kernel
def enter(net: NocState, place: int, word: int) -> None:
    """Transfer a packet to input ``place`` in this cycle, one at most; only if it has room."""
    number = net.counts[ENTERING]
    net.enter_input[number] = place
    net.enter_word[number] = word
    net.counts[ENTERING] = number + 1


@kernel
def _show(net: NocState, place: int) -> None:
    """The oldest packet of an input becomes known to the outputs that it wants."""
    router = place // 5
    word = net.word[place * net.depth + net.head[place]]
    if INT(word) >> net.host_shift & 1:
        ways = INT(1 << _WEST)
    else:
        ways = INT(net.ways[(router << net.tree_bits) + (INT(word) & net.target_mask)])
    net.left[place] = ways
    if not net.wanted[router] and not net.listed[router]:
        net.listed[router] = 1
        net.busy[net.counts[BUSY]] = router
        net.counts[BUSY] += 1
    net.wanted[router] |= ways
    bit = INT(1) << (place - router * 5)
    out = router * _WAYS
    while ways:
        if ways & 1:
            net.request[out] |= bit
        ways >>= 1
        out += 1


@kernel
def _push(net: NocState, place: int, word: int) -> None:
    held = net.held[place]
    net.word[place * net.depth + (net.head[place] + held & net.depth - 1)] = word
    net.held[place] = held + 1
    if held == 0:
        _show(net, place)


@kernel
def _choose(net: NocState) -> int:
    """Transfers of this cycle from what waits at its start; how many."""
    moves = INT(0)
    index = INT(0)
    while index < net.counts[BUSY]:
        router = net.busy[index]
        wanted = INT(net.wanted[router])
        if wanted == 0:
            net.counts[BUSY] -= 1
            net.busy[index] = net.busy[net.counts[BUSY]]
            net.listed[router] = 0
            continue
        index += 1
        output = INT(0)
        while wanted:
            if wanted & 1:
                way = router * _WAYS + output
                behind = net.behind[way]
                mask = INT(net.request[way])
                if output == _NOWHERE:
                    for port in range(5):
                        if mask >> port & 1:
                            net.move[moves] = (router * 5 + port) * _WAYS + output
                            moves += 1
                elif behind < 0 or net.held[behind] < net.depth:
                    choice = INT(net.first_of[net.pointer[way] * 32 + mask])
                    if behind == _TO_HOST and not net.host_ready[router // net.cols]:
                        net.pointer[way] = choice
                    else:
                        net.pointer[way] = choice + 1 if choice < 4 else 0
                        net.move[moves] = (router * 5 + choice) * _WAYS + output
                        moves += 1
            wanted >>= 1
            output += 1
    return moves


@kernel
def _leave(net: NocState, tiles: int, router: int, output: int, behind: int, word: int) -> None:
    """A packet leaves the network."""
    if behind == _TO_SINK:
        net.counts[LOST] += 1
        return
    number = net.counts[OUT]
    packet = INT(word)
    if behind == _TO_HOST:
        net.out_port[number] = tiles + router // net.cols
    else:
        net.out_port[number] = router
        if net.axon_mask:
            tree = (router << net.tree_bits) + (packet & net.target_mask)
            value = packet >> net.value_shift & net.value_mask
            axon = value + INT(net.axon[tree]) & net.axon_mask
            packet ^= (value ^ axon) << net.value_shift
    net.out_word[number] = packet
    net.counts[OUT] = number + 1


@kernel
def advance(net: NocState) -> None:
    """All transfers of one cycle, those of :func:`enter` included."""
    moves = _choose(net)
    net.counts[OUT] = 0
    tiles = INT(net.wanted.size)
    packets = INT(0)
    # What a transfer changes is looked at by no other of the same cycle: they are all chosen, a
    # full FIFO gets none, and what has become the oldest is only made known.
    for index in range(moves):
        place = net.move[index] // _WAYS
        output = net.move[index] & _WAYS - 1
        router = place // 5
        way = router * _WAYS + output
        word = net.word[place * net.depth + net.head[place]]
        request = INT(net.request[way]) & ~(INT(1) << (place - router * 5))
        net.request[way] = request
        if request == 0:
            net.wanted[router] &= ~(INT(1) << output)
        left = INT(net.left[place]) & ~(INT(1) << output)
        net.left[place] = left
        if left == 0:
            net.head[place] = net.head[place] + 1 & net.depth - 1
            net.held[place] -= 1
            packets -= 1
            if net.held[place]:
                _show(net, place)
        behind = net.behind[way]
        if output < 4 and behind != _TO_SINK:
            net.sent[router * 4 + output] += 1
        if behind >= 0:
            _push(net, behind, word)
            packets += 1
        else:
            _leave(net, tiles, router, output, behind, word)
    for index in range(net.counts[ENTERING]):
        _push(net, net.enter_input[index], net.enter_word[index])
        packets += 1
    net.counts[ENTERING] = 0
    net.counts[PACKETS] += packets
