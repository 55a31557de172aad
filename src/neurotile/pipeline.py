# SPDX-License-Identifier: Apache-2.0
"""The main job in three lines of Python: network and spikes in, result out (docs/python_api.md)."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import metrics
from .built import Build, place
from .chunks import merge, portion
from .energy import estimate
from .mesh_options import MeshOptions
from .mesh_weights import stored_mesh_weights
from .save import check_keys, save
from .spec import (
    MESH_PRESETS,
    PRESETS,
    IntegerNetwork,
    MeshConfig,
    MeshProgram,
    Record,
    Stimulus,
    TileConfig,
    Trace,
    UserError,
    any_preset,
    network_config,
)
from .weights import delivered_weights, stored_weights

if TYPE_CHECKING:
    import nir

    from .models.float_network import FloatNetwork
    from .models.learning_plan import LearningPlan

__all__ = ["ENGINES", "Build", "Result", "build", "load", "run"]

ENGINES = ("golden", "fast", "rtl")
_FIRST, _SECONDS = 32, 0.5  # samples of the first portion; time that a later one should take

Progress = Callable[[float, Trace | None], None]
"""Called with the number of samples done, and with the trace of a portion when it is complete."""


@dataclass(frozen=True, eq=False)
class Result:
    """What came out of a run."""

    build: Build
    stimulus: Stimulus
    trace: Trace
    seconds: float
    options: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        accuracy = "" if self.accuracy is None else f" {100 * self.accuracy:.2f} %,"
        cycles = self.metrics["cycles"]
        return (f"<Result {self.build.network.name}, {self.trace.engine}:{accuracy} "
                f"{self.stimulus.samples:,} samples"
                f"{'' if cycles is None else f', {cycles:,} cycles'}>")

    @property
    def spikes(self) -> dict[str, npt.NDArray[np.uint8]]:
        """Spikes (samples, steps, neurons) of every spiking node."""
        return self.trace.spikes

    @property
    def accuracy(self) -> float | None:
        """Share of samples classified as labelled, 0..1; None without labels."""
        found: float | None = self.metrics.get("accuracy")
        return found

    @cached_property
    def weights(self) -> dict[str, npt.NDArray[np.int64]]:
        """Final weights (targets, sources) by projection, read back from the tile if it ran."""
        if self.trace.tile is None or self.build.program is None:
            return delivered_weights(self.build.network, self.trace.weights)
        if isinstance(self.build.program, MeshProgram):
            return stored_mesh_weights(self.build.program)
        return stored_weights(self.build.program, self.trace.tile.synapse)

    @property
    def learnt(self) -> dict[str, npt.NDArray[np.int64]]:
        """Weights (targets, sources) of every plastic projection at the end of the run."""
        return self.trace.weights

    @property
    def weight_log(self) -> dict[str, npt.NDArray[np.int64]]:
        """The same (logged, targets, sources) after every ``weights_every`` steps."""
        return self.trace.weight_log

    @cached_property
    def digests(self) -> list[str]:
        """Digest of what each sample did."""
        return metrics.sample_digests(self.trace)

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """Content of metrics.json (docs/cli.md)."""
        found = metrics.summary(self.build.network, self.build.program, self.stimulus, self.trace,
                                output=self.build.output, digests=self.digests,
                                weights=self.weights)
        program, tile = self.build.program, self.trace.tile
        if program is not None and tile is not None:
            found["energy"] = estimate(
                program.config, found["counters"],
                group_issues=int(np.sum(program.groups)) * tile.barrier.size,
                samples=self.stimulus.samples, syn_events=found["syn_events"])
        found["seconds"] = round(self.seconds, 4)
        return found

    @property
    def dropped(self) -> int:
        """Spikes that met a full event queue; the result is not the network's if there are any."""
        return 0 if self.trace.tile is None else int(self.trace.tile.counters["drops"].sum())

    def save(self, path: str | Path, *, report: bool = True) -> Path:
        """Write a run directory (docs/cli.md), replacing an older one, and return its path.

        Raises
        ------
        UserError
            ``path`` holds something else.
        """
        return save(self, Path(path), report=report)


def load(path: "str | Path | nir.NIRGraph", *, dt: float | None = None,
         reset: str | Mapping[str, str] | None = None) -> "FloatNetwork":
    """Read a NIR file.

    Parameters
    ----------
    path : str, Path or nir.NIRGraph
        The file, or a graph in memory.
    dt : float, optional
        Length of a step in seconds, if the file does not say.
    reset : 'zero', 'subtract', or a dict of node to one of these, optional
        Reset rule; key '' stands for all other nodes.

    Raises
    ------
    UserError
        The file is missing or damaged, or holds what is not supported.
    """
    from .models import nir_import
    return nir_import.load(path, dt=dt, reset=reset)


