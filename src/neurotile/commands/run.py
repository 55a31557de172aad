# SPDX-License-Identifier: Apache-2.0
"""``neurotile run``: a NIR file and spikes in, a run directory out."""

import re
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import metrics
from ..mesh_options import MeshOptions
from ..models.nir_import import parse_reset
from ..pipeline import Build, Result, build, load, run
from ..rundir import RUN
from ..spec import (
    AnyConfig,
    IntegerNetwork,
    MeshConfig,
    Record,
    Stimulus,
    TileConfig,
    Trace,
    UserError,
    any_preset,
    configuration_from_toml,
    network_config,
)
from ..spec.folders import check_folder
from .text import (
    count,
    learning_line,
    learnt_line,
    line,
    network_line,
    percent,
    quantity,
    tile_line,
)

__all__ = ["any_configuration", "load_and_build", "network_configuration", "parse_record",
           "run_command", "run_shown"]

_PATIENCE = 4.0
_BUILDING = {"golden": "the golden model is at work",
             "fast": "the fast engine compiles itself; it does so once, for up to half a minute",
             "rtl": "Verilator builds the simulator of this tile; it does so once"}


def run_command(model: Path, spikes: Path, out: Path, *, engine: str, preset_name: str | None,
                config: Path | None, weight_bits: int | None, state_bits: int | None,
                dt: float | None, reset: Sequence[str], keep_state: bool, samples: int | None,
                record: Sequence[str], learn: Path | None, weights_every: int, report: bool,
                mesh: MeshOptions | None = None) -> int:
    """Do the command and return the exit code: 1 if spikes were dropped.

    Raises
    ------
    UserError
        An argument or a file is wrong.
    """
    check_folder(out, RUN, inputs=(model, spikes, config, learn))
    if weights_every and learn is None:
        raise UserError("--weights-every needs --learn LEARN.toml: without it no weight changes")
    tile = network_configuration(preset_name, config)
    stimulus = Stimulus.from_file(spikes)
    if samples is not None:
        stimulus = stimulus.first(samples)
    made = load_and_build(model, tile, weight_bits, state_bits, dt, parse_reset(reset),
                          mapped=engine != "golden" or (tile or mesh) is not None,
                          learning=learn, mesh=mesh, profile=stimulus)
    if stimulus.inputs != made.network.input_size:
        raise UserError(f"{spikes}: spikes have {stimulus.inputs} inputs, {model} has "
                        f"{made.network.input_size}")
    options = {"weight_bits": weight_bits, "state_bits": state_bits, "dt": dt,
               "reset": list(reset), "engine": engine, "samples": samples,
               "weights_every": weights_every}
    result = run_shown(made, stimulus, engine=engine, keep_state=keep_state,
                       record=parse_record(record, made.network), options=options,
                       weights_every=weights_every)
    result.save(out, report=report)
    line("written", f"{out}" + (f", report: {out / 'report.html'}" if report else ""))
    if result.dropped:
        print(f"neurotile: {count(result.dropped, 'spike')} met a full event queue and "
              f"got lost; a larger queue_depth than {made.program.tile.queue_depth} "  # type: ignore[union-attr]
              "is needed", file=sys.stderr)
    return 1 if result.dropped else 0


def network_configuration(preset_name: str | None, config: Path | None
                          ) -> TileConfig | MeshConfig | None:
    """Tile or mesh for a network that was asked for, if any.

    Raises
    ------
    UserError
        As :func:`any_configuration`, or the tile is in event mode.
    """
    found = any_configuration(preset_name, config)
    return None if found is None else network_config(found)


def any_configuration(preset_name: str | None, config: Path | None) -> AnyConfig | None:
    """Tile or mesh that was asked for, if any.

    Raises
    ------
    UserError
        Both are given, the preset is unknown, or the file is wrong.
    """
    if preset_name is not None and config is not None:
        raise UserError("--preset and --config exclude each other")
    if config is not None:
        return configuration_from_toml(config)
    return None if preset_name is None else any_preset(preset_name)


def load_and_build(model: Path, tile: TileConfig | MeshConfig | None, weight_bits: int | None,
                   state_bits: int | None, dt: float | None, reset: dict[str, str], *,
                   mapped: bool, learning: Path | None = None, mesh: MeshOptions | None = None,
                   profile: Stimulus | None = None) -> Build:
    """Read, quantise and map, and print what came out of it."""
    made = build(load(model, dt=dt, reset=reset), config=tile, weight_bits=weight_bits,
                 state_bits=state_bits, mapped=mapped, file=model, learning=learning, mesh=mesh,
                 profile=profile)
    network = made.network
    line("network", network_line(network))
    for note in made.notes:
        if not note.startswith("tile:"):
            line("note", note)
    if made.quantisation is not None:
        worst = max((t.max_error for t in made.quantisation.tensors), default=0.0)
        clipped = sum(t.clipped for t in made.quantisation.tensors)
        line("numbers", f"{network.weight_bits}-bit weights (largest error {percent(worst, 2)} of "
             f"the largest weight, {clipped} clipped), {network.state_bits}-bit states")
    if network.learning is not None:
        line("learning", learning_line(network))
    if made.program is not None:
        chosen = next(note for note in made.notes if note.startswith("tile:"))
        line("tile", chosen.removeprefix("tile: "))
        line("", tile_line(made.program))
    return made


