# SPDX-License-Identifier: Apache-2.0
"""Packets of unicast and multicast for the same networks (docs/studies.md).

``python -m neurotile.studies.multicast`` writes multicast.csv and multicast.png.
"""

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
from ..spec.mesh_config import mesh_memories, mesh_route_word, tree_word
from .common import arguments, command, new_figure, reference, run_checked, write_rows

__all__ = ["Case", "Measured", "convolutional", "grouped", "main", "measure"]

_LINKS = ("north", "east", "south", "west")
_COLOURS = {"unicast": "tab:blue", "multicast": "tab:orange"}


@dataclass(frozen=True, eq=False)
class Case:
    """A network, its input, the mesh and the tile that it is put on."""

    name: str
    network: IntegerNetwork
    stimulus: Stimulus
    shape: tuple[int, int]
    tile: TileConfig


@dataclass(frozen=True)
class Measured:
    """A network with a kind of routing.

    Parameters
    ----------
    tiles_used : int
        Tiles with neurons.
    tiles_reached : float
        Destinations of a spike of a neuron that drives any, on average over these neurons; the
        host is none.
    sent : float
        Packets per step that enter the network at route stages.
    links : float
        Packets per step on links between routers and to the host: a copy that forks counts from
        there on.
    hops : float
        ``links`` by packets that the tiles send; those of the host count in ``links`` alone.
    received : float
        Packets per step that arrive at tiles.
    cycles_per_step : float
        From barrier to barrier.
    route_bits, tree_bits : int
        Entries in use of the route tables of all tiles, and of the trees in all routers.
    table_bits : int
        Both tables of all tiles as deep as the mapper made them.
    axon_entries : int
        Entries in use of all axon tables, with the padding of trees.
    drops, lost : int
        Events.
    """

    network: str
    routing: str
    tiles_used: int
    tiles_reached: float
    sent: float
    links: float
    hops: float
    received: float
    cycles_per_step: float
    route_bits: int
    tree_bits: int
    table_bits: int
    axon_entries: int
    drops: int
    lost: int


