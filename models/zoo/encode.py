# SPDX-License-Identifier: Apache-2.0
"""Seeded, deterministic spike encoders and the data sets they read; numpy only."""

import gzip
from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = [
    "DIGITS_STEPS", "MNIST_STEPS", "YINYANG_STEPS",
    "digits_spikes", "digits_split", "latency", "mnist_spikes", "rate", "read_idx", "read_mnist",
    "resample", "yin_yang", "yin_yang_spikes",
]

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

DIGITS_STEPS = 12
MNIST_STEPS = 12
YINYANG_STEPS = 40


def latency(values: npt.ArrayLike, steps: int, *, last: int, floor: float = 0.0,
            offset: float = 0.5) -> Bytes:
    """One spike per input and sample: value 1 in step 0, value 0 in step ``last``.

    Parameters
    ----------
    values : (samples, inputs), float in 0..1
    steps : number of steps T of the result
    last : the latest step that can hold a spike, below ``steps``
    floor : inputs whose value is at most this stay silent; negative silences none
    offset : added before the time is cut to a whole step, in 0..1; 0.5 rounds to the nearest

    Returns spikes, (samples, steps, inputs), uint8.
    """
    if not 0 <= last < steps:
        raise ValueError(f"last must be in 0..{steps - 1}, not {last}")
    v = _unit(values)
    times = np.floor((1.0 - v) * last + offset).astype(np.int64)
    times[v <= floor] = steps
    return (times[:, None, :] == np.arange(steps)[None, :, None]).astype(np.uint8)


def rate(values: npt.ArrayLike, steps: int, *, seed: int, peak: float = 1.0) -> Bytes:
    """Independent Bernoulli spikes: probability ``peak * value`` in every step.

    Parameters
    ----------
    values : (samples, inputs), float in 0..1
    steps : number of steps T of the result
    seed : names the spike trains; equal seeds give equal spikes
    peak : spike probability of value 1, in 0..1

    Returns spikes, (samples, steps, inputs), uint8.
    """
    if not 0.0 <= peak <= 1.0:
        raise ValueError(f"peak must be in 0..1, not {peak}")
    v = _unit(values)
    draws = np.random.default_rng(seed).random((v.shape[0], steps, v.shape[1]))
    return (draws < peak * v[:, None, :]).astype(np.uint8)


def _unit(values: npt.ArrayLike) -> Floats:
    v = np.asarray(values, np.float64)
    if v.ndim != 2:
        raise ValueError(f"values must have shape (samples, inputs), not {v.shape}")
    if v.size and not (v.min() >= 0.0 and v.max() <= 1.0):
        raise ValueError(f"values must be in 0..1, not {v.min()}..{v.max()}")
    return v


def digits_split(labels: npt.ArrayLike, *, seed: int = 1, share: float = 0.25
                 ) -> tuple[Integers, Integers]:
    """Stratified split: indices of the training and of the test samples, ascending.

    Parameters
    ----------
    labels : (samples,), integers
    seed : names the split
    share : of every class at least this share goes to the test part

    Returns (train, test), int64 each.
    """
    y, rng = np.asarray(labels), np.random.default_rng(seed)
    test = np.zeros(len(y), bool)
    for label in np.unique(y):
        members = np.flatnonzero(y == label)
        test[rng.permutation(members)[:int(np.ceil(share * len(members)))]] = True
    return np.flatnonzero(~test), np.flatnonzero(test)


def digits_spikes(images: npt.ArrayLike) -> Bytes:
    """Latency code of UCI digits, (samples, 8, 8) or (samples, 64) with grey levels 0..16."""
    grey = np.asarray(images, np.float64)
    return latency(grey.reshape(len(grey), 64) / 16.0, DIGITS_STEPS, last=8)


def read_idx(path: str | Path) -> Bytes:
    """Array of unsigned bytes held in a gzip-compressed IDX file."""
    data = gzip.decompress(Path(path).read_bytes())
    if data[:3] != b"\0\0\x08":
        raise ValueError(f"{Path(path).name}: not an IDX file of unsigned bytes")
    shape = np.frombuffer(data, ">i4", count=data[3], offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)


def read_mnist(folder: str | Path, part: str) -> tuple[Bytes, Bytes]:
    """Images (samples, 28, 28) and labels (samples,), uint8; ``part`` is "train" or "t10k"."""
    base = Path(folder)
    return (read_idx(base / f"{part}-images-idx3-ubyte.gz"),
            read_idx(base / f"{part}-labels-idx1-ubyte.gz"))


def resample(images: Bytes, size: int) -> Bytes:
    """Area average of square images, exact: integers throughout, halves rounded up.

    Parameters
    ----------
    images : (samples, n, n), uint8
    size : pixels per side of the result, at most n

    Returns images, (samples, size, size), uint8.
    """
    n = images.shape[1]
    if not 1 <= size <= n:
        raise ValueError(f"size must be in 1..{n}, not {size}")
    edge_in, edge_out = np.arange(n) * size, np.arange(size)[:, None] * n
    overlap = np.clip(np.minimum(edge_in + size, edge_out + n) - np.maximum(edge_in, edge_out),
                      0, None)
    # float64 holds every partial sum (below 2**53) exactly, so the order of the sums is free
    weight = overlap.astype(np.float64)
    total = weight @ images.astype(np.float64) @ weight.T
    return ((total.astype(np.int64) + n * n // 2) // (n * n)).astype(np.uint8)


def mnist_spikes(images: Bytes, size: int = 28) -> Bytes:
    """Latency code of MNIST images (samples, 28, 28), uint8, resampled to ``size``: 16 or 28."""
    if size != images.shape[1]:
        images = resample(images, size)
    values = images.reshape(len(images), -1) / 255.0
    return latency(values, MNIST_STEPS, last=7, floor=0.1)


def yin_yang(seed: int, n: int) -> tuple[Floats, Integers]:
    """Yin-Yang data set; the customary parts are (42, 5000), (41, 1000) and (40, 1000).

    Parameters
    ----------
    seed : of numpy's legacy RandomState, as in the original
    n : number of samples

    Returns features (n, 4) = (x, y, 1-x, 1-y), float64, and labels (n,), int64: 1 is yin and
    2 a dot, by the original's code (its list of names has 0 and 1 the other way round).
    """
    # Ref: Kriener, Goeltz, Petrovici, "The Yin-Yang dataset", arXiv 2102.08211, dataset.py
    rng, small, big = np.random.RandomState(seed), 0.1, 0.5
    features, labels = np.empty((n, 4)), np.empty(n, np.int64)
    for k in range(n):
        goal = rng.randint(3)
        while True:
            x, y = rng.rand(2) * 2.0 * big
            if np.sqrt((x - big) ** 2 + (y - big) ** 2) > big:
                continue
            right = np.sqrt((x - 1.5 * big) ** 2 + (y - big) ** 2)
            left = np.sqrt((x - 0.5 * big) ** 2 + (y - big) ** 2)
            yin = (right <= small or small < left <= 0.5 * big
                   or (y > big and right > 0.5 * big))
            label = 2 if right < small or left < small else int(yin)
            if label == goal:
                break
        features[k], labels[k] = (x, y, 1.0 - x, 1.0 - y), label
    return features, labels


def yin_yang_spikes(features: npt.ArrayLike) -> Bytes:
    """Latency code of Yin-Yang features (samples, 4): value 1 first, value 0 last."""
    # Offset 1/4: x and 1-x then change their step at different x, half a step apart, so that
    # together they resolve twice as many values as either.
    return latency(features, YINYANG_STEPS, last=31, floor=-1.0, offset=0.25)
