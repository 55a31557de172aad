# SPDX-License-Identifier: Apache-2.0
"""Simulate a FloatNetwork in plain numpy: what the network does before anything is rounded."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurotile.spec import UserError

from .float_network import FloatNetwork, FloatPopulation

__all__ = ["FloatTrace", "simulate"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FloatTrace:
    """Result of :func:`simulate`.

    Parameters
    ----------
    spikes : dict of str to ndarray of uint8, (samples, steps, neurons)
        Every spiking population.
    potentials : dict of str to ndarray of float64, (samples, steps, neurons)
        Potential after each step (after the reset) of the readouts and of the recorded populations.
    """

    spikes: dict[str, npt.NDArray[np.uint8]]
    potentials: dict[str, Floats]


def simulate(network: FloatNetwork, spikes: npt.ArrayLike, *, record: Iterable[str] = (),
             batch: int = 256) -> FloatTrace:
    """Run samples from zero states, in model time (docs/semantics.md, section 1).

    Parameters
    ----------
    network : FloatNetwork
        What to run.
    spikes : array_like of 0 and 1, (steps, inputs) or (samples, steps, inputs)
        Input spikes; a stimulus gives them as ``stimulus.dense()``.
    record : iterable of str
        Spiking populations whose potentials are kept as well.
    batch : int
        Samples that run at a time; bounds the memory and does not change the result.

    Raises
    ------
    UserError
        The number of inputs is another than the network's, or a recorded name is unknown.
    """
    array = np.asarray(spikes)
    array = array[None] if array.ndim == 2 else array
    if array.ndim != 3 or array.shape[2] != network.input_size:
        raise UserError(f"spikes must have shape (samples, steps, {network.input_size}), "
                        f"not {array.shape}")
    kept = {p.name for p in network.populations if not p.spikes} | set(record)
    if unknown := kept - {p.name for p in network.populations}:
        raise UserError(f"there is no population {sorted(unknown)[0]!r} to record; there are "
                        f"{', '.join(p.name for p in network.populations)}")
    samples, steps = array.shape[:2]
    trace = FloatTrace(
        {p.name: np.zeros((samples, steps, p.size), np.uint8)
         for p in network.populations if p.spikes},
        {p.name: np.zeros((samples, steps, p.size))
         for p in network.populations if p.name in kept})
    for first in range(0, samples, batch):
        _run(network, array[first:first + batch], slice(first, first + batch), trace)
    return trace


def _run(network: FloatNetwork, array: npt.NDArray[np.generic], part: slice, trace: FloatTrace
         ) -> None:
    samples, steps, _ = array.shape
    sources: dict[str, npt.NDArray[np.generic]] = {
        name: spikes[part] for name, spikes in trace.spikes.items()}
    first = 0
    for port in network.inputs:
        sources[port.name] = array[:, :, first:first + port.size]
        first += port.size
    v = {p.name: np.zeros((samples, p.size)) for p in network.populations}
    i = {p.name: np.zeros((samples, p.size)) for p in network.populations if p.has_current}
    into = {p.name: network.into(p.name) for p in network.populations}
    for t in range(steps):
        for p in network.populations:
            x = np.tile(p.bias, (samples, 1))
            for e in into[p.name]:
                if t >= e.delay:
                    x += sources[e.source][:, t - e.delay].astype(np.float64) @ e.weights.T
            if p.has_current:
                i[p.name] = p.decay_i * i[p.name] + x
                x = p.gain * i[p.name]
            v[p.name] = p.decay_v * v[p.name] + p.leak + x
            if p.spikes:
                fired = v[p.name] > p.threshold
                trace.spikes[p.name][part, t] = fired
                v[p.name] = _reset(p, v[p.name], fired)
            if p.name in trace.potentials:
                trace.potentials[p.name][part, t] = v[p.name]


def _reset(p: FloatPopulation, v: Floats, fired: npt.NDArray[np.bool_]) -> Floats:
    return np.where(fired, p.v_reset if p.reset == "zero" else v - p.threshold, v)
