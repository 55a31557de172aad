# SPDX-License-Identifier: Apache-2.0
"""Router of one tile: five inputs, five outputs, X-then-Y or trees."""

from functools import reduce
from operator import or_
from typing import Any

from amaranth import Cat, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import MeshConfig
from neurotile.spec.mesh_config import packet_word

from .arbiter import Arbiter
from .flit_fifo import FlitFifo
from .layouts import host_bus, struct_layout
from .tree_memory import TreeMemory

__all__ = ["Router", "delivery", "flit_layout", "packet_layout", "parity", "router_signature"]

_PORTS = 5
_NORTH, _EAST, _SOUTH, _WEST, _LOCAL = range(_PORTS)


def packet_layout(config: MeshConfig) -> data.StructLayout:
    """A packet, as tiles and hosts see it."""
    return struct_layout(packet_word(config))


def flit_layout(config: MeshConfig) -> data.StructLayout:
    """A packet on a link: ``packet``, and ``parity`` with ``link_parity``."""
    return data.StructLayout({"packet": packet_layout(config),
                              **({"parity": 1} if config.link_parity else {})})


def parity(packet: Any) -> Any:
    """Bit that makes the number of ones even."""
    return Value.cast(packet).xor()


def delivery(config: MeshConfig) -> wiring.Signature:
    """Signature of a packet that leaves the network at a tile, which always takes it.

    Members
    -------
    valid : ``Out(1)``
        A packet leaves in this cycle.
    payload : ``Out(packet_layout)``
        The packet; with multicast ``value`` is the axon, the tree's first added.
    """
    return wiring.Signature({"valid": Out(1), "payload": Out(packet_layout(config))})


def router_signature(config: MeshConfig) -> wiring.Signature:
    """Members of :class:`Router`, described there."""
    flit = stream.Signature(flit_layout(config))
    return wiring.Signature({
        "x": In(config.x_bits), "y": In(config.y_bits), "clear": In(1),
        "i": In(flit).array(4), "o": Out(flit).array(4),
        "local_i": In(stream.Signature(packet_layout(config))), "local_o": Out(delivery(config)),
        **({"tree": In(host_bus())} if config.multicast else {}),
        "born": Out(3), "gone": Out(4), "lost": Out(4), "parity_errors": Out(3), "sent": Out(4),
        "empty": Out(1),
    })


