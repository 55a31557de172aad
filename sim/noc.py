# SPDX-License-Identifier: Apache-2.0
"""Network on chip of a mesh, cycle by cycle, visiting only routers with packets (docs/mesh.md).

A caller makes the state with :func:`noc_state` and then, per cycle: :func:`room` tells whether an
input takes a packet in this cycle; :func:`enter` transfers one to it; then :func:`advance` makes
the transfers of the routers and ends the cycle. Packets that left lie in ``out_port`` and
``out_word`` until the next :func:`advance`, ``counts[OUT]`` of them; ``counts[PACKETS]`` are in the
network. While that is 0 and nothing enters, cycles need no call.

Which outputs are wanted, free and chosen is unpredictable, so that the kernels do the same for
every packet and branch little: what is not there adds a mask of zeros.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..spec import MeshConfig
from ..spec.mesh_config import packet_word
from .jit import INT, kernel

__all__ = ["ENTERING", "OUT", "PACKETS", "NocState", "advance", "clear_network",
           "enter", "host_input", "hosts_ready", "local_input", "lost_packets", "noc_state", "room",
           "sent_packets", "walk_packet"]

PACKETS, ENTERING, OUT, _BUSY = range(4)
"""Places in ``counts``: packets in the network, that enter in this cycle, that left in the last;
routers in ``busy``."""

_TO_SINK = -(1 << 30)
_WEST, _LOCAL, _SINK, _NOWHERE = 3, 4, 5, 6  # outputs; 0 to 3 are the links
_WAYS = 8  # entries per router in tables by input or output

# A cell: packets held in bits 7..0, place of the oldest in bits 15..8, above them its outputs.
_HEAD, _LEFT, _BYTE = 8, 16, 0xFF
# A way: its pointer in bits 2..0, above them packets sent.
_COUNT = 3

_U: Any = np.uint64  # an unsigned index needs no test for counting from the end
_BRUIJN, _TOP = np.uint64(0x03F79D71B4CB0A89), np.uint64(58)


class NocState(NamedTuple):
    """State of the network, arrays that the kernels change; see :func:`noc_state`.

    An input of a router has number router * 8 + port. A mask of outputs has bits north, east,
    south, west, local, sink to the west, none.
    """

    cols: int
    depth: int
    target_bits: int  # of an index into ``ways``, the bit ``host`` above it
    host_shift: int
    value_shift: int
    axon_mask: int  # 0 without multicast
    value_mask: int
    ways: npt.NDArray[np.uint8]         # (routers * 2 << target_bits,): outputs of a packet
    axon: npt.NDArray[np.uint16]        # (routers << target_bits,): first axon, with multicast
    behind: npt.NDArray[np.int32]       # (routers * 8,): the input behind an output, or -1 - port
    front: npt.NDArray[np.int32]        # (routers * 8 + 8,): the router that sends to an input
    first_of: npt.NDArray[np.uint8]     # (8 * 32,): choice by pointer and requests
    bit_number: npt.NDArray[np.uint8]   # (64,): by a de Bruijn sequence
    spread: npt.NDArray[np.int64]       # (128,): bits of a mask, each in a byte of its own
    word: npt.NDArray[np.int64]         # (routers * 8 * depth,): packets that wait
    cell: npt.NDArray[np.int64]         # (routers * 8,): what an input holds
    want: npt.NDArray[np.int64]         # (routers,): a byte per output, inputs that want it
    blocked: npt.NDArray[np.int64]      # (routers + 1,): the same bytes, 31 where nothing can go
    way: npt.NDArray[np.int64]          # (routers * 8,): pointer and packets sent of an output
    busy: npt.NDArray[np.int32]         # routers with packets, and some that had
    listed: npt.NDArray[np.uint8]       # (routers,): is in ``busy``
    freed: npt.NDArray[np.int32]        # inputs that a packet has left in this cycle
    move_to: npt.NDArray[np.int32]      # inputs that get one
    move_word: npt.NDArray[np.int64]
    out_port: npt.NDArray[np.int32]     # tile, or tiles + row of the host port
    out_word: npt.NDArray[np.int64]     # with multicast ``value`` is the axon
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
    ways = np.zeros((tiles, 2, 1 << bits), np.uint8)
    axon = np.zeros((tiles, 1 << bits) if config.multicast else (1, 1), np.uint16)
    behind = np.full((tiles, _WAYS), _TO_SINK, np.int32)
    front = np.full((tiles + 1, _WAYS), tiles, np.int32)
    target = np.arange(1 << bits)
    to_x, to_y = target & (1 << config.x_bits) - 1, target >> config.x_bits
    for tile in range(tiles):
        x, y = tile % cols, tile // cols
        if config.multicast:
            assert trees is not None, "with multicast every router has a tree table"
            plain = trees[tile][:, 0].astype(np.int64)
            axon[tile] = trees[tile][:, 1]
        else:
            plain = 1 << np.select([to_x > x, to_x < x, to_y > y, to_y < y], [1, 3, 2, 0], 4)
        plain[plain == 0] = 1 << _NOWHERE
        if x == 0:
            plain += ((plain & 1 << _WEST) != 0) * ((1 << _SINK) - (1 << _WEST))
        ways[tile] = plain, np.full(1 << bits, 1 << _WEST)
        for port, there, inside in ((0, tile - cols, y > 0), (1, tile + 1, x + 1 < cols),
                                    (2, tile + cols, y + 1 < rows), (3, tile - 1, x > 0)):
            if inside:
                behind[tile, port] = there * _WAYS + (port + 2) % 4
                front[tile, port] = there
        if x == 0:
            behind[tile, _WEST] = -1 - tiles - y
        behind[tile, _LOCAL] = -1 - tile
    first_of = np.zeros((8, 32), np.uint8)
    for pointer in range(5):
        for mask in range(1, 32):
            first_of[pointer, mask] = next(i % 5 for i in range(pointer, pointer + 5)
                                           if mask >> i % 5 & 1)
    bit_number = np.zeros(64, np.uint8)
    for bit in range(64):
        bit_number[((int(_BRUIJN) << bit) % (1 << 64)) >> int(_TOP)] = bit
    spread = np.array([sum((mask >> k & 1) << 8 * k for k in range(7)) for mask in range(128)])
    inputs, moves = tiles * _WAYS, tiles * 11 + tiles + rows

    def zeros(size: int) -> npt.NDArray[np.int64]:
        return np.zeros(size, np.int64)

    def ints(size: int) -> npt.NDArray[np.int32]:
        return np.zeros(size, np.int32)

    return NocState(
        cols, config.router_depth, bits, word.offset("host"), word.offset("value"),
        config.tile.axons - 1 if config.multicast else 0, (1 << config.value_bits) - 1,
        ways.ravel(), axon.ravel(), behind.ravel(), front.ravel(), first_of.ravel(), bit_number,
        spread, zeros(inputs * config.router_depth), zeros(inputs), zeros(tiles),
        zeros(tiles + 1), zeros(inputs), ints(tiles), np.zeros(tiles, np.uint8), ints(moves),
        ints(moves), zeros(moves), ints(moves), zeros(moves), zeros(4))


def walk_packet(net: NocState, code: int
                ) -> tuple[list[tuple[int, int]] | None, npt.NDArray[np.int64], int, bool]:
    """Where the packet with this index into ``ways`` comes out.

    Returns
    -------
    ends : list of (int, int), or None
        Tiles, and what is added to its value there; None: it goes round for ever.
    links : ndarray of int64, (routers * 4,)
        How often it is sent on each link.
    lost : int
        Copies that are lost.
    host : bool
        It comes out at a host port.
    """
    bits, routers = net.target_bits, net.want.size
    low, waiting = code & (2 << bits) - 1, [(code >> bits + 1, 0)]
    ends: list[tuple[int, int]] = []
    links, lost, host = np.zeros(routers * 4, np.int64), 0, False
    while waiting:
        router, hops = waiting.pop()
        if hops == routers:
            return None, links, lost, host
        ways = int(net.ways[(router << bits + 1) + low])
        for output in (k for k in range(7) if ways >> k & 1):
            behind = int(net.behind[router * _WAYS + output])
            if behind == _TO_SINK:
                lost += 1
                continue
            if output < 4:
                links[router * 4 + output] += 1
            if behind >= 0:
                waiting.append((behind // _WAYS, hops + 1))
            elif -1 - behind < routers:
                tree = (router << bits) + (low & (1 << bits) - 1)
                ends.append((router, int(net.axon[tree]) if net.axon_mask else 0))
            else:
                host = True
    return ends, links, lost, host


def sent_packets(net: NocState) -> npt.NDArray[np.int64]:
    """Packets sent on the links of every router, (routers, 4)."""
    count = np.where(net.behind == _TO_SINK, 0, net.way >> _COUNT)
    return count.reshape(-1, _WAYS)[:, :4]


def lost_packets(net: NocState) -> int:
    """Packets that went to a sink."""
    return int((net.way >> _COUNT)[net.behind == _TO_SINK].sum())


def clear_network(net: NocState) -> None:
    """CLEAR: an empty network, all pointers and counters 0."""
    for array in (net.cell, net.want, net.blocked, net.way, net.listed, net.counts):
        array[:] = 0


@kernel
def local_input(net: NocState, tile: int) -> int:
    """Number of the input that a tile sends to."""
    return tile * _WAYS + _LOCAL


@kernel
def host_input(net: NocState, row: int) -> int:
    """Number of the input that the host port of a row sends to."""
    return row * net.cols * _WAYS + _WEST


@kernel
def room(net: NocState, place: int) -> bool:
    """Input ``place`` takes a packet in this cycle; asked before :func:`advance`."""
    return bool(net.cell[_U(place)] & _BYTE < net.depth)


@kernel
def enter(net: NocState, place: int, word: int) -> None:
    """Transfer a packet to input ``place`` in this cycle, one at most; only if it has room."""
    number = net.counts[ENTERING]
    net.move_to[_U(number)] = place
    net.move_word[_U(number)] = word
    net.counts[ENTERING] = number + 1


@kernel
def hosts_ready(net: NocState, row: int, ready: bool) -> None:
    """Whether the host takes packets of a row in this cycle; before :func:`advance`."""
    router = row * net.cols
    port = INT(31) << 8 * _WEST
    if ready:
        net.blocked[router] &= ~port
        return
    net.blocked[router] |= port
    mask = net.want[router] >> 8 * _WEST & 31
    if mask:
        way = net.way[router * _WAYS + _WEST]
        choice = INT(net.first_of[(way & 7) * 32 + mask])
        net.way[router * _WAYS + _WEST] = way - (way & 7) + choice


@kernel
def _outputs(net: NocState, router: int, word: int) -> int:
    """Mask of outputs that a packet wants."""
    bits = net.target_bits
    target = word & (INT(1) << bits) - 1 | (word >> net.host_shift & 1) << bits
    return INT(net.ways[_U((router << bits + 1) + target)])


@kernel
def _choose(net: NocState) -> int:
    """Take what moves out of its inputs; how many packets left one."""
    freed, left = INT(0), INT(0)
    moves, busy = net.counts[ENTERING], net.counts[_BUSY]
    last = net.depth - 1
    index = INT(0)
    while index < busy:
        router = INT(net.busy[_U(index)])
        want = net.want[_U(router)]
        if want == 0:
            busy -= 1
            net.busy[_U(index)] = net.busy[_U(busy)]
            net.listed[_U(router)] = 0
            continue
        index += 1
        free = want & ~net.blocked[_U(router)]
        while free:
            bit = INT(net.bit_number[_U((_U(free & -free) * _BRUIJN) >> _TOP)])
            output = bit >> 3
            shift = output << 3
            mask = free >> shift & 31
            free ^= mask << shift
            at = router * _WAYS + output
            way = net.way[_U(at)]
            choice = INT(net.first_of[_U((way & 7) * 32 + mask)])
            if output == _NOWHERE:  # takes all
                choice = bit & 7
                free |= (mask & mask - 1) << shift
            following = choice + 1 if choice < 4 else INT(0)
            net.way[_U(at)] = ((way >> _COUNT) + 1) << _COUNT | following
            place = router * _WAYS + choice
            cell = net.cell[_U(place)]
            head = cell >> _HEAD & _BYTE
            word = net.word[_U(place * net.depth + head)]
            want ^= INT(1) << shift + choice
            others = cell >> _LEFT & ~(INT(1) << output)
            if others:
                net.cell[_U(place)] = cell ^ INT(1) << _LEFT + output
            else:
                held, head = (cell & _BYTE) - 1, head + 1 & last
                ways = _outputs(net, router, net.word[_U(place * net.depth + head)])
                ways &= -INT(held != 0)
                want |= net.spread[_U(ways)] << choice
                net.cell[_U(place)] = ways << _LEFT | head << _HEAD | held
                net.freed[_U(freed)] = place
                freed += 1
            behind = INT(net.behind[_U(at)])
            net.move_to[_U(moves)] = behind
            net.move_word[_U(moves)] = word
            moves += INT(behind >= 0)
            net.out_port[_U(left)] = -1 - behind
            net.out_word[_U(left)] = word
            left += INT(behind < 0) - INT(behind == _TO_SINK)
        net.want[_U(router)] = want
    net.counts[ENTERING], net.counts[_BUSY], net.counts[OUT] = moves, busy, left
    return freed


@kernel
def _line(place: int) -> int:
    """Bytes of the output that sends to a link's input."""
    return INT(31) << ((place + 2 & 3) << 3)


