# SPDX-License-Identifier: Apache-2.0
"""Latency of one network on meshes of many sizes, and what it consists of (docs/studies.md).

``python -m neurotile.studies.mesh_size`` writes mesh_size.csv and mesh_size.png.
"""

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..mesh_place import spike_rates
from ..models.mesh.map import choose_mesh
from ..models.mesh.report import mesh_report
from ..spec import (
    MESH_PRESETS,
    InputPort,
    IntegerNetwork,
    MeshProgram,
    Population,
    Projection,
    Stimulus,
    TileConfig,
    Trace,
)
from .common import arguments, command, new_figure, reference, run_checked, write_rows

__all__ = ["Measured", "Setting", "layers", "main", "measure", "tile_of"]

_LINKS = ("north", "east", "south", "west")
_PARTS = {"update": "tab:orange", "integrate": "tab:blue", "wait": "tab:red",
          "barrier": "tab:gray"}
_TEXTS = {"update": "update of the neurons, spikes sent", "integrate": "integrate: reads synapses",
          "wait": "waits for packets", "barrier": "barrier"}
_LANES = 8


@dataclass(frozen=True)
class Setting:
    """Sizes of the study."""

    width: int = 512
    depth: int = 4
    fan_out: int = 8
    steps: int = 60
    activity: tuple[float, ...] = (0.05, 0.2)
    shapes: tuple[tuple[int, int], ...] = ((1, 1), (1, 2), (2, 2), (2, 4), (4, 4), (4, 8), (8, 8))
    seed: int = 1


@dataclass(frozen=True)
class Measured:
    """A mesh with an activity; cycles and packets are means per step.

    Parameters
    ----------
    activity : float
        Share of the input lines that spike in a step.
    variant : str
        ``unicast``; ``multicast``; ``last``: unicast, and only the last layer sends its spikes to
        the host, else all do.
    measured : float
        Share of the neurons that spike in a step.
    tiles_used : int
        Tiles with neurons.
    cycles : float
        From barrier to barrier; the sum of the following four, of the tile that was idle last.
    update : float
        From the barrier before to the end of its update, in which it also sends its spikes.
    integrate : float
        Synapse words that it read in the step, one per cycle.
    wait : float
        The rest until it was idle: packets were on their way, words were held back, a pipeline
        filled.
    barrier : float
        From then to the barrier.
    slowest_update : float
        Longest update of any tile.
    busiest_integrate : float
        Most words that any tile read in a step.
    sent, links, received : float
        Packets that tiles send, that are on a link, that arrive at tiles.
    host_packets : float
        Packets that the host sends, over all its ports.
    """

    activity: float
    variant: str
    rows: int
    cols: int
    measured: float
    tiles_used: int
    cycles: float
    update: float
    integrate: float
    wait: float
    barrier: float
    slowest_update: float
    busiest_integrate: float
    sent: float
    links: float
    received: float
    host_packets: float


def layers(setting: Setting, activity: float) -> tuple[IntegerNetwork, Stimulus]:
    """Layers that all fire at about the activity of the input.

    Every source drives all neurons of ``fan_out`` groups of 8 of the next layer, drawn at random. A
    neuron keeps half of its potential per step; thresholds are set layer by layer by trial.
    """
    rng = np.random.default_rng([setting.seed, round(activity * 1000)])
    spikes = rng.random((setting.steps, setting.width)) < activity
    stimulus, drive = Stimulus.from_dense(spikes), spikes
    populations, projections, source = [], [], "in"
    for number in range(setting.depth):
        name = f"layer{number + 1}"
        groups = setting.width // _LANES
        chosen = np.argsort(rng.random((groups, setting.width)), axis=0) < setting.fan_out
        weights: npt.NDArray[Any] = rng.integers(-40, 61, (setting.width, setting.width))
        weights *= np.repeat(chosen, _LANES, axis=0)
        threshold, drive = _calibrated(drive.astype(np.int64) @ weights.T, activity)
        populations.append(Population(name, setting.width, "lif", threshold=np.array(threshold),
                                      decay_v=np.array(2048)))
        projections.append(Projection(source, name, weights))
        source = name
    return IntegerNetwork((InputPort("in", setting.width),), tuple(populations),
                          tuple(projections), name="layers"), stimulus


