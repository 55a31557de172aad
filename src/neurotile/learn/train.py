# SPDX-License-Identifier: Apache-2.0
"""Presents images with a teacher and lets the tile learn."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .coding import Listed, bags, classes, lesson, ranked, together
from .protocol import Protocol
from .tile import LearningTile, first_weights, program

__all__ = ["History", "Lessons", "teach"]

Int = npt.NDArray[np.int64]
Weights = npt.NDArray[np.uint8]

_CHUNK = {"fast": 100, "golden": 10, "rtl": 20}
_KEPT = 60


@dataclass(frozen=True, eq=False)
class History:
    """How learning went, at some moments; the first is before it.

    Parameters
    ----------
    images : ndarray of int64, (moments,)
        Images presented so far.
    weights : ndarray of int64, (moments, 8)
        Synapses of every weight.
    calcium : ndarray of int64, (moments, 2, 4)
        Neurons, since the moment before, that had calcium 0, 1, 2, and 3 or more when synapses
        learned: those that were not taught the image, and those that were. At 1 they learn.
    """

    images: Int
    weights: Int
    calcium: Int


@dataclass(frozen=True, eq=False)
class Lessons:
    """What came of the lessons.

    Parameters
    ----------
    weights : ndarray of uint8, (256, neurons)
        At the end.
    history : History
        How they came about.
    events, cycles : int
        Events of all lessons, and clock cycles (0: the engine knows none).
    """

    weights: Weights
    history: History
    events: int
    cycles: int


def teach(pixels: npt.NDArray[np.uint8], labels: Int, protocol: Protocol, *,
          per_class: int = 1, seed: int = 0, engine: str = "fast",
          progress: Callable[[int, Weights], None] | None = None) -> Lessons:
    """Present every image once, in this order.

    Parameters
    ----------
    pixels : ndarray of uint8, (images, 256)
        As :func:`neurotile.learn.images.prepared` gives them.
    labels : ndarray of int64, (images,)
        Their classes.
    per_class : int
        Output neurons of each class, 1..25.
    seed : int
        Draws first weights, learning spikes and bags.
    progress : callable, optional
        Called with the images presented so far and the weights.
    """
    start = first_weights(10 * per_class, protocol, seed)
    neurons = start.shape[1]
    tile = LearningTile(program(start, protocol, seed=seed), engine)
    left_out, owner = bags(neurons, protocol, seed), classes(neurons)
    rng = np.random.default_rng([seed, 1])
    chunk = max(1, min(_CHUNK[engine], -(-len(pixels) // _KEPT)))
    moments, histograms, calcium = [0], [_histogram(tile.weights(neurons))], \
        [np.zeros((2, 4), np.int64)]
    total = cycles = 0
    for first in range(0, len(pixels), chunk):
        lists: list[Listed] = []
        taught = np.zeros((len(pixels[first:first + chunk]), neurons), np.bool_)
        for k, (image, label) in enumerate(zip(pixels[first:first + chunk],
                                               labels[first:first + chunk], strict=True)):
            bag = int(rng.integers(protocol.bags)) if protocol.bags else None
            taught[k] = (owner == label) & ~(left_out[bag] if bag is not None else False)
            decay = np.exp(-protocol.rate_decay / 10 * (first + k) / len(pixels))
            rate = (protocol.rate_last + (protocol.rate_first - protocol.rate_last) * decay) / 1000
            lists.append(lesson(ranked(image, protocol.floor), np.flatnonzero(taught[k]), protocol,
                                rng, rate=float(rate), bag=bag))
        made, starts = together(tile.program.config, lists)
        trace = tile.process(made)
        spikes = np.zeros(taught.shape, np.int64)
        at = np.searchsorted(starts, trace.spike_event, side="right") - 1
        np.add.at(spikes, (at, trace.spike_neuron), 1)
        calcium.append(np.stack([np.bincount(spikes[taught == flag].clip(0, 3), minlength=4)
                                 for flag in (False, True)]))
        moments.append(first + len(lists))
        weights = tile.weights(neurons)
        histograms.append(_histogram(weights))
        total, cycles = total + len(made.words), cycles + (trace.end or 0)
        if progress is not None:
            progress(moments[-1], weights)
    return Lessons(tile.weights(neurons),
                   History(np.array(moments), np.array(histograms), np.array(calcium)),
                   total, cycles)


def _histogram(weights: Weights) -> Int:
    return np.bincount(weights.ravel(), minlength=8)