@kernel
def advance(net: NocState) -> None:
    """All transfers of one cycle, those of :func:`enter` included."""
    freed = _choose(net)
    # A full input got nothing, so that no input is both freed here and full below.
    for index in range(freed):
        place = INT(net.freed[_U(index)])
        net.blocked[_U(net.front[_U(place)])] &= ~_line(place)
    moves = net.counts[ENTERING]
    for index in range(moves):
        place = INT(net.move_to[_U(index)])
        word = net.move_word[_U(index)]
        cell = net.cell[_U(place)]
        held, head = cell & _BYTE, cell >> _HEAD & _BYTE
        net.word[_U(place * net.depth + (head + held & net.depth - 1))] = word
        router = place >> 3
        ways = _outputs(net, router, word) & -INT(held == 0)
        net.cell[_U(place)] = (cell | ways << _LEFT) + 1
        net.want[_U(router)] |= net.spread[_U(ways)] << (place & 7)
        net.blocked[_U(net.front[_U(place)])] |= _line(place) & -INT(held + 1 == net.depth)
        if not net.listed[_U(router)]:
            net.listed[_U(router)] = 1
            net.busy[_U(net.counts[_BUSY])] = router
            net.counts[_BUSY] += 1
    net.counts[ENTERING] = 0
    net.counts[PACKETS] += moves - freed
    if net.axon_mask:
        tiles = net.want.size
        for index in range(net.counts[OUT]):
            router, word = INT(net.out_port[index]), net.out_word[index]
            if router < tiles:
                tree = (router << net.target_bits) + (word & (INT(1) << net.target_bits) - 1)
                value = word >> net.value_shift & net.value_mask
                axon = value + INT(net.axon[tree]) & net.axon_mask
                net.out_word[index] = word ^ (value ^ axon) << net.value_shift