def build(network: "str | Path | FloatNetwork | IntegerNetwork", *,
          config: TileConfig | MeshConfig | str | None = None, weight_bits: int | None = None,
          state_bits: int | None = None, mapped: bool = True, file: str | Path | None = None,
          learning: "str | Path | LearningPlan | None" = None,
          mesh: MeshOptions | str | None = None, profile: Stimulus | None = None) -> Build:
    """Quantise and map a network.

    Parameters
    ----------
    network : path of a NIR file, FloatNetwork or IntegerNetwork
        What shall run.
    config : TileConfig, MeshConfig or name of a preset, optional
        The tile or mesh; the smallest preset of a tile that fits, if neither this nor ``mesh`` is
        given.
    weight_bits, state_bits : int, optional
        Number formats; those of the tile, if not given. The tile follows them.
    mapped : bool
        False allows a network that fits no preset, for the golden engine.
    file : str or Path, optional
        Where a FloatNetwork was loaded from; its digest names the model in run directories.
    learning : path of a TOML file or LearningPlan, optional
        Which projections learn (docs/cli.md); weights are then -7..7.
    mesh : MeshOptions, 'auto' or 'ROWSxCOLS', optional
        Put the network on a mesh of tiles, of which ``config`` is one.
    profile : Stimulus, optional
        Typical input, by which the tiles of a mesh are placed and queues can be made.

    Raises
    ------
    UserError
        The network is refused, or does not fit.
    """
    if isinstance(network, str | Path):
        file, network = network, load(network)
    _check_bits(weight_bits, state_bits)
    base = network_config(any_preset(config)) if isinstance(config, str) else config
    options = MeshOptions.parse(mesh) if isinstance(mesh, str) else mesh
    if isinstance(network, IntegerNetwork):
        if weight_bits is not None or state_bits is not None or learning is not None:
            raise UserError("weight_bits, state_bits and learning are fixed: the network is in "
                            "integers")
        return place(Build(network), base, mapped, options, profile)
    from .models.learning_plan import read_plan
    from .models.quantise import quantise
    plan = read_plan(learning, network, weight_bits)
    tile = base.tile if isinstance(base, MeshConfig) else base
    default = (MESH_PRESETS["mesh_4x4"].tile if options and not plan else
               PRESETS["learning" if plan else "default"])
    formats = _varied(tile or default, weight_bits, state_bits)
    integers, report = quantise(
        network, weight_bits=4 if plan else weight_bits or formats.weight_bits,
        state_bits=formats.state_bits, decay_bits=formats.decay_bits,
        shift_bits=formats.shift_bits, largest_weights=plan.largest_weights() if plan else None)
    integers = plan.apply(integers) if plan else integers
    made = Build(integers, source=network, quantisation=report, digest=_file_digest(file),
                 notes=(*network.warnings, *report.warnings))
    given = base.replace(tile=formats) if isinstance(base, MeshConfig) else formats
    return place(made, given if base else None, mapped, options, profile)


def _file_digest(file: str | Path | None) -> str | None:
    return None if file is None else hashlib.sha256(Path(file).read_bytes()).hexdigest()


def _check_bits(weight_bits: int | None, state_bits: int | None) -> None:
    for key, value, low, high in (("weight_bits", weight_bits, 1, 16),
                                  ("state_bits", state_bits, 8, 32)):
        if value is not None and not low <= value <= high:
            raise UserError(f"{key} must be in {low}..{high}, not {value}")


def _varied(config: TileConfig, weight_bits: int | None, state_bits: int | None) -> TileConfig:
    """``config`` with room for these formats; accumulators grow as weights do."""
    stored = config.weight_bits if weight_bits is None else 1 << (weight_bits - 1).bit_length()
    grown = config.acc_bits + max(0, stored - config.weight_bits)
    return config.replace(weight_bits=stored, state_bits=state_bits or config.state_bits,
                          acc_bits=min(32, grown))


