# SPDX-License-Identifier: Apache-2.0
"""Network on chip: the routers of a mesh and the links between them."""

from functools import reduce
from operator import and_
from typing import Any

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import MeshConfig

from .export import component_verilog
from .instances import Once
from .layouts import host_bus
from .router import Router, delivery, packet_layout, parity, router_signature

__all__ = ["Noc", "noc_verilog", "router_verilog"]


class Noc(wiring.Component):
    """All routers of a mesh and its host ports (docs/mesh.md, section 1).

    Its Verilog instantiates module ``router``, which is :func:`router_verilog`.

    Parameters
    ----------
    config : MeshConfig
        The mesh.

    Members
    -------
    run : ``In(1)``
        The mesh is running: host ports take packets.
    clear : ``In(1)``
        Routers forget which input comes next; given while the network is empty.
    i, o : ``In(stream.Signature(packet_layout))`` x rows, ``Out(...)`` x rows
        Host ports.
    local_i : ``In(stream.Signature(packet_layout))`` x tiles
        Packets from the tiles.
    local_o : ``Out(delivery(config))`` x tiles
        Packets to the tiles, in any cycle.
    tree : ``In(host_bus())`` x tiles
        The host's accesses to the tree tables, with multicast.
    born, gone, lost, parity_errors, sent : ``Out(3, 4, 4, 3, 4)`` x tiles
        Of every router in this cycle, see there.
    empty : ``Out(1)``
        No packet is in the network at the start of the cycle.
    """

    def __init__(self, config: MeshConfig) -> None:
        self.config = config
        packets = stream.Signature(packet_layout(config))
        rows, tiles = config.rows, config.tiles
        super().__init__({
            "run": In(1), "clear": In(1),
            "i": In(packets).array(rows), "o": Out(packets).array(rows),
            "local_i": In(packets).array(tiles), "local_o": Out(delivery(config)).array(tiles),
            **({"tree": In(host_bus()).array(tiles)} if config.multicast else {}),
            "born": Out(3).array(tiles), "gone": Out(4).array(tiles), "lost": Out(4).array(tiles),
            "parity_errors": Out(3).array(tiles), "sent": Out(4).array(tiles), "empty": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        rows, cols = self.config.rows, self.config.cols
        routers = []
        for tile in range(self.config.tiles):
            router = Once(router_signature(self.config), "router")
            m.submodules[f"router_{tile}"] = router
            routers.append(router)
            m.d.comb += [router.x.eq(tile % cols), router.y.eq(tile // cols),
                         router.clear.eq(self.clear)]
            wiring.connect(m, wiring.flipped(self.local_i[tile]), router.local_i)
            wiring.connect(m, router.local_o, wiring.flipped(self.local_o[tile]))
            if self.config.multicast:
                wiring.connect(m, wiring.flipped(self.tree[tile]), router.tree)
            m.d.comb += [getattr(self, name)[tile].eq(getattr(router, name))
                         for name in ("born", "gone", "lost", "parity_errors", "sent")]
        north, east, south, west = range(4)
        for tile, router in enumerate(routers):
            if tile % cols + 1 < cols:
                wiring.connect(m, router.o[east], routers[tile + 1].i[west])
                wiring.connect(m, routers[tile + 1].o[west], router.i[east])
            if tile // cols + 1 < rows:
                wiring.connect(m, router.o[south], routers[tile + cols].i[north])
                wiring.connect(m, routers[tile + cols].o[north], router.i[south])
        for row in range(rows):
            port = routers[row * cols]
            m.d.comb += [
                port.i[west].valid.eq(self.i[row].valid & self.run),
                port.i[west].payload.packet.eq(self.i[row].payload),
                self.i[row].ready.eq(port.i[west].ready & self.run),
                self.o[row].valid.eq(port.o[west].valid),
                self.o[row].payload.eq(port.o[west].payload.packet),
                port.o[west].ready.eq(self.o[row].ready),
            ]
            if self.config.link_parity:
                m.d.comb += port.i[west].payload.parity.eq(parity(self.i[row].payload))
        m.d.comb += self.empty.eq(reduce(and_, [router.empty for router in routers]))
        return m


def router_verilog(config: MeshConfig) -> str:
    """Verilog of module ``router``, which every node of the mesh instantiates."""
    return component_verilog(Router(config), "router")


def noc_verilog(config: MeshConfig) -> str:
    """Verilog of modules ``noc`` and ``router``."""
    return component_verilog(Noc(config), "noc") + router_verilog(config)
