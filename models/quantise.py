# SPDX-License-Identifier: Apache-2.0
"""FloatNetwork to IntegerNetwork (docs/nir.md, section "Numbers").

The integer update has no factors (docs/semantics.md, section 2), so those of the float model go
into the weights: the synaptic current is kept in units of the potential. Each population has one
scale for all its weights, and a left shift that gives its potential finer steps than its weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurotile.spec import IntegerNetwork, Population, Projection, UserError, projection_names

from .float_network import FloatNetwork, FloatPopulation
from .quantisation_report import NodeReport, QuantisationReport, TensorReport

__all__ = ["quantise"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Potentials run far below zero where inhibition is strong (240 thresholds in the NIR paper's
# Braille network). Room for 4 and 16 thresholds changed its spikes, room for 32 to 512 did not.
HEADROOM = 64
LEAST_HEADROOM = 4
# A product a hair off an integer is meant to be that integer.
_SLACK = 1e-9


@dataclass(frozen=True, eq=False)
class _Node:
    """A population in units of its potential: weights and bias hold all gains.

    ``weights`` are by number of the projection, and so are those that methods take.
    """

    p: FloatPopulation
    weights: dict[int, Floats]
    bias: Floats
    decay_v: Ints
    decay_i: Ints
    unit: int  # 2**decay_bits
    top: float = 0.0

    @property
    def largest(self) -> float:
        """Largest magnitude of a weight; ``top``, where it is given."""
        return self.top or max((float(np.abs(w).max()) for w in self.weights.values()),
                               default=0.0)

    def input_bound(self, weights: Mapping[int, npt.NDArray[Any]], bias: npt.NDArray[Any]
                    ) -> Floats:
        """Largest |x + bias| of every neuron if each source spikes or not as it pleases.

        In every step: of one source with several delays all may arrive together.
        """
        up = bias + sum(np.maximum(w, 0).sum(axis=1) for w in weights.values())
        down = bias + sum(np.minimum(w, 0).sum(axis=1) for w in weights.values())
        return np.maximum(np.abs(up), np.abs(down)).astype(np.float64)

    def state_bound(self, x: Floats, rounding: float = 0.0) -> Floats:
        """Largest |v| (and |i|) that inputs of at most ``x`` reach without a reset."""
        bound = x + rounding
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.p.has_current:
                bound = bound / (1 - self.decay_i / self.unit) + rounding
            return np.where(x > 0, bound / (1 - self.decay_v / self.unit), 0.0)


def quantise(network: FloatNetwork, *, weight_bits: int = 8, state_bits: int = 16,
             decay_bits: int = 12, shift_bits: int = 3,
             largest_weights: Mapping[str, float] | None = None) -> tuple[
                 IntegerNetwork, QuantisationReport]:
    """Integers for ``network``, and what they cost.

    Parameters
    ----------
    network : FloatNetwork
        As :func:`neurotile.models.nir_import.load` gives it.
    weight_bits : int
        1..16; 1 means -1 and +1, 2 means -1, 0 and +1.
    state_bits, decay_bits, shift_bits : int
        Formats of states, decay coefficients and shifts, as in ``TileConfig``.
    largest_weights : dict of str to float, optional
        What a spike over a synapse with the largest integer adds to the potential (or, times the
        gain, to the current), by population; else that of the largest weight. Larger ones are
        clipped.

    Raises
    ------
    UserError
        A number of bits is out of range, a 1-bit tensor holds a 0, or a threshold is too large for
        ``state_bits``.
    """
    for key, value, low, high in (("weight_bits", weight_bits, 1, 16),
                                  ("state_bits", state_bits, 8, 32),
                                  ("decay_bits", decay_bits, 4, 15),
                                  ("shift_bits", shift_bits, 1, 4)):
        if not low <= value <= high:
            raise UserError(f"{key} must be an integer in {low}..{high}, not {value!r}")
    limit = (1 << state_bits - 1) - 1
    populations, nodes, tensors, warnings = [], [], [], []
    names = projection_names(network.projections)
    weights: dict[int, npt.NDArray[np.int32]] = {}
    scales = {}
    for p in network.populations:
        node = _prepare(network, p, 1 << decay_bits, (largest_weights or {}).get(p.name, 0.0))
        if weight_bits == 1:
            _check_signs(network, node)
        wanted = _weight_scale(node, weight_bits, limit)
        weight_scale = _fitted(node, wanted, limit, weight_bits, state_bits)
        stored = {k: _round(w, weight_scale, weight_bits) for k, w in node.weights.items()}
        shift = _shift(node, stored, weight_scale, limit, (1 << shift_bits) - 1)
        scale = weight_scale * (1 << shift)
        for k, real in node.weights.items():
            weights[k] = stored[k].astype(np.int32)
            tensors.append(_tensor_report(names[k], real, stored[k], weight_scale, node.largest,
                                          weight_bits))
        integer = _population(node, scale, shift)
        populations.append(integer)
        scales[p.name] = scale
        nodes.append(_node_report(node, integer, weight_scale, wanted, limit, stored))
        warnings += _warnings(node, integer, nodes[-1])
    projections = tuple(Projection(e.source, e.target, weights[k], e.delay)
                        for k, e in enumerate(network.projections))
    result = IntegerNetwork(
        network.inputs, tuple(populations), projections, weight_bits=weight_bits,
        state_bits=state_bits, decay_bits=decay_bits, name=network.name, dt=network.dt,
        scales=scales)
    return result, QuantisationReport(weight_bits, state_bits, decay_bits, tuple(tensors),
                                      tuple(nodes), tuple(warnings))


def _prepare(network: FloatNetwork, p: FloatPopulation, unit: int, top: float) -> _Node:
    bias = p.gain * p.bias
    # The integer models with a current have no constant of their own at the potential; a constant
    # current does the same once it has settled, a few tau_syn later.
    bias = bias + (p.leak * (1 - p.decay_i) if p.has_current else p.leak)
    weights = {k: p.gain[:, None] * e.weights for k, e in enumerate(network.projections)
               if e.target == p.name}
    return _Node(p, weights, bias,
                 np.rint(p.decay_v * unit).astype(np.int64),
                 np.rint(p.decay_i * unit).astype(np.int64), unit, top)


def _weight_scale(node: _Node, bits: int, limit: int) -> float:
    """Integer weight per real one that uses all ``bits``."""
    if not node.largest:  # only a bias, or nothing: the state decides
        return limit / (_range(node, {}) or 1.0)
    if bits > 1:
        return ((1 << bits - 1) - 1) / node.largest
    return 1 / float(np.mean(np.concatenate([np.abs(w[w != 0]) for w in node.weights.values()])))


def _check_signs(network: FloatNetwork, node: _Node) -> None:
    """Refuse pairs of neurons without a synapse; with several delays one of them will do."""
    for name in dict.fromkeys(network.projections[k].name for k in node.weights):
        mine = [w for k, w in node.weights.items() if network.projections[k].name == name]
        nothing = np.all([w == 0 for w in mine], axis=0)
        if node.largest and nothing.any():
            raise UserError(f"{name}: {int(nothing.sum())} of {nothing.size} weights are 0, which "
                            "1-bit weights (-1 and +1) cannot hold; use weight_bits of at least 2")


def _needed(node: _Node) -> float:
    """Real magnitude that the state must hold."""
    need = np.abs(node.bias)
    if node.p.spikes:
        need = np.maximum(need, LEAST_HEADROOM * np.abs(node.p.threshold))
        if node.p.reset == "zero":
            need = np.maximum(need, np.abs(node.p.v_reset))
    return float(need.max())


def _fitted(node: _Node, wanted: float, limit: int, weight_bits: int, state_bits: int) -> float:
    """``wanted``, or less if threshold, reset value or bias would not fit the state."""
    need = _needed(node)
    if need * wanted <= limit:
        return wanted
    scale = limit / need
    if weight_bits == 1 or np.rint(node.largest * scale) < 1:
        least = need * (wanted if weight_bits == 1 else 1 / node.largest)
        raise UserError(
            f"node {node.p.name!r}: {need / node.largest:.3g} times its largest weight must fit "
            f"the state (bias, v_reset and {LEAST_HEADROOM} thresholds), which state_bits = "
            f"{state_bits} does not allow with weight_bits = {weight_bits}; about "
            f"{int(np.ceil(np.log2(least + 1))) + 1} are needed")
    return scale


def _range(node: _Node, weights: dict[int, Floats]) -> float:
    """Real magnitude that the state should hold: what can come, or enough of it."""
    p, x = node.p, node.input_bound(weights, node.bias)
    bound = node.state_bound(x)
    if p.spikes:
        anchor = np.abs(p.threshold)
        if p.reset == "zero":
            anchor = np.maximum(anchor, np.abs(p.v_reset))
        bound = np.minimum(bound, HEADROOM * np.where(anchor > 0, anchor, x))
    return max(float(bound.max()), _needed(node))


def _shift(node: _Node, stored: dict[int, Ints], weight_scale: float, limit: int, most: int) -> int:
    if not node.largest:
        return 0
    wanted = _range(node, {k: w / weight_scale for k, w in stored.items()})
    fits = [k for k in range(most + 1) if wanted * weight_scale * (1 << k) <= limit]
    return max(fits, default=0)


def _round(real: Floats, scale: float, bits: int) -> Ints:
    if bits == 1:
        return np.sign(real).astype(np.int64)
    top = (1 << bits - 1) - 1
    return np.clip(np.rint(real * scale), -top, top).astype(np.int64)


def _population(node: _Node, scale: float, shift: int) -> Population:
    p = node.p
    zero = np.zeros(p.size, np.int64)
    # v is an integer, so v > floor(x) is the same as v > x.
    exact = p.threshold * scale
    threshold = np.floor(exact + _SLACK * np.abs(exact)).astype(np.int64) if p.spikes else zero
    v_reset = np.rint(p.v_reset * scale).astype(np.int64) if p.reset == "zero" else zero
    return Population(p.name, p.size, p.model, threshold, v_reset if p.spikes else zero,
                      np.rint(node.bias * scale).astype(np.int64),
                      zero if p.model == "if" else node.decay_v,
                      node.decay_i if p.has_current else zero, shift, p.reset)


def _tensor_report(name: str, real: Floats, stored: Ints, scale: float, largest: float, bits: int
                   ) -> TensorReport:
    error = (stored / scale - real) / largest if largest else np.zeros(real.shape)
    top = max((1 << bits - 1) - 1, 1)
    return TensorReport(
        name, int((real != 0).sum()), float(np.abs(error).max()),
        float(np.sqrt(np.mean(error ** 2))),
        int((np.abs(real) * scale > top + 0.5).sum()), int(((stored == 0) & (real != 0)).sum()),
        1 if bits == 1 else int(np.abs(stored).max()).bit_length() + 1)


def _node_report(node: _Node, integer: Population, weight_scale: float, wanted: float, limit: int,
                 stored: dict[int, Ints]) -> NodeReport:
    p, scale = node.p, weight_scale * (1 << integer.shift)
    x = node.input_bound({k: w << integer.shift for k, w in stored.items()}, integer.bias)
    bound = node.state_bound(x, 0.5)
    tallest = float(np.abs(p.threshold).max()) if p.spikes else 0.0
    decay = np.abs(node.decay_v / node.unit - p.decay_v).max()
    if p.has_current:
        decay = max(decay, np.abs(node.decay_i / node.unit - p.decay_i).max())
    unit = node.largest or 1.0
    return NodeReport(
        p.name, p.model, weight_scale, scale, integer.shift,
        (int(integer.threshold.min()), int(integer.threshold.max())), limit / scale,
        limit / scale / tallest if tallest else None,
        float(np.log2(wanted / weight_scale)), bool((bound > limit).any()),
        float(np.abs(integer.bias / scale - node.bias).max()) / unit, float(decay))


def _warnings(node: _Node, integer: Population, report: NodeReport) -> list[str]:
    p, found = node.p, []
    if report.lost_bits > 0.5:
        found.append(f"{p.name}: weights lost {report.lost_bits:.1f} bits so that thresholds fit "
                     "the state; more state_bits bring them back")
    if p.spikes and report.headroom is not None and report.may_saturate and (
            report.headroom < HEADROOM / 2):
        found.append(f"{p.name}: the potential saturates at {report.headroom:.3g} thresholds; "
                     "strong inhibition may be cut off, more state_bits give room")
    if not p.spikes and report.may_saturate:
        found.append(f"{p.name}: the readout may saturate at {report.largest_state:.3g}; more "
                     "state_bits give room")
    if (p.spikes and (p.threshold > 0).any()
            and (integer.threshold[p.threshold > 0] == 0).any()):
        found.append(f"{p.name}: a positive threshold became 0")
    if p.model != "if" and ((integer.decay_v == node.unit) & (p.decay_v < 1)).any():
        found.append(f"{p.name}: a potential does not leak any more, its decay rounds to 1; more "
                     "decay_bits keep it")
    if p.has_current and ((integer.decay_i == node.unit) & (p.decay_i < 1)).any():
        found.append(f"{p.name}: a current does not decay any more, its decay rounds to 1; more "
                     "decay_bits keep it")
    if p.has_current and p.leak.any():
        found.append(f"{p.name}: v_leak acts through the synaptic current, so it settles a few "
                     "tau_syn late")
    return found
