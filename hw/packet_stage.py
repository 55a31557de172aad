# SPDX-License-Identifier: Apache-2.0
"""Packet stage of a tile on a mesh: a spike becomes the packets of its chain of route entries."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import MeshConfig
from neurotile.spec.mesh_config import MeshMemoryId, mesh_memories

from .layouts import read_port
from .router import packet_layout

__all__ = ["PacketStage"]


class PacketStage(wiring.Component):
    """Stages P and R of docs/mesh.md, section 3.

    P is the read register of the fanout memory, R that of the route memory; here are only their
    flags and what the words do not hold.

    Parameters
    ----------
    config : MeshConfig
        Widths.

    Members
    -------
    x, y : ``In(x_bits)``, ``In(y_bits)``
        Place of the tile in the mesh, constant.
    i : ``In(stream.Signature(neuron_bits))``
        Spikes; a transfer is the spike entering P.
    fanout, route : ``Out(read_port(fanout memory))``, ``Out(read_port(route memory))``
        Reads of the tables.
    o : ``Out(stream.Signature(packet_layout(config)))``
        Packets to the router.
    idle : ``Out(1)``
        Both stages are empty.
    """

    def __init__(self, config: MeshConfig) -> None:
        self.config = config
        memory = {memory.id: memory for memory in mesh_memories(config)}
        super().__init__({
            "x": In(config.x_bits), "y": In(config.y_bits),
            "i": In(stream.Signature(config.tile.neuron_bits)),
            "fanout": Out(read_port(memory[MeshMemoryId.FANOUT])),
            "route": Out(read_port(memory[MeshMemoryId.ROUTE])),
            "o": Out(stream.Signature(packet_layout(config))),
            "idle": Out(1),
        })

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # Only flags need a reset: what they do not vouch for is never looked at.
        spike_valid = Signal()
        spike = Signal.like(self.i.payload, reset_less=True)
        spread = self.fanout.data[0]
        packet_valid = Signal()
        neuron = Signal.like(self.i.payload, reset_less=True)
        next_entry = Signal.like(self.route.address, reset_less=True)
        entry = self.route.data[0]

        sent, start, follow, leave = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            sent.eq(packet_valid & self.o.ready),
            follow.eq(sent & ~entry.last),
            start.eq(spike_valid & spread.any & (~packet_valid | sent & entry.last)),
            leave.eq(spike_valid & ~spread.any | start),
            self.i.ready.eq(~spike_valid | leave),
            self.fanout.address.eq(self.i.payload),
            self.fanout.en.eq(self.i.valid & self.i.ready),
            self.route.address.eq(Mux(follow, next_entry, spread.first)),
            self.route.en.eq(follow | start),
            self.o.valid.eq(packet_valid),
            *(self.o.payload[name].eq(entry[name]) for name, _ in self.o.payload.shape()),
            self.idle.eq(~spike_valid & ~packet_valid),
        ]
        with m.If(entry.host):
            m.d.comb += [self.o.payload.target.eq(Cat(self.x, self.y)),
                         self.o.payload.value.eq(neuron)]

        with m.If(self.fanout.en):
            m.d.sync += [spike_valid.eq(1), spike.eq(self.i.payload)]
        with m.Elif(leave):
            m.d.sync += spike_valid.eq(0)
        with m.If(self.route.en):
            m.d.sync += [packet_valid.eq(1), next_entry.eq(self.route.address + 1)]
        with m.Elif(sent):
            m.d.sync += packet_valid.eq(0)
        with m.If(start):
            m.d.sync += neuron.eq(spike)
        return m