class Router(wiring.Component):
    """Router of docs/mesh.md, section 1.

    Parameters
    ----------
    config : MeshConfig
        Mesh that it is a part of.

    Members
    -------
    x, y : ``In(x_bits)``, ``In(y_bits)``
        Place in the mesh, constant.
    clear : ``In(1)``
        The pointers of all outputs go to 0, as after reset; given while the router is empty.
    i, o : ``In(stream.Signature(flit_layout))`` x 4, ``Out(...)`` x 4
        Links north, east, south, west; in column 0 the west link is the host port. The payload of
        ``o`` can change while it waits, but in column 0 that of the west link does not.
    local_i : ``In(stream.Signature(packet_layout))``
        Packets from the tile.
    local_o : ``Out(delivery(config))``
        Packets to the tile.
    tree : ``In(host_bus())``
        The host's accesses to the tree table, with multicast.
    born, gone : ``Out(3)``, ``Out(4)``
        Packets that enter and leave the network here in this cycle.
    lost, parity_errors : ``Out(4)``, ``Out(3)``
        Packets lost and dropped for their parity in this cycle; ``gone`` has them too.
    sent : ``Out(4)``
        A packet is sent on link north, east, south, west, the host port included.
    empty : ``Out(1)``
        No packet is here at the start of the cycle.
    """

    def __init__(self, config: MeshConfig) -> None:
        self.config = config
        ports = ("north", "east", "south", "west", "local")
        self._fifos = [FlitFifo(flit_layout(config), depth=config.router_depth) for _ in ports]
        # Of the head of each input: where it goes, where it has been sent, where it is sent now.
        self._want, self._done, self._granted = (
            [Signal(_PORTS, name=f"{name}_{port}") for port in ports]
            for name in ("want", "done", "granted"))
        super().__init__(router_signature(config))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        fifos, arrivals, wrong = self._inputs(m)
        heads = [fifo.o.payload for fifo in fifos]
        words = self._trees(m, fifos)
        first_column = self.x == 0

        # What the head of each input still has to be sent to.
        pending, leaves, unwanted = [], [], []
        granted = self._granted
        for number, (fifo, want, done, grant) in enumerate(zip(
                fifos, self._want, self._done, granted, strict=True)):
            left = Signal(_PORTS, name=f"pending_{number}")
            self._route(m, heads[number].packet, words and words[number].ports, want)
            m.d.comb += left.eq(want & ~done & fifo.o.valid.replicate(_PORTS))
            m.d.comb += fifo.o.ready.eq((left & ~grant) == 0)
            leave = fifo.o.valid & fifo.o.ready
            m.d.sync += done.eq(Mux(leave, 0, done | grant))
            pending.append(left)
            leaves.append(leave)
            unwanted.append(fifo.o.valid & (want == 0))

        # In column 0 the host port and the sink of packets to the west are two outputs.
        off = [self.y == 0, self.x == self.config.cols - 1, self.y == self.config.rows - 1]
        links = [Cat(left[port] for left in pending) for port in range(_PORTS)]
        westward = Cat(first_column & ~head.packet.host for head in heads)
        requests = [*links, links[_WEST] & westward]
        requests[_WEST] = links[_WEST] & ~westward
        takes = [*(self.o[port].ready | off[port] for port in (_NORTH, _EAST, _SOUTH)),
                 self.o[_WEST].ready, 1, 1]
        names = ("north", "east", "south", "west", "local", "sink")
        sends, chosen = [], []
        for name, request, take in zip(names, requests, takes, strict=True):
            arbiter = Arbiter(_PORTS)
            m.submodules[f"arbiter_{name}"] = ResetInserter(self.clear)(arbiter)
            send = Signal(name=f"send_{name}")
            m.d.comb += [arbiter.request.eq(request), arbiter.take.eq(take),
                         arbiter.keep.eq(first_column if name == "west" else 0),
                         send.eq((request != 0) & take)]
            chosen.append(arbiter.choice)
            sends.append(send)
        for number in range(_PORTS):
            won = [send & choice[number] for send, choice in zip(sends, chosen, strict=True)]
            won[_WEST] |= won.pop()
            m.d.comb += granted[number].eq(Cat(won))

        flits = [_select(chosen[port], heads) for port in range(_PORTS)]
        good = [self._good(flit) for flit in flits]
        for port in range(4):
            m.d.comb += [
                Value.cast(self.o[port].payload).eq(Value.cast(flits[port])),
                self.o[port].valid.eq(
                    (requests[port] != 0) & (~off[port] if port != _WEST
                                             else ~first_column | good[_WEST])),
            ]
        m.d.comb += [self.local_o.valid.eq(sends[_LOCAL] & good[_LOCAL]),
                     self.local_o.payload.eq(flits[_LOCAL].packet)]
        if words:
            axon = _select(chosen[_LOCAL], [word.axon for word in words])
            total = flits[_LOCAL].packet.value + axon
            m.d.comb += self.local_o.payload.value.eq(total[:self.config.tile.axon_bits])

        to_host = sends[_WEST] & first_column
        m.d.comb += [
            self.lost.eq(_count([*(sends[port] & off[port] for port in range(3)), sends[5],
                                 *unwanted])),
            self.parity_errors.eq(_count([*wrong, sends[_LOCAL] & ~good[_LOCAL],
                                          to_host & ~good[_WEST]])),
            self.gone.eq(self.lost + self.parity_errors + self.local_o.valid
                         + (to_host & good[_WEST])),
            self.sent.eq(Cat(*(sends[port] & ~off[port] for port in range(3)), sends[_WEST])),
            self.empty.eq(~_any([fifo.o.valid for fifo in fifos])),
        ]
        entered = [arrivals[_LOCAL], arrivals[_WEST] & first_column]
        if self.config.multicast:
            copies = _count(sends) - _count([leave & (grant != 0) for leave, grant
                                             in zip(leaves, granted, strict=True)])
            m.d.comb += self.born.eq(_count(entered) + copies)
        else:
            m.d.comb += self.born.eq(_count(entered))
        return m

    def _inputs(self, m: Module) -> tuple[list[Any], list[Any], list[Any]]:
        """FIFOs, and per input: a packet is taken; one with wrong parity is dropped."""
        flit = flit_layout(self.config)
        fifos, arrivals, wrong = self._fifos, [], []
        for number, name in enumerate(("north", "east", "south", "west", "local")):
            m.submodules[f"fifo_{name}"] = fifo = fifos[number]
            source = self.local_i if number == _LOCAL else self.i[number]
            entering = Signal(flit, name=f"entering_{name}")
            if number == _LOCAL:
                m.d.comb += entering.packet.eq(source.payload)
                if self.config.link_parity:
                    m.d.comb += entering.parity.eq(parity(source.payload))
                good: Any = 1
            else:
                m.d.comb += entering.eq(source.payload)
                good = self._good(entering)
            m.d.comb += [fifo.i.payload.eq(entering), fifo.i.valid.eq(source.valid & good),
                         source.ready.eq(fifo.i.ready)]
            if number != _LOCAL:
                wrong.append(source.valid & source.ready & ~good)
            arrivals.append(source.valid & source.ready & good)
        return fifos, arrivals, wrong

    def _trees(self, m: Module, fifos: list[Any]) -> list[Any] | None:
        """Tree word of the head of each input, with multicast."""
        if not self.config.multicast:
            return None
        m.submodules.trees = trees = TreeMemory(self.config)
        wiring.connect(m, wiring.flipped(self.tree), trees.host)
        m.d.comb += [trees.tree[number].eq(fifo.next.packet.target)
                     for number, fifo in enumerate(fifos)]
        return list(trees.word)

    def _route(self, m: Module, packet: Any, ports: Any, want: Signal) -> None:
        """The outputs of a packet at the head of an input."""
        x_bits, y_bits = self.config.x_bits, self.config.y_bits
        x, y = packet.target[:x_bits], packet.target[x_bits:x_bits + y_bits]
        with m.If(packet.host):
            m.d.comb += want.eq(1 << _WEST)
        if self.config.multicast:
            with m.Else():
                m.d.comb += want.eq(ports)
            return
        for port, here in ((_EAST, x > self.x), (_WEST, x < self.x), (_SOUTH, y > self.y),
                           (_NORTH, y < self.y)):
            with m.Elif(here):
                m.d.comb += want.eq(1 << port)
        with m.Else():
            m.d.comb += want.eq(1 << _LOCAL)

    def _good(self, flit: Any) -> Any:
        return ~Value.cast(flit).xor() if self.config.link_parity else Value.cast(1)


def _select(choice: Any, values: list[Any]) -> Any:
    """The value whose bit of the one-hot ``choice`` is 1."""
    parts = [Value.cast(value) & choice[number].replicate(len(Value.cast(value)))
             for number, value in enumerate(values)]
    shape = values[0].shape()
    return data.View(shape, reduce(or_, parts)) if isinstance(shape, data.Layout) \
        else reduce(or_, parts)


def _count(bits: list[Any]) -> Any:
    return sum(bits[1:], bits[0])


def _any(bits: list[Any]) -> Any:
    return reduce(or_, bits)
