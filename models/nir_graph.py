# SPDX-License-Identifier: Apache-2.0
"""A NIR graph, flattened and checked: subgraphs dissolved, tensors finite, sizes known.

Sizes are counts of values, not shapes: a network is the same whether 784 values are called (784,),
(1, 28, 28) or (1, 784), because every node keeps their order. Only convolution and pooling need the
shape (channels, height, width) of what arrives.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from neurotile.spec import UserError

from .images import Shape
from .nir_file import Tree
from .nir_images import IMAGE_TYPES, ImageMap, image_map

__all__ = ["SUPPORTED", "Graph", "Node", "flatten", "natural"]

Floats = npt.NDArray[np.float64]

# Tensors of every node type and what stands for one that the file lacks; None: it must be there.
_TENSORS: dict[str, dict[str, float | None]] = {
    "Input": {}, "Output": {}, "Flatten": {},
    "Linear": {"weight": None},
    "Affine": {"weight": None, "bias": None},
    "Scale": {"scale": None},
    "Threshold": {"threshold": None},
    "Delay": {"delay": None},
    "IF": {"r": None, "v_threshold": None, "v_reset": 0.0},
    "LIF": {"tau": None, "r": None, "v_leak": None, "v_threshold": None, "v_reset": 0.0},
    "CubaLIF": {"tau_syn": None, "tau_mem": None, "r": None, "v_leak": None,
                "v_threshold": None, "v_reset": 0.0, "w_in": 1.0},
    "LI": {"tau": None, "r": None, "v_leak": None},
    "CubaLI": {"tau_syn": None, "tau_mem": None, "r": None, "v_leak": None, "w_in": 1.0},
}
SUPPORTED = ("Input", "Output", "Linear", "Affine", "IF", "LIF", "CubaLIF", "LI", "CubaLI", "Scale",
             "Threshold", "Delay", "Flatten", *IMAGE_TYPES, "NIRGraph")
_NEURONS = frozenset({"IF", "LIF", "CubaLIF", "LI", "CubaLI", "Threshold"})


@dataclass(frozen=True, eq=False)
class Node:
    """One node of the flattened graph.

    Parameters
    ----------
    name, type : str
        Name with the names of its subgraphs before it, joined by dots; NIR type.
    values : dict of str to ndarray of float64
        Tensors; those of neurons, Scale, Threshold and Delay are (size,).
    inputs, size : int or None
        Number of values that arrive and leave.
    nested : bool
        The node lies in a subgraph.
    reset : (str, str), optional
        Reset rule in the metadata of the node or of the nearest graph around it, and whose it is.
    defaults : tuple of str
        Tensors that the file lacks.
    shape : (channels, height, width), optional
        Shape of what leaves, where the file tells it.
    image : ImageMap, optional
        What a convolution or pooling does, until it is a matrix.
    """

    name: str
    type: str
    values: dict[str, Floats]
    inputs: int | None = None
    size: int | None = None
    nested: bool = False
    reset: tuple[str, str] | None = None
    defaults: tuple[str, ...] = ()
    shape: Shape | None = None
    image: ImageMap | None = None

    @property
    def label(self) -> str:
        """Name and type, for messages."""
        return f"node {self.name!r} ({self.type})"

    @property
    def role(self) -> str:
        """``input`` and ``output`` of the whole network, ``neuron``, or ``linear``."""
        if self.type in ("Input", "Output") and not self.nested:
            return self.type.lower()
        return "neuron" if self.type in _NEURONS else "linear"

    @property
    def same_size(self) -> bool:
        """As many values leave as arrive."""
        return self.type not in ("Linear", "Affine", *IMAGE_TYPES)


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes by name, edges sorted by name, and the dt that the graph and its subgraphs state."""

    nodes: dict[str, Node]
    edges: tuple[tuple[str, str], ...]
    dt: dict[str, float]

    def before(self, name: str) -> list[Node]:
        """Nodes with an edge to ``name``."""
        return [self.nodes[a] for a, b in self.edges if b == name]

    def having(self, role: str) -> list[Node]:
        """Nodes of this role, in natural order of their names."""
        return [node for node in self.nodes.values() if node.role == role]


