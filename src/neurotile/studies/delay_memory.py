# SPDX-License-Identifier: Apache-2.0
"""Memory of delays: shared circular delay queues against ring buffers (docs/studies.md).

``python -m neurotile.studies.delay_memory`` writes delay_memory.csv and delay_memory.png.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..memory_bits import queue_entry_bits
from ..models.mesh.graph import graph_of
from ..models.mesh.map import choose_mesh
from ..models.mesh.needs import accumulator_bits, needs_of, power_above
from ..models.mesh.plan import plan_mesh
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
from ..spec.formats import axon_word, memories
from .common import arguments, command, new_figure, reference, run_checked, write_rows

__all__ = ["Measured", "Setting", "break_even", "layer", "main", "measure", "program_of"]

_MARGIN = 1.25  # of queues by profile, as MeshOptions has it
_COLOURS = {"worst_case": "tab:red", "profiled": "tab:blue", "high_water": "tab:green",
            "live": "tab:purple"}
_TEXTS = {"worst_case": "queues for the worst case", "profiled": "queues by profile",
          "high_water": "queues as deep as they got", "live": "what was in them on average"}


@dataclass(frozen=True)
class Setting:
    """Sizes of the study."""

    inputs: int = 128
    neurons: int = 128
    density: float = 0.25
    steps: int = 256
    levels: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    activity: tuple[float, ...] = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
    seed: int = 1


@dataclass(frozen=True)
class Measured:
    """A number of levels and an activity. Bits count queues and accumulators.

    Parameters
    ----------
    levels : int
        Delays are 0 .. levels - 1.
    activity : float
        Share of the input lines that spike in a step, as drawn.
    entry_bits, ring_entry_bits : int
        Bits of an entry of a queue.
    accumulator_bits : int
        Bits of one accumulator.
    worst_entries : int
        Entries of a queue that no stimulus exceeds.
    high_water, ring_high_water : int
        Most entries that a queue held.
    live_entries : float
        Mean over steps of the largest level that either queue had in the step.
    events_per_step : float
        Entries that are fetched in a step: all that are in the queues at any time of the step. Over
        the whole run, in whose first steps the queues fill.
    scdq_worst_case_bits, scdq_profiled_bits, scdq_high_water_bits : int
        Two queues of that depth (powers of two but for the last), and one row of accumulators.
    scdq_live_bits : float
        ``live_entries`` times ``entry_bits``, and one row of accumulators.
    ring_bits : int
        Accumulators times slots, without a queue.
    ring_worst_case_bits, ring_profiled_bits : int
        With its queue.
    scdq_axon_bits, ring_axon_bits : int
        The whole axon table, which is in none of the numbers before.
    drops : int
        Of both.
    """

    levels: int
    activity: float
    entry_bits: int
    ring_entry_bits: int
    accumulator_bits: int
    worst_entries: int
    high_water: int
    ring_high_water: int
    live_entries: float
    events_per_step: float
    scdq_worst_case_bits: int
    scdq_profiled_bits: int
    scdq_high_water_bits: int
    scdq_live_bits: float
    ring_bits: int
    ring_worst_case_bits: int
    ring_profiled_bits: int
    scdq_axon_bits: int
    ring_axon_bits: int
    drops: int


def layer(setting: Setting, levels: int) -> IntegerNetwork:
    """Inputs to neurons that never fire; the same weights for any number of levels."""
    rng = np.random.default_rng(setting.seed)
    shape = (setting.neurons, setting.inputs)
    weights = rng.integers(1, 128, shape) * rng.choice([-1, 1], shape)
    weights *= rng.random(shape) < setting.density
    delay = np.floor(rng.random(shape) * levels)
    # Far below the threshold: a potential keeps half of it per step.
    neurons = Population("layer", setting.neurons, "lif", threshold=np.array(32767),
                         decay_v=np.array(2048))
    return IntegerNetwork(
        (InputPort("in", setting.inputs),), (neurons,), tuple(
            Projection("in", "layer", np.where(delay == d, weights, 0), d) for d in range(levels)),
        name=f"{levels} levels")


def program_of(network: IntegerNetwork, setting: Setting, kind: str) -> MeshProgram:
    """Program on one tile that has no more axons than it needs."""
    bits, _ = accumulator_bits(network)
    tile = MESH_PRESETS["mesh_4x4"].tile.replace(
        neurons=power_above(setting.neurons), axons=16384, acc_bits=bits)

    def chosen(tile: TileConfig) -> MeshProgram:
        return choose_mesh(network, tile=tile, shape=(1, 1), delay=kind)

    program = chosen(tile)
    found = _needs(program)
    return chosen(tile.replace(axons=power_above(found.axons),
                               synapse_words=power_above(found.synapse_words)))


def _needs(program: MeshProgram) -> Any:
    graph = graph_of(program.network, program.config)
    return needs_of(plan_mesh(graph, program.config, share=True, groups=None, rates=None,
                              grow=True))


def measure(setting: Setting) -> list[Measured]:
    """All points, levels first.

    Raises
    ------
    AssertionError
        An engine differs from golden, or the queues from what they must hold.
    """
    rows = []
    for levels in setting.levels:
        network = layer(setting, levels)
        scdq, ring = (program_of(network, setting, kind) for kind in ("scdq", "ring"))
        worst = [int(_needs(program).queue) for program in (scdq, ring)]
        record = {"layer": np.arange(setting.neurons)}
        for activity in setting.activity:
            rng = np.random.default_rng([setting.seed, levels, round(activity * 1000)])
            stimulus = Stimulus.from_dense(
                rng.random((setting.steps + levels, setting.inputs)) < activity)
            wanted = reference(network, stimulus, record)
            traces = [run_checked(program, stimulus, wanted) for program in (scdq, ring)]
            rows.append(_row(levels, activity, (scdq, ring), worst, traces))
    return rows


def _row(levels: int, activity: float, programs: Sequence[MeshProgram], worst: Sequence[int],
         traces: Sequence[Trace]) -> Measured:
    scdq, ring = (program.config.tile for program in programs)
    high: list[int] = []
    drops, live, events = 0, 0.0, 0.0
    for trace in traces[::-1]:
        assert trace.tile is not None and trace.tile.mesh is not None
        timeline = trace.tile.mesh.timeline
        assert timeline is not None
        # The first levels fill the queues.
        live = float(timeline.queue[0, levels:, 0].mean())
        events = float(trace.tile.counters["events"].sum() / trace.tile.barrier.size)
        high.insert(0, int(trace.tile.counters["queue_high_water"].max()))
        drops += int(trace.tile.counters["drops"].sum())
    axons = [tile.axons * axon_word(tile).width for tile in (scdq, ring)]
    profiled = [power_above(int(np.ceil(level * _MARGIN))) for level in high]
    queues = 2 if scdq.delay == "scdq" else 1
    one, slots = (next(m.bits for m in memories(tile) if m.name == "accumulator")
                  for tile in (scdq, ring))
    entry, ring_entry = queue_entry_bits(scdq), queue_entry_bits(ring)
    return Measured(
        levels=levels, activity=activity, entry_bits=entry, ring_entry_bits=ring_entry,
        accumulator_bits=scdq.acc_bits, worst_entries=worst[0], high_water=high[0],
        ring_high_water=high[1], live_entries=live, events_per_step=events,
        scdq_worst_case_bits=one + queues * entry * power_above(worst[0]),
        scdq_profiled_bits=one + queues * entry * profiled[0],
        scdq_high_water_bits=one + queues * entry * high[0], scdq_live_bits=one + entry * live,
        ring_bits=slots, ring_worst_case_bits=slots + ring_entry * power_above(worst[1]),
        ring_profiled_bits=slots + ring_entry * profiled[1],
        scdq_axon_bits=axons[0], ring_axon_bits=axons[1], drops=drops)


def break_even(rows: Sequence[Measured], scdq: str, ring: str) -> dict[int, float | None]:
    """Per number of levels the activity at which both take as many bits, between grid points.

    None where one of them takes less at all activities; depths that are powers of two cross in
    steps, and the first crossing counts.
    """
    found: dict[int, float | None] = {}
    for levels in dict.fromkeys(row.levels for row in rows):
        mine = [row for row in rows if row.levels == levels]
        activity = np.array([row.activity for row in mine])
        margin = np.array([getattr(row, ring) - getattr(row, scdq) for row in mine], float)
        less = np.flatnonzero((margin[:-1] > 0) & (margin[1:] <= 0))
        found[levels] = None if not less.size else float(
            activity[less[0]] + (activity[less[0] + 1] - activity[less[0]]) * margin[less[0]]
            / (margin[less[0]] - margin[less[0] + 1]))
    return found


def _picture(setting: Setting, rows: Sequence[Measured], path: Path) -> None:
    from matplotlib.ticker import EngFormatter, FixedLocator, NullLocator
    figure, axes = new_figure(2, 2, (12, 9))
    shown = [row for row in rows if row.levels == setting.levels[-1]]
    middle = 0.1
    for axis, mine, x, name in (
            (axes[0, 0], shown, "activity", f"{setting.levels[-1]} levels"),
            (axes[0, 1], [row for row in rows if row.activity == middle], "levels",
             f"activity {100 * middle:g} %")):
        places = [getattr(row, x) * (100 if x == "activity" else 1) for row in mine]
        for key, colour in _COLOURS.items():
            axis.plot(places, [getattr(row, f"scdq_{key}_bits") for row in mine], "o-",
                      color=colour, markersize=4, label=f"SCDQ: {_TEXTS[key]}")
        axis.plot(places, [row.ring_worst_case_bits for row in mine], "s--", color="black",
                  markersize=4, label="ring, with its queue (worst case)")
        axis.plot(places, [row.ring_bits for row in mine], ":", color="black",
                  label="ring: accumulators times slots")
        axis.set(title=name, xlabel="activity (% of the inputs per step)" if x == "activity"
                 else "levels D (delays 0 .. D - 1)", ylabel="bits of queues and accumulators")
        axis.set_xscale("log", base=10 if x == "activity" else 2)
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter(EngFormatter(sep=""))
        axis.xaxis.set_major_locator(FixedLocator(places))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_formatter("{x:g}")
    axes[0, 1].legend(fontsize=8)
    _map(figure, axes[1, 0], setting, rows)
    _crossings(axes[1, 1], setting, rows)
    figure.suptitle(f"{setting.inputs} inputs to {setting.neurons} neurons, {setting.density:.0%} "
                    f"of the synapses, delays uniform; accumulators of {rows[0].accumulator_bits} "
                    "bits")
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _map(figure: Any, axis: Any, setting: Setting, rows: Sequence[Measured]) -> None:
    """Profiled SCDQ by the ring, both with their queues, over activity and levels."""
    ratio: npt.NDArray[np.float64] = np.array(
        [row.scdq_profiled_bits / row.ring_profiled_bits for row in rows]).reshape(
            len(setting.levels), -1)
    axis.grid(False)
    image = axis.imshow(np.log2(ratio), cmap="RdBu_r", vmin=-4, vmax=4, origin="lower",
                        aspect="auto")
    for (y, x), value in np.ndenumerate(ratio):
        axis.text(x, y, f"{value:.2f}", ha="center", va="center", fontsize=8,
                  color="white" if abs(np.log2(value)) > 2.5 else "black")
    axis.set(title="SCDQ / ring, queues of both by profile", ylabel="levels D",
             xlabel="activity (%)", yticks=range(len(setting.levels)),
             yticklabels=setting.levels, xticks=range(len(setting.activity)),
             xticklabels=[f"{100 * a:g}" for a in setting.activity])
    figure.colorbar(image, ax=axis, label="log2 of the ratio")



def _crossings(axis: Any, setting: Setting, rows: Sequence[Measured]) -> None:
    most = 100 * setting.activity[-1]
    for key, colour in _COLOURS.items():
        found = break_even(rows, f"scdq_{key}_bits", _ring(key))
        there = {d: 100 * a for d, a in found.items() if a is not None}
        always = [d for d in found if d > 1 and found[d] is None and _less(rows, d, key)]
        axis.plot(list(there), list(there.values()), "o-", color=colour, markersize=4,
                  label=_TEXTS[key] + ("" if there or always else " (at no activity)"))
        axis.plot(always, [most * 1.04] * len(always), "^", color=colour)
    axis.set_xscale("log", base=2)
    axis.xaxis.set_major_formatter("{x:g}")
    axis.set(title="SCDQ takes less below the line", xlabel="levels D",
             ylabel=f"activity (%); triangles: above {most:g}", ylim=(0, most * 1.45),
             xlim=(0.9, setting.levels[-1] * 1.1))
    axis.legend(fontsize=8, loc="upper left")


def _ring(key: str) -> str:
    """The ring in the same mode; where there is no mode, its accumulators alone."""
    return {"worst_case": "ring_worst_case_bits", "profiled": "ring_profiled_bits"}.get(
        key, "ring_bits")


def _less(rows: Sequence[Measured], levels: int, key: str) -> bool:
    return all(getattr(row, f"scdq_{key}_bits") < getattr(row, _ring(key))
               for row in rows if row.levels == levels)


def main(given: Sequence[str] | None = None) -> int:
    asked = arguments(__doc__, given=given)
    setting = Setting(seed=asked.seed)
    if asked.quick:
        setting = replace(setting, inputs=24, neurons=16, steps=40, levels=(1, 4, 16),
                          activity=(0.02, 0.1, 0.5))
    started = time.perf_counter()
    rows = measure(setting)
    write_rows(asked.out / "delay_memory.csv", rows)
    _picture(setting, rows, asked.out / "delay_memory.png")
    for key in _COLOURS:
        crossing = ", ".join(
            f"{levels}: {'none' if at is None else f'{100 * at:.1f} %'}" for levels, at in
            break_even(rows, f"scdq_{key}_bits", _ring(key)).items())
        print(f"break-even by levels, {_TEXTS[key]}: {crossing}")
    print(f"{len(rows)} points, {time.perf_counter() - started:.1f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(command(main))
