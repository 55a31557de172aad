# SPDX-License-Identifier: Apache-2.0
"""The tile in event mode: instantiates its parts and connects them."""

from typing import Any

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from neurotile.spec import EVENT_COUNTERS, EventConfig
from neurotile.spec.event_formats import event_output_word, event_word
from neurotile.spec.formats import host_request_word, memories

from .counters import Counters
from .event_controller import EventController
from .event_output import EventOutput
from .event_pipeline import EventPipeline
from .event_registers import EventRegisters
from .event_scheduler import EventScheduler
from .host_port import HostPort
from .layouts import struct_layout
from .pass_sequencer import PassSequencer
from .spike_encoder import SpikeEncoder
from .spike_fifo import SpikeFifo
from .tile_memory import TileMemory

__all__ = ["EventTile"]


class EventTile(wiring.Component):
    """A tile that processes each event to its end before the next (docs/event_mode.md).

    Parameters
    ----------
    config : EventConfig
        Every free parameter.

    Members
    -------
    i : ``In(stream.Signature(event_word))``
        Events from the host.
    o : ``Out(stream.Signature(event_output_word))``
        Spikes to the host.
    request : ``In(stream.Signature(host_request_word))``
        Reads and writes of registers and memories.
    response : ``Out(stream.Signature(32))``
        Answers to reads.
    idle : ``Out(1)``
        All events are processed and the tile waits for the next.
    """

    def __init__(self, config: EventConfig) -> None:
        self.config = config
        super().__init__({
            "i": In(stream.Signature(struct_layout(event_word(config)))),
            "o": Out(stream.Signature(struct_layout(event_output_word(config)))),
            "request": In(stream.Signature(struct_layout(host_request_word()))),
            "response": Out(stream.Signature(32)),
            "idle": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        m.submodules.controller = controller = EventController(config)
        m.submodules.scheduler = scheduler = EventScheduler(config)
        m.submodules.sequencer = sequencer = PassSequencer(config)
        m.submodules.pipeline = pipeline = EventPipeline(config)
        m.submodules.spike_fifo = spike_fifo = SpikeFifo(config)
        m.submodules.encoder = encoder = SpikeEncoder(config)
        m.submodules.output = output = EventOutput(config)
        m.submodules.counters = counters = Counters(config)
        m.submodules.registers = registers = EventRegisters(config)
        m.submodules.host_port = host_port = HostPort(config)

        # Events: host and own spikes -> scheduler -> passes.
        connect(m, flipped(self.i), controller.i)
        connect(m, controller.append, scheduler.i)
        connect(m, scheduler.o, controller.head)
        m.d.comb += [
            controller.full.eq(scheduler.full),
            sequencer.passing.eq(controller.passing),
            sequencer.event.eq(controller.event),
            sequencer.credit.eq(spike_fifo.credit),
            controller.finished.eq(sequencer.idle & pipeline.idle & spike_fifo.idle),
            self.idle.eq(controller.idle),
        ]

        # A pass: groups -> synapses, states -> spike FIFO -> encoder -> output, scheduler.
        for item in memories(config):
            changes = f"{item.name}_write" in pipeline.signature.members
            memory = TileMemory(item, state=changes)
            m.submodules[f"{item.name}_memory"] = memory
            connect(m, getattr(host_port, item.name), memory.host)
            connect(m, getattr(pipeline, f"{item.name}_read"), memory.read)
            if changes:
                connect(m, getattr(pipeline, f"{item.name}_write"), memory.write)
            if item.name == "state":
                m.d.comb += [memory.clear.eq(controller.clearing),
                             memory.clear_row.eq(controller.clear_row)]
        connect(m, spike_fifo.o, encoder.i)
        connect(m, encoder.o, output.i)
        connect(m, controller.listing, output.listing)
        connect(m, output.o, flipped(self.o))
        m.d.comb += [
            pipeline.issue.eq(sequencer.issue),
            pipeline.row.eq(sequencer.row),
            pipeline.event.eq(controller.event),
            pipeline.switches.eq(registers.switches),
            spike_fifo.issue.eq(sequencer.updates),
            spike_fifo.i_valid.eq(pipeline.spikes_valid),
            spike_fifo.i.eq(pipeline.spikes),
            output.source.eq(registers.switches.source),
            output.open_loop.eq(registers.switches.open_loop),
            scheduler.spike_valid.eq(output.spike_valid),
            scheduler.spike.eq(output.spike),
        ]

        # Host: registers and counters.
        connect(m, flipped(self.request), host_port.request)
        connect(m, host_port.response, flipped(self.response))
        connect(m, host_port.registers, registers.host)
        m.d.comb += [
            host_port.hold.eq(controller.hold),
            controller.run.eq(registers.run),
            controller.clear.eq(registers.clear),
            controller.switches.eq(registers.switches),
            scheduler.clear.eq(controller.clearing),
            registers.phase.eq(controller.phase),
            registers.overflow.eq(counters.overflow),
            registers.level.eq(scheduler.level),
            counters.clear.eq(controller.clearing),
            counters.level.eq(scheduler.level),
            counters.count_events.eq(self.i.valid & self.i.ready),
            counters.count_passes.eq(controller.start),
            counters.count_synapse_reads.eq(sequencer.issue & controller.event.reads),
            counters.count_synapse_writes.eq(sequencer.issue & controller.event.writes),
            counters.count_updates.eq(sequencer.updates),
            counters.count_fifo_stalls.eq(sequencer.stall),
            counters.count_spikes.eq(encoder.o.valid & encoder.o.ready),
            counters.count_drops.eq(scheduler.drop),
            *(getattr(registers, name).eq(getattr(counters, name)) for name in EVENT_COUNTERS),
        ]
        return m