def _calibrated(current: npt.NDArray[np.int64], activity: float
                ) -> tuple[int, npt.NDArray[np.bool_]]:
    """Threshold with which neurons of half decay fire at about this rate, and their spikes."""
    low, high = 1, 30000
    while low < high:
        middle = (low + high) // 2
        if _fired(current, middle).mean() > activity:
            low = middle + 1
        else:
            high = middle
    return low, _fired(current, low)


def _fired(current: npt.NDArray[np.int64], threshold: int) -> npt.NDArray[np.bool_]:
    v, found = np.zeros(current.shape[1], np.int64), np.zeros(current.shape, np.bool_)
    for step, arriving in enumerate(current):
        v = (v >> 1) + arriving
        found[step] = v > threshold
        v[found[step]] = 0
    return found


def measure(setting: Setting) -> list[Measured]:
    """All points, activity first.

    Raises
    ------
    AssertionError
        Spikes differ from golden's.
    """
    rows = []
    for activity in setting.activity:
        network, stimulus = layers(setting, activity)
        wanted, rates = reference(network, stimulus), spike_rates(network, stimulus)
        share = float(np.mean([s.mean() for s in wanted.spikes.values()]))
        last = network.populations[-1].name
        less = replace(wanted, spikes={last: wanted.spikes[last]})
        for variant, shape in itertools.product(("unicast", "multicast", "last"), setting.shapes):
            shown = less if variant == "last" else wanted
            program = choose_mesh(network, tile=tile_of(setting, shape), shape=shape, rates=rates,
                                  spread=True, outputs=tuple(shown.spikes),
                                  routing="multicast" if variant == "multicast" else "unicast")
            trace = run_checked(program, stimulus, shown)
            rows.append(_row(activity, variant, share, program, stimulus, wanted, trace))
    return rows


