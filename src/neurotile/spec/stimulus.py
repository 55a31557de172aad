# SPDX-License-Identifier: Apache-2.0
"""Stimulus: input spikes of one or more samples, kept as sorted events."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .digest import digest
from .errors import UserError

__all__ = ["Stimulus"]


@dataclass(frozen=True, eq=False)
class Stimulus:
    """Input events in ascending (sample, step, line) order.

    Parameters
    ----------
    samples, steps, inputs : int
        Numbers of samples, of steps in each and of input lines.
    start : ndarray of int64, (samples * steps + 1,)
        Step number t of sample s holds ``line[start[s*steps+t]:start[s*steps+t+1]]``.
    line : ndarray of int32
        Input lines, ascending and distinct within a step.
    labels : ndarray of int64, (samples,), optional
        Right class of each sample.
    """

    samples: int
    steps: int
    inputs: int
    start: npt.NDArray[np.int64]
    line: npt.NDArray[np.int32]
    labels: npt.NDArray[np.int64] | None = None

    @classmethod
    def from_dense(cls, spikes: npt.ArrayLike, labels: npt.ArrayLike | None = None, *,
                   where: str = "spikes") -> "Stimulus":
        """Stimulus of an array of 0 and 1.

        Parameters
        ----------
        spikes : array_like, (steps, inputs) or (samples, steps, inputs)
            Integers, booleans or floats that are all 0 or 1.
        labels : array_like of int, (samples,), optional
            Right class of each sample.
        where : str
            Name of the array in messages.

        Raises
        ------
        UserError
            Shape, dtype or values are wrong.
        """
        array = np.asarray(spikes)
        if array.dtype.kind not in "iubf":
            raise UserError(f"{where}: must hold numbers 0 and 1, not dtype {array.dtype}")
        if array.ndim not in (2, 3):
            raise UserError(f"{where}: must have shape (steps, inputs) or (samples, steps, inputs),"
                            f" not {array.shape}")
        array = array[None] if array.ndim == 2 else array
        if 0 in array.shape:
            raise UserError(f"{where}: is empty, its shape is {array.shape}")
        wrong = (array != 0) & (array != 1)
        if wrong.any():
            raise UserError(f"{where}: must hold only 0 and 1, found {array[wrong][0]}")
        samples, steps, inputs = array.shape
        row, line = np.nonzero(array.reshape(samples * steps, inputs))
        start = np.searchsorted(row, np.arange(samples * steps + 1))
        return cls(samples, steps, inputs, start.astype(np.int64), line.astype(np.int32),
                   _labels(labels, samples, where))

    @classmethod
    def from_events(cls, step: npt.ArrayLike, line: npt.ArrayLike, *, steps: int,
                    inputs: int) -> "Stimulus":
        """One sample of events (step, line), in any order.

        Raises
        ------
        UserError
            A step or line is out of range, or an event is given twice.
        """
        t, k = np.asarray(step, np.int64), np.asarray(line, np.int64)
        if t.shape != k.shape or t.ndim != 1:
            raise UserError(f"events: step and line must be lists of one length, "
                            f"not {t.shape} and {k.shape}")
        if t.size and (t.min() < 0 or t.max() >= steps):
            raise UserError(f"events: steps must be in 0..{steps - 1}")
        if k.size and (k.min() < 0 or k.max() >= inputs):
            raise UserError(f"events: input lines must be in 0..{inputs - 1}")
        key = np.sort(t * inputs + k)
        if (np.diff(key) == 0).any():
            raise UserError("events: an input line spikes twice in one step")
        start = np.searchsorted(key, np.arange(steps + 1) * inputs)
        return cls(1, steps, inputs, start.astype(np.int64), (key % inputs).astype(np.int32))

    @classmethod
    def from_file(cls, path: Path) -> "Stimulus":
        """Stimulus in an .npz file with ``spikes`` and optionally ``labels``.

        Raises
        ------
        UserError
            The file is missing, damaged or holds something else.
        """
        try:
            with open(path, "rb") as file:  # numpy leaves the file open when it is damaged
                archive = np.load(file, allow_pickle=False)
                if isinstance(archive, np.ndarray):
                    raise UserError(f"{path}: is one array; an .npz file with 'spikes' is needed")
                if "spikes" not in archive.files:
                    raise UserError(f"{path}: has no array 'spikes', only "
                                    f"{', '.join(archive.files) or 'nothing'}")
                labels = archive["labels"] if "labels" in archive.files else None
                return cls.from_dense(archive["spikes"], labels, where=f"{path}: spikes")
        except FileNotFoundError:
            raise UserError(f"{path}: there is no such file") from None
        except UserError:
            raise
        except Exception as error:  # numpy and zipfile raise many kinds for a damaged file
            raise UserError(f"{path}: not a readable .npz file: {error}") from None

    def first(self, samples: int) -> "Stimulus":
        """The first ``samples`` samples (all, if there are fewer)."""
        n = min(samples, self.samples)
        start = self.start[:n * self.steps + 1]
        labels = None if self.labels is None else self.labels[:n]
        return Stimulus(n, self.steps, self.inputs, start, self.line[:start[-1]], labels)

    def dense(self) -> npt.NDArray[np.uint8]:
        """Array (samples, steps, inputs) of 0 and 1."""
        out = np.zeros((self.samples * self.steps, self.inputs), np.uint8)
        out[np.repeat(np.arange(self.samples * self.steps), np.diff(self.start)), self.line] = 1
        return out.reshape(self.samples, self.steps, self.inputs)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the events; labels do not count."""
        return digest([("shape", [self.samples, self.steps, self.inputs]),
                       ("start", self.start), ("line", self.line)])


def _labels(labels: npt.ArrayLike | None, samples: int, where: str) -> npt.NDArray[np.int64] | None:
    if labels is None:
        return None
    array = np.asarray(labels)
    if array.shape != (samples,) or array.dtype.kind not in "iu":
        raise UserError(f"{where}: labels must be {samples} integers, "
                        f"not {array.dtype} {array.shape}")
    return array.astype(np.int64)
