# SPDX-License-Identifier: Apache-2.0
"""FloatNetwork: an imported network, discrete in time, still in real numbers."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from neurotile.spec import InputPort

__all__ = ["FloatNetwork", "FloatPopulation", "FloatProjection"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FloatPopulation:
    """Neurons of one node; arrays are float64 of shape (size,).

    Per step, with x the sum of weights of the spikes that arrive (input gains are in the weights):

    - ``if``, ``lif``, ``li``: v = decay_v * v + leak + x + bias
    - ``cubalif``, ``cubali``: i = decay_i * i + x + bias, then v = decay_v * v + leak + gain * i

    and a spike if v > threshold (not for ``li`` and ``cubali``), which loads v_reset
    (``reset = zero``) or subtracts the threshold (``subtract``).

    Parameters
    ----------
    name, model : str
        Name of the node in the file; one of the model names above.
    size : int
        Number of neurons.
    decay_v, decay_i : ndarray
        Share of potential and current that is left after a step.
    gain : ndarray
        Factor of the current in the potential; 1 for models without a current.
    bias, leak : ndarray
        Constants added per step to the input and to the potential.
    threshold, v_reset : ndarray
        In units of the file; of no effect for readouts.
    reset : str
        ``zero`` or ``subtract``.
    kind : str
        NIR type.
    """

    name: str
    size: int
    model: str
    decay_v: Floats
    decay_i: Floats
    gain: Floats
    bias: Floats
    leak: Floats
    threshold: Floats
    v_reset: Floats
    reset: str = "zero"
    kind: str = ""

    @property
    def spikes(self) -> bool:
        """The model fires; otherwise its potential is read out."""
        return self.model not in ("li", "cubali")

    @property
    def has_current(self) -> bool:
        """The model has a synaptic current."""
        return self.model in ("cubalif", "cubali")


@dataclass(frozen=True, eq=False)
class FloatProjection:
    """Synapses: ``weights`` are float64 (targets, sources), ``delay`` is in steps."""

    source: str
    target: str
    weights: Floats
    delay: int = 0

    @property
    def name(self) -> str:
        """``SOURCE->TARGET``; shared by projections that differ in their delay alone."""
        return f"{self.source}->{self.target}"


@dataclass(frozen=True, eq=False)
class FloatNetwork:
    """A network that :func:`neurotile.models.nir_import.load` made.

    Parameters
    ----------
    inputs : tuple of InputPort
        Inputs in natural order of their names; a stimulus numbers their lines through.
    populations : tuple of FloatPopulation
        Such that every projection with delay 0 leads forward.
    projections : tuple of FloatProjection
        One per source, target and delay.
    outputs : dict of str to tuple of str
        Populations that each Output node of the file shows.
    name : str
        For people.
    dt : float, optional
        Length of a step in seconds; none if nothing in the network depends on it.
    origin : dict of str to str
        Where values came from that a file may lack: ``dt``, ``NODE.reset``, ``NODE.v_reset`` …
    warnings : tuple of str
        What a user should know about the import.
    """

    inputs: tuple[InputPort, ...]
    populations: tuple[FloatPopulation, ...]
    projections: tuple[FloatProjection, ...]
    outputs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    name: str = "network"
    dt: float | None = None
    origin: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        neurons = sum(population.size for population in self.populations)
        return (f"<FloatNetwork {self.name}: {self.input_size:,} inputs, {neurons:,} neurons in "
                f"{len(self.populations)} populations>")

    @property
    def input_size(self) -> int:
        """Number of input lines over all inputs."""
        return sum(port.size for port in self.inputs)

    def into(self, name: str) -> list[FloatProjection]:
        """Projections whose target is ``name``."""
        return [e for e in self.projections if e.target == name]
