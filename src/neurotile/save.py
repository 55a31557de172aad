# SPDX-License-Identifier: Apache-2.0
"""Writes a result as a run directory (docs/cli.md)."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import __version__
from .rundir import MARK, RUN, write_json, write_npz
from .spec import IntegerNetwork, Projection, Record, UserError, full_record, projection_names
from .spec.folders import new_folder

if TYPE_CHECKING:
    from .pipeline import Result

__all__ = ["cycle_arrays", "memory_arrays", "check_keys", "run_description", "save", "trace_arrays"]

Arrays = dict[str, npt.NDArray[Any]]


def save(result: "Result", path: Path, *, report: bool) -> Path:
    """Write all files of ``result`` into directory ``path``, or none."""
    with new_folder(path, RUN) as folder:
        write_json(folder / "run.json", run_description(result))
        write_json(folder / "metrics.json", result.metrics)
        write_npz(folder / "trace.npz", trace_arrays(result))
        write_npz(folder / "cycles.npz", cycle_arrays(result))
        write_npz(folder / "memories.npz", memory_arrays(result))
        if report:
            from .report import render
            (folder / "report.html").write_text(render(result), encoding="utf-8")
    return path


def run_description(result: "Result") -> dict[str, Any]:
    """What ran: digests, formats, tile, options."""
    build, trace, stimulus = result.build, result.trace, result.stimulus
    network = build.network
    rule = network.learning
    learning = None if rule is None else {
        "rule": asdict(rule),
        "plastic": [e.name for e in network.projections if e.synapses is not None]}
    return {
        "made_by": MARK, "version": __version__, "engine": trace.engine,
        "model": build.digest, "name": network.name,
        "network": trace.network, "stimulus": trace.stimulus, "program": trace.program,
        "samples": stimulus.samples, "steps": stimulus.steps, "inputs": stimulus.inputs,
        "keep_state": trace.keep_state, "labels": stimulus.labels is not None, "dt": network.dt,
        "weight_bits": network.weight_bits, "state_bits": network.state_bits,
        "decay_bits": network.decay_bits,
        "populations": [{"name": p.name, "neurons": p.size, "model": p.model, "reset": p.reset,
                         "scale": network.scales.get(p.name)} for p in network.populations],
        "spiking": [p.name for p in network.populations if p.spikes],
        "record": {name: index.tolist() for name, index in trace.record.items()},
        "config": None if build.config is None else build.config.to_dict(),
        "learning": learning, "notes": list(build.notes), "options": result.options}


def check_keys(network: IntegerNetwork, record: Record | None) -> None:
    """Refuse names of nodes that would make one key of a file stand for two arrays.

    Raises
    ------
    UserError
        A spiking node is called as the potentials of another one, or projections of different
        pairs have one name.
    """
    spiking = {p.name for p in network.populations if p.spikes}
    for name in full_record(network, record):
        if f"{name}.v" in spiking:
            raise UserError(f"a node is called {name + '.v'!r}, which is the key of the potentials "
                            f"of {name!r}; rename it in the file")
    pairs: dict[str, Projection] = {}
    for key, e in zip(projection_names(network.projections), network.projections, strict=True):
        other = pairs.setdefault(key, e)
        if (other.source, other.target) != (e.source, e.target):
            raise UserError(f"two projections are called {key!r}, to {other.target!r} and to "
                            f"{e.target!r}; rename a node in the file")


def trace_arrays(result: "Result") -> Arrays:
    """Spikes by node, and recorded potentials as ``NODE.v``."""
    trace = result.trace
    found: Arrays = dict(trace.spikes)
    for name, values in trace.potentials.items():
        found[f"{name}.v"] = values.astype(np.int32)
    return found


def cycle_arrays(result: "Result") -> Arrays:
    """Cycle of every barrier and output spike, and the counters; empty without a tile.

    Of a mesh also the counters of every tile.
    """
    tile = result.trace.tile
    if tile is None:
        return {}
    found: Arrays = {"barrier": tile.barrier, "spike_cycle": tile.spike_cycle}
    for name in ("spike_run", "spike_step", "spike_neuron"):
        found[name] = getattr(tile, name).astype(np.int32)
    found |= {f"counter.{name}": value for name, value in tile.counters.items()}
    if tile.mesh is not None:
        found |= {f"tiles.{name}": value for name, value in tile.mesh.counters.items()}
    return found


def memory_arrays(result: "Result") -> Arrays:
    """Final states and weights by node, and the digest of every sample."""
    found: Arrays = {key: value.astype(np.int32) for key, value in result.trace.states.items()}
    found |= {f"{key}.w": value.astype(np.int32) for key, value in result.weights.items()}
    found |= {f"{key}.learnt": value.astype(np.int32) for key, value in result.learnt.items()}
    found |= {f"{key}.log": value.astype(np.int8)
              for key, value in result.trace.weight_log.items()}
    return {**found, "digest": np.array(result.digests, "U64")}
