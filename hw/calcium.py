# SPDX-License-Identifier: Apache-2.0
"""Calcium of a neuron and the flags by which its synapses learn (docs/semantics.md, section 9)."""

# Ref: Frenkel et al., IEEE TBioCAS 2019, doi 10.1109/TBCAS.2018.2880425, section II-C, and
# Brader et al., Neural Computation 2007, doi 10.1162/neco.2007.19.11.2881.

from typing import Any

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import TileConfig
from neurotile.spec.formats import calcium_word, step_calcium_rule_word

from .layouts import struct_layout, update_control

__all__ = ["CalciumLane"]


class CalciumLane(wiring.Component):
    """Runs beside an update lane; inputs belong to stage 0 unless said otherwise.

    Parameters
    ----------
    config : TileConfig
        Number of stages.

    Members
    -------
    control : ``In(ArrayLayout(update_control, update_stages))``
        The group in each stage.
    word : ``In(calcium_word)``
        Calcium and flags of the neuron.
    rule : ``In(step_calcium_rule_word)``
        Its parameters.
    spike, high : ``In(1)``
        Whether it fires, and whether its new potential reaches theta_mem; of the last stage.
    word_next : ``Out(calcium_word)``
        Its new calcium and flags; of the last stage.
    """

    def __init__(self, config: TileConfig) -> None:
        self.config = config
        word = struct_layout(calcium_word())
        super().__init__({
            "control": In(data.ArrayLayout(update_control(config), config.update_stages)),
            "word": In(word), "rule": In(struct_layout(step_calcium_rule_word())),
            "spike": In(1), "high": In(1), "word_next": Out(word)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        word, rule = self.word, self.rule
        values: dict[str, Value] = {}
        for name, bits in (("leak_count", 5), *((f"{case}_{what}", bits) for case in
                           ("spike", "rest") for what, bits in
                           (("calcium", 3), ("up", 1), ("down", 1)))):
            values[name] = Signal(bits, name=name)
        counts, leaks = Signal(), Signal()
        learns = {"spike": Signal(name="spike_learns"), "rest": Signal(name="rest_learns")}
        # All is 0 while no group is in the stage, so that nothing toggles.
        with m.If(self.control[0].valid):
            m.d.comb += [counts.eq(rule.enable & (rule.leak != 0)),
                         values["leak_count"].eq(word.leak_count)]
            with m.If(counts):
                m.d.comb += [leaks.eq(word.leak_count == (rule.leak - 1)[:5]),
                             values["leak_count"].eq(Mux(leaks, 0, word.leak_count + 1))]
            # Both outcomes of firing, before it is known which: the potential arrives late.
            m.d.comb += [
                values["spike_calcium"].eq(
                    word.calcium + (rule.enable & ~leaks & ~word.calcium.all())),
                values["rest_calcium"].eq(word.calcium - (leaks & word.calcium.any()))]
            for case in ("spike", "rest"):
                calcium = values[f"{case}_calcium"]
                m.d.comb += [learns[case].eq(rule.enable & (calcium >= rule.theta1)),
                             values[f"{case}_up"].eq(learns[case] & (calcium < rule.theta3)),
                             values[f"{case}_down"].eq(learns[case] & (calcium < rule.theta2))]
        for stage in range(self.config.update_stages - 1):
            # Data behind a valid bit: it alone needs a reset, and lets the data rest.
            later = {name: Signal(value.shape(), name=f"{name}_{stage + 1}", reset_less=True)
                     for name, value in values.items()}
            with m.If(self.control[stage].valid):
                m.d.sync += [later[name].eq(value) for name, value in values.items()]
            values = later

        def chosen(name: str) -> Value:
            return Mux(self.spike, values[f"spike_{name}"], values[f"rest_{name}"])

        with m.If(self.control[self.config.update_stages - 1].valid):
            m.d.comb += [
                self.word_next.calcium.eq(chosen("calcium")),
                self.word_next.leak_count.eq(values["leak_count"]),
                self.word_next.up.eq(chosen("up") & self.high),
                self.word_next.down.eq(chosen("down") & ~self.high),
            ]
        return m
