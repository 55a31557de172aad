# SPDX-License-Identifier: Apache-2.0
"""The section of the report that shows what a mesh did: packets, queues, who waits for whom."""

import base64
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..commands.text import amount, count, percent
from ..models.mesh.report import MeshReport, mesh_report
from ..models.mesh.traffic import LINKS, mesh_traffic
from ..spec import MeshProgram, MeshTrace
from .figures import hops_figure
from .html import Markup, section, table, tag
from .mesh_drawing import as_svg
from .mesh_figures import queue_figure, split_figure
from .mesh_shapes import Bars, draw_mesh, use_bars, use_says
from .mesh_times import MeshTimes, mesh_times

if TYPE_CHECKING:
    from ..pipeline import Result

__all__ = ["mesh_data", "mesh_section"]

Floats = npt.NDArray[np.float64]

_VALUES = 150_000  # of the time line that the page holds


def mesh_section(result: "Result", samples: Sequence[int]) -> Markup:
    """What the mesh did in a run; ``samples`` are those whose time line the page shows."""
    program, tile = result.build.program, result.trace.tile
    assert isinstance(program, MeshProgram)
    if tile is None or tile.mesh is None:
        return section("mesh", "Mesh", _note(
            f"The {result.trace.engine} engine knows no packets and no cycles; run with --engine "
            "fast or --engine rtl to see them."))
    mesh, use, times = tile.mesh, mesh_report(program), mesh_times(tile.mesh)
    rates = _spikes_per_step(result, mesh.barrier.size)
    traffic = mesh_traffic(program, rates)
    total = float((traffic.hops).sum())
    relays = " Relay neurons count as the mean of all neurons." if use.relays else ""
    parts = [_heat_map(program, mesh, use, times, traffic.entering),
             tag("h3", "Hops"),
             _figure(hops_figure(traffic.hops),
                     f"Packets per tile step by the links that they cross; {amount(total)} arrive "
                     f"per step. Counted from the spikes of this run; the way out to the host is a "
                     f"link, and a copy of a packet that forks counts by itself.{relays}")]
    if times is None:
        parts += [tag("h3", "Time"), _note(
            f"The {result.trace.engine} engine does not tell when tiles are idle and how full "
            "their queues are; the same run on the fast engine shows it.")]
    else:
        parts += _time_parts(program, times)
    parts += [tag("h3", "Tiles"), tag("p", _bottleneck(program, mesh, use, times), id="bottleneck"),
              _tiles(mesh, use, times)]
    if times is not None:
        held = json.dumps(mesh_data(result, samples), separators=(",", ":"))
        parts.append(tag("script", Markup(held.replace("<", "\\u003c")), id="mesh-data",
                         type="application/json"))
    return section("mesh", "Mesh", *parts)


def _note(text: str) -> Markup:
    return tag("p", text, class_="note")


def _figure(content: str, caption: str) -> Markup:
    return tag("figure", Markup(tag("div", Markup(content), class_="scroll")
                                + tag("figcaption", caption)))


def _spikes_per_step(result: "Result", steps: int) -> dict[str, Floats]:
    """Spikes of every input line and neuron per tile step."""
    network, stimulus = result.build.network, result.stimulus
    lines = np.bincount(stimulus.line, minlength=stimulus.inputs) / steps
    found, first = {}, 0
    for port in network.inputs:
        found[port.name] = lines[first:first + port.size]
        first += port.size
    return found | {name: spikes.sum(axis=(0, 1), dtype=np.int64) / steps
                    for name, spikes in result.trace.spikes.items()}


def _heat_map(program: MeshProgram, mesh: MeshTrace, use: MeshReport, times: MeshTimes | None,
              entering: Floats) -> Markup:
    steps, config = mesh.barrier.size, program.config
    sums = {name: value.sum(axis=0) for name, value in mesh.counters.items()}
    links = np.stack([sums[name] for name in LINKS[:4]], axis=1) / steps
    peak = mesh.counters["queue_high_water"].max(axis=0)
    reads = sums["synapse_reads"]
    bars = [use_bars(use.tiles)[0]]
    if times is not None:
        bars.append(Bars("B", "busy: share of the cycles", times.busy.tolist()))
    bars += [Bars("S", "synapse words read, of the tile with most",
                  (reads / max(int(reads.max()), 1)).tolist()),
             Bars("Q", f"fullest queue, of {config.tile.queue_depth:,}",
                  (peak / config.tile.queue_depth).tolist())]
    says = [use_says(config, number, tile, [
        f"receives {amount(sums['received'][number] / steps)} packets per step",
        f"sends {amount(sums['packets'][number] / steps)} packets per step",
        f"reads {amount(reads[number] / steps)} synapse words per step",
        f"queue: up to {peak[number]:,} entries",
        *([] if times is None else [f"busy {percent(times.busy[number])} of the cycles"])])
        for number, tile in enumerate(use.tiles)]
    drawing = draw_mesh(program, use.tiles, links=links, entering=entering, bars=bars, says=says,
                        unit="packets per tile step")
    lost = int(mesh.lost.sum() + mesh.parity_errors.sum())
    told = "" if not lost else f" {count(lost, 'packet')} got lost or were dropped for parity."
    return Markup(
        tag("div", as_svg(drawing, label="packets on the links of the mesh"), class_="scroll")
        + tag("div", "Point at a tile, a link or a host port to read its numbers.", id="numbers",
              class_="numbers")
        + _note("Packets that the tiles counted on their links in this run, per tile step; what "
                f"comes from the host is counted from the input.{told}"))