def tile_of(setting: Setting, shape: tuple[int, int]) -> TileConfig:
    """Tile of a mesh of this size, with room for its part of the neurons."""
    neurons = max(16, setting.width * setting.depth // (shape[0] * shape[1]))
    # Bits of delays in a descriptor would leave too few for the words of a mesh of one tile.
    return MESH_PRESETS["mesh_4x4"].tile.replace(
        neurons=1 << (neurons - 1).bit_length(), axons=32768, synapse_words=16384, lanes=_LANES,
        delay="none")


def _row(activity: float, variant: str, share: float, program: MeshProgram, stimulus: Stimulus,
         wanted: Trace, trace: Trace) -> Measured:
    assert trace.tile is not None and trace.tile.mesh is not None
    mesh = trace.tile.mesh
    assert mesh.timeline is not None
    barrier, idle, updated = mesh.barrier[0], mesh.timeline.idle[0], mesh.timeline.updated[0]
    steps = barrier.size
    reads = _reads(program, stimulus, wanted)
    if (reads.sum(axis=0) != mesh.counters["synapse_reads"][0]).any():
        raise AssertionError(f"{program.config.name}: tiles read other words than their spikes say")
    # The first step follows no update.
    last = idle[1:].argmax(axis=1)
    step = np.arange(1, steps)
    before, until, ended = barrier[:-1], idle[step, last], updated[step - 1, last]
    update, busy = ended - before, until - ended
    integrate = reads[step, last]
    if (integrate > busy).any():
        raise AssertionError(f"{program.config.name}: a tile read more words than it had cycles")
    counted = {key: float(value.sum()) / steps for key, value in mesh.counters.items()}
    return Measured(
        activity=activity, variant=variant, rows=program.config.rows, cols=program.config.cols,
        measured=share, tiles_used=mesh_report(program).used.used,
        cycles=float((barrier[1:] - before).mean()), update=float(update.mean()),
        integrate=float(integrate.mean()), wait=float((busy - integrate).mean()),
        barrier=float((barrier[1:] - until).mean()),
        slowest_update=float((updated[:-1].max(axis=1) - before).mean()),
        busiest_integrate=float(reads[1:].max(axis=1).mean()), sent=counted["packets"],
        links=sum(counted[link] for link in _LINKS), received=counted["received"],
        host_packets=program.events(stimulus).word.size / steps)


def _reads(program: MeshProgram, stimulus: Stimulus, trace: Trace) -> npt.NDArray[np.int64]:
    """Synapse words that every tile reads in every step, (steps, tiles), from the spikes."""
    config, network = program.config, program.network
    found = np.zeros((stimulus.steps + program.drain, config.tiles), np.int64)
    for e in network.projections:
        group = program.neurons_of(e.target) // config.tile.lanes
        number, inverse = np.unique(group, return_inverse=True)
        there = np.zeros((number.size, e.weights.shape[1]), np.int64)
        np.maximum.at(there, inverse, (e.weights != 0).astype(np.int64))
        words = np.zeros((config.tiles, e.weights.shape[1]), np.int64)
        np.add.at(words, number // config.tile.groups, there)
        spikes = stimulus.dense()[0] if e.source == "in" else trace.spikes[e.source][0]
        offset = program.offset_of(e.target)
        found[offset:offset + stimulus.steps] += spikes.astype(np.int64) @ words.T
    return found


def _picture(setting: Setting, rows: Sequence[Measured], path: Path) -> None:
    figure, axes = new_figure(2, len(setting.activity), (6.5 * len(setting.activity), 8.5))
    for column, activity in enumerate(setting.activity):
        mine, other, forked = ([row for row in rows if row.activity == activity
                                and row.variant == which]
                               for which in ("unicast", "last", "multicast"))
        names, place = [f"{row.rows}x{row.cols}" for row in mine], np.arange(len(mine))
        axis, below = axes[:, column]
        bottom = np.zeros(len(mine))
        for part, colour in _PARTS.items():
            height = np.array([getattr(row, part) for row in mine])
            axis.bar(place, height, 0.65, bottom=bottom, color=colour, label=_TEXTS[part])
            bottom += height
        for x, row in zip(place, mine, strict=True):
            axis.annotate(f"{row.cycles:,.0f}", (x, row.cycles), (0, 6), ha="center", fontsize=9,
                          textcoords="offset points")
        axis.plot(place, [row.cycles for row in other], "_", color="black", markersize=26,
                  markeredgewidth=2, label="in all, if only the last layer sends to the host")
        axis.plot(place, [row.cycles for row in forked], "D", color="black", markersize=5,
                  markerfacecolor="white", label="in all, with multicast")
        axis.set(title=f"input {activity:.0%}, neurons {mine[0].measured:.1%}",
                 ylabel="cycles per step", xticks=place, xticklabels=names)
        axis.legend(fontsize=8)
        below.plot(place, [row.links for row in forked], "k--", linewidth=1,
                   label="on links, with multicast")
        for key, text in (("links", "on links"), ("received", "received by tiles"),
                          ("sent", "sent by tiles"), ("host_packets", "sent by the host")):
            below.plot(place, [getattr(row, key) for row in mine], "o-", markersize=4, label=text)
        below.set(ylabel="packets per step", xlabel="mesh", xticks=place, xticklabels=names,
                  ylim=(0, None))
        below.legend(fontsize=8)
    figure.suptitle(f"{setting.depth} layers of {setting.width} LIF neurons, each source drives "
                    f"{setting.fan_out} groups of 8")
    figure.savefig(path, dpi=110, metadata={"Software": None})


def main(given: Sequence[str] | None = None) -> int:
    asked = arguments(__doc__, given=given)
    setting = Setting(seed=asked.seed)
    if asked.quick:
        setting = replace(setting, width=64, fan_out=2, depth=2, steps=20,
                          shapes=((1, 1), (1, 2), (2, 2)))
    started = time.perf_counter()
    rows = measure(setting)
    write_rows(asked.out / "mesh_size.csv", rows)
    _picture(setting, rows, asked.out / "mesh_size.png")
    for row in rows:
        print(f"activity {row.activity:.0%}, {row.variant}, {row.rows}x{row.cols}: "
              f"{row.cycles:,.1f} cycles per step: update {row.update:.1f}, "
              f"integrate {row.integrate:.1f}, wait {row.wait:.1f}, barrier {row.barrier:.1f}; "
              f"{row.links:,.0f} packets on links")
    print(f"{time.perf_counter() - started:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(command(main))