def natural(name: str) -> tuple[Any, ...]:
    """Sort key that puts ``9`` before ``10``."""
    return (*(int(p) if p.isdecimal() else p for p in re.split(r"([0-9]+)", name)), name)


def flatten(tree: Tree) -> Graph:
    """Graph of a root node as :func:`nir_file.read` gives it.

    Raises
    ------
    UserError
        A node is not supported, lacks a tensor or holds a number that is not finite; an edge names
        a missing node or joins different sizes; names repeat; there is no Input.
    """
    kind = tree.get("type")
    if not isinstance(kind, str) or kind != "NIRGraph":
        raise UserError(f"the root is of type {kind!r}; a NIRGraph is needed")
    nodes: dict[str, Node] = {}
    edges: list[tuple[str, str]] = []
    dt: dict[str, float] = {}
    _collect(tree, "", (), nodes, edges, dt)
    order = sorted(nodes, key=natural)
    graph = Graph({name: nodes[name] for name in order},
                  tuple(sorted(edges, key=lambda e: (natural(e[0]), natural(e[1])))), dt)
    _check_ends(graph)
    return _sized(_without_images(graph))


def _collect(tree: Tree, prefix: str, resets: tuple[tuple[str, str], ...], nodes: dict[str, Node],
             edges: list[tuple[str, str]], dt: dict[str, float]) -> None:
    where = f"subgraph {prefix[:-1]!r}" if prefix else "the graph"
    children, pairs = tree.get("nodes"), tree.get("edges")
    if not isinstance(children, dict) or not children or pairs is None:
        raise UserError(f"{where} has no nodes or no edges")
    metadata = _metadata(tree)
    if "dt" in metadata:
        dt[where] = _number(metadata["dt"], f"{where}: metadata dt")
    resets = _with_reset(metadata, where, resets)
    entry: dict[str, list[str]] = {}
    leave: dict[str, list[str]] = {}
    for name, child in children.items():
        full = prefix + name
        kind = child.get("type") if isinstance(child, dict) else None
        if kind == "NIRGraph":
            _collect(child, full + ".", resets, nodes, edges, dt)
            inner = child["nodes"]
            entry[name] = [f"{full}.{n}" for n, c in inner.items() if c["type"] == "Input"]
            leave[name] = [f"{full}.{n}" for n, c in inner.items() if c["type"] == "Output"]
        elif full in nodes:
            raise UserError(f"two nodes are called {full!r} once subgraphs are dissolved")
        else:
            nodes[full] = _node(full, kind, child, bool(prefix), resets)
            entry[name] = leave[name] = [full]
    seen = set()
    for a, b in _pairs(pairs, where):
        for end in (a, b):
            if end not in children:
                raise UserError(f"{where}: edge {a!r} -> {b!r} names {end!r}, which is no node "
                                f"there; nodes are {', '.join(sorted(children, key=natural))}")
        if (a, b) in seen:
            raise UserError(f"{where}: edge {a!r} -> {b!r} is given twice")
        seen.add((a, b))
        if len(leave[a]) != 1:
            raise UserError(f"subgraph {prefix + a!r} must have one Output to be the source of an "
                            f"edge, not {len(leave[a])}")
        if len(entry[b]) != 1:
            raise UserError(f"subgraph {prefix + b!r} must have one Input to be the target of an "
                            f"edge, not {len(entry[b])}")
        edges.append((leave[a][0], entry[b][0]))


def _pairs(value: Any, where: str) -> Iterable[tuple[str, str]]:
    array = np.asarray(value, dtype=object)
    if array.size and (array.ndim != 2 or array.shape[1] != 2):
        raise UserError(f"{where}: edges must be pairs of names, not an array of shape "
                        f"{array.shape}")
    for pair in array.reshape(-1, 2):
        a, b = (end.decode(errors="replace") if isinstance(end, bytes) else str(end)
                for end in pair)
        yield a, b


