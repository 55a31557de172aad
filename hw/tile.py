# SPDX-License-Identifier: Apache-2.0
"""The tile: instantiates its parts and connects them."""

from typing import Any

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from neurotile.spec import TileConfig
from neurotile.spec.formats import host_request_word, input_word, memories, output_word

from .axon_walker import AxonWalker
from .bistability import Bistability
from .controller import Controller
from .counters import Counters
from .event_input import EventInput
from .event_queue import EventQueue
from .group_sequencer import GroupSequencer
from .host_port import HostPort
from .layouts import struct_layout
from .npe import Npe
from .registers import Registers
from .route_stage import RouteStage
from .spike_encoder import SpikeEncoder
from .spike_fifo import SpikeFifo
from .synapse_memory import SynapseMemory
from .tile_memory import TileMemory

__all__ = ["Tile"]

_STATES = ("membrane", "current", "accumulator", "calcium")


class Tile(wiring.Component):
    """A neuromorphic tile: events in, spikes out, step by step (docs/semantics.md).

    Parameters
    ----------
    config : TileConfig
        Every free parameter.

    Members
    -------
    i : ``In(stream.Signature(input_word))``
        Events and END_OF_STEP from the host.
    o : ``Out(stream.Signature(output_word))``
        Spikes and END_OF_STEP to the host.
    request : ``In(stream.Signature(host_request_word))``
        Reads and writes of registers and memories.
    response : ``Out(stream.Signature(32))``
        Answers to reads.
    barrier : ``Out(1)``
        The barrier fires in this cycle.
    """

    def __init__(self, config: TileConfig) -> None:
        self.config = config
        super().__init__({
            "i": In(stream.Signature(struct_layout(input_word(config)))),
            "o": Out(stream.Signature(struct_layout(output_word(config)))),
            "request": In(stream.Signature(struct_layout(host_request_word()))),
            "response": Out(stream.Signature(32)),
            "barrier": Out(1),
        })

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        m.submodules.controller = controller = Controller(config)
        m.submodules.event_input = event_input = EventInput(config)
        m.submodules.event_queue = queue = EventQueue(config)
        m.submodules.walker = walker = AxonWalker(config)
        m.submodules.synapses = synapses = SynapseMemory(config)
        m.submodules.sequencer = sequencer = GroupSequencer(config)
        m.submodules.npe = npe = Npe(config)
        m.submodules.spike_fifo = spike_fifo = SpikeFifo(config)
        m.submodules.encoder = encoder = SpikeEncoder(config)
        m.submodules.route_stage = route_stage = RouteStage(config)
        m.submodules.counters = counters = Counters(config)
        m.submodules.registers = registers = Registers(config)
        m.submodules.host_port = host_port = HostPort(config)
        bistability = None
        if config.learns:
            m.submodules.bistability = bistability = Bistability(config)
        memory = {}
        for item in memories(config):
            if item.name != "synapse":
                memory[item.name] = TileMemory(item, state=item.name in _STATES)
                m.submodules[f"{item.name}_memory"] = memory[item.name]
                connect(m, getattr(host_port, item.name), memory[item.name].host)

        # Events: host and own spikes -> queue -> walker -> synapses -> accumulators.
        connect(m, flipped(self.i), event_input.i)
        connect(m, event_input.o, queue.i)
        connect(m, queue.o, walker.i)
        connect(m, walker.axon, memory["axon"].read)
        connect(m, host_port.synapse, synapses.host)
        m.d.comb += [
            event_input.integrating.eq(controller.integrating),
            event_input.barrier.eq(controller.barrier),
            walker.enable.eq(controller.integrating),
            synapses.en.eq(walker.issue.valid),
            synapses.row.eq(walker.issue.row),
            npe.event.eq(walker.issue.valid),
            npe.event_group.eq(walker.issue.group),
            npe.weights.eq(synapses.weights),
        ]

        # Update: sequencer -> states and parameters -> spike FIFO -> encoder -> routes.
        connect(m, sequencer.group, memory["group"].read)
        connect(m, sequencer.select, npe.select)
        for name in memory:
            for port in ("read", "write"):
                if f"{name}_{port}" in npe.signature.members:
                    connect(m, getattr(npe, f"{name}_{port}"), getattr(memory[name], port))
        connect(m, spike_fifo.o, encoder.i)
        connect(m, encoder.o, route_stage.i)
        connect(m, route_stage.route, memory["route"].read)
        connect(m, route_stage.o, flipped(self.o))
        m.d.comb += [
            sequencer.updating.eq(controller.updating),
            sequencer.groups.eq(registers.groups),
            sequencer.step.eq(controller.step),
            sequencer.length.eq(registers.length),
            sequencer.credit.eq(spike_fifo.credit),
            npe.control.eq(sequencer.control),
            spike_fifo.issue.eq(sequencer.issue),
            spike_fifo.i_valid.eq(npe.spikes_valid),
            spike_fifo.i.eq(npe.spikes),
            queue.spike_valid.eq(route_stage.spike_valid),
            queue.spike_axon.eq(route_stage.spike_axon),
        ]

        # Phases.
        updated = sequencer.idle & npe.idle & spike_fifo.idle & route_stage.idle
        m.d.comb += [
            self.barrier.eq(controller.barrier),
            controller.end_of_step.eq(event_input.end_of_step),
            controller.queue_empty.eq(queue.level == 0),
            controller.walker_idle.eq(walker.idle),
            controller.update_idle.eq(updated & bistability.idle if bistability else updated),
            route_stage.finish.eq(controller.finish),
            controller.finished.eq(route_stage.finished),
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
            host_port.hold.eq(controller.hold),
            controller.clear.eq(registers.clear),
            controller.run_write.eq(registers.run_write),
            controller.run_data.eq(registers.run_data),
            registers.phase.eq(controller.phase),
            registers.overflow.eq(counters.overflow),
            registers.run.eq(controller.run),
            registers.step.eq(controller.step),
            counters.level.eq(queue.level),
            counters.count_events.eq(walker.i.valid & walker.i.ready),
            counters.count_synapse_reads.eq(walker.issue.valid),
            counters.count_hazard_stalls.eq(walker.stall),
            counters.count_updates.eq(sequencer.control.valid & sequencer.control.active),
            counters.count_fifo_stalls.eq(sequencer.stall),
            counters.count_spikes.eq(encoder.o.valid & encoder.o.ready),
            counters.count_drops.eq(queue.drop),
            *(getattr(registers, name).eq(getattr(counters, name)) for name in config.counters),
        ]
        if bistability:
            m.d.comb += [
                synapses.inhibitory.eq(walker.issue.inhibitory),
                synapses.plastic.eq(walker.issue.plastic),
                synapses.learn.eq(bistability.learn),
                synapses.bistable.eq(bistability.issue),
                synapses.bistable_row.eq(bistability.row),
                synapses.update_unmapped.eq(registers.switches.update_unmapped),
                synapses.propagate_unmapped.eq(registers.switches.propagate_unmapped),
                synapses.flags.eq(npe.flags),
                bistability.enable.eq(registers.switches.learn),
                bistability.offset.eq(registers.learn_offset),
                bistability.step.eq(controller.step),
                bistability.length.eq(registers.length),
                bistability.period.eq(registers.bistability_period),
                bistability.rows.eq(registers.bistability_rows),
                bistability.clear.eq(controller.clearing),
                bistability.updated.eq(controller.updating & updated),
                bistability.finished.eq(controller.finished),
                counters.count_synapse_writes.eq(synapses.writes),
            ]
        return m
