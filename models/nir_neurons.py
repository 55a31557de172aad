# SPDX-License-Identifier: Apache-2.0
"""NIR neurons in discrete time: forward Euler, as the simulators of the NIR paper do.

NIR's equations are Pedersen et al., "Neuromorphic intermediate representation", Nature
Communications 15, 8122 (2024), table 1. With r = dt/tau:

    LIF, LI           v = (1 - r) v + r v_leak + r R x
    CubaLIF, CubaLI   i = (1 - r_syn) i + r_syn w_in x,   v = (1 - r_mem) v + r_mem (v_leak + R i)
    IF                v = v + R x        per step: no time constant, so dt has no part in it
    Threshold         v = x              a spike lasts one step and nothing is kept
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurotile.spec import UserError

from .nir_graph import Node

__all__ = ["MODELS", "Discrete", "discretise", "needs_dt"]

Floats = npt.NDArray[np.float64]

MODELS = {"IF": "if", "LIF": "lif", "CubaLIF": "cubalif", "LI": "li", "CubaLI": "cubali",
          "Threshold": "lif"}
# float32 of tau = dt may come out a little below dt.
_SLACK = 1e-5


@dataclass(frozen=True, eq=False)
class Discrete:
    """Coefficients of one step, float64 of shape (size,).

    ``inflow`` multiplies what arrives, weights and biases alike; ``current`` is the factor of the
    synaptic current in the potential; the rest as in :class:`FloatPopulation`.
    """

    decay_v: Floats
    decay_i: Floats
    inflow: Floats
    current: Floats
    leak: Floats
    threshold: Floats
    v_reset: Floats


def needs_dt(node: Node) -> bool:
    """The node holds times: time constants or delays."""
    return node.type in ("LIF", "LI", "CubaLIF", "CubaLI", "Delay")


def discretise(node: Node, dt: float | None) -> Discrete:
    """Coefficients of the neurons of ``node`` for steps of ``dt`` seconds.

    Raises
    ------
    UserError
        A time constant is not positive or shorter than dt; or it exists and dt is None.
    """
    values = node.values
    zero, one = np.zeros(node.size or 0), np.ones(node.size or 0)
    if node.type == "Threshold":
        return Discrete(zero, zero, one, one, zero, values["threshold"], zero)
    if node.type == "IF":
        return Discrete(one, zero, values["r"], one, zero, values["v_threshold"],
                        values["v_reset"])
    threshold, v_reset = values.get("v_threshold", zero), values.get("v_reset", zero)
    if node.type in ("LIF", "LI"):
        rate = _rate(node, "tau", dt)
        return Discrete(1 - rate, zero, values["r"] * rate, one, values["v_leak"] * rate,
                        threshold, v_reset)
    syn, mem = _rate(node, "tau_syn", dt), _rate(node, "tau_mem", dt)
    return Discrete(1 - mem, 1 - syn, values["w_in"] * syn, values["r"] * mem,
                    values["v_leak"] * mem, threshold, v_reset)


def _rate(node: Node, key: str, dt: float | None) -> Floats:
    if dt is None:
        raise UserError(f"{node.label} has the time constant {key}, so a step needs a length: give "
                        "--dt SECONDS (the file's metadata have no dt)")
    tau = node.values[key]
    if (tau <= 0).any():
        raise UserError(f"{node.label}: {key} must be positive, not {tau.min():g} s")
    rate = dt / tau
    if (rate > 1 + _SLACK).any():
        raise UserError(f"{node.label}: {key} of {tau.min():g} s is shorter than the step of "
                        f"{dt:g} s; give a --dt of at most {tau.min():g}")
    return np.minimum(rate, 1.0)
