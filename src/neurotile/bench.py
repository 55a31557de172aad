# SPDX-License-Identifier: Apache-2.0
"""Speed of an engine on a workload: an integer network with its stimulus and its exact spikes."""

import hashlib
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .metrics import total_cycles
from .models.map import choose_preset, map_network
from .models.mesh.map import choose_mesh, map_mesh
from .spec import (
    InputPort,
    IntegerNetwork,
    MeshConfig,
    MeshEvents,
    MeshProgram,
    Population,
    Program,
    Projection,
    Stimulus,
    TileConfig,
    TileTrace,
    UserError,
    as_tile_trace,
    to_trace,
)

__all__ = ["Workload", "bench", "load_workload", "raster", "save_workload"]

Int = npt.NDArray[np.int64]

_KEYS = ("name", "n_in", "n", "T", "leak", "threshold", "in_step", "in_line", "in_pre", "in_post",
         "in_w", "pre", "post", "w", "group", "golden_sha256", "n_syn_events")
_RUNS, _CPU_SECONDS = 20, 2.0


@dataclass(frozen=True, eq=False)
class Workload:
    """What is run, and what must come out.

    Parameters
    ----------
    network : IntegerNetwork
        ``sublif`` neurons; the leak is a negative bias.
    stimulus : Stimulus
        One sample.
    neurons : dict of str to ndarray of int64
        Number in the file of every neuron of each population.
    syn_events : int
        Spikes times synapses (also those of weight 0) that they reach before the last step ends.
    sha256 : str
        Hash of the raster (steps, neurons) of uint8 in C order, hexadecimal.
    """

    network: IntegerNetwork
    stimulus: Stimulus
    neurons: dict[str, Int]
    syn_events: int
    sha256: str


