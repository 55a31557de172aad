# SPDX-License-Identifier: Apache-2.0
"""The mesh: tiles, network, barrier and host port."""

from functools import reduce
from operator import and_, or_
from typing import Any

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from neurotile.spec import MeshConfig
from neurotile.spec.mesh_config import mesh_request_word

from .barrier import Barrier
from .export import component_verilog
from .instances import Once
from .layouts import struct_layout
from .mesh_port import MeshPort
from .mesh_registers import MeshRegisters
from .mesh_tile import MeshTile, mesh_tile_signature
from .netlist import make_netlist
from .noc import Noc, router_verilog
from .router import packet_layout

__all__ = ["Mesh", "mesh_verilog"]


class Mesh(wiring.Component):
    """Many tiles: events in, spikes out, step by step (docs/mesh.md).

    Its Verilog instantiates modules ``router`` and ``mesh_tile``.

    Parameters
    ----------
    config : MeshConfig
        Every free parameter.

    Members
    -------
    i, o : ``In(stream.Signature(packet_layout))`` x rows, ``Out(...)`` x rows
        Host ports: events and spikes.
    end_valid, end_ready : ``In(1)``, ``Out(1)``
        Stream of END_OF_STEP, which has no payload.
    request, response : ``In(stream.Signature(mesh_request_word))``, ``Out(stream.Signature(32))``
        Reads and writes of registers and memories, and answers to reads.
    barrier : ``Out(1)``
        The barrier fires in this cycle.
    held : ``Out(1)``
        All tiles are in HOLD, and no packet is in the network.
    """

    def __init__(self, config: MeshConfig) -> None:
        self.config = config
        packets = stream.Signature(packet_layout(config))
        super().__init__({
            "i": In(packets).array(config.rows), "o": Out(packets).array(config.rows),
            "end_valid": In(1), "end_ready": Out(1),
            "request": In(stream.Signature(struct_layout(mesh_request_word()))),
            "response": Out(stream.Signature(32)), "barrier": Out(1), "held": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        m.submodules.noc = noc = Noc(config)
        m.submodules.barrier_unit = barrier = Barrier(config)
        m.submodules.registers = registers = MeshRegisters(config)
        m.submodules.port = port = MeshPort(config)
        connect(m, flipped(self.request), port.request)
        connect(m, port.response, flipped(self.response))
        connect(m, port.registers, registers.host)
        for row in range(config.rows):
            connect(m, flipped(self.i[row]), noc.i[row])
            connect(m, noc.o[row], flipped(self.o[row]))

        tiles = []
        for number in range(config.tiles):
            tile = Once(mesh_tile_signature(config), "mesh_tile")
            m.submodules[f"tile_{number}"] = tile
            tiles.append(tile)
            connect(m, tile.o, noc.local_i[number])
            connect(m, noc.local_o[number], tile.i)
            connect(m, port.tile_request[number], tile.request)
            connect(m, tile.response, port.tile_response[number])
            if config.multicast:
                connect(m, tile.tree, noc.tree[number])
            m.d.comb += [
                tile.x.eq(number % config.cols),
                tile.y.eq(number // config.cols),
                tile.sent.eq(noc.sent[number]),
                tile.barrier.eq(barrier.fire),
                tile.start.eq(registers.start),
                tile.more.eq(registers.running),
                tile.clear.eq(registers.clear),
                tile.held.eq(self.held),
                barrier.idle[number].eq(tile.idle),
                barrier.born[number].eq(noc.born[number]),
                barrier.gone[number].eq(noc.gone[number]),
                registers.lost[number].eq(noc.lost[number]),
                registers.parity_errors[number].eq(noc.parity_errors[number]),
            ]
        m.d.comb += [
            noc.run.eq(registers.running),
            noc.clear.eq(registers.clear),
            barrier.end_valid.eq(self.end_valid),
            self.end_ready.eq(barrier.end_ready),
            self.barrier.eq(barrier.fire),
            self.held.eq(reduce(and_, [tile.hold for tile in tiles]) & noc.empty),
            registers.held.eq(self.held),
            registers.barrier.eq(barrier.fire),
            registers.overflow.eq(reduce(or_, [tile.overflow for tile in tiles])),
            port.held.eq(self.held),
        ]
        return m


def mesh_verilog(config: MeshConfig) -> str:
    """Verilog of modules ``mesh``, ``mesh_tile`` and ``router`` and of what is in them."""
    return (make_netlist(Mesh(config), "mesh", joined=True).verilog
            + component_verilog(MeshTile(config), "mesh_tile") + router_verilog(config))
