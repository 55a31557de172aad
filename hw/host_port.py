# SPDX-License-Identifier: Apache-2.0
"""Host port: requests to read and write registers and memories."""

from enum import IntEnum
from typing import Any

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import EventConfig, MeshConfig, TileConfig
from neurotile.spec.codes import MemoryId
from neurotile.spec.formats import host_request_word, memories
from neurotile.spec.mesh_config import mesh_memories, mesh_request_word

from .layouts import host_bus, struct_layout

__all__ = ["HostPort", "host_targets"]


def host_targets(config: TileConfig | EventConfig | MeshConfig) -> dict[str, IntEnum]:
    """What the host can address at a tile: the registers and every memory, by name."""
    found = mesh_memories(config) if isinstance(config, MeshConfig) else memories(config)
    return {"registers": MemoryId.REGISTERS, **{memory.name: memory.id for memory in found}}


class HostPort(wiring.Component):
    """Executes requests in order, one per cycle at most; reads wait for the answer before.

    Parameters
    ----------
    config : TileConfig, EventConfig or MeshConfig
        Decides which memories there are; the others read 0 and ignore writes. That of a mesh means
        one of its tiles.

    Members
    -------
    request : ``In(stream.Signature(host_request_word))``
        Requests; on a mesh ``mesh_request_word``, whose tile is this one.
    response : ``Out(stream.Signature(32))``
        Answers to reads.
    hold : ``In(1)``
        Memories may be accessed; registers may be at any time.
    NAME : ``Out(host_bus())``
        Each of :func:`host_targets`.
    """

    def __init__(self, config: TileConfig | EventConfig | MeshConfig) -> None:
        self.targets = host_targets(config)
        word = mesh_request_word() if isinstance(config, MeshConfig) else host_request_word()
        super().__init__({
            "request": In(stream.Signature(struct_layout(word))),
            "response": Out(stream.Signature(32)),
            "hold": In(1),
            **{name: Out(host_bus()) for name in self.targets},
        })

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        waits = Signal()
        request = Signal.like(self.request.payload, reset_less=True)
        reading = Signal(2)
        source = Signal.like(request.memory, reset_less=True)

        allowed = self.hold | (request.memory == MemoryId.REGISTERS)
        room = (reading == 0) & (~self.response.valid | self.response.ready)
        execute = Signal()
        m.d.comb += [
            execute.eq(waits & allowed & (request.write | room)),
            self.request.ready.eq(~waits | execute),
        ]
        with m.If(self.request.ready):
            m.d.sync += [waits.eq(self.request.valid), request.eq(self.request.payload)]

        m.d.sync += reading.eq(Cat(execute & ~request.write, reading[0]))
        with m.If(execute & ~request.write):
            m.d.sync += source.eq(request.memory)
        for name, code in self.targets.items():
            bus = getattr(self, name)
            mine = execute & (request.memory == code)
            m.d.comb += [bus.index.eq(request.index), bus.data.eq(request.data),
                         bus.own.eq(self.hold),
                         bus.write.eq(mine & request.write), bus.read.eq(mine & ~request.write)]

        with m.If(reading[1]):
            m.d.sync += [self.response.valid.eq(1), self.response.payload.eq(0)]
            with m.Switch(source):
                for name, code in self.targets.items():
                    with m.Case(code):
                        m.d.sync += self.response.payload.eq(getattr(self, name).answer)
        with m.Elif(self.response.ready):
            m.d.sync += self.response.valid.eq(0)
        return m
