# SPDX-License-Identifier: Apache-2.0
"""Compose the linear nodes between neurons into one matrix per pair of source and target."""

from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

import numpy as np
import numpy.typing as npt

from neurotile.spec import UserError

from .nir_graph import Graph, Node

__all__ = ["Wiring", "compose"]

Floats = npt.NDArray[np.float64]
SILENT = ("LI", "CubaLI")


@dataclass(frozen=True, eq=False)
class Wiring:
    """What arrives at every neuron, as a linear function of spikes.

    Parameters
    ----------
    weights : dict of (source, target) to ndarray of float64, (targets, sources)
        Sources are inputs of the network and neurons; all paths between the two are summed.
    constants : dict of target to ndarray of float64, (targets,)
        What arrives without any spike: biases, led along their paths.
    outputs : dict of str to tuple of str
        Neuron nodes that each Output of the network shows.
    """

    weights: dict[tuple[str, str], Floats]
    constants: dict[str, Floats]
    outputs: dict[str, tuple[str, ...]]


@dataclass(frozen=True, eq=False)
class _Form:
    """Sum of matrix @ spikes over sources, plus a constant; a 1-D matrix is a diagonal one."""

    parts: dict[str, Floats]
    constant: Floats

    def __add__(self, other: "_Form") -> "_Form":
        parts = dict(self.parts)
        for source, matrix in other.parts.items():
            parts[source] = _sum(parts[source], matrix) if source in parts else matrix
        return _Form(parts, self.constant + other.constant)

    def through(self, node: Node) -> "_Form":
        """What leaves the linear ``node`` when this arrives."""
        if "weight" in node.values:
            matrix = node.values["weight"]
            parts = {s: matrix * m if m.ndim == 1 else matrix @ m for s, m in self.parts.items()}
            return _Form(parts, matrix @ self.constant + node.values.get("bias", 0.0))
        if node.type == "Scale":
            scale = node.values["scale"]
            return _Form({s: (scale if m.ndim == 1 else scale[:, None]) * m
                          for s, m in self.parts.items()}, scale * self.constant)
        return self


def _sum(a: Floats, b: Floats) -> Floats:
    if a.ndim == b.ndim:
        return a + b
    return (np.diag(a) if a.ndim == 1 else a) + (np.diag(b) if b.ndim == 1 else b)


def compose(graph: Graph) -> Wiring:
    """Wiring of the neurons of ``graph``.

    Raises
    ------
    UserError
        Linear nodes form a cycle, a readout feeds something but an Output, or an Output shows no
        neuron.
    """
    linear = {node.name: node for node in graph.having("linear")}
    waits = {name: {n.name for n in graph.before(name)} & set(linear) for name in linear}
    try:
        order = tuple(TopologicalSorter(waits).static_order())
    except CycleError as error:
        cycle = " -> ".join(repr(name) for name in error.args[1])
        raise UserError(f"the cycle {cycle} holds no neuron, so it has no state to carry from step "
                        "to step; a loop needs a neuron") from None
    forms: dict[str, _Form] = {}
    for node in (*graph.having("input"), *graph.having("neuron")):
        forms[node.name] = _Form({node.name: np.ones(node.size or 0)}, np.zeros(node.size or 0))
    for name in order:
        with np.errstate(all="ignore"):  # what overflows is refused with the gains multiplied in
            forms[name] = _arriving(graph, linear[name], forms).through(linear[name])
    weights, constants = {}, {}
    for node in graph.having("neuron"):
        form = _arriving(graph, node, forms)
        constants[node.name] = form.constant
        for source, matrix in form.parts.items():
            if graph.nodes[source].type in SILENT:
                raise UserError(f"{graph.nodes[source].label} reaches {node.label}, but it has a "
                                "potential and no spikes; only an Output can follow it")
            weights[source, node.name] = np.diag(matrix) if matrix.ndim == 1 else matrix
    outputs = {node.name: _shown(graph, node, node) for node in graph.having("output")}
    return Wiring(weights, constants, outputs)


def _arriving(graph: Graph, node: Node, forms: dict[str, _Form]) -> _Form:
    total = _Form({}, np.zeros(node.inputs or 0))
    for source in graph.before(node.name):
        total = total + forms[source.name]
    return total


def _shown(graph: Graph, output: Node, node: Node) -> tuple[str, ...]:
    names: list[str] = []
    for source in graph.before(node.name):
        if source.role == "neuron":
            names.append(source.name)
        elif source.type in ("Flatten", "Output") or source.nested and source.type == "Input":
            names += _shown(graph, output, source)
        else:
            raise UserError(f"Output {output.name!r} is fed by {source.label} with no neuron in "
                            "between; the tile shows spikes and potentials of neurons, so put a "
                            "spiking node or a readout (LI) before the Output")
    return tuple(dict.fromkeys(names))