def _metadata(tree: Tree) -> Tree:
    found = tree.get("metadata")
    return found if isinstance(found, dict) else {}


def _with_reset(metadata: Tree, where: str, resets: tuple[tuple[str, str], ...]
                ) -> tuple[tuple[str, str], ...]:
    if "reset" not in metadata:
        return resets
    rule = metadata["reset"]
    if not isinstance(rule, str) or rule not in ("zero", "subtract"):
        raise UserError(f"{where}: metadata reset must be 'zero' or 'subtract', not {rule!r}")
    return ((rule, f"metadata of {where}"),)


def _number(value: Any, where: str) -> float:
    try:
        number = float(np.asarray(value).reshape(()))
    except (TypeError, ValueError):
        number = np.nan
    if not 0 < number < np.inf:
        raise UserError(f"{where} must be a positive number of seconds, not {value!r}")
    return number


def _node(name: str, kind: Any, child: Tree, nested: bool, resets: tuple[tuple[str, str], ...]
          ) -> Node:
    if kind in IMAGE_TYPES:
        label = f"node {name!r} ({kind})"
        return Node(name, kind, {}, nested=nested, image=image_map(
            kind, child, lambda key: _tensor(child[key], name, kind, key)
            if child.get(key) is not None else _missing(name, kind, key), label))
    if kind not in _TENSORS:
        what = f"of type {kind!r}, which is" if isinstance(kind, str) else "without a type, so"
        raise UserError(f"node {name!r} is {what} not supported; supported are "
                        f"{', '.join(SUPPORTED)}")
    values, defaults = {}, []
    for key, default in _TENSORS[kind].items():
        if child.get(key) is None:
            if default is None:
                _missing(name, kind, key)
            defaults.append(key)
        values[key] = _tensor(default if child.get(key) is None else child[key], name, kind, key)
    resets = _with_reset(_metadata(child), f"node {name!r}", resets)
    node = Node(name, kind, values, nested=nested, reset=resets[0] if resets else None,
                defaults=tuple(defaults))
    if kind in ("Linear", "Affine"):
        weight = values["weight"]
        if weight.ndim != 2:
            raise UserError(f"{node.label}: weight must have shape (outputs, inputs), "
                            f"not {weight.shape}")
        if "bias" in values:
            values["bias"] = _spread(node, "bias", weight.shape[0])
        return replace(node, size=weight.shape[0], inputs=weight.shape[1])
    if kind in ("Input", "Output"):
        shape = child.get("shape")
        if shape is not None and np.asarray(shape).dtype.kind not in "iu" and np.size(shape):
            raise UserError(f"{node.label}: shape must be integers, not {shape!r}")
        sizes = [] if shape is None else np.ravel(shape).tolist()
        size = prod(sizes) if sizes else None
        return replace(node, size=size, inputs=size, shape=_image_shape(sizes))
    try:
        whole = np.broadcast_shapes(*(value.shape for value in values.values()))
        size = prod(whole)
    except ValueError:
        shapes = ", ".join(f"{k} {v.shape}" for k, v in values.items())
        raise UserError(f"{node.label}: the shapes do not fit each other: {shapes}") from None
    # One number may stand for all neurons: the edges tell how many there are.
    known = None if size == 1 else size
    return replace(node, size=known, inputs=known, shape=_image_shape(whole))


def _missing(name: str, kind: str, key: str) -> Floats:
    raise UserError(f"node {name!r} ({kind}) has no {key!r}")


def _image_shape(shape: Sequence[int]) -> Shape | None:
    return (shape[0], shape[1], shape[2]) if len(shape) == 3 else None


