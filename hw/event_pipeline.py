# SPDX-License-Identifier: Apache-2.0
"""Event pipeline: reads synapses and states of a group, changes and writes them in one go."""

from typing import Any

from amaranth import Const, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import EventConfig
from neurotile.spec.event_formats import switches_word
from neurotile.spec.formats import memories

from .layouts import event_pass, read_port, spike_mask, struct_layout, write_port
from .odin_lane import OdinLane

__all__ = ["EventPipeline"]

_CHANGED = ("synapse", "state")


class EventPipeline(wiring.Component):
    """``stages`` clock edges from the words of a group at the memory outputs to their write.

    A pass starts when the pipeline is empty and issues no row twice, so no row is read while it is
    on its way to the memory.

    Parameters
    ----------
    config : EventConfig
        Lanes and number of stages.

    Members
    -------
    issue, row : ``In(1)``, ``In(neuron_bits + group_bits)``
        A group is read at the end of this cycle; its row of synapses, with the group in the low
        bits.
    event : ``In(event_pass(config))``
        The pass; it does not change while a group is in the pipeline.
    switches : ``In(switches_word)``
        Register SWITCHES.
    spikes_valid : ``Out(1)``
        A group whose neurons were updated is written at the end of this cycle.
    spikes : ``Out(spike_mask(config))``
        Which of them emit a spike.
    idle : ``Out(1)``
        No group is between its issue and its write.
    MEMORY_read, MEMORY_write : ``Out(read_port)``, ``Out(write_port)``
        Of every memory; only ``synapse`` and ``state`` are written.
    """

    def __init__(self, config: EventConfig) -> None:
        self.config = config
        self.memories = memories(config)
        super().__init__({
            "issue": In(1), "row": In(config.neuron_bits + config.group_bits),
            "event": In(event_pass(config)), "switches": In(struct_layout(switches_word())),
            "spikes_valid": Out(1), "spikes": Out(spike_mask(config)), "idle": Out(1),
            **{f"{memory.name}_read": Out(read_port(memory)) for memory in self.memories},
            **{f"{memory.name}_write": Out(write_port(memory)) for memory in self.memories
               if memory.name in _CHANGED}})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, event = self.config, self.event
        lane_bits = config.neuron_bits - config.group_bits

        reads = {"synapse": (self.row, event.reads), "sign": (event.pre, event.reads)}
        for memory in self.memories:
            port = getattr(self, f"{memory.name}_read")
            address, needed = reads.get(memory.name, (self.row[:config.group_bits], Const(1)))
            m.d.comb += [port.address.eq(address), port.en.eq(self.issue & needed)]

        valid, row = Signal(data.ArrayLayout(1, config.stages)), self.row
        before = self.issue
        for stage in range(config.stages):
            next_row = Signal.like(self.row, name=f"row_{stage + 1}", reset_less=True)
            m.d.sync += [valid[stage].eq(before), next_row.eq(row)]
            before, row = valid[stage], next_row
        m.d.comb += [
            self.idle.eq(~valid.as_value().any()),
            self.synapse_write.address.eq(row),
            self.synapse_write.en.eq(before & event.writes),
            self.state_write.address.eq(row[:config.group_bits]),
            self.state_write.en.eq(self.spikes_valid),
            self.spikes_valid.eq(before & ~event.bistable),
            self.spikes.group.eq(row[:config.group_bits]),
        ]

        for number in range(config.lanes):
            m.submodules[f"lane_{number}"] = lane = OdinLane(config)
            m.d.comb += [
                lane.event.eq(event),
                lane.part.eq(~event.one | (event.post[:lane_bits] == number)),
                lane.switches.eq(self.switches),
                lane.valid.eq(valid),
                lane.synapse.eq(self.synapse_read.data[number]),
                lane.state.eq(self.state_read.data[number]),
                lane.neuron.eq(self.neuron_read.data[number]),
                lane.rule.eq(self.calcium_rule_read.data[number]),
                lane.sign.eq(self.sign_read.data[0]),
                self.synapse_write.data[number].eq(lane.synapse_next),
                self.state_write.data[number].eq(lane.state_next),
                self.spikes.mask[number].eq(lane.spike),
            ]
        return m
