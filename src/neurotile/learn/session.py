# SPDX-License-Identifier: Apache-2.0
"""A session: images, a protocol and a seed in; weights, answers and metrics out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import __version__
from ..rundir import write_json, write_npz
from ..spec import UserError
from ..spec.digest import digest
from ..spec.folders import FolderKind, new_folder
from .evaluate import Answers, answers
from .images import Images, prepared
from .protocol import PROTOCOLS, Protocol
from .tile import MOST_PER_CLASS, first_weights
from .train import Lessons, teach

__all__ = ["LEARNT", "Session", "default_protocol", "hold"]

LEARNT = FolderKind("neurotile learn", "metrics.json",
                    ("metrics.json", "learnt.npz", "report.html"))

_IMAGES = 6000
_CURVE_IMAGES, _CURVE_POINTS = 500, 12


@dataclass(frozen=True, eq=False)
class Session:
    """What was taught and asked.

    Parameters
    ----------
    metrics : dict
        What metrics.json holds.
    protocol : Protocol
        How it was taught and asked.
    before, weights : ndarray of uint8, (256, neurons)
        Before and after.
    lessons : Lessons, optional
        None if the weights were trained off-line.
    curve : ndarray of float64, (points, 2)
        Images presented, and share of right answers to training images that are never taught.
    answers : Answers
        To the test images.
    """

    metrics: dict[str, Any]
    protocol: Protocol
    before: npt.NDArray[np.uint8]
    weights: npt.NDArray[np.uint8]
    lessons: Lessons | None
    curve: npt.NDArray[np.float64]
    answers: Answers

    def save(self, folder: Path) -> None:
        """Write metrics.json, learnt.npz and report.html.

        Raises
        ------
        UserError
            The folder holds something else, or cannot be written.
        """
        from .page import render
        arrays: dict[str, npt.NDArray[Any]] = {
            "weights": self.weights, "weights_before": self.before,
                  "first_spike": self.answers.times, "answer": self.answers.label,
                  "curve": self.curve}
        if self.lessons is not None:
            history = self.lessons.history
            arrays |= {"history_images": history.images, "history_weights": history.weights,
                       "history_calcium": history.calcium}
        with new_folder(folder, LEARNT) as new:
            write_json(new / "metrics.json", self.metrics)
            write_npz(new / "learnt.npz", arrays)
            (new / "report.html").write_text(render(self), encoding="utf-8")


def default_protocol(per_class: int, data: str = "MNIST") -> Protocol:
    """Protocol that was found for this many output neurons of a class, and for these images."""
    names = ("single", "bagged") if data == "MNIST" else ("digits", "digits_bagged")
    return PROTOCOLS[names[per_class > 1]]


def hold(data: Images, protocol: Protocol, *, images: int | None = None, per_class: int = 1,
         seed: int = 0, engine: str = "fast", test_images: int | None = None,
         weights: npt.NDArray[np.uint8] | None = None,
         progress: Callable[[str, int, int], None] | None = None) -> Session:
    """Teach images in random order, then ask for those of the test set.

    Parameters
    ----------
    images : int, optional
        How many; by default 6,000, or all if there are fewer.
    per_class : int
        Output neurons of each class.
    seed : int
        Draws images, first weights, learning spikes and bags.
    engine : str
        ``fast``, ``golden`` or ``rtl``.
    test_images : int, optional
        Only the first of the test set.
    weights : ndarray of uint8, (256, neurons), optional
        Teach nothing, and ask with these.
    progress : callable, optional
        Called with what is done (``learn`` or ``test``), images done and images in all.

    Raises
    ------
    UserError
        There are fewer images, or no room for so many neurons.
    """
    if not 1 <= per_class <= MOST_PER_CLASS:
        raise UserError(f"--neurons-per-class must be 1..{MOST_PER_CLASS}, not {per_class}: the "
                        "tile has 256 neurons")
    images = min(_IMAGES, len(data.train)) if images is None else images
    test_images = len(data.test) if test_images is None else test_images
    for option, wanted, held in (("--images", images, len(data.train)),
                                 ("--test-images", test_images, len(data.test))):
        if not 1 <= wanted <= held:
            raise UserError(f"{option} must be 1..{held:,}, as {data.name} has no more; not "
                            f"{wanted:,}")

    def report(what: str, total: int) -> Callable[[int], None]:
        return lambda done: progress(what, done, total) if progress else None

    lessons: Lessons | None = None
    curve: list[tuple[int, float]] = []
    if weights is None:
        order = np.random.default_rng([seed, 3]).permutation(len(data.train))
        spare = order[images:][-_CURVE_IMAGES:]
        unseen = prepared(data.train[spare], protocol)
        lessons_in_all = images * protocol.presentations
        tell = report("learn", lessons_in_all)

        def moment(done: int, now: npt.NDArray[np.uint8]) -> None:
            due = done * _CURVE_POINTS // lessons_in_all
            if engine == "fast" and len(unseen) and (not curve or due > curve[-1][0]
                                                     * _CURVE_POINTS // lessons_in_all):
                right = answers(now, unseen, protocol).label == data.train_labels[spare]
                curve.append((done, float(right.mean())))
            tell(done)

        before = first_weights(10 * per_class, protocol, seed)
        moment(0, before)
        taught = np.concatenate([np.random.default_rng([seed, 4, k]).permutation(order[:images])
                                 for k in range(protocol.presentations)])
        lessons = teach(prepared(data.train, protocol)[taught] if len(taught) > images
                        else prepared(data.train[taught], protocol), data.train_labels[taught],
                        protocol, per_class=per_class, seed=seed, engine=engine, progress=moment)
        weights = lessons.weights
    else:
        before = weights
    asked = answers(weights, prepared(data.test[:test_images], protocol), protocol, engine=engine,
                    progress=report("test", test_images))
    metrics = _metrics(data, protocol, weights, lessons, asked, test_images) | {
        "seed": seed, "engine": engine}
    return Session(metrics, protocol, before, weights, lessons,
                   np.array(curve, np.float64).reshape(-1, 2), asked)


def _metrics(data: Images, protocol: Protocol, weights: npt.NDArray[np.uint8],
             lessons: Lessons | None, asked: Answers, count: int) -> dict[str, Any]:
    labels = data.test_labels[:count]
    right = asked.label == labels
    cycles = lambda total, n: round(float(total) / n, 1) if total else None  # noqa: E731
    return {
        "made_by": LEARNT.mark, "version": __version__, "data": data.name,
        "neurons": weights.shape[1],
        "images": 0 if lessons is None else
        int(lessons.history.images[-1]) // protocol.presentations,
        "accuracy": float(right.mean()), "correct": int(right.sum()), "test_images": count,
        "confusion": asked.confusion(labels).tolist(),
        "events_per_lesson": None if lessons is None else
        round(lessons.events / int(lessons.history.images[-1]), 1),
        "cycles_per_lesson": None if lessons is None else
        cycles(lessons.cycles, int(lessons.history.images[-1])),
        "events_per_question": round(float(asked.events.mean()), 1),
        "cycles_per_answer": cycles(asked.cycles.sum(), count),
        "protocol": protocol.to_dict(), "protocol_digest": protocol.digest,
        "weights_digest": digest([("weights", weights)]),
        "digest": digest([("weights", weights), ("times", asked.times), ("label", asked.label)])}
