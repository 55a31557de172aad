# SPDX-License-Identifier: Apache-2.0
"""Neuron models: one small class each, all with one signature (docs/semantics.md, section 2)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from amaranth import Const, Module, Signal, Value

from neurotile.spec import TileConfig
from neurotile.spec.codes import CURRENT_MODELS, DECAYING_MODELS, Model

__all__ = ["NeuronModel", "Operands", "built_models", "choose"]


@dataclass(frozen=True)
class Operands:
    """What a lane offers to a model; what no built-in model needs is ``None``."""

    x: Value
    """X = acc · 2^shift + bias, clipped so far out that every sum with it saturates."""
    v: Value | None = None
    """Membrane potential."""
    leaked_v: Value | None = None
    """round(v · decay_v), from the multiplier that all models of a lane share."""
    leaked_i: Value | None = None
    """round(i · decay_i), likewise."""
    i: Value | None = None
    """The new current, saturated."""


class NeuronModel:
    """Behaviour of one model code; each method gives combinational logic.

    Attributes
    ----------
    code : Model
        Code in the group word.
    floored : bool
        v* is zero where it would be negative.
    """

    code: Model
    floored = False

    @property
    def name(self) -> str:
        """Name in ``TileConfig.models``."""
        return self.code.name.lower()

    @property
    def decays(self) -> bool:
        """Uses ``leaked_v``, not ``v``."""
        return self.name in DECAYING_MODELS

    @property
    def has_current(self) -> bool:
        """Uses and writes the current."""
        return self.name in CURRENT_MODELS

    def current(self, o: Operands) -> Any:
        """New current before saturation; asked only of models that have one."""
        raise TypeError(f"{self.name} has no current")

    def potential(self, o: Operands) -> tuple[Any, Any]:
        """Two numbers whose sum is v*; the adder behind them is shared by all models."""
        raise TypeError("a neuron model gives its potential")

    def fires(self, u: Value, threshold: Value) -> Value:
        """Whether it spikes with u = sat(v*)."""
        return u > threshold


class If(NeuronModel):
    """Integrate and fire."""

    code = Model.IF

    def potential(self, o: Operands) -> tuple[Any, Any]:
        return o.v, o.x


class Lif(NeuronModel):
    """Leaky integrate and fire."""

    code = Model.LIF

    def potential(self, o: Operands) -> tuple[Any, Any]:
        return o.leaked_v, o.x


class CubaLif(NeuronModel):
    """Leaky integrate and fire driven by a decaying current."""

    code = Model.CUBALIF

    def current(self, o: Operands) -> Any:
        return o.leaked_i + o.x

    def potential(self, o: Operands) -> tuple[Any, Any]:
        return o.leaked_v, o.i


class Li(Lif):
    """Leaky integrator, which never fires."""

    code = Model.LI

    def fires(self, u: Value, threshold: Value) -> Value:
        return Const(0, 1)


class CubaLi(CubaLif):
    """Leaky integrator driven by a decaying current, which never fires."""

    code = Model.CUBALI

    def fires(self, u: Value, threshold: Value) -> Value:
        return Const(0, 1)


class SubLif(If):
    """Integrate and fire with floor at zero; its leak is a negative bias, and it fires at θ too."""

    code = Model.SUBLIF
    floored = True

    def fires(self, u: Value, threshold: Value) -> Value:
        return u >= threshold


_ALL = (If(), Lif(), CubaLif(), Li(), CubaLi(), SubLif())


def built_models(config: TileConfig) -> list[NeuronModel]:
    """Models built into a tile of this configuration, in the order of their codes."""
    return [model for model in _ALL if model.name in config.models]


def choose(m: Module, code: Value, models: Sequence[NeuronModel], method: str,
           arguments: tuple[Any, ...], results: Sequence[Signal]) -> None:
    """Give ``results`` what ``method`` of the model with this code says, or 0 if none has it.

    Models that inherit the method from each other share its logic.
    """
    alike: dict[Callable[..., Any], list[NeuronModel]] = {}
    for model in models:
        alike.setdefault(getattr(type(model), method), []).append(model)
    with m.Switch(code):
        for same in alike.values():
            with m.Case(*(model.code for model in same)):
                values = getattr(same[0], method)(*arguments)
                for result, value in zip(results, values if isinstance(values, tuple)
                                         else (values,), strict=True):
                    m.d.comb += result.eq(value)
