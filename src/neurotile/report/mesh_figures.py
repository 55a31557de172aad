# SPDX-License-Identifier: Apache-2.0
"""Plots of a run on a mesh."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .figures import plot
from .html import Markup
from .mesh_times import MeshTimes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["PARTS", "queue_figure", "split_figure"]

PARTS = (("update", "updates and sends", "#7458bd"), ("integrate", "integrates", "#2f6db5"),
         ("wait", "waits for the barrier", "#cfd6df"))
"""Parts of a step: field of MeshTimes, what a tile does, colour."""


def queue_figure(queue: npt.NDArray[np.int64]) -> Markup:
    """Levels (runs, steps, tiles): the largest of all runs and tiles, and the median over tiles."""
    def draw(axes: "Axes") -> None:
        steps = np.arange(queue.shape[1])
        mark = "o" if len(steps) <= 40 else ""
        axes.plot(steps, queue.max(axis=(0, 2)), color="#d07a1f", marker=mark, markersize=3,
                  label="largest" + (", of all runs" if len(queue) > 1 else ""))
        axes.plot(steps, np.median(queue, axis=2).mean(axis=0), color="#2f6db5", marker=mark,
                  markersize=3, label="median over the tiles"
                  + (", mean over the runs" if len(queue) > 1 else ""))
        axes.set(xlabel="tile step", ylabel="entries", ylim=(0, None))
        axes.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=2, fontsize=8)

    return plot("queue", draw)


def split_figure(times: MeshTimes) -> Markup:
    """Cycles of every step, divided as the slowest tile divides them."""
    def draw(axes: "Axes") -> None:
        edges = np.arange(times.last.shape[1] + 1) - 0.5
        base = np.zeros(times.last.shape[1])
        for part, does, shade in PARTS:
            top = base + times.slowest(part).mean(axis=0)
            axes.stairs(top, edges, baseline=base, fill=True, color=shade, label=does)
            base = top
        axes.set(xlabel="tile step", ylabel="cycles", ylim=(0, None))
        axes.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=3, fontsize=8)

    return plot("split", draw)
