# SPDX-License-Identifier: Apache-2.0
"""The tile of a mesh: instantiates its parts and connects them."""

from typing import Any

from amaranth import Module, Mux
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from neurotile.spec import MESH_COUNTERS, MeshConfig
from neurotile.spec.config import LEARNING_COUNTERS
from neurotile.spec.mesh_config import mesh_memories, mesh_request_word

from .axon_walker import AxonWalker
from .bistability import Bistability
from .counters import Counters
from .delay_queue import DelayQueue
from .group_sequencer import GroupSequencer
from .host_port import HostPort
from .layouts import host_bus, struct_layout
from .mesh_controller import MeshController
from .npe import Npe
from .packet_stage import PacketStage
from .registers import Registers
from .router import delivery, packet_layout
from .spike_encoder import SpikeEncoder
from .spike_fifo import SpikeFifo
from .synapse_memory import SynapseMemory
from .tile_memory import TileMemory

__all__ = ["MeshTile", "mesh_tile_signature"]

_STATES = ("membrane", "current", "accumulator", "calcium")
_LINKS = ("north", "east", "south", "west")


def mesh_tile_signature(config: MeshConfig) -> wiring.Signature:
    """Members of :class:`MeshTile`, described there."""
    return wiring.Signature({
        "x": In(config.x_bits), "y": In(config.y_bits),
        "i": In(delivery(config)), "o": Out(stream.Signature(packet_layout(config))),
        "sent": In(4),
        "barrier": In(1), "start": In(1), "more": In(1), "clear": In(1),
        "idle": Out(1), "hold": Out(1), "overflow": Out(1),
        "held": In(1),
        "request": In(stream.Signature(struct_layout(mesh_request_word()))),
        "response": Out(stream.Signature(32)),
        **({"tree": Out(host_bus())} if config.multicast else {}),
    })


