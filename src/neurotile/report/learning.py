# SPDX-License-Identifier: Apache-2.0
"""The part of the report on what a network learnt."""

from collections.abc import Mapping
from math import isqrt
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..commands.text import count, learning_line
from ..spec import Projection
from .figures import plot
from .html import Markup, colour, section, table, tag
from .sections import figure, paragraph

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..pipeline import Result

__all__ = ["fields_figure", "learning_section", "mosaic"]

Int = npt.NDArray[np.int64]

_LEVELS, _FIELDS, _ENTRIES = 8, 20, 400
_LEAST_COLUMNS, _MOST_COLUMNS = 5, 10


def learning_section(result: "Result") -> Markup:
    """Weights over time, receptive fields before and after, calcium at the end."""
    network = result.build.network
    parts: list[str] = [paragraph(f"{learning_line(network)}.")]
    for number, e in enumerate(network.projections):
        if e.name in result.learnt:
            parts += [tag("h3", e.name), *_weights(result, number, e),
                      *_receptive_fields(number, e, result.learnt[e.name])]
    return section("learning", "Learning", *parts, *_calcium(result))


def _counts(weights: Int) -> Int:
    """Number of synapses with each weight 0..7, by entry of (entries, targets, sources)."""
    levels = np.abs(weights).reshape(len(weights), -1)
    return np.stack([(levels == w).sum(axis=1) for w in range(_LEVELS)], axis=1)


def _weights(result: "Result", number: int, e: Projection) -> list[Markup]:
    before, after = np.abs(e.weights).astype(np.int64), np.abs(result.learnt[e.name])
    ends = _counts(np.stack([before, after]))
    rows = [[text, *(f"{n:,}" for n in line)]
            for text, line in zip(("before", "after"), ends, strict=True)]
    parts = []
    log = result.trace.weight_log.get(e.name)
    if log is not None and len(log):
        every = int(result.options.get("weights_every") or 0)
        counts = np.concatenate([ends[:1], _counts(log)])
        # A page needs no more columns than it has pixels.
        keep = np.unique(np.linspace(0, len(counts) - 1, _ENTRIES).astype(np.int64))
        share = 100 * counts[keep].T / before.size

        def draw(axes: "Axes") -> None:
            edge = len(counts) * max(every, 1)
            image = axes.imshow(share, aspect="auto", origin="lower", interpolation="nearest",
                                cmap="magma_r", vmin=0, extent=(0, edge, -0.5, _LEVELS - 0.5))
            axes.grid(visible=False)
            axes.set(xlabel="step, counted through over all samples" if every
                     else "entry of the log; 0 is before the run", ylabel="weight",
                     yticks=range(_LEVELS))
            assert axes.figure is not None
            axes.figure.colorbar(image, ax=axes, fraction=0.02, pad=0.01, label="synapses in %")

        parts.append(figure(plot(f"weights-{number}", draw),
                            "Share of the synapses that has each weight (without its sign), from "
                            "before the run on; the darker, the more."))
    else:
        parts.append(paragraph("The run kept no log of the weights; --weights-every N draws them "
                               "over time.", class_="note"))
    changed = int((before != after).sum())
    parts.append(table(["synapses with weight", *range(_LEVELS)], rows))
    parts.append(paragraph(f"{count(changed)} of {count(before.size, 'weight')} changed.",
                           class_="note"))
    return parts


def _receptive_fields(number: int, e: Projection, after: Int) -> list[Markup]:
    targets, sources = after.shape
    side = isqrt(sources)
    square = side * side == sources and side > 1
    shown = min(targets, _FIELDS)
    columns = min(max(shown, _LEAST_COLUMNS), _MOST_COLUMNS)
    parts = []
    for when, title, weights in (("before", "Before", e.weights), ("after", "After", after)):
        canvas = np.asarray(weights[:shown], np.float64)
        if square:
            canvas = mosaic(canvas.reshape(shown, side, side), columns)
        what = f"as {side} x {side} images" if square else "a row each"
        parts.append(figure(
            fields_figure(f"fields-{number}-{when}", canvas, rows=not square),
            f"{title}: weights from the {sources:,} sources of {e.source}, {what}, of "
            f"the {'' if shown == targets else 'first '}{count(shown, 'neuron')} of "
            f"{e.target}."))
    return parts


def mosaic(fields: npt.NDArray[np.float64], columns: int) -> npt.NDArray[np.float64]:
    """Images (fields, height, width) side by side, ``columns`` in a row; what is free is NaN."""
    number, high, wide = fields.shape
    rows = -(-number // columns)
    canvas = np.full((rows * (high + 1) - 1, columns * (wide + 1) - 1), np.nan)
    for k in range(number):
        y, x = (high + 1) * (k // columns), (wide + 1) * (k % columns)
        canvas[y:y + high, x:x + wide] = fields[k]
    return canvas


def fields_figure(name: str, canvas: npt.NDArray[np.float64],
                  labels: Mapping[int, str] | None = None, *, rows: bool = False) -> Markup:
    """Plot of a mosaic of weights: 0..7, or -7..7 where there are negative ones.

    Parameters
    ----------
    name : str
        Unique in a page.
    canvas : ndarray, (height, width)
        As :func:`mosaic` makes it.
    labels : dict of int to str, optional
        Texts below the columns of the canvas.
    rows : bool
        Each row of the canvas is the field of a neuron.
    """
    signed = bool((canvas < 0).any())

    def draw(axes: "Axes") -> None:
        image = axes.imshow(canvas, cmap="RdBu_r" if signed else "magma",
                            vmin=-7 if signed else 0, vmax=7, interpolation="nearest",
                            aspect="auto" if rows else "equal")
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.set_xticks(list(labels or {}), list((labels or {}).values()))
        axes.set_yticks([])
        if rows:
            axes.set(xlabel="source", ylabel="neuron")
        axes.tick_params(length=0)
        assert axes.figure is not None
        axes.figure.colorbar(image, ax=axes, fraction=0.02, pad=0.01, label="weight",
                            ticks=[-7, 0, 7] if signed else [0, 7])

    height = 0.5 + 0.2 * len(canvas) if rows else 9.4 * len(canvas) / canvas.shape[1] + 0.25
    return plot(name, draw, height=max(height, 1.2))


def _calcium(result: "Result") -> list[Markup]:
    taught = [(number, p) for number, p in enumerate(result.build.network.populations)
              if p.calcium is not None]
    if not taught:
        return [paragraph("No population has a calcium rule, so no weight can follow spikes.",
                          class_="note")]
    levels = {p.name: np.bincount(result.trace.states[f"{p.name}.calcium"][-1],
                                  minlength=_LEVELS) for _, p in taught}

    def draw(axes: "Axes") -> None:
        width = 0.8 / len(taught)
        for k, (number, p) in enumerate(taught):
            axes.bar(np.arange(_LEVELS) + (k - (len(taught) - 1) / 2) * width, levels[p.name],
                     width, color=colour(number), label=p.name)
        axes.set(xlabel="calcium", ylabel="neurons", xticks=range(_LEVELS), ylim=(0, None))
        axes.locator_params(axis="y", integer=True)
        axes.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=6, fontsize=8)

    return [tag("h3", "Calcium"),
            figure(plot("calcium", draw), "Neurons by their calcium at the end of the last run; "
                                          "a spike adds 1, the leak takes 1.")]