def grouped(seed: int, fan_out: int, *, groups: int = 16, size: int = 128, steps: int = 100,
            activity: float = 0.05) -> Case:
    """Groups of neurons, a tile each, of which every one drives ``fan_out`` groups.

    A neuron has an input line that makes it fire; it reaches 8 neurons of each group that it
    drives, by weights that hardly matter.
    """
    rng = np.random.default_rng([seed, fan_out])
    names = [f"group{g}" for g in range(groups)]
    populations = tuple(Population(name, size, "lif", threshold=np.array(100),
                                   decay_v=np.array(2048)) for name in names)
    projections = []
    for g, name in enumerate(names):
        one = np.zeros((size, groups * size), np.int32)
        one[np.arange(size), g * size + np.arange(size)] = 120
        projections.append(Projection("in", name, one))
        for target in rng.permutation(groups)[:fan_out]:
            weights = rng.integers(1, 4, (size, size)) * rng.choice([-1, 1], (size, size))
            there = np.argsort(rng.random((size, size)), axis=0) < 8
            projections.append(Projection(name, names[target], np.asarray(weights * there), 1))
    network = IntegerNetwork((InputPort("in", groups * size),), populations, tuple(projections),
                             name=f"{groups} groups to {fan_out} each")
    side = int(np.ceil(np.sqrt(groups)))
    tile = MESH_PRESETS["mesh_4x4"].tile.replace(neurons=max(16, size), axons=16384,
                                                 synapse_words=16384)
    return Case(network.name, network, Stimulus.from_dense(
        rng.random((steps, groups * size)) < activity), (side, -(-groups // side)), tile)


def convolutional(seed: int, *, side: int = 16, channels: tuple[int, int] = (8, 16),
                  steps: int = 60, activity: float = 0.1, neurons: int = 256,
                  shape: tuple[int, int] = (4, 4)) -> Case:
    """Two convolutions of 3x3, the second with stride 2, and a dense layer of 10."""
    rng = np.random.default_rng([seed, side])
    first = _convolution(rng, (2, side), channels[0], 1)
    second = _convolution(rng, (channels[0], side), channels[1], 2)
    dense = rng.integers(-8, 9, (10, len(second)))
    layers: tuple[tuple[str, npt.NDArray[np.int32], int], ...] = (
        ("conv1", first.astype(np.int32), 30), ("conv2", second.astype(np.int32), 40),
        ("dense", dense.astype(np.int32), 60))
    populations = tuple(Population(name, len(weights), "lif", threshold=np.array(threshold),
                                   decay_v=np.array(3072)) for name, weights, threshold in layers)
    sources = ("in", "conv1", "conv2")
    network = IntegerNetwork(
        (InputPort("in", first.shape[1]),), populations,
        tuple(Projection(source, name, weights) for source, (name, weights, _) in
              zip(sources, layers, strict=True)), name=f"convolutions {side}x{side}")
    tile = MESH_PRESETS["mesh_4x4"].tile.replace(neurons=neurons, axons=4096)
    return Case(network.name, network, Stimulus.from_dense(
        rng.random((steps, first.shape[1])) < activity), shape, tile)


def _convolution(rng: np.random.Generator, before: tuple[int, int], channels: int, stride: int
                 ) -> npt.NDArray[np.int32]:
    """Matrix (targets, sources) of a 3x3 convolution with zeros around; neurons row by row."""
    planes, side = before
    kernel = rng.integers(-6, 11, (channels, planes, 3, 3))
    out = side // stride
    found = np.zeros((channels, out, out, planes, side, side), np.int32)
    for y, x in np.ndindex(out, out):
        for dy, dx in np.ndindex(3, 3):
            at = y * stride + dy - 1, x * stride + dx - 1
            if 0 <= at[0] < side and 0 <= at[1] < side:
                found[:, y, x, :, at[0], at[1]] = kernel[:, :, dy, dx]
    return found.reshape(channels * out * out, planes * side * side)


def measure(case: Case) -> list[Measured]:
    """Unicast, then multicast.

    Raises
    ------
    AssertionError
        Spikes differ from golden's.
    """
    wanted, rows = reference(case.network, case.stimulus), []
    rates = spike_rates(case.network, case.stimulus)
    for routing in ("unicast", "multicast"):
        program = choose_mesh(case.network, tile=case.tile, shape=case.shape, routing=routing,
                              rates=rates)
        rows.append(_row(case.name, routing, program, run_checked(program, case.stimulus, wanted)))
    return rows


def _row(name: str, routing: str, program: MeshProgram, trace: Trace) -> Measured:
    assert trace.tile is not None
    config, tile = program.config, trace.tile
    steps = tile.barrier.size
    counted = {key: float(value.sum()) / steps for key, value in tile.counters.items()}
    links, use = sum(counted[link] for link in _LINKS), mesh_report(program)
    routes = sum(part.routes.used for part in use.tiles)
    trees = 0
    if config.multicast:
        used = np.array([memory["tree"][:, 0] for memory in program.memories])
        trees = int((used != 0).any(axis=0).sum())
    tables = [m.bits for m in mesh_memories(config) if m.name in ("route", "tree")]
    return Measured(
        network=name, routing=routing, tiles_used=use.used.used,
        tiles_reached=_reached(program), sent=counted["packets"], links=links,
        hops=links / counted["packets"] if counted["packets"] else 0.0,
        received=counted["received"],
        cycles_per_step=float((tile.barrier[:, -1] + 1).sum() / steps),
        route_bits=routes * mesh_route_word(config).width,
        tree_bits=trees * config.tiles * tree_word(config).width if config.multicast else 0,
        table_bits=sum(tables) * config.tiles,
        axon_entries=sum(part.axons.used for part in use.tiles),
        drops=int(tile.counters["drops"].sum()), lost=int(tile.counters["lost"].sum()))


def _reached(program: MeshProgram) -> float:
    """Tiles that a neuron drives, averaged over the neurons that drive any."""
    counts = []
    for p in program.network.populations:
        reached = np.zeros((p.size, program.config.tiles), np.bool_)
        for e in program.network.projections:
            if e.source == p.name:
                tile = program.neurons_of(e.target) // program.config.tile.neurons
                for number in np.unique(tile):
                    reached[:, number] |= (e.weights[tile == number] != 0).any(axis=0)
        counts.append(reached.sum(axis=1))
    found = np.concatenate(counts)
    return float(found[found > 0].mean()) if found.any() else 0.0


def _picture(rows: Sequence[Measured], path: Path) -> None:
    figure, axes = new_figure(2, 2, (13, 9))
    names = list(dict.fromkeys(row.network for row in rows))
    texts = [name.replace(" to ", "\nto ").replace("convolutions ", "convolutions\n").replace(
        "_", "\n") for name in names]
    for axis, key, text in (
            (axes[0, 0], "links", "packets on links per step"),
            (axes[0, 1], "cycles_per_step", "cycles per step"),
            (axes[1, 0], "hops", "links per packet sent by tiles")):
        for number, (routing, colour) in enumerate(_COLOURS.items()):
            bars = axis.bar(np.arange(len(names)) + 0.4 * number - 0.2, [
                getattr(row, key) for row in rows if row.routing == routing], 0.38, color=colour,
                label=routing)
            axis.bar_label(bars, fmt="{:,.3g}" if key == "hops" else "{:,.0f}", fontsize=7)
        axis.set(ylabel=text, xticks=range(len(names)))
        axis.set_xticklabels(texts, fontsize=7.5)
        axis.legend(fontsize=8)
    axis = axes[1, 1]
    for number, (routing, colour) in enumerate(_COLOURS.items()):
        mine = [row for row in rows if row.routing == routing]
        place = np.arange(len(names)) + 0.4 * number - 0.2
        kilobits = np.array([[row.route_bits, row.tree_bits] for row in mine]) / 1000
        axis.bar(place, kilobits[:, 0], 0.38, color=colour, label=f"{routing}: routes")
        if routing == "multicast":
            axis.bar(place, kilobits[:, 1], 0.38, bottom=kilobits[:, 0], color=colour, alpha=0.45,
                     label="multicast: trees")
        for x, total in zip(place, kilobits.sum(axis=1), strict=True):
            axis.annotate(f"{total:,.0f}", (x, total), (0, 2), textcoords="offset points",
                          ha="center", fontsize=8)
    axis.set(ylabel="table entries in use, all tiles (kbit)", xticks=range(len(names)))
    axis.set_xticklabels(texts, fontsize=7.5)
    axis.legend(fontsize=8)
    figure.suptitle("the same networks and spikes; every spike also goes to the host")
    figure.savefig(path, dpi=110, metadata={"Software": None})


def main(given: Sequence[str] | None = None) -> int:
    more: list[tuple[str, dict[str, Any]]] = [("--workload", {
        "type": Path, "metavar": "WORKLOAD.npz", "help": "also this workload (docs/cli.md)"})]
    asked = arguments(__doc__, more, given)
    started = time.perf_counter()
    if asked.quick:
        cases = [grouped(asked.seed, k, groups=4, size=16, steps=20) for k in (1, 4)]
        cases.append(convolutional(asked.seed, side=6, channels=(2, 4), steps=20, neurons=32,
                                   shape=(2, 3)))
    else:
        cases = [grouped(asked.seed, fan_out) for fan_out in (1, 2, 4, 8, 16)]
        cases.append(convolutional(asked.seed))
    if asked.workload is not None:
        from ..bench import load_workload
        held = load_workload(asked.workload)
        tile = replace(MESH_PRESETS["mesh_4x4"].tile, axons=4096, synapse_words=32768, delay="none")
        cases.append(Case(asked.workload.stem, held.network, held.stimulus, (4, 4), tile))
    rows = []
    for case in cases:
        rows += measure(case)
        one, other = rows[-2:]
        print(f"{case.name}: links per step {one.links:,.0f} -> {other.links:,.0f}, cycles per "
              f"step {one.cycles_per_step:,.0f} -> {other.cycles_per_step:,.0f}, tables in use "
              f"{one.route_bits:,} -> {other.route_bits + other.tree_bits:,} b "
              f"({time.perf_counter() - started:.0f} s)", flush=True)
    write_rows(asked.out / "multicast.csv", rows)
    _picture(rows, asked.out / "multicast.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(command(main))
