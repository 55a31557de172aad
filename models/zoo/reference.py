# SPDX-License-Identifier: Apache-2.0
"""Float evaluation of an exported feed-forward LIF chain; numpy and nir only."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nir
import numpy as np
import numpy.typing as npt

__all__ = ["Layer", "accuracy", "counts", "load", "rounded"]

Floats = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Dense weights into LIF neurons: v = beta*v + gain*(W s + b), spike when v > threshold."""

    weight: Floats  # (neurons, inputs)
    bias: Floats  # (neurons,)
    beta: Floats  # (neurons,)
    gain: Floats  # (neurons,)
    threshold: Floats  # (neurons,)
    subtract: bool  # reset: v - threshold, or zero


def load(path: str | Path) -> list[Layer]:
    """Layers of a .nir file holding Input, then (Linear or Affine, LIF) pairs, then Output."""
    graph = nir.read(path)
    dt, subtract = float(graph.metadata["dt"]), graph.metadata["reset"] == "subtract"
    after = dict(graph.edges)
    name, layers, dense = after[next(iter(graph.inputs))], [], None
    while not isinstance(node := graph.nodes[name], nir.Output):
        if isinstance(node, nir.Affine | nir.Linear):
            dense = node
        elif isinstance(node, nir.LIF) and dense is not None:
            if np.any(node.v_leak) or np.any(node.v_reset):
                raise ValueError(f"{name}: v_leak and v_reset must be 0")
            bias = getattr(dense, "bias", np.zeros(len(dense.weight)))
            layers.append(Layer(weight=dense.weight, bias=bias, beta=1.0 - dt / node.tau,
                                gain=node.r * dt / node.tau, threshold=node.v_threshold,
                                subtract=subtract))
        else:
            raise ValueError(f"{name}: {type(node).__name__} has no place in a dense LIF chain")
        name = after[name]
    return layers


def rounded(layers: list[Layer], bits: int = 8) -> list[Layer]:
    """The same layers with weights and biases on a symmetric grid of ``bits`` bits per layer."""
    result = []
    for layer in layers:
        step = np.abs(layer.weight).max() / (2 ** (bits - 1) - 1)
        grid = {key: np.rint(getattr(layer, key) / step) * step for key in ("weight", "bias")}
        result.append(Layer(**{**vars(layer), **grid}))
    return result


def _fire(layer: Layer, spikes: Floats) -> Floats:
    drive = layer.gain * (spikes @ layer.weight.T + layer.bias)
    v, out = np.zeros_like(drive[:, 0]), np.empty_like(drive)
    for t in range(drive.shape[1]):
        v = layer.beta * v + drive[:, t]
        out[:, t] = fired = v > layer.threshold
        v = v - layer.threshold * fired if layer.subtract else np.where(fired, 0.0, v)
    return out


def counts(layers: list[Layer], spikes: npt.NDArray[np.uint8], *, batch: int = 1000
           ) -> tuple[npt.NDArray[np.int64], list[float]]:
    """Output spike counts (samples, outputs) and the mean spikes per sample of every layer.

    Parameters
    ----------
    layers : as :func:`load` gives them
    spikes : (samples, steps, inputs), uint8
    batch : samples worked on at a time; bounds the memory, does not change the result
    """
    parts, totals = [], np.zeros(len(layers) + 1)
    for first in range(0, len(spikes), batch):
        s: Floats = spikes[first:first + batch].astype(np.float64)
        totals[0] += s.sum()
        for k, layer in enumerate(layers):
            s = _fire(layer, s)
            totals[k + 1] += s.sum()
        parts.append(s.sum(axis=1).astype(np.int64))
    return np.concatenate(parts), [float(total) / len(spikes) for total in totals]


def accuracy(count: npt.NDArray[np.int64], labels: npt.ArrayLike) -> float:
    """Share of samples whose highest count, the lowest index among equals, is the label."""
    return float(np.mean(count.argmax(axis=1) == np.asarray(labels)))