def _without_images(graph: Graph) -> Graph:
    """The graph with every convolution and pooling as a matrix."""
    nodes = dict(graph.nodes)
    while left := [node for node in nodes.values() if node.image is not None]:
        known = [(node, node.image, shape) for node in left if node.image is not None
                 and (shape := _arriving_shape(graph, nodes, node.name, set())) is not None]
        # What a node says of its own input counts where nothing else is known.
        known = known or [(node, node.image, shape) for node in left if node.image is not None
                          and (shape := node.image.shape) is not None]
        if not known:
            raise UserError(f"{left[0].label}: nothing before it tells the shape (channels, "
                            "height, width) of its input; an Input, a Conv2d with input_shape, or "
                            "neurons with parameters of that shape would")
        for node, image, shape in known:
            values, result = image.linear(shape, node.label)
            nodes[node.name] = replace(node, values=values, inputs=prod(shape), size=prod(result),
                                       shape=result, image=None)
    return replace(graph, nodes=nodes)


def _arriving_shape(graph: Graph, nodes: dict[str, Node], name: str, seen: set[str]
                    ) -> Shape | None:
    for source in (nodes[a] for a, b in graph.edges if b == name):
        if source.shape is not None:
            return source.shape
        if source.same_size and source.type != "Flatten" and source.name not in seen:
            seen.add(source.name)
            found = _arriving_shape(graph, nodes, source.name, seen)
            if found is not None:
                return found
    return None


def _tensor(value: Any, name: str, kind: str, key: str) -> Floats:
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise UserError(f"node {name!r} ({kind}): {key} must hold numbers, not {array.dtype}")
    if array.size == 0:
        raise UserError(f"node {name!r} ({kind}): {key} is empty, its shape is {array.shape}")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise UserError(f"node {name!r} ({kind}): {key}{list(index) or ''} is {array[index]}; "
                        "every number must be finite")
    return array


def _check_ends(graph: Graph) -> None:
    if not graph.having("input"):
        raise UserError("the graph has no Input node")
    if not graph.having("neuron"):
        raise UserError("the graph has no neurons: one IF, LIF, CubaLIF, LI, CubaLI or Threshold "
                        "is needed")
    for a, b in graph.edges:
        if graph.nodes[b].role == "input":
            raise UserError(f"edge {a!r} -> {b!r} leads into the network's Input")
        if graph.nodes[a].role == "output":
            raise UserError(f"edge {a!r} -> {b!r} leaves the network's Output")


def _sized(graph: Graph) -> Graph:
    arriving = {name: node.inputs for name, node in graph.nodes.items()}
    leaving = {name: node.size for name, node in graph.nodes.items()}
    changed = True
    while changed:
        changed = False
        for a, b in graph.edges:
            for known, end in ((leaving[a], b), (arriving[b], a)):
                # Linear and Affine know both; the others have one size.
                if known is not None and arriving[end] is None:
                    arriving[end] = leaving[end] = known
                    changed = True
    nodes = {}
    for name, node in graph.nodes.items():
        if leaving[name] is None and node.values:
            arriving[name] = leaving[name] = 1
        size = leaving[name]
        if size is None:
            raise UserError(f"{node.label}: the file does not tell its size")
        if size < 1:
            raise UserError(f"{node.label} has no values: its size is {size}")
        node = replace(node, inputs=arriving[name], size=size)
        if node.same_size:
            node = replace(node, values={key: _spread(node, key, size) for key in node.values})
        nodes[name] = node
    for a, b in graph.edges:
        if leaving[a] != arriving[b]:
            raise UserError(f"edge {a!r} -> {b!r}: {a!r} gives {leaving[a]} values, {b!r} takes "
                            f"{arriving[b]}")
    return replace(graph, nodes=nodes)


def _spread(node: Node, key: str, size: int) -> Floats:
    value = node.values[key]
    if value.size == 1:
        return np.full(size, value.item())
    if node.same_size:  # say (16, 1, 1) beside tensors of (16, 8, 8)
        value = np.broadcast_to(
            value, np.broadcast_shapes(*(v.shape for v in node.values.values())))
    if value.size != size:
        raise UserError(f"{node.label}: {key} must hold {size} values or one, not {value.shape}")
    return value.ravel()
