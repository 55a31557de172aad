# SPDX-License-Identifier: Apache-2.0
"""Update lane: the neuron update of docs/semantics.md, section 2, for one neuron per cycle."""

from typing import Any

from amaranth import Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import TileConfig

from .layouts import update_control
from .neuron_models import Operands, built_models, choose

__all__ = ["SECTIONS", "UpdateLane", "section_stage"]

SECTIONS = ("product", "current", "potential", "fire")
"""The four parts of the datapath, in order."""

# Stage of each section: where the datapath is cut, for 1 to 4 stages of about equal delay.
_STAGES = {1: (0, 0, 0, 0), 2: (0, 0, 1, 1), 3: (0, 1, 2, 2), 4: (0, 1, 2, 3)}


def section_stage(config: TileConfig, section: str) -> int:
    """Pipeline stage (0 … update_stages-1) in which a section of the datapath lies."""
    return _STAGES[config.update_stages][SECTIONS.index(section)]


class UpdateLane(wiring.Component):
    """Datapath of one lane; the inputs belong to stage 0, the outputs to the last stage.

    Parameters
    ----------
    config : TileConfig
        Widths, models and number of stages.

    Members
    -------
    control : ``In(ArrayLayout(update_control, update_stages))``
        The group in each stage.
    membrane, current, accumulator, threshold, v_reset, bias : ``In(signed)``
        State and parameters of the neuron; ``current`` if a model has one.
    decay_v, decay_i : ``In(unsigned)``
        Decay coefficients, if a model decays.
    membrane_next, current_next : ``Out(signed)``
        New state.
    spike : ``Out(1)``
        The neuron fires.
    theta_mem, high : ``In(signed)``, ``Out(1)``
        On a tile that learns: a parameter of the neuron, and ``membrane_next`` reaches it.
    """

    def __init__(self, config: TileConfig) -> None:
        self.config = config
        state = signed(config.state_bits)
        members = {
            "control": In(data.ArrayLayout(update_control(config), config.update_stages)),
            "membrane": In(state), "accumulator": In(signed(config.acc_bits)),
            "threshold": In(state), "v_reset": In(state), "bias": In(state),
            "membrane_next": Out(state), "spike": Out(1),
        }
        if config.has_decay:
            decay = unsigned(config.decay_bits + 1)
            members |= {"decay_v": In(decay), "decay_i": In(decay)}
        if config.has_current:
            members |= {"current": In(state), "current_next": Out(state)}
        if config.learns:
            members |= {"theta_mem": In(state), "high": Out(1)}
        super().__init__(members)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, state = self.config, signed(self.config.state_bits)
        models = built_models(config)

        def control(section: str) -> Any:
            return self.control[section_stage(config, section)]

        def carry(values: dict[str, Value], start: str, end: str) -> dict[str, Value]:
            """``values`` of section ``start`` in section ``end``."""
            for stage in range(section_stage(config, start), section_stage(config, end)):
                # Data behind a valid bit: it alone needs a reset, and lets the data rest.
                later = {name: Signal(value.shape(), name=f"{name}_{stage + 1}", reset_less=True)
                         for name, value in values.items()}
                with m.If(self.control[stage].valid):
                    m.d.sync += [later[name].eq(value) for name, value in values.items()]
                values = later
            return values

        def rest(section: str, name: str, value: Value) -> Signal:
            """``value``, and 0 while no group is in the section: then what follows rests too."""
            held = Signal(value.shape(), name=name)
            with m.If(control(section).valid):
                m.d.comb += held.eq(value)
            return held

        # product: the multipliers, and X. What X is added to stays within -2^S … 2^S, so a sum with
        # an X that does not fit in S+2 bits saturates, and X may be clipped to them beforehand.
        exact_x = rest("product", "exact_x",
                       (self.accumulator << control("product").shift) + self.bias)
        x = Signal(signed(config.state_bits + 2))
        m.d.comb += x.eq(_saturate(exact_x, len(x)))
        p = {"x": x, "threshold": self.threshold, "v_reset": self.v_reset}
        if config.learns:
            p["theta_mem"] = self.theta_mem
        if not all(model.decays for model in models):
            p["v"] = self.membrane
        if config.has_decay:
            p["product_v"] = self.membrane * self.decay_v
        if config.has_current:
            p["product_i"] = self.current * self.decay_i
        p = carry(p, "product", "current")

        # current: round, then the two terms of v*.
        leaked = {name: _round(p[f"product_{name}"], config.decay_bits)
                  for name in ("v", "i") if f"product_{name}" in p}
        current = Signal(state)
        operands = Operands(v=p.get("v"), x=p["x"], i=current, leaked_v=leaked.get("v"),
                            leaked_i=leaked.get("i"))
        code = control("current").model
        if config.has_current:
            exact = Signal(signed(len(x) + 1))
            with m.If(control("current").valid):
                choose(m, code, [model for model in models if model.has_current], "current",
                       (operands,), [exact])
                m.d.comb += current.eq(_saturate(exact, config.state_bits))
        base = Signal(signed(config.state_bits + 1))
        drive = Signal(x.shape())
        with m.If(control("current").valid):
            choose(m, code, models, "potential", (operands,), [base, drive])
        theta_mem = p.get("theta_mem")
        p = {"base": base, "drive": drive, "threshold": p["threshold"], "v_reset": p["v_reset"]}
        if config.has_current:
            p["current"] = current
        if config.learns:
            p["theta_mem"] = theta_mem
        p = carry(p, "current", "potential")

        # potential: add, floor, saturate.
        total = rest("potential", "total", p.pop("base") + p.pop("drive"))
        floored = Signal()
        code = control("potential").model
        if codes := [model.code for model in models if model.floored]:
            m.d.comb += floored.eq(code.matches(*codes) & (total < 0))
        p["u"] = Signal(state, name="u")
        m.d.comb += p["u"].eq(Mux(floored, 0, _saturate(total, config.state_bits)))
        p = carry(p, "potential", "fire")

        # fire: compare, reset.
        with m.If(control("fire").valid):
            choose(m, control("fire").model, models, "fires", (p["u"], p["threshold"]),
                   [self.spike])
        below = rest("fire", "below", p["u"] - p["threshold"])
        after = Mux(control("fire").soft_reset, _saturate(below, config.state_bits), p["v_reset"])
        m.d.comb += self.membrane_next.eq(Mux(self.spike, after, p["u"]))
        if config.has_current:
            m.d.comb += self.current_next.eq(p["current"])
        if config.learns:
            # Each outcome is compared before it is known which comes; sat(u − θ) reaches theta_mem
            # as u − θ does, but for the least theta_mem, which all reach.
            least = p["theta_mem"] == config.state_limits[0]
            subtracted = least | (p["u"] >= p["threshold"] + p["theta_mem"])
            reset = Mux(control("fire").soft_reset, subtracted, p["v_reset"] >= p["theta_mem"])
            with m.If(control("fire").valid):
                m.d.comb += self.high.eq(Mux(self.spike, reset, p["u"] >= p["theta_mem"]))
        return m


def _round(product: Value, bits: int) -> Value:
    """Round half up by 2^bits: adding the bit below the cut is adding one half before it."""
    return (product >> bits) + product[bits - 1]


def _saturate(value: Value, bits: int) -> Value:
    """``value`` clipped to ``bits`` bits, signed."""
    if len(value) <= bits:
        return value
    head = value[bits - 1:]
    fits = head.all() | ~head.any()
    low = 1 << bits - 1
    clipped = Mux(value[-1], Const(-low, signed(bits)), Const(low - 1, signed(bits)))
    return Mux(fits, value[:bits].as_signed(), clipped)