def _time_parts(program: MeshProgram, times: MeshTimes) -> list[Markup]:
    depth = program.config.tile.queue_depth
    controls = tag("div", Markup(tag("select", "", id="mesh-run", aria_label="run")
                                 + tag("select", "", id="mesh-step", aria_label="steps")
                                 + tag("span", "", id="mesh-key", class_="key")),
                   class_="controls")
    return [
        tag("h3", "Queues"),
        _figure(queue_figure(times.queue),
                f"Entries of the fuller queue of a tile in every tile step. {depth:,} is the room "
                "that each has."),
        tag("h3", "Cycles per step"),
        _figure(split_figure(times),
                "From barrier to barrier as the slowest tile sees it, mean over the runs: the "
                "update with the sending of its spikes, the integration of events until it is "
                "idle, and the wait for the barrier."),
        tag("h3", "Who waits for whom"), controls,
        tag("div", tag("canvas", "", id="mesh-times", aria_label="time line of the tiles"),
            class_="canvas"),
        tag("div", "", id="mesh-hint", class_="hint"),
        _note("A row per tile. A tile that is idle may still get packets while others send: what "
              "counts is when it is idle for good. Click on a step to see it alone.")]


def _bottleneck(program: MeshProgram, mesh: MeshTrace, use: MeshReport, times: MeshTimes | None
                ) -> str:
    """The slowest tile, in words."""
    reads = mesh.counters["synapse_reads"].sum(axis=0)
    if times is None:
        tile = int(reads.argmax())
        return (f"{_name(program, use, tile)} reads most synapse words, "
                f"{percent(reads[tile] / max(int(reads.sum()), 1))} of all.")
    tile = int(times.share_last.argmax())
    update, integrate, wait = (float(getattr(times, part)[..., tile].mean())
                               for part in ("update", "integrate", "wait"))
    share = reads[tile] / max(int(times.integrate[..., tile].sum()), 1)
    return (f"{_name(program, use, tile)} is last to be idle in "
            f"{percent(times.share_last[tile])} of the steps. In a step it updates and sends for "
            f"{update:,.1f} cycles, integrates for {integrate:,.1f} and waits for {wait:,.1f} on "
            f"average. In {percent(share)} of its integrating cycles it reads a synapse word; in "
            "the others it waits for packets or for its pipeline.")


def _name(program: MeshProgram, use: MeshReport, tile: int) -> str:
    config, held = program.config, ", ".join(use.tiles[tile].populations)
    return (f"Tile {tile} (column {tile % config.cols}, row {tile // config.cols}"
            f"{'; ' + held if held else ''})")


def _tiles(mesh: MeshTrace, use: MeshReport, times: MeshTimes | None) -> Markup:
    steps = mesh.barrier.size
    sums = {name: value.sum(axis=0) for name, value in mesh.counters.items()}
    peak = mesh.counters["queue_high_water"].max(axis=0)
    head = ["tile", "populations"]
    if times is not None:
        head += ["last to be idle", "busy", "update", "integrate", "wait"]
    head += ["events", "synapse words", "sent", "received", "fullest queue", "dropped"]
    rows: list[list[Any]] = []
    for number, tile in enumerate(use.tiles):
        row: list[Any] = [number, ", ".join(tile.populations) or "–"]
        if times is not None:
            row += [percent(times.share_last[number]), percent(times.busy[number]),
                    *(f"{getattr(times, part)[..., number].mean():,.1f}"
                      for part in ("update", "integrate", "wait"))]
        row += [amount(sums[name][number] / steps)
                for name in ("events", "synapse_reads", "packets", "received")]
        rows.append([*row, f"{peak[number]:,}", f"{sums['drops'][number]:,}"])
    return Markup(table(head, rows, left=2) + _note(
        "Per tile step: cycles of update, integration and wait, events taken from the queue, "
        "synapse words read, packets sent and received."))


def mesh_data(result: "Result", samples: Sequence[int]) -> dict[str, Any]:
    """What the page's script draws of the time line, arrays in base64."""
    tile = result.trace.tile
    assert tile is not None and tile.mesh is not None and tile.mesh.timeline is not None
    mesh, line = tile.mesh, tile.mesh.timeline
    assert line is not None
    runs = [0] if result.trace.keep_state else list(samples)
    steps = max(1, min(mesh.barrier.shape[1], _VALUES // (len(runs) * line.idle.shape[2])))
    return {"tiles": line.idle.shape[2], "steps": steps, "runs": [
        {"name": "all samples" if result.trace.keep_state else f"sample {run}",
         "barrier": _packed(mesh.barrier[run, :steps]), "idle": _packed(line.idle[run, :steps]),
         "updated": _packed(line.updated[run, :steps])} for run in runs]}


def _packed(values: npt.NDArray[np.int64]) -> str:
    # Cycles of long runs do not fit 32 bits; doubles hold them exactly.
    return base64.b64encode(np.ascontiguousarray(values, "<f8").tobytes()).decode()
