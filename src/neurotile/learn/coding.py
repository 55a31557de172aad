# SPDX-License-Identifier: Apache-2.0
"""Rank-order code, and the event lists of a lesson and of a question (docs/learning.md)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..spec import EventConfig, Events
from ..spec.event_formats import EventKind
from .protocol import CLASSES, Protocol

__all__ = ["BAG_ROWS", "CALCIUM_LEAK", "EXCITE", "INHIBIT", "RAMP", "STRONGEST", "Listed", "bags",
           "classes", "lesson", "question", "ranked", "together"]

Int = npt.NDArray[np.int64]

# Three pixels in every corner, which hardly ever hold ink, give their addresses to the host's
# own presynaptic neurons: their synapses are unmapped, so they deliver but do not learn.
EXCITE, INHIBIT, RAMP = 0, 15, 240
BAG_ROWS = (255, 1, 14, 16, 31, 224, 239, 241)
_RESERVED = np.array([EXCITE, INHIBIT, RAMP, *BAG_ROWS, 254])

STRONGEST = 7
"""Largest weight, of the host's neurons and of virtual events."""
CALCIUM_LEAK = 3
"""Time references per decrement of calcium: the two after the image leave it as it is."""

_FORCE = 37  # 37 * 7 = 259: every membrane fires once, none twice
_RAISE = 20  # 20 * 7 = 140 lies between theta_mem and threshold, with room for what then arrives
_CLEAR = 2   # two leaks of 127 empty every membrane below the threshold
_FORGET = 10  # with the two before: calcium leaks four times


def ranked(pixels: npt.NDArray[np.uint8], floor: int) -> Int:
    """Addresses of pixels above ``floor`` by falling grey level; equal ones ascend.

    Rank-order code (Thorpe and Gautrais, Computational Neuroscience: Trends in Research, 1998).
    """
    grey = pixels.astype(np.int64)
    grey[_RESERVED] = 0
    order = np.argsort(-grey, kind="stable")
    return order[:int((grey > floor).sum())].astype(np.int64)


def classes(neurons: int) -> Int:
    """Class of every output neuron, (neurons,)."""
    return np.arange(neurons) % CLASSES


def bags(neurons: int, protocol: Protocol, seed: int) -> npt.NDArray[np.bool_]:
    """Which output neurons every bag leaves out: half of each class, (bags, neurons)."""
    out = np.zeros((protocol.bags, neurons), np.bool_)
    per_class, rng = neurons // CLASSES, np.random.default_rng([seed, 2])
    for bag in out:
        for label in range(CLASSES):
            bag[label + CLASSES * rng.permutation(per_class)[:per_class // 2]] = True
    return out


@dataclass(frozen=True, eq=False)
class Listed:
    """Events of one image.

    Parameters
    ----------
    kind, pre, post, weight, inhibitory : ndarray of int64, (events,)
        Fields of the events.
    ask : int
        Number of the first event after the image's own.
    """

    kind: Int
    pre: Int
    post: Int
    weight: Int
    inhibitory: Int
    ask: int


class _List:
    def __init__(self) -> None:
        self._parts: list[Int] = []
        self.length = 0

    def _add(self, kind: EventKind, count: int, **fields: Int | int) -> None:
        block = np.zeros((5, count), np.int64)
        for row, name in enumerate(("kind", "pre", "post", "weight", "inhibitory")):
            block[row] = int(kind) if row == 0 else fields.get(name, 0)
        self._parts.append(block)
        self.length += count

    def spikes(self, pre: Int) -> None:
        self._add(EventKind.SPIKE, len(pre), pre=pre)

    def repeat(self, pre: int, times: int) -> None:
        self._add(EventKind.SPIKE, times, pre=pre)

    def push(self, posts: Int, times: int, *, inhibitory: int = 0) -> None:
        self._add(EventKind.VIRTUAL, times * len(posts), post=np.repeat(posts, times),
                  weight=STRONGEST, inhibitory=inhibitory)

    def time(self, times: int) -> None:
        self._add(EventKind.TIME_ALL, times)

    def image(self, pixels: Int, baseline: int) -> None:
        due = baseline * np.arange(len(pixels) + 1) // STRONGEST
        after = np.repeat(np.arange(1, len(pixels) + 1), np.diff(due))
        self.spikes(np.insert(pixels, after, INHIBIT))

    def listed(self, ask: int) -> Listed:
        kind, pre, post, weight, inhibitory = np.concatenate(self._parts, axis=1)
        return Listed(kind, pre, post, weight, inhibitory, ask)


def lesson(pixels: Int, taught: Int, protocol: Protocol, rng: np.random.Generator, *, rate: float,
           bag: int | None = None) -> Listed:
    """Events that teach one image; the tile's calcium decides which neurons learn.

    Parameters
    ----------
    pixels : ndarray of int64, (spikes,)
        Addresses in rank order.
    taught : ndarray of int64
        Output neurons of the image's class that take part.
    rng : numpy Generator
        Draws the pixels that spike again while synapses learn.
    rate : float
        Probability of that.
    bag : int, optional
        Bag of neurons that is left out.
    """
    events = _List()
    events.repeat(EXCITE, protocol.precharge)
    events.push(taught, protocol.margin, inhibitory=1)
    events.image(pixels, protocol.baseline)
    if bag is not None:
        events.repeat(BAG_ROWS[bag], protocol.bag_spikes)
    ask = events.length
    events.repeat(EXCITE, protocol.score)  # who fires now has calcium 1
    events.push(taught, _FORCE)            # 1 for a taught neuron that did not fire, 2 if it did
    events.time(_CLEAR)
    events.push(taught, _RAISE)
    events.spikes(pixels[rng.random(len(pixels)) < rate])
    events.time(_FORGET)
    return events.listed(ask)


def question(pixels: Int, protocol: Protocol) -> Listed:
    """Events that ask for the class of one image; the host may stop at the first spike."""
    events = _List()
    events.time(_CLEAR)
    events.repeat(EXCITE, protocol.precharge)
    events.image(pixels, protocol.baseline)
    ask = events.length
    events.repeat(RAMP, protocol.ramp)
    return events.listed(ask)


def together(config: EventConfig, lists: list[Listed]) -> tuple[Events, Int]:
    """All of these events in order, and the number of each list's first one, with the end."""
    def joined(name: str) -> Int:
        return np.concatenate([getattr(part, name) for part in lists])

    starts = np.cumsum([0, *(len(part.kind) for part in lists)])
    return Events.make(config, joined("kind"), pre=joined("pre"), post=joined("post"),
                       weight=joined("weight"), inhibitory=joined("inhibitory")), starts
