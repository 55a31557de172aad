# SPDX-License-Identifier: Apache-2.0
"""What a NIR file contains and needs, before dt, reset rule and number formats are chosen."""

from typing import Any

import numpy as np
import numpy.typing as npt

from .nir_import import open_graph
from .nir_neurons import needs_dt
from .nir_paths import SILENT
from .recurrence import delays, forward_order

__all__ = ["describe"]


def describe(source: Any, *, dt: float | None = None) -> dict[str, Any]:
    """Plain data about a .nir file or a ``nir.NIRGraph``.

    Parameters
    ----------
    source : str, Path or nir.NIRGraph
        The file, or a graph in memory.
    dt : float, optional
        Length of a step in seconds for Delay nodes; by default what the file's metadata says.

    Returns
    -------
    dict
        ``name``; ``dt`` (seconds or None, as the file says) and ``needs_dt``; ``unknown_reset``,
        names of nodes whose reset rule the file does not give; ``outputs``, populations that each
        Output shows.

        ``nodes``, one dict per node of the file (subgraphs dissolved): ``name``, ``type``, ``size``
        and ``parameters`` (numbers in its tensors).

        ``populations``, one per neuron node, feed-forward order: ``name``, ``type``, ``size``,
        ``fan_in`` and ``fan_out`` (largest number of synapses of one neuron), ``recurrent``.

        ``projections``, one per source, target and delay, linear nodes composed: ``source``,
        ``target``, ``delay`` (steps), ``synapses`` (weights that are not 0).

        ``needs``: ``inputs``, ``neurons``, ``axons`` (input lines and neurons that reach
        something), ``synapses``. A tile may need more: relays for spikes that skip layers, and full
        groups.

    Raises
    ------
    UserError
        The file is damaged or holds what a tile cannot do, or a Delay and no dt.
    """
    found = open_graph(source, dt)
    graph, wiring = found.graph, found.wiring
    inputs, neurons = graph.having("input"), {n.name: n for n in graph.having("neuron")}
    closing = delays([node.name for node in inputs], ((a, b) for a, b, _ in wiring.weights))
    connected = {key: matrix != 0 for key, matrix in wiring.weights.items()}
    sizes = {n.name: n.size or 0 for n in graph.nodes.values()}
    fan_in = {key: _total([c.sum(axis=1) for (_, b, _), c in connected.items() if b == key],
                          sizes[key]) for key in neurons}
    fan_out = {key: _total([c.sum(axis=0) for (a, _, _), c in connected.items() if a == key],
                           sizes[key]) for key in [n.name for n in inputs] + list(neurons)}
    spiking = [n for n in neurons.values() if n.type not in (*SILENT, "Threshold")]
    return {
        "name": found.name,
        "dt": next(iter(graph.dt.values()), None),
        "needs_dt": any(needs_dt(node) for node in graph.nodes.values()),
        "unknown_reset": [node.name for node in spiking if node.reset is None],
        "outputs": {key: list(shown) for key, shown in wiring.outputs.items()},
        "nodes": [{"name": n.name, "type": n.type, "size": sizes[n.name],
                   "parameters": sum(v.size for v in n.values.values())}
                  for n in graph.nodes.values()],
        "populations": [{"name": key, "type": neurons[key].type, "size": sizes[key],
                         "fan_in": int(fan_in[key].max()), "fan_out": int(fan_out[key].max()),
                         "recurrent": closing.get((key, key), 0) > 0}
                        for key in forward_order(list(neurons), closing)],
        "projections": [{"source": a, "target": b, "delay": closing[a, b] + steps,
                         "synapses": int(c.sum())} for (a, b, steps), c in connected.items()],
        "needs": {"inputs": sum(sizes[n.name] for n in inputs),
                  "neurons": sum(sizes[key] for key in neurons),
                  "axons": sum(int((count > 0).sum()) for count in fan_out.values()),
                  "synapses": sum(int(c.sum()) for c in connected.values())},
    }


def _total(counts: list[npt.NDArray[np.int64]], size: int) -> npt.NDArray[np.int64]:
    return np.sum(counts, axis=0) if counts else np.zeros(size, np.int64)
