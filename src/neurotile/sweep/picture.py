# SPDX-License-Identifier: Apache-2.0
"""The picture of a sweep: measures in pairs, with the points that no other one beats."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .plan import Plan
from .point import MEASURES, Row
from .table import costs, pareto, pareto_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["write_picture"]

_NAMES = {"accuracy": "accuracy (%)", "cycles_per_sample": "cycles per sample",
          "memory_bits": "memory (bits)", "pj_per_sample": "energy per sample (pJ, by the model)"}
_LABELLED = (("cycles_per_sample", "accuracy"), ("memory_bits", "accuracy"),
             ("pj_per_sample", "accuracy"), ("memory_bits", "cycles_per_sample"))
_PLAIN = (("memory_bits", "cycles_per_sample"), ("memory_bits", "pj_per_sample"),
          ("cycles_per_sample", "pj_per_sample"))
_MOST_LABELS = 14
_PLACES = tuple((x, y) for r in (1, 2, 3.2, 4.6) for x, y in (
    (6 * r, 5 * r), (6 * r, -12 * r), (-6 * r, 5 * r), (-6 * r, -12 * r), (9 * r, -3), (-9 * r, -3),
    (0, 9 * r), (0, -16 * r)))


def write_picture(plan: Plan, rows: Sequence[Row], path: Path) -> None:
    """Write the picture as PNG, the same bytes every time."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    labelled = any(row.accuracy is not None for row in rows)
    panels = _LABELLED if labelled else _PLAIN
    with matplotlib.rc_context({"font.size": 9.0, "axes.grid": True, "grid.color": "#e7eaee",
                                "axes.axisbelow": True, "legend.frameon": False}):
        figure = Figure(figsize=(13, 10) if labelled else (16, 5.5), layout="constrained")
        canvas = FigureCanvasAgg(figure)
        axes = figure.subplots(*((2, 2) if labelled else (1, 3))).ravel()
        texts = [_panel(axis, plan, rows, *pair) for axis, pair in zip(axes, panels, strict=True)]
        ok, refused = (sum(row.status == status for row in rows) for status in ("ok", "refused"))
        others = len(rows) - ok - refused
        figure.suptitle(
            f"{plan.model.stem}: {ok} of {len(rows)} points"
            + (f", {refused} that do not fit" if refused else "")
            + (f", {others} with dropped spikes" if others else "")
            + (f"; labels: {', '.join(plan.differing)}" if plan.differing else ""))
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
        figure.draw_without_rendering()
        for axis, found in zip(axes, texts, strict=True):
            _label(axis, canvas, found)
        figure.savefig(path, dpi=100, metadata={"Software": None})


def _panel(axis: "Axes", plan: Plan, rows: Sequence[Row], x: str, y: str
           ) -> list[tuple[float, float, str]]:
    """Draw a panel; places and texts of its labels."""
    from matplotlib.ticker import EngFormatter, LogLocator, NullLocator
    held = costs(rows, (x, y))
    best, front = pareto_rows(rows), np.flatnonzero(pareto(held))
    front = front[np.lexsort((held[front, 1], held[front, 0]))]
    shown = held * [-100 if name == "accuracy" else 1 for name in (x, y)]
    there = ~np.isnan(held).any(axis=1)
    for mask, colour, name in ((there & ~best, "#b8c0cc", "beaten by another point"),
                               (best, "#2f6db5", f"beaten by none in all {_count(rows)} measures")):
        axis.scatter(shown[mask, 0], shown[mask, 1], s=26, color=colour, label=name, zorder=2,
                     linewidths=0)
    axis.plot(*shown[front].T, drawstyle="steps-post", color="#d07a1f", linewidth=1.3, zorder=1)
    axis.scatter(shown[front, 0], shown[front, 1], s=70, facecolors="none", edgecolors="#d07a1f",
                 zorder=3, label="front of this panel")
    axis.set(xlabel=_NAMES[x], ylabel=_NAMES[y])
    for name, scale in ((x, axis.set_xscale), (y, axis.set_yscale)):
        if name != "accuracy" and there.any():
            scale("log")
    for side in (axis.xaxis, axis.yaxis):
        if side.get_scale() == "log":
            side.set_major_locator(LogLocator(subs=(1, 1.2, 1.5, 2, 3, 5, 7)))
            side.set_minor_locator(NullLocator())
            side.set_major_formatter(EngFormatter(sep=""))
    axis.margins(0.13)
    seen: dict[tuple[float, float], list[str]] = {}
    for number in front:
        seen.setdefault(tuple(shown[number]), []).append(_name(plan, int(number)))
    texts = [(*place, names[0] + (f" (+{len(names) - 1})" if len(names) > 1 else ""))
             for place, names in seen.items()]
    if len(texts) > _MOST_LABELS:  # evenly, with both ends
        keep = np.unique(np.linspace(0, len(texts) - 1, _MOST_LABELS).round().astype(int))
        texts = [texts[k] for k in keep]
    return texts


def _count(rows: Sequence[Row]) -> int:
    return len(MEASURES) - all(row.accuracy is None for row in rows)


def _name(plan: Plan, number: int) -> str:
    return ", ".join(str(plan.points[number][key]) for key in plan.differing)


def _label(axis: "Axes", canvas: Any, texts: list[tuple[float, float, str]]) -> None:
    """Write labels beside their points, each where it covers least of what is there."""
    from matplotlib.text import Text
    from matplotlib.transforms import Bbox
    renderer, inside = canvas.get_renderer(), axis.get_window_extent()
    taken = [_around(*axis.transData.transform(place[:2])) for place in texts]
    for x, y, text in texts:
        best: tuple[float, Any] = (np.inf, None)
        for dx, dy in _PLACES:
            note = axis.annotate(
                text, (x, y), (dx, dy), textcoords="offset points", fontsize=8, color="#3b4252",
                ha="left" if dx > 0 else "right" if dx < 0 else "center", zorder=4,
                arrowprops={"arrowstyle": "-", "color": "#9aa4b2", "linewidth": 0.6,
                            "shrinkA": 0, "shrinkB": 4})
            note.update_positions(renderer)
            box = Text.get_window_extent(note, renderer)  # without the line
            box = Bbox.from_extents(box.x0 - 1, box.y0 - 1, box.x1 + 1, box.y1 + 1)
            cover = sum(_shared(box, other) for other in taken)
            cover += 4 * (box.width * box.height - _shared(box, inside))
            note.remove()
            if cover < best[0]:
                best = cover, (note, box)
            if cover == 0:
                break
        note, box = best[1]
        axis.add_artist(note)
        taken.append(box)


def _around(x: float, y: float) -> Any:
    from matplotlib.transforms import Bbox
    return Bbox.from_extents(x - 5, y - 5, x + 5, y + 5)


def _shared(one: Any, other: Any) -> float:
    """Area that two boxes share."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return max(0.0, width) * max(0.0, height)