def run(network: "str | Path | FloatNetwork | IntegerNetwork | Build",
        spikes: npt.ArrayLike | Stimulus, *, labels: npt.ArrayLike | None = None,
        engine: str = "fast", keep_state: bool = False, record: Record | None = None,
        config: TileConfig | MeshConfig | str | None = None, weight_bits: int | None = None,
        state_bits: int | None = None, weights_every: int = 0,
        mesh: MeshOptions | str | None = None, progress: Progress | None = None) -> Result:
    """Run a network on spikes.

    Parameters
    ----------
    network : path of a NIR file, FloatNetwork, IntegerNetwork or Build
        What shall run.
    spikes : array_like of 0 and 1, (steps, inputs) or (samples, steps, inputs), or Stimulus
        Input.
    labels : array_like of int, (samples,), optional
        Right class of each sample.
    engine : str
        ``golden``, ``fast`` or ``rtl``.
    keep_state : bool
        Samples follow each other without CLEAR.
    record : dict of str to ndarray of int, optional
        Neurons whose membrane potential is kept; readouts are kept anyway.
    config, weight_bits, state_bits, mesh
        As for :func:`build`.
    weights_every : int
        Steps, counted through over all samples, after which plastic weights are kept each time.
    progress : callable, optional
        Called after each portion of samples.

    Raises
    ------
    UserError
        Something given is wrong; the message says what.
    """
    if engine not in ENGINES:
        raise UserError(f"engine must be one of {', '.join(ENGINES)}, not {engine!r}")
    stimulus = spikes if isinstance(spikes, Stimulus) else Stimulus.from_dense(spikes, labels)
    made = network if isinstance(network, Build) else build(
        network, config=config, weight_bits=weight_bits, state_bits=state_bits, mesh=mesh,
        mapped=engine != "golden" or config is not None or mesh is not None)
    if stimulus.inputs != made.network.input_size:
        raise UserError(f"the stimulus has {stimulus.inputs} inputs, the network has "
                        f"{made.network.input_size}")
    metrics.check_labels(made.output, stimulus)
    _check_record(made.network, record)
    check_keys(made.network, record)
    if weights_every < 0 or weights_every and made.network.learning is None:
        raise UserError("weights_every must be a number of steps, and 0 for a network that does "
                        f"not learn, not {weights_every}")
    start, options = time.perf_counter(), {"weights_every": weights_every} if weights_every else {}
    trace = _run(made, stimulus, engine, keep_state, record, weights_every, progress)
    return Result(made, stimulus, trace, time.perf_counter() - start, options)


def _check_record(network: IntegerNetwork, record: Record | None) -> None:
    for name, index in (record or {}).items():
        population = network.population_names.get(name)
        if population is None:
            raise UserError(f"record: there is no population {name!r}; there are "
                            f"{', '.join(network.population_names)}")
        index = np.asarray(index)
        if index.ndim != 1 or index.dtype.kind not in "iu" and index.size:
            raise UserError(f"record: neurons of {name!r} must be given as a list of integers")
        if index.size and not 0 <= index.min() <= index.max() < population.size:
            raise UserError(f"record: {name!r} has neurons 0..{population.size - 1}, not "
                            f"{index.min() if index.min() < 0 else index.max()}")


def _run(made: Build, stimulus: Stimulus, engine: str, keep_state: bool, record: Record | None,
         weights_every: int, progress: Progress | None) -> Trace:
    # What a sample teaches the next one knows, so that no portion could start anew; and a mesh is
    # loaded once, not for every portion.
    if keep_state or progress is None or made.network.learning is not None \
            or isinstance(made.program, MeshProgram):
        trace = _once(made, stimulus, engine, keep_state, record, weights_every, 0, progress)
        if progress is not None:
            progress(stimulus.samples, trace)
        return trace
    parts, done, size = [], 0, _FIRST
    while done < stimulus.samples:
        start = time.perf_counter()
        part = portion(stimulus, done, min(done + size, stimulus.samples))
        parts.append(_once(made, part, engine, keep_state, record, 0, done, progress))
        done += part.samples
        progress(done, parts[-1])
        # At most fourfold: the first portion also compiles and loads.
        faster = _SECONDS / max(time.perf_counter() - start, 1e-6)
        size = int(part.samples * min(4.0, max(1.0, faster)))
    return merge(parts, stimulus)


def _once(made: Build, part: Stimulus, engine: str, keep_state: bool, record: Record | None,
          weights_every: int, before: int, progress: Progress | None) -> Trace:
    if engine == "golden":
        from .models import golden
        return golden.run(made.network, part, record=record, keep_state=keep_state,
                          weights_every=weights_every)
    if made.program is None:
        raise UserError(f"the {engine} engine needs a network that fits a tile")

    def tick(done: int, total: int) -> None:
        if progress is not None and done < total:
            progress(before + part.samples * done / total, None)

    if isinstance(made.program, MeshProgram):
        from .mesh_engines import run as run_mesh
        return run_mesh(engine, made.program, part, record=record, keep_state=keep_state,
                        progress=tick)
    if engine == "fast":
        from .sim.engine import run as run_fast
        return run_fast(made.program, part, record=record, keep_state=keep_state, progress=tick,
                        weights_every=weights_every)
    from .hw.engine import run as run_rtl
    return run_rtl(made.program, part, record=record, keep_state=keep_state, progress=tick,
                   weights_every=weights_every)