def parse_record(wanted: Sequence[str], network: IntegerNetwork) -> Record:
    """Neurons that ``--record NODE[:indices]`` asks for; indices are like ``0,4,8-11``.

    Raises
    ------
    UserError
        A node is unknown, or the indices are none of its.
    """
    record: Record = {}
    for item in wanted:
        name, colon, text = item.rpartition(":")
        if item in network.population_names or not colon:
            name, text = item, ""
        population = network.population_names.get(name)
        if population is None:
            raise UserError(f"--record: there is no population {name!r}; there are "
                            f"{', '.join(network.population_names)}")
        found = np.arange(population.size) if not text else _indices(text, item)
        if found[-1] >= population.size:
            raise UserError(f"--record {item}: {name!r} has neurons 0..{population.size - 1}")
        record[name] = np.union1d(record.get(name, np.zeros(0, np.int64)), found)
    return record


def _indices(text: str, item: str) -> Any:
    found = set()
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip())
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise UserError(f"--record {item}: neurons are given like 0,4,8-11, not {text!r}")
        last = min(int(match[2] or match[1]), 1 << 20)
        found |= set(range(min(int(match[1]), last), last + 1))
    return np.array(sorted(found), np.int64)


def run_shown(made: Build, stimulus: Stimulus, *, engine: str, keep_state: bool = False,
              record: Record | None = None, options: dict[str, Any] | None = None,
              weights_every: int = 0) -> Result:
    """Run with first numbers and a progress bar, and print the outcome."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar
    bar = Bar(TextColumn("{task.description:<9}"), BarColumn(),
              TextColumn("{task.completed:,.0f} of {task.total:,} samples"), TimeRemainingColumn(),
              console=Console(stderr=True), transient=True, redirect_stdout=False,
              disable=not sys.stderr.isatty())
    task = bar.add_task(engine, total=stimulus.samples)
    first = True

    # Kernels and simulators are built once and then kept; that is the only long silence.
    patience = threading.Timer(_PATIENCE, line, ("wait", _BUILDING[engine]))
    patience.daemon = True

    def progress(done: float, trace: Trace | None) -> None:
        nonlocal first
        patience.cancel()
        bar.update(task, completed=done)
        if trace is not None and first and done < stimulus.samples:
            bar.stop()
            line("first", f"{done:,.0f} of {stimulus.samples:,} samples: "
                          f"{_first_numbers(made, stimulus.first(int(done)), trace)}")
            bar.start()
        first = first and trace is None

    patience.start()
    try:
        bar.start()
        result = run(made, stimulus, engine=engine, keep_state=keep_state, record=record,
                     weights_every=weights_every, progress=progress)
    finally:
        patience.cancel()
        bar.stop()
    _print_outcome(result)
    return replace(result, options=options or {})


def _first_numbers(made: Build, stimulus: Stimulus, trace: Trace) -> str:
    if stimulus.labels is not None:
        share = metrics.accuracy(stimulus.labels, metrics.predictions(made.output, trace))
        return f"accuracy {percent(share)}"
    return count(sum(int(s.sum()) for s in trace.spikes.values()), "spike")


def _print_outcome(result: Result) -> None:
    found = result.metrics
    parts = [f"accuracy {percent(found['accuracy'], 2)}"] if "accuracy" in found else []
    parts += [count(found["samples"], "sample"), count(found["steps"], "step"),
              count(found["spikes"], "spike"), count(found["syn_events"], "synaptic event")]
    line("result", ", ".join(parts))
    if found["cycles"] is not None:
        line("", f"{count(found['cycles'], 'cycle')}, {found['cycles_per_step']['mean']:.1f} per "
                 f"step, lanes {percent(found['lane_utilisation'] or 0)} used, "
                 f"{quantity(found['energy']['pj_per_sample'] * 1e-12, 'J')} per sample (model)")
    if result.learnt:
        line("learnt", learnt_line(result.build.network, result.learnt))
    line("time", f"{result.seconds:.2f} s in the {result.trace.engine} engine")
