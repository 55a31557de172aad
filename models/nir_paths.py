# SPDX-License-Identifier: Apache-2.0
"""Compose the nodes between neurons into one matrix per source, target and delay."""

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

import numpy as np
import numpy.typing as npt

from neurotile.spec import UserError

from .nir_graph import Graph, Node

__all__ = ["Wiring", "compose"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Part = tuple[str, int]  # source, and steps since its spike
SILENT = ("LI", "CubaLI")
# Each delay takes a matrix of its own: thousands of them would fill all memory.
_MOST = 1 << 26


@dataclass(frozen=True, eq=False)
class Wiring:
    """What arrives at every neuron, as a linear function of spikes.

    Parameters
    ----------
    weights : dict of (source, target, steps) to ndarray of float64, (targets, sources)
        Sources are inputs of the network and neurons; all paths between the two whose Delay nodes
        add up to as many steps are summed. The delay of a loop is not in the steps.
    constants : dict of target to ndarray of float64, (targets,)
        What arrives without any spike: biases, led along their paths.
    outputs : dict of str to tuple of str
        Neuron nodes that each Output of the network shows.
    """

    weights: dict[tuple[str, str, int], Floats]
    constants: dict[str, Floats]
    outputs: dict[str, tuple[str, ...]]


@dataclass(frozen=True, eq=False)
class _Form:
    """Sum of matrix @ delayed spikes, plus a constant; a 1-D matrix is a diagonal one."""

    parts: dict[Part, Floats]
    constant: Floats

    def __add__(self, other: "_Form") -> "_Form":
        parts = dict(self.parts)
        for key, matrix in other.parts.items():
            _add(parts, key, matrix)
        return _Form(parts, self.constant + other.constant)

    def through(self, node: Node, steps: Mapping[str, Ints]) -> "_Form":
        """What leaves the linear ``node`` when this arrives."""
        if "weight" in node.values:
            matrix = node.values["weight"]
            self.check_room(node, len(matrix) * self.columns)
            parts = {k: matrix * m if m.ndim == 1 else matrix @ m for k, m in self.parts.items()}
            return _Form(parts, matrix @ self.constant + node.values.get("bias", 0.0))
        if node.type == "Scale":
            scale = node.values["scale"]
            return _Form({k: (scale if m.ndim == 1 else scale[:, None]) * m
                          for k, m in self.parts.items()}, scale * self.constant)
        return self._delayed(node, steps[node.name]) if node.type == "Delay" else self

    def _delayed(self, node: Node, steps: Ints) -> "_Form":
        levels = np.unique(steps).tolist()
        self.check_room(node, len(levels) * sum(m.size for m in self.parts.values()), len(levels))
        parts: dict[Part, Floats] = {}
        for (source, before), m in self.parts.items():
            for level in levels:
                here = steps == level
                _add(parts, (source, before + level),
                     np.where(here if m.ndim == 1 else here[:, None], m, 0.0))
        return _Form(parts, self.constant)

    @property
    def columns(self) -> int:
        """Columns of all matrices."""
        return sum(m.shape[-1] for m in self.parts.values())

    def check_room(self, node: Node, numbers: int, levels: int = 1) -> None:
        """Refuse so many ``numbers`` in matrices at ``node``, where delays multiply these."""
        sources = {source for source, _ in self.parts}
        if levels * len(self.parts) > len(sources) and numbers > _MOST:
            raise UserError(f"{node.label}: {levels * len(self.parts)} distinct delays from "
                            f"{', '.join(map(repr, sorted(sources)))} make {numbers} weights, more "
                            "than any tile could hold")


def _add(parts: dict[Part, Floats], key: Part, matrix: Floats) -> None:
    parts[key] = _sum(parts[key], matrix) if key in parts else matrix


def _sum(a: Floats, b: Floats) -> Floats:
    if a.ndim == b.ndim:
        return a + b
    return (np.diag(a) if a.ndim == 1 else a) + (np.diag(b) if b.ndim == 1 else b)


def compose(graph: Graph, steps: Mapping[str, Ints]) -> Wiring:
    """Wiring of the neurons of ``graph``.

    Parameters
    ----------
    graph : Graph
        Nodes and edges.
    steps : dict of str to ndarray of int, (size,)
        Steps by which each Delay node delays its values.

    Raises
    ------
    UserError
        Linear nodes form a cycle, a readout feeds something but an Output, an Output shows no
        neuron, or distinct delays are too many.
    """
    linear = {node.name: node for node in graph.having("linear")}
    waits = {name: {n.name for n in graph.before(name)} & set(linear) for name in linear}
    try:
        order = tuple(TopologicalSorter(waits).static_order())
    except CycleError as error:
        cycle = " -> ".join(repr(name) for name in error.args[1])
        raise UserError(f"the cycle {cycle} holds no neuron, and nothing else carries a state "
                        "from step to step here; a loop needs a neuron") from None
    forms: dict[str, _Form] = {}
    for node in (*graph.having("input"), *graph.having("neuron")):
        forms[node.name] = _Form({(node.name, 0): np.ones(node.size or 0)},
                                 np.zeros(node.size or 0))
    for name in order:
        with np.errstate(all="ignore"):  # what overflows is refused with the gains multiplied in
            forms[name] = _arriving(graph, linear[name], forms).through(linear[name], steps)
    weights, constants = {}, {}
    for node in graph.having("neuron"):
        form = _arriving(graph, node, forms)
        form.check_room(node, (node.inputs or 0) * form.columns)
        constants[node.name] = form.constant
        for source in dict.fromkeys(source for source, _ in form.parts):
            if graph.nodes[source].type in SILENT:
                raise UserError(f"{graph.nodes[source].label} reaches {node.label}, but it has a "
                                "potential and no spikes; only an Output can follow it")
            levels = sorted(level for other, level in form.parts if other == source)
            # Rows and columns of different delays need not meet.
            used = [level for level in levels if form.parts[source, level].any()]
            for level in used or levels[:1]:
                matrix = form.parts[source, level]
                weights[source, node.name, level] = (
                    np.diag(matrix) if matrix.ndim == 1 else matrix)
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