class MeshTile(wiring.Component):
    """A tile without its router: packets in, packets out, step by step (docs/mesh.md).

    Parameters
    ----------
    config : MeshConfig
        Mesh that it is a part of.

    Members
    -------
    x, y : ``In(x_bits)``, ``In(y_bits)``
        Place in the mesh, constant.
    i : ``In(delivery(config))``
        Packets from the router.
    o : ``Out(stream.Signature(packet_layout(config)))``
        Packets to the router.
    sent : ``In(4)``
        The router sends a packet on link north, east, south, west; for the counters.
    barrier, start, more, clear : ``In(1)``
        See :class:`~neurotile.hw.mesh_controller.MeshController`.
    idle : ``Out(1)``
        The tile is in INTEGRATE and has nothing to do.
    hold : ``Out(1)``
        The tile is in HOLD.
    overflow : ``Out(1)``
        Its queue has lost a packet since CLEAR.
    held : ``In(1)``
        The mesh is held: the host may use the memories.
    request, response : ``In(stream.Signature(mesh_request_word))``, ``Out(stream.Signature(32))``
        The host's requests to this tile, and the answers to reads.
    tree : ``Out(host_bus())``
        Its accesses to the tree table of the router, with multicast.
    """

    def __init__(self, config: MeshConfig) -> None:
        self.config = config
        super().__init__(mesh_tile_signature(config))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        mesh, config = self.config, self.config.tile
        names = MESH_COUNTERS + (LEARNING_COUNTERS if config.learns else ())
        m.submodules.controller = controller = MeshController(config)
        m.submodules.delay_queue = queue = DelayQueue(config)
        m.submodules.walker = walker = AxonWalker(config)
        m.submodules.synapses = synapses = SynapseMemory(config)
        m.submodules.sequencer = sequencer = GroupSequencer(config)
        m.submodules.npe = npe = Npe(config)
        m.submodules.spike_fifo = spike_fifo = SpikeFifo(config)
        m.submodules.encoder = encoder = SpikeEncoder(config)
        m.submodules.packet_stage = packet_stage = PacketStage(mesh)
        m.submodules.counters = counters = Counters(config, names)
        m.submodules.registers = registers = Registers(config, names)
        m.submodules.host_port = host_port = HostPort(mesh)
        memory = {}
        for item in mesh_memories(mesh):
            if item.name not in ("synapse", "tree"):
                memory[item.name] = TileMemory(item, state=item.name in _STATES)
                m.submodules[f"{item.name}_memory"] = memory[item.name]
                connect(m, getattr(host_port, item.name), memory[item.name].host)
        if mesh.multicast:
            connect(m, host_port.tree, flipped(self.tree))

        # Events: packets -> queue -> walker -> synapses -> accumulators.
        connect(m, queue.o, walker.i)
        connect(m, walker.axon, memory["axon"].read)
        connect(m, host_port.synapse, synapses.host)
        m.d.comb += [
            queue.i_valid.eq(self.i.valid),
            queue.i.axon.eq(self.i.payload.value),
            walker.enable.eq(controller.integrating),
            synapses.en.eq(walker.issue.valid),
            synapses.row.eq(walker.issue.row),
            npe.event.eq(walker.issue.valid),
            npe.event_group.eq(walker.issue.group),
            npe.weights.eq(synapses.weights),
        ]
        level, drops = queue.level, queue.drop
        if config.delay == "scdq":
            m.d.comb += [
                queue.i.wait.eq(self.i.payload.delay),
                queue.again_valid.eq(walker.again_valid),
                queue.again.eq(walker.again),
                queue.swap.eq(self.barrier),
            ]
            level = Mux(queue.level_post > queue.level, queue.level_post, queue.level)
            drops = queue.drop + queue.drop_again
        elif config.delay == "ring":
            m.d.comb += [
                walker.slot.eq(controller.slot),
                npe.event_slot.eq(walker.issue.slot),
                npe.slot.eq(controller.slot),
            ]

        # Update: sequencer -> states and parameters -> spike FIFO -> encoder -> packets.
        connect(m, sequencer.group, memory["group"].read)
        connect(m, sequencer.select, npe.select)
        for name in memory:
            for port in ("read", "write"):
                if f"{name}_{port}" in npe.signature.members:
                    connect(m, getattr(npe, f"{name}_{port}"), getattr(memory[name], port))
        connect(m, spike_fifo.o, encoder.i)
        connect(m, encoder.o, packet_stage.i)
        connect(m, packet_stage.fanout, memory["fanout"].read)
        connect(m, packet_stage.route, memory["route"].read)
        connect(m, packet_stage.o, flipped(self.o))
        m.d.comb += [
            packet_stage.x.eq(self.x),
            packet_stage.y.eq(self.y),
            sequencer.updating.eq(controller.updating),
            sequencer.groups.eq(registers.groups),
            sequencer.step.eq(controller.step),
            sequencer.length.eq(registers.length),
            sequencer.credit.eq(spike_fifo.credit),
            npe.control.eq(sequencer.control),
            spike_fifo.issue.eq(sequencer.issue),
            spike_fifo.i_valid.eq(npe.spikes_valid),
            spike_fifo.i.eq(npe.spikes),
        ]

        # Phases.
        updated = sequencer.idle & npe.idle & spike_fifo.idle & packet_stage.idle
        if config.learns:
            self._learning(m, updated)
        m.d.comb += [
            controller.barrier.eq(self.barrier),
            controller.start.eq(self.start),
            controller.more.eq(self.more),
            controller.clear.eq(self.clear),
            controller.update_idle.eq(
                updated & m.submodules.bistability.idle if config.learns else updated),
            self.idle.eq(controller.integrating & (queue.level == 0) & walker.idle),
            self.hold.eq(controller.hold),
            queue.clear.eq(controller.clearing),
            counters.clear.eq(controller.clearing),
        ]
        for name in _STATES:
            if name in memory:
                m.d.comb += [memory[name].clear.eq(controller.clearing),
                             memory[name].clear_row.eq(controller.clear_row)]

        # Host: registers and counters.
        connect(m, flipped(self.request), host_port.request)
        connect(m, host_port.response, flipped(self.response))
        connect(m, host_port.registers, registers.host)
        m.d.comb += [
            host_port.hold.eq(self.held),
            registers.phase.eq(controller.phase),
            registers.overflow.eq(counters.overflow),
            registers.step.eq(controller.step),
            self.overflow.eq(counters.overflow),
            counters.level.eq(level),
            counters.count_events.eq(queue.pop),
            counters.count_synapse_reads.eq(walker.issue.valid),
            counters.count_hazard_stalls.eq(walker.stall),
            counters.count_updates.eq(sequencer.control.valid & sequencer.control.active),
            counters.count_fifo_stalls.eq(sequencer.stall),
            counters.count_spikes.eq(encoder.o.valid & encoder.o.ready),
            counters.count_drops.eq(drops),
            counters.count_packets.eq(self.o.valid & self.o.ready),
            counters.count_received.eq(self.i.valid & ~queue.drop),
            *(getattr(counters, f"count_{name}").eq(self.sent[number])
              for number, name in enumerate(_LINKS)),
            *(getattr(registers, name).eq(getattr(counters, name)) for name in names),
        ]
        return m

    def _learning(self, m: Module, updated: Any) -> None:
        parts = m.submodules
        synapses, walker, registers = parts.synapses, parts.walker, parts.registers
        m.submodules.bistability = bistability = Bistability(self.config.tile)
        m.d.comb += [
            synapses.inhibitory.eq(walker.issue.inhibitory),
            synapses.plastic.eq(walker.issue.plastic),
            synapses.learn.eq(bistability.learn),
            synapses.bistable.eq(bistability.issue),
            synapses.bistable_row.eq(bistability.row),
            synapses.update_unmapped.eq(registers.switches.update_unmapped),
            synapses.propagate_unmapped.eq(registers.switches.propagate_unmapped),
            synapses.flags.eq(parts.npe.flags),
            bistability.enable.eq(registers.switches.learn),
            bistability.offset.eq(registers.learn_offset),
            bistability.step.eq(parts.controller.step),
            bistability.length.eq(registers.length),
            bistability.period.eq(registers.bistability_period),
            bistability.rows.eq(registers.bistability_rows),
            bistability.clear.eq(parts.controller.clearing),
            bistability.updated.eq(parts.controller.updating & updated),
            bistability.finished.eq(parts.controller.finished),
            parts.counters.count_synapse_writes.eq(synapses.writes),
        ]
