# SPDX-License-Identifier: Apache-2.0
"""Plots of a run, as SVG to be put into the page."""

import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..metrics import cycles_per_step
from .html import INPUT_COLOUR, Markup, colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..pipeline import Result

__all__ = ["activity_figure", "cycles_figure", "hops_figure", "latency_figure", "plot"]

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9.0,
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#9aa4b2",
    "axes.labelcolor": "#4b5563", "xtick.color": "#4b5563", "ytick.color": "#4b5563",
    "axes.grid": True, "grid.color": "#e7eaee", "axes.axisbelow": True,
    "legend.frameon": False, "figure.facecolor": "none", "axes.facecolor": "none"}


def activity_figure(result: "Result") -> Markup:
    """Spikes per neuron and step, by node, over the steps of a sample."""
    stimulus = result.stimulus
    per_step = np.diff(stimulus.start).reshape(stimulus.samples, stimulus.steps).mean(axis=0)

    def draw(axes: "Axes") -> None:
        _steps(axes, per_step / stimulus.inputs, INPUT_COLOUR, "input")
        for number, p in enumerate(result.build.network.populations):
            if p.spikes:
                _steps(axes, result.trace.spikes[p.name].mean(axis=(0, 2)), colour(number), p.name)
        axes.set(xlabel="step", ylabel="spikes per neuron", ylim=(0, None))
        axes.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=6, fontsize=8)

    return plot("activity", draw)


def cycles_figure(result: "Result") -> Markup:
    """Clock cycles of every tile step: mean over the runs, and smallest to largest."""
    assert result.trace.tile is not None
    cycles = cycles_per_step(result.trace.tile)

    def draw(axes: "Axes") -> None:
        mean = cycles.mean(axis=0)
        edges = np.arange(len(mean) + 1) - 0.5
        if len(cycles) > 1:
            axes.stairs(cycles.max(axis=0), edges, baseline=cycles.min(axis=0), fill=True,
                        color="#c9dbf0", label="smallest to largest sample")
        axes.stairs(mean, edges, color="#2f6db5", linewidth=1.4,
                    label="mean" if len(cycles) > 1 else "cycles")
        axes.set(xlabel="tile step", ylabel="cycles", ylim=(0, None))
        axes.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=2, fontsize=8)

    return plot("cycles", draw)


def latency_figure(result: "Result") -> Markup:
    """Number of samples by the clock cycles that each took."""
    assert result.trace.tile is not None
    total = result.trace.tile.barrier[:, -1] + 1

    def draw(axes: "Axes") -> None:
        axes.hist(total, bins=min(40, max(5, len(total) // 10)), color="#2f6db5", edgecolor="white",
                  linewidth=0.5)
        axes.axvline(float(np.median(total)), color="#d07a1f", linewidth=1.2)
        axes.annotate(f"median {np.median(total):,.0f}", (float(np.median(total)), 1),
                      xycoords=("data", "axes fraction"), xytext=(4, -2),
                      textcoords="offset points", va="top", color="#a85f12", fontsize=8)
        axes.set(xlabel="cycles per sample", ylabel="samples")

    return plot("latency", draw)


def hops_figure(hops: Any) -> Markup:
    """Packets per step by the number of links that they cross."""
    def draw(axes: "Axes") -> None:
        mean = float(hops @ np.arange(len(hops))) / max(float(hops.sum()), 1e-12)
        axes.bar(np.arange(len(hops)), hops, color="#2f6db5", width=0.7)
        axes.axvline(mean, color="#d07a1f", linewidth=1.2)
        axes.annotate(f"mean {mean:.2f}", (mean, 1), xycoords=("data", "axes fraction"),
                      xytext=(4, -2), textcoords="offset points", va="top", color="#a85f12",
                      fontsize=8)
        axes.set(xlabel="links", ylabel="packets per step", xticks=np.arange(len(hops)),
                 ylim=(0, 1.18 * max(float(hops.max()), 1e-12)),
                 xlim=(-0.6, max(len(hops), 2) - 0.4))

    return plot("hops", draw)


def _steps(axes: "Axes", values: Any, shade: str, name: str) -> None:
    axes.plot(values, color=shade, linewidth=1.5, marker="o" if len(values) <= 40 else "",
              markersize=3, label=name)


def plot(name: str, draw: Callable[["Axes"], None], *, height: float = 2.5) -> Markup:
    """SVG of what ``draw`` draws; ``name`` is unique in a page, ``height`` in inches, width 9.4."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    # The salt keeps the ids of the figures in one page apart, and the same from run to run.
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(9.4, height), layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.add_subplot())
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
    svg = re.sub(r"<metadata>.*?</metadata>", "", text.getvalue(), flags=re.DOTALL)
    svg = svg[svg.index("<svg"):].replace("<svg ", f'<svg class="plot" id="plot-{name}" ', 1)
    return Markup(re.sub(r'\b(width|height)="[\d.]+pt"', "", svg, count=2))
