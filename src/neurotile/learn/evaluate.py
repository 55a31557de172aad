# SPDX-License-Identifier: Apache-2.0
"""Asks a tile for the classes of images, by spikes alone."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .coding import classes, question, ranked, together
from .protocol import CLASSES, Protocol
from .tile import LearningTile, program

__all__ = ["Answers", "answers"]

Int = npt.NDArray[np.int64]

_CHUNK = {"fast": 500, "golden": 10, "rtl": 20}


@dataclass(frozen=True, eq=False)
class Answers:
    """What the tile said.

    Parameters
    ----------
    times : ndarray of int64, (images, neurons)
        Events from the end of the image to the first spike of every output neuron, at most the
        length of the ramp; negative if it fired before.
    label : ndarray of int64, (images,)
        Class whose neurons fire first, summed over its neurons; ties go to the lowest.
    events, cycles : ndarray of int64, (images,)
        Events of the question, and clock cycles until the host can know the answer: up to the first
        spike, or to the end with several neurons per class (0: no cycles known).
    """

    times: Int
    label: Int
    events: Int
    cycles: Int

    def confusion(self, labels: Int) -> Int:
        """Images per label and answer, (10, 10)."""
        table = np.zeros((CLASSES, CLASSES), np.int64)
        np.add.at(table, (labels, self.label), 1)
        return table


def answers(weights: npt.NDArray[np.uint8], pixels: npt.NDArray[np.uint8], protocol: Protocol, *,
            engine: str = "fast", progress: Callable[[int], None] | None = None) -> Answers:
    """Answers to images, each asked alone, with learning switched off.

    Parameters
    ----------
    weights : ndarray of uint8, (256, neurons)
        From pixels to output neurons.
    pixels : ndarray of uint8, (images, 256)
        As :func:`neurotile.learn.images.prepared` gives them.
    progress : callable, optional
        Called with the images asked so far.
    """
    neurons, count = weights.shape[1], len(pixels)
    tile = LearningTile(program(weights, protocol, learn=False), engine)
    times = np.full((count, neurons), protocol.ramp, np.int64)
    events, cycles = np.zeros(count, np.int64), np.zeros(count, np.int64)
    for first in range(0, count, _CHUNK[engine]):
        lists = [question(ranked(p, protocol.floor), protocol)
                 for p in pixels[first:first + _CHUNK[engine]]]
        made, starts = together(tile.program.config, lists)
        trace = tile.process(made)
        image = np.searchsorted(starts, trace.spike_event, side="right") - 1
        asked = starts[:-1] + np.array([part.ask for part in lists])
        np.minimum.at(times, (first + image, trace.spike_neuron), trace.spike_event - asked[image])
        chunk = slice(first, first + len(lists))
        events[chunk] = np.diff(starts)
        if trace.accepted is not None and trace.spike_cycle is not None and trace.end is not None:
            begin = trace.accepted[starts[:-1]]
            done = np.append(begin[1:], trace.end)
            if neurons == CLASSES:
                np.minimum.at(done, image, trace.spike_cycle)
            cycles[chunk] = done - begin
        if progress is not None:
            progress(first + len(lists))
    total = np.zeros((count, CLASSES), np.int64)
    np.add.at(total.T, classes(neurons), times.T)
    return Answers(times, total.argmin(axis=1), events, cycles)
