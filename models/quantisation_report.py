# SPDX-License-Identifier: Apache-2.0
"""What quantisation did to a network, as plain data (``dataclasses.asdict`` makes it JSON)."""

from dataclasses import dataclass

__all__ = ["NodeReport", "QuantisationReport", "TensorReport"]


@dataclass(frozen=True)
class TensorReport:
    """Errors of one projection's weights, as parts of the largest weight into its target.

    Parameters
    ----------
    name : str
        ``source->target``, with ``@delay`` if the two have several delays.
    weights : int
        Number of weights that are not 0 before rounding.
    max_error, rms_error : float
        Largest and root mean square difference between integer and real weights, over all of them.
    clipped : int
        Weights beyond the largest integer by more than half a unit.
    zeroed : int
        Weights that became 0.
    effective_bits : int
        Bits that the largest integer needs, sign included; at most ``weight_bits``.
    """

    name: str
    weights: int
    max_error: float
    rms_error: float
    clipped: int
    zeroed: int
    effective_bits: int


@dataclass(frozen=True)
class NodeReport:
    """Scale and limits of one population.

    Parameters
    ----------
    name, model : str
        Population.
    weight_scale, scale : float
        Integer weight, and integer potential, per unit of the real potential;
        ``scale = weight_scale * 2**shift``.
    shift : int
        Left shift of the accumulator.
    threshold : (int, int)
        Smallest and largest integer threshold; (0, 0) for readouts.
    largest_state : float
        Largest potential in real units that the state holds.
    headroom : float or None
        ``largest_state`` in thresholds (the largest one); None without a threshold.
    lost_bits : float
        Weight bits given up so that threshold, reset value and bias fit the state.
    may_saturate : bool
        Some input could drive a state beyond its format; a fact of most spiking nodes, whose
        inhibition rarely adds up that far.
    bias_error, decay_error : float
        Largest errors of biases (parts of the largest weight) and of decay coefficients.
    """

    name: str
    model: str
    weight_scale: float
    scale: float
    shift: int
    threshold: tuple[int, int]
    largest_state: float
    headroom: float | None
    lost_bits: float
    may_saturate: bool
    bias_error: float
    decay_error: float


@dataclass(frozen=True)
class QuantisationReport:
    """Formats, one entry per projection and per population, and what to know about the result."""

    weight_bits: int
    state_bits: int
    decay_bits: int
    tensors: tuple[TensorReport, ...]
    nodes: tuple[NodeReport, ...]
    warnings: tuple[str, ...]
