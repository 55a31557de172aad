# SPDX-License-Identifier: Apache-2.0
"""Update pipeline: states and parameters of a group in, new states and spikes out."""

from typing import Any

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import TileConfig
from neurotile.spec.formats import memories

from .calcium import CalciumLane
from .layouts import read_port, row_select, spike_mask, update_control, write_port
from .neuron_models import built_models
from .update_lane import UpdateLane

__all__ = ["UpdatePipeline"]

_PARAMETERS = ("threshold", "v_reset", "bias", "decay", "theta_mem", "calcium_rule")
_STATES = ("membrane", "current", "calcium")


class UpdatePipeline(wiring.Component):
    """``update_stages`` stages between reading the state of a group and writing it.

    Parameters
    ----------
    config : TileConfig
        Widths, lanes, models and number of stages.

    Members
    -------
    select : ``In(row_select(config))``
        Group to read in this cycle.
    control : ``In(update_control(config))``
        What is done with it; a cycle after ``select``.
    accumulators : ``In(accumulator row)``
        Its accumulators; a cycle after ``select``.
    clear, clear_group : ``Out(1)``, ``Out(group_bits)``
        The group's accumulators are zeroed at the end of this cycle.
    spikes_valid : ``Out(1)``
        A group is written at the end of this cycle.
    spikes : ``Out(spike_mask(config))``
        Which of its neurons fired.
    idle : ``Out(1)``
        No group is between ``control`` and its write.
    MEMORY_read, MEMORY_write : ``Out(read_port)``, ``Out(write_port)``
        ``membrane``, ``current``, ``calcium``, ``threshold``, ``v_reset``, ``bias``, ``decay``,
        ``theta_mem`` and ``calcium_rule``, as far as the tile has them; the parameters are only
        read.
    """

    def __init__(self, config: TileConfig) -> None:
        self.config = config
        stored = {memory.name: memory for memory in memories(config)}
        self.parameters = [name for name in _PARAMETERS if name in stored]
        self.states = [name for name in _STATES if name in stored]
        members = {
            "select": In(row_select(config)),
            "control": In(update_control(config)),
            "accumulators": In(read_port(stored["accumulator"]).members["data"].shape),
            "clear": Out(1),
            "clear_group": Out(config.group_bits),
            "spikes_valid": Out(1),
            "spikes": Out(spike_mask(config)),
            "idle": Out(1),
        }
        for name in self.parameters + self.states:
            members[f"{name}_read"] = Out(read_port(stored[name]))
        for name in self.states:
            members[f"{name}_write"] = Out(write_port(stored[name]))
        super().__init__(members)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        stages = Signal(data.ArrayLayout(update_control(config), config.update_stages))
        m.d.comb += stages[0].eq(self.control)
        for stage in range(1, config.update_stages):
            later = Signal(update_control(config), name=f"control_{stage}")
            m.d.sync += later.eq(stages[stage - 1])
            m.d.comb += stages[stage].eq(later)

        for name in self.parameters + self.states:
            port = getattr(self, f"{name}_read")
            row = self.select.parameters if name in self.parameters else self.select.group
            m.d.comb += [port.address.eq(row), port.en.eq(self.select.valid)]

        # A model that is not built in changes no state and fires nothing.
        last = stages[config.update_stages - 1]
        acts = last.valid & last.active
        models = built_models(config)
        writes = {"membrane": models, "current": [x for x in models if x.has_current],
                  "calcium": models}
        fires = Signal(config.lanes)
        m.d.comb += [
            self.clear.eq(acts),
            self.clear_group.eq(last.group),
            self.spikes_valid.eq(last.valid),
            self.spikes.group.eq(last.group),
            self.spikes.mask.eq(fires & acts.replicate(config.lanes)),
            self.idle.eq(~Cat(stages[stage].valid for stage in range(config.update_stages)).any()),
        ]
        for name in self.states:
            port = getattr(self, f"{name}_write")
            codes = [model.code for model in writes[name]]
            m.d.comb += [port.address.eq(last.group),
                         port.en.eq(acts & Value.cast(last.model).matches(*codes))]

        for lane in range(config.lanes):
            m.submodules[f"lane_{lane}"] = unit = UpdateLane(config)
            own = 0 if config.shared else lane
            m.d.comb += [
                unit.control.eq(stages),
                unit.membrane.eq(self.membrane_read.data[lane]),
                unit.accumulator.eq(self.accumulators[lane]),
                unit.threshold.eq(self.threshold_read.data[own]),
                unit.v_reset.eq(self.v_reset_read.data[own]),
                unit.bias.eq(self.bias_read.data[own]),
                self.membrane_write.data[lane].eq(unit.membrane_next),
                fires[lane].eq(unit.spike),
            ]
            if config.has_decay:
                m.d.comb += [unit.decay_v.eq(self.decay_read.data[own].v),
                             unit.decay_i.eq(self.decay_read.data[own].i)]
            if config.has_current:
                m.d.comb += [unit.current.eq(self.current_read.data[lane]),
                             self.current_write.data[lane].eq(unit.current_next)]
            if config.learns:
                m.submodules[f"calcium_{lane}"] = calcium = CalciumLane(config)
                m.d.comb += [
                    calcium.control.eq(stages),
                    calcium.word.eq(self.calcium_read.data[lane]),
                    calcium.rule.eq(self.calcium_rule_read.data[own]),
                    unit.theta_mem.eq(self.theta_mem_read.data[own]),
                    calcium.spike.eq(unit.spike),
                    calcium.high.eq(unit.high),
                    self.calcium_write.data[lane].eq(calcium.word_next),
                ]
        return m
