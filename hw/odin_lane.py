# SPDX-License-Identifier: Apache-2.0
"""Lane of the event mode: one neuron and one of its synapses per cycle (docs/event_mode.md)."""

# Ref: Frenkel et al., IEEE TBioCAS 2019, doi 10.1109/TBCAS.2018.2880425, section II.

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import EventConfig
from neurotile.spec.event_formats import (
    calcium_rule_word,
    neuron_word,
    sdsp_synapse_word,
    state_word,
    switches_word,
)

from .layouts import event_pass, struct_layout
from .sdsp import Sdsp

__all__ = ["OdinLane"]

# Where the three parts of the datapath are cut, for 1 to 3 stages: after the operands, for which
# block RAM leaves little time, and after the comparison with the threshold.
_CUTS = {1: (False, False), 2: (True, False), 3: (True, True)}


class OdinLane(wiring.Component):
    """Section 4 for one neuron; the inputs belong to the first stage, the outputs to the last.

    Parameters
    ----------
    config : EventConfig
        Number of stages.

    Members
    -------
    event : ``In(event_pass(config))``
        The pass; it does not change while a group is in the lane.
    part : ``In(1)``
        The neuron takes part in the pass, which does not change either.
    switches : ``In(switches_word)``
        Register SWITCHES.
    valid : ``In(ArrayLayout(1, stages))``
        A group is in that stage.
    synapse, state, neuron, rule : ``In(word)``
        Words of the neuron.
    sign : ``In(1)``
        The presynaptic neuron is inhibitory.
    synapse_next, state_next : ``Out(word)``
        Words afterwards.
    spike : ``Out(1)``
        The neuron emits a spike.
    """

    def __init__(self, config: EventConfig) -> None:
        self.config = config
        synapse, state = struct_layout(sdsp_synapse_word()), struct_layout(state_word())
        super().__init__({
            "event": In(event_pass(config)), "part": In(1),
            "switches": In(struct_layout(switches_word())),
            "valid": In(data.ArrayLayout(1, config.stages)),
            "synapse": In(synapse), "state": In(state), "sign": In(1),
            "neuron": In(struct_layout(neuron_word())),
            "rule": In(struct_layout(calcium_rule_word())),
            "synapse_next": Out(synapse), "state_next": Out(state), "spike": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.sdsp = sdsp = Sdsp()
        event, updates = self.event, self.part & ~self.event.bistable
        stage = 0

        def carry(cut: bool, values: dict[str, Value]) -> dict[str, Value]:
            """``values`` behind this cut."""
            nonlocal stage
            if not cut:
                return values
            stage += 1
            # Data behind a valid bit: it alone needs a reset, and lets the data rest.
            later = {name: Signal(value.shape(), name=f"{name}_{stage}", reset_less=True)
                     for name, value in values.items()}
            with m.If(self.valid[stage - 1]):
                m.d.sync += [later[name].eq(value) for name, value in values.items()]
            return later

        # Operands: x is 0 where nothing is added, so that the potential stays.
        delivers = self.synapse.mapped | self.switches.propagate_unmapped
        x = Signal(7)
        subtract = Signal()
        with m.If(~updates):
            m.d.comb += x.eq(0)
        with m.Elif(event.time):
            m.d.comb += [x.eq(Mux(self.neuron.leak_enable, self.neuron.leak, 0)), subtract.eq(1)]
        with m.Elif(event.reads):
            m.d.comb += [x.eq(Mux(delivers, self.synapse.weight, 0)), subtract.eq(self.sign)]
        with m.Else():
            m.d.comb += [x.eq(event.weight), subtract.eq(event.inhibitory)]
        counts = updates & event.time & self.rule.enable & (self.rule.leak != 0)
        due = self.state.leak_count == (self.rule.leak - 1)[:5]
        count = Mux(due, 0, self.state.leak_count + 1)[:5]
        p = carry(_CUTS[self.config.stages][0], {
            "v": self.state.v, "x": x, "subtract": subtract, "leaks": counts & due,
            "leak_count": Mux(counts, count, self.state.leak_count),
            "calcium": self.state.calcium, "up": self.state.up, "down": self.state.down,
            "threshold": self.neuron.threshold, "disable": self.neuron.disable,
            **{name: self.rule[name] for name in
               ("enable", "theta_mem", "theta1", "theta2", "theta3")},
            "synapse": Value.cast(self.synapse)})

        # Synapse: learns with the flags from before the event.
        m.d.comb += [
            Value.cast(sdsp.word).eq(p["synapse"]),
            sdsp.enable.eq(event.writes & self.part),
            sdsp.update_unmapped.eq(self.switches.update_unmapped),
            sdsp.bistable.eq(event.bistable),
            sdsp.up.eq(p["up"]),
            sdsp.down.eq(p["down"]),
        ]

        # Threshold: add, saturate, compare, reset; calcium. One adder: v - x = v + ~x + 1, and the
        # carry says whether v + x is too large, or v - x not negative.
        total = Signal(9)
        m.d.comb += total.eq((Cat(p["subtract"], p["v"]) + Cat(
            p["subtract"], p["x"] ^ p["subtract"].replicate(7), p["subtract"]))[1:])
        v = Signal(8)
        m.d.comb += v.eq(Mux(total[8] == p["subtract"], total[:8],
                             ~p["subtract"].replicate(8)))
        fires = Signal()
        m.d.comb += fires.eq(updates & (v >= p["threshold"]))
        calcium = Signal(3)
        m.d.comb += calcium.eq(p["calcium"])
        with m.If(updates & p["enable"]):
            with m.If(fires & ~p["leaks"] & ~p["calcium"].all()):
                m.d.comb += calcium.eq(p["calcium"] + 1)
            with m.Elif(~fires & p["leaks"] & p["calcium"].any()):
                m.d.comb += calcium.eq(p["calcium"] - 1)
        p = carry(_CUTS[self.config.stages][1], {
            "v": Mux(fires, 0, v), "spike": fires & ~p["disable"], "calcium": calcium,
            "synapse": Value.cast(sdsp.changed),
            **{name: p[name] for name in ("leak_count", "up", "down", "enable", "theta_mem",
                                          "theta1", "theta2", "theta3")}})

        # Flags.
        high = p["v"] >= p["theta_mem"]
        learns = p["enable"] & (p["calcium"] >= p["theta1"])
        state = self.state_next
        m.d.comb += [
            Value.cast(self.synapse_next).eq(p["synapse"]), self.spike.eq(p["spike"]),
            state.v.eq(p["v"]), state.calcium.eq(p["calcium"]),
            state.leak_count.eq(p["leak_count"]), state.up.eq(p["up"]), state.down.eq(p["down"]),
        ]
        with m.If(updates):
            m.d.comb += [state.up.eq(learns & high & (p["calcium"] < p["theta3"])),
                         state.down.eq(learns & ~high & (p["calcium"] < p["theta2"]))]
        return m
