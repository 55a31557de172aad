# SPDX-License-Identifier: Apache-2.0
"""Host port of a mesh: requests to its registers and to its tiles."""

from functools import reduce
from operator import or_
from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import MeshConfig
from neurotile.spec.codes import MemoryId
from neurotile.spec.mesh_config import MeshMemoryId, mesh_request_word

from .layouts import host_bus, struct_layout

__all__ = ["MeshPort"]


class MeshPort(wiring.Component):
    """Passes requests on in order; each waits for the answer before.

    Parameters
    ----------
    config : MeshConfig
        Number of tiles; those beyond read 0 and ignore writes.

    Members
    -------
    request, response : ``In(stream.Signature(mesh_request_word))``, ``Out(stream.Signature(32))``
        Requests, and answers to reads.
    held : ``In(1)``
        Memories may be accessed; registers may be at any time.
    registers : ``Out(host_bus())``
        Registers of the mesh.
    tile_request, tile_response : ``Out(stream...)`` x tiles, ``In(stream...)`` x tiles
        Host ports of the tiles.
    """

    def __init__(self, config: MeshConfig) -> None:
        self.config = config
        word = stream.Signature(struct_layout(mesh_request_word()))
        super().__init__({
            "request": In(word), "response": Out(stream.Signature(32)), "held": In(1),
            "registers": Out(host_bus()),
            "tile_request": Out(word).array(config.tiles),
            "tile_response": In(stream.Signature(32)).array(config.tiles)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        tiles = range(self.config.tiles)
        waits = Signal()
        request = Signal.like(self.request.payload, reset_less=True)
        reading = Signal()  # a register of the mesh, whose answer is there
        asked = Signal()    # a tile, whose answer will come

        of_mesh = Signal()
        allowed, room, execute, ready = Signal(), Signal(), Signal(), Signal()
        busy = reading | asked
        m.d.comb += [
            of_mesh.eq((request.memory == MeshMemoryId.MESH)
                       | (request.tile >= self.config.tiles)),
            allowed.eq(self.held | (request.memory == MeshMemoryId.MESH)
                       | (request.memory == MemoryId.REGISTERS)),
            room.eq(~self.response.valid | self.response.ready),
            ready.eq(waits & allowed & ~busy & (request.write | room)),
            self.request.ready.eq(~waits | execute),
        ]
        mine = [request.tile == tile for tile in tiles]
        taken = reduce(or_, [mine[tile] & self.tile_request[tile].ready for tile in tiles])
        m.d.comb += execute.eq(ready & (of_mesh | taken))
        with m.If(self.request.ready):
            m.d.sync += [waits.eq(self.request.valid), request.eq(self.request.payload)]

        known = request.memory == MeshMemoryId.MESH
        m.d.comb += [
            # No register has the last index: what is read there is 0.
            self.registers.index.eq(Mux(known, request.index, -1)),
            self.registers.data.eq(request.data),
            self.registers.own.eq(self.held),
            self.registers.write.eq(execute & known & request.write),
            self.registers.read.eq(execute & of_mesh & ~request.write),
        ]
        m.d.sync += reading.eq(self.registers.read)
        for tile in tiles:
            m.d.comb += [self.tile_request[tile].valid.eq(ready & ~of_mesh & mine[tile]),
                         self.tile_request[tile].payload.eq(request),
                         self.tile_response[tile].ready.eq(1)]
        answered = reduce(or_, [self.tile_response[tile].valid for tile in tiles])
        with m.If(answered):
            m.d.sync += asked.eq(0)
        with m.Elif(execute & ~of_mesh & ~request.write):
            m.d.sync += asked.eq(1)

        answers = [self.tile_response[tile].payload & self.tile_response[tile].valid.replicate(32)
                   for tile in tiles]
        with m.If(reading | answered):
            m.d.sync += [self.response.valid.eq(1),
                         self.response.payload.eq(Mux(reading, self.registers.answer,
                                                      reduce(or_, answers)))]
        with m.Elif(self.response.ready):
            m.d.sync += self.response.valid.eq(0)
        return m