def save_workload(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write a workload file; the keys are those that :func:`load_workload` wants."""
    if missing := [key for key in _KEYS if key not in arrays]:
        raise ValueError(f"a workload needs {missing[0]!r}")
    with open(path, "wb") as file:  # a name without .npz stays as it is
        np.savez_compressed(file, allow_pickle=False,
                            **{key: np.asarray(value) for key, value in arrays.items()})


def load_workload(path: Path) -> Workload:
    """Workload in an .npz file.

    Its neurons are v <- max(v + I - leak, 0), spike and v <- 0 if v >= threshold, where I sums the
    weights of input lines active in this step and of neurons that spiked in the step before.
    Scalars ``n_in``, ``n``, ``T``, ``leak``, ``threshold``; input events ``in_step``, ``in_line``;
    synapses ``in_pre``, ``in_post``, ``in_w`` from input lines and ``pre``, ``post``, ``w`` from
    neurons; ``group`` of each neuron; ``golden_sha256`` and ``n_syn_events`` as in Workload.

    Raises
    ------
    UserError
        The file is missing, damaged or holds something else.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            found = {key: archive[key] for key in _KEYS if key in getattr(archive, "files", ())}
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file") from None
    except Exception as error:  # numpy and zipfile raise many kinds for a damaged file
        raise UserError(f"{path}: not a readable .npz file: {error}") from None
    if missing := [key for key in _KEYS if key not in found]:
        raise UserError(f"{path}: not a workload: it has no {missing[0]!r}")
    try:
        return _workload(found)
    except (ValueError, IndexError, TypeError) as error:
        raise UserError(f"{path}: not a workload: {error}") from None


def _workload(found: dict[str, npt.NDArray[Any]]) -> Workload:
    inputs, neurons, steps = (int(found[key]) for key in ("n_in", "n", "T"))
    if found["group"].shape != (neurons,):
        raise ValueError(f"group must have shape ({neurons},), not {found['group'].shape}")
    groups = {f"group{g}": np.flatnonzero(found["group"] == g) for g in np.unique(found["group"])}
    place, owner = np.zeros(neurons, np.int64), np.zeros(neurons, np.int64)
    for number, index in enumerate(groups.values()):
        place[index], owner[index] = np.arange(index.size), number
    sources = [("input", np.arange(inputs), found["in_pre"], found["in_post"], found["in_w"], 0)]
    for number, name in enumerate(groups):
        mine = owner[found["pre"]] == number
        sources.append((name, place, found["pre"][mine], found["post"][mine], found["w"][mine], 1))
    projections = []
    for source, source_place, pre, post, weight, delay in sources:
        for number, (target, index) in enumerate(groups.items()):
            there = owner[post] == number
            if there.any():
                size = inputs if source == "input" else groups[source].size
                dense = np.zeros((index.size, size), np.int32)
                np.add.at(dense, (place[post[there]], source_place[pre[there]]), weight[there])
                projections.append(Projection(source, target, dense, delay))
    largest = max(max(-int(e.weights.min()) - 1, int(e.weights.max())) for e in projections)
    network = IntegerNetwork(
        inputs=(InputPort("input", inputs),), projections=tuple(projections),
        populations=tuple(
            Population(name, index.size, "sublif", threshold=found["threshold"].astype(np.int64),
                       bias=-found["leak"].astype(np.int64)) for name, index in groups.items()),
        weight_bits=8 if largest < 128 else 16, name=str(found["name"]))
    stimulus = Stimulus.from_events(found["in_step"], found["in_line"], steps=steps, inputs=inputs)
    return Workload(network, stimulus, groups, int(found["n_syn_events"]),
                    str(found["golden_sha256"]))


def raster(workload: Workload, program: Program | MeshProgram, tile: TileTrace
           ) -> npt.NDArray[np.uint8]:
    """Spikes (steps, neurons) in the numbers of the file."""
    trace = to_trace(program, workload.stimulus, tile, engine="", record={}, keep_state=False)
    out = np.zeros((workload.stimulus.steps, sum(n.size for n in workload.neurons.values())),
                   np.uint8)
    for name, index in workload.neurons.items():
        out[:, index] = trace.spikes[name][0]
    return out


def bench(path: Path, *, engine: str = "fast", config: TileConfig | MeshConfig | None = None,
          cycles: bool = True, runs: int = _RUNS, cpu_seconds: float = _CPU_SECONDS
          ) -> dict[str, Any]:
    """Measure an engine on a workload.

    Loading and compiling do not count; each run starts from cleared states and gives all spikes
    with their cycles. Times are medians over the runs.

    Parameters
    ----------
    path : Path
        Workload file, see :func:`load_workload`.
    engine : str
        ``fast`` or ``rtl``.
    config : TileConfig or MeshConfig, optional
        The tile or mesh; by default the smallest preset of a tile that the network fits, else the
        smallest mesh.
    cycles : bool
        False: the fast engine of a mesh leaves out network, queues and walkers.
    runs : int
        At least so many runs (for ``rtl`` three).
    cpu_seconds : float
        At least so much CPU time of this process in all.

    Returns
    -------
    dict
        ``workload``, ``engine``, ``preset``, ``syn_events``, ``seconds``, ``cpu_seconds``,
        ``syn_events_per_cpu_s``, ``steps``, ``cycles`` and ``cycles_per_cpu_s`` (None without
        cycles), ``runs``, ``golden_match`` (the raster's hash is that of the file) and
        ``peak_rss_mb``.

    Raises
    ------
    UserError
        The file is no workload, or its network fits no tile.
    """
    workload = load_workload(path)
    program = _placed(workload.network, config)
    once = _once(program, workload.stimulus, engine, cycles)
    tile = once()
    found = hashlib.sha256(raster(workload, program, tile).tobytes()).hexdigest()
    wall: list[float] = []
    cpu: list[float] = []
    while len(wall) < (runs if engine == "fast" else min(runs, 3)) or sum(cpu) < cpu_seconds:
        started, cpu_started = time.perf_counter(), time.process_time()
        once()
        cpu.append(time.process_time() - cpu_started)
        wall.append(time.perf_counter() - started)
    median = float(np.median(cpu))
    count = total_cycles(tile) if cycles else None
    return {
        "workload": workload.network.name, "engine": engine, "preset": program.config.name,
        "syn_events": workload.syn_events, "seconds": float(np.median(wall)),
        "cpu_seconds": median, "syn_events_per_cpu_s": workload.syn_events / median,
        "steps": workload.stimulus.steps, "cycles": count,
        "cycles_per_cpu_s": None if count is None else count / median,
        "runs": len(wall), "golden_match": found == workload.sha256,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def _placed(network: IntegerNetwork, config: TileConfig | MeshConfig | None
            ) -> Program | MeshProgram:
    if isinstance(config, MeshConfig):
        return map_mesh(network, config)
    if config is not None:
        return map_network(network, config)
    try:
        return map_network(network, choose_preset(network))
    except UserError:
        return choose_mesh(network)


def _once(program: Program | MeshProgram, stimulus: Stimulus, engine: str, cycles: bool
          ) -> Callable[[], TileTrace]:
    if isinstance(program, MeshProgram):
        if not cycles and engine != "fast":
            raise UserError("only the fast engine runs without cycles")
        return _mesh(program, stimulus, engine, cycles)
    if not cycles:
        raise UserError(f"{program.config.name}: only a mesh runs without cycles")
    return {"fast": _fast, "rtl": _rtl}[engine](program, stimulus)


def _mesh(program: MeshProgram, stimulus: Stimulus, engine: str, cycles: bool
          ) -> Callable[[], TileTrace]:
    events: MeshEvents = program.events(stimulus)
    if engine == "rtl":
        from .hw.engine.mesh_engine import run_mesh
        return lambda: as_tile_trace(program, run_mesh(
            program.config, program.memories, program.groups, stimulus.steps, events))
    from .sim.mesh_engine import LoadedMesh
    mesh = LoadedMesh(program.config, program.memories, program.groups, stimulus.steps)
    return lambda: as_tile_trace(program, mesh.run(events, cycles=cycles))


def _fast(program: Program, stimulus: Stimulus) -> Callable[[], TileTrace]:
    from .sim.engine import LoadedTile
    events = program.events(stimulus)
    tile = LoadedTile(program.config, program.memories, program.groups, stimulus.steps)
    return lambda: tile.run(events)


def _rtl(program: Program, stimulus: Stimulus) -> Callable[[], TileTrace]:
    from .hw.engine.engine import load_requests, step_limit
    from .hw.engine.simulation import Simulation
    events, nothing = program.events(stimulus), np.zeros(0, np.uint64)
    empty = np.zeros((0, 0), np.int64)
    limit = step_limit(program.config, program.memories["axon"], events)
    tile = Simulation(program.config)
    tile.host(load_requests(program.config, program.memories, groups=program.groups,
                            length=stimulus.steps))

    def once() -> TileTrace:
        barrier, spikes, _, _ = tile.run(events, step_reads=nothing, end_reads=nothing,
                                         step_limit=limit)
        # States and counters are no part of the measurement.
        states = {name: np.zeros((events.runs, program.config.neurons), np.int64)
                  for name in ("membrane", "current", "accumulator")}
        run, step, neuron, cycle = spikes
        return TileTrace(barrier, run, step, neuron, cycle, empty, states, {}, empty)

    return once
