# SPDX-License-Identifier: Apache-2.0
"""NIR file to FloatNetwork (docs/nir.md)."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurotile.spec import InputPort, UserError

from .float_network import FloatNetwork, FloatPopulation, FloatProjection
from .nir_delays import delay_steps
from .nir_file import read
from .nir_graph import Graph, Node, flatten
from .nir_neurons import MODELS, discretise, needs_dt
from .nir_paths import SILENT, Wiring, compose
from .recurrence import delays, forward_order

__all__ = ["OpenGraph", "load", "open_graph", "parse_reset"]

Floats = npt.NDArray[np.float64]

_RULES = ("zero", "subtract")


def parse_reset(options: Iterable[str]) -> dict[str, str]:
    """What ``--reset`` was given: ``RULE`` for all nodes, ``NODE=RULE`` for one.

    Returns
    -------
    dict of str to str
        Rule of each named node; the empty name stands for all others.

    Raises
    ------
    UserError
        A rule is unknown or a node is named twice.
    """
    rules: dict[str, str] = {}
    for option in options:
        node, _, rule = option.rpartition("=")
        if rule not in _RULES or (not node and "=" in option):
            raise UserError(f"--reset takes zero, subtract, NODE=zero or NODE=subtract, "
                            f"not {option!r}")
        if node in rules:
            raise UserError(f"--reset is given twice for {repr(node) if node else 'all nodes'}")
        rules[node] = rule
    return rules


@dataclass(frozen=True, eq=False)
class OpenGraph:
    """A NIR graph with its delays in steps.

    Parameters
    ----------
    graph : Graph
        Flattened.
    wiring : Wiring
        What arrives at every neuron.
    name : str
        For people.
    dt : float, optional
        Length of a step in seconds, if it is known.
    origin : dict of str to str
        Where dt came from.
    warnings : list of str
        What was rounded.
    """

    graph: Graph
    wiring: Wiring
    name: str
    dt: float | None
    origin: dict[str, str]
    warnings: list[str]


def open_graph(source: Any, dt: float | None) -> OpenGraph:
    """Graph and wiring of a .nir file or of a ``nir.NIRGraph``; ``dt`` goes before the file's."""
    in_memory = hasattr(source, "to_dict")
    tree = source.to_dict() if in_memory else read(source)
    with _named(source):
        graph = flatten(tree)
        origin: dict[str, str] = {}
        dt = _step(graph, dt, origin)
        steps, warnings = delay_steps(graph, dt)
        name = "network" if in_memory else Path(source).stem
        return OpenGraph(graph, compose(graph, steps), name, dt, origin, warnings)


@contextmanager
def _named(source: Any) -> Iterator[None]:
    """Put the name of a file before messages about its content."""
    try:
        yield
    except UserError as error:
        raise UserError(str(error) if hasattr(source, "to_dict") else f"{source}: {error}"
                        ) from None


def load(source: Any, *, dt: float | None = None,
         reset: str | Mapping[str, str] | None = None) -> FloatNetwork:
    """Network in a .nir file, discrete in time.

    Parameters
    ----------
    source : str, Path or nir.NIRGraph
        The file, or a graph in memory.
    dt : float, optional
        Length of a step in seconds; by default what the file's metadata says. Needed if a neuron
        has a time constant, or for a Delay.
    reset : str or dict, optional
        ``zero`` or ``subtract``; or a dict of such by node name, in which the empty name stands for
        all others. By default what the metadata says, else ``zero`` with a warning.

    Raises
    ------
    UserError
        The file is damaged, holds what a tile cannot do, or leaves dt open.
    """
    found = open_graph(source, dt)
    with _named(source):
        return _network(found, {"": reset} if isinstance(reset, str) else dict(reset or {}))


def _network(found: OpenGraph, rules: dict[str, str]) -> FloatNetwork:
    graph, wiring, origin = found.graph, found.wiring, dict(found.origin)
    resets = _resets(graph, rules, origin)
    closing = delays([node.name for node in graph.having("input")],
                     ((source, target) for source, target, _ in wiring.weights))
    neurons = {node.name: node for node in graph.having("neuron")}
    populations, projections, gains = [], [], {}
    for key in forward_order(list(neurons), closing):
        node = neurons[key]
        step = discretise(node, found.dt)
        gains[key] = step.inflow
        for tensor in node.defaults:
            origin[f"{key}.{tensor}"] = f"the file has none, so {node.values[tensor][0]:g}"
        with np.errstate(all="ignore"):
            bias = wiring.constants[key] * step.inflow
        _finite(bias, f"the bias of {node.label}")
        populations.append(FloatPopulation(
            key, node.size or 0, MODELS[node.type], step.decay_v, step.decay_i, step.current,
            bias,
            step.leak, step.threshold, step.v_reset, resets.get(key, "zero"), node.type))
    for (source, target, steps), matrix in wiring.weights.items():
        with np.errstate(all="ignore"):
            weights = gains[target][:, None] * matrix
        _finite(weights, f"the path {source!r} -> {target!r}")
        projections.append(FloatProjection(source, target, weights,
                                           closing[source, target] + steps))
    warnings = [f"{node.label} has no incoming edge" for node in graph.nodes.values()
                if node.role != "input" and not graph.before(node.name)]
    warnings += found.warnings
    guessed = [key for key in resets if origin[f"{key}.reset"] == "default"]
    if guessed:
        warnings.append("the file does not give the reset rule of "
                        f"{', '.join(guessed)}: taken as zero; "
                        "--reset zero or --reset subtract settles it")
    return FloatNetwork(
        tuple(InputPort(node.name, node.size or 0) for node in graph.having("input")),
        tuple(populations), tuple(projections), wiring.outputs, found.name, found.dt, origin,
        tuple(warnings))


def _finite(values: Floats, what: str) -> None:
    if not np.isfinite(values).all():
        raise UserError(f"{what} grows beyond what a 64-bit float holds")


def _step(graph: Graph, dt: float | None, origin: dict[str, str]) -> float | None:
    if dt is not None:
        if not 0 < dt < np.inf:
            raise UserError(f"--dt must be a positive number of seconds, not {dt!r}")
        origin["dt"] = "argument"
        return dt
    if not any(needs_dt(node) for node in graph.nodes.values()) and not graph.dt:
        return None
    if len(set(graph.dt.values())) > 1:
        found = ", ".join(f"{value:g} s in {where}" for where, value in sorted(graph.dt.items()))
        raise UserError(f"the metadata disagree about dt ({found}); give --dt SECONDS")
    for where, value in graph.dt.items():
        origin["dt"] = f"metadata of {where}"
        return value
    return None


def _resets(graph: Graph, rules: dict[str, str], origin: dict[str, str]) -> dict[str, str]:
    spiking: list[Node] = [node for node in graph.having("neuron")
                           if node.type not in (*SILENT, "Threshold")]
    for key, rule in rules.items():
        if rule not in _RULES:
            raise UserError(f"reset must be 'zero' or 'subtract', not {rule!r}")
        if key and key not in {node.name for node in spiking}:
            raise UserError(f"--reset names {key!r}, but only IF, LIF and CubaLIF nodes reset; "
                            f"they are {', '.join(node.name for node in spiking) or 'none'}")
    resets = {}
    for node in spiking:
        rule, where = node.reset or ("zero", "default")
        if node.name in rules or "" in rules:
            rule, where = rules.get(node.name, rules.get("", "")), "argument"
        resets[node.name], origin[f"{node.name}.reset"] = rule, where
    return resets
