# SPDX-License-Identifier: Apache-2.0
"""3-bit weights trained off-line for the tile: ``python -m neurotile.learn.offline`` makes them."""

import argparse
from collections.abc import Callable
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..rundir import write_npz
from ..spec import UserError
from .coding import STRONGEST, ranked
from .images import mnist, prepared
from .protocol import CLASSES, PROTOCOLS, Protocol
from .tile import PIXELS

__all__ = ["OFFLINE", "held_weights", "main", "train_offline"]

_ASKED = PROTOCOLS["single"].replace(crop=20, floor=60, precharge=25, baseline=4)
OFFLINE = {"offline": _ASKED.replace(name="offline", deskew=0),
           "offline_deskewed": _ASKED.replace(name="offline_deskewed")}
"""Protocols that the two sets of weights were trained for."""

_BATCH, _STEP, _SCALE = 200, 0.05, 8.0


def held_weights(name: str) -> npt.NDArray[np.uint8]:
    """Trained weights that neurotile has with it, (256, 10); ``name`` is a key of OFFLINE."""
    with as_file(files(__package__) / "data" / f"{name}.npz") as path, np.load(path) as held:
        packed = held["weights"]
    return np.stack([packed & 15, packed >> 4], axis=-1).reshape(PIXELS, CLASSES)


def train_offline(pixels: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64],
                  protocol: Protocol, *, epochs: int = 20, seed: int = 0,
                  progress: Callable[[int, float], None] | None = None
                  ) -> npt.NDArray[np.uint8]:
    """Weights 0..7 of a linear classifier, trained through their rounding.

    All synapses of a pixel have one sign in the tile. That costs nothing here: what is added to all
    ten weights of a pixel moves all ten membranes alike, and the first to fire stays the first.

    Parameters
    ----------
    pixels : ndarray of uint8, (images, 256)
        As :func:`neurotile.learn.images.prepared` gives them.
    progress : callable, optional
        Called after every epoch with its number and the share of right answers in it.
    """
    spikes = np.zeros(pixels.shape, np.float32)
    for row, image in zip(spikes, pixels, strict=True):
        row[ranked(image, protocol.floor)] = 1.0
    rng = np.random.default_rng(seed)
    weight = 3.5 + rng.normal(0.0, 0.3, (PIXELS, CLASSES))
    mean, square = np.zeros_like(weight), np.zeros_like(weight)
    step = 0
    for epoch in range(epochs):
        order, right = rng.permutation(len(spikes)), 0
        for first in range(0, len(order), _BATCH):
            batch = order[first:first + _BATCH]
            sums = spikes[batch] @ np.rint(weight).astype(np.float32) / _SCALE
            right += int((sums.argmax(axis=1) == labels[batch]).sum())
            share = np.exp(sums - sums.max(axis=1, keepdims=True))
            share /= share.sum(axis=1, keepdims=True)
            share[np.arange(len(batch)), labels[batch]] -= 1.0
            gradient = (spikes[batch].T @ share / len(batch)).astype(np.float64)
            step += 1  # Adam (Kingma and Ba, arXiv 1412.6980)
            mean = 0.9 * mean + 0.1 * gradient
            square = 0.999 * square + 0.001 * gradient ** 2
            move = mean / (1 - 0.9 ** step) / (np.sqrt(square / (1 - 0.999 ** step)) + 1e-8)
            weight = np.clip(weight - _STEP * (1 - epoch / epochs) * move, -0.5,
                             STRONGEST + 0.49)
        if progress is not None:
            progress(epoch, right / len(order))
    return np.rint(weight).astype(np.uint8)


def main() -> None:
    """Train both sets of weights on all 60,000 training images and write them."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the MNIST files")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "data")
    args = parser.parse_args()
    data = mnist(args.data)
    if not args.out.is_dir():
        raise UserError(f"{args.out}: there is no such folder")
    for name, protocol in OFFLINE.items():
        pixels = prepared(data.train, protocol)
        weights = train_offline(pixels, data.train_labels, protocol, progress=lambda epoch, right:
                                print(f"{epoch:3d} {right:.4f}", flush=True))
        pairs = weights.reshape(-1, 2)
        write_npz(args.out / f"{name}.npz", {"weights": pairs[:, 0] | pairs[:, 1] << 4})
        print(name)


if __name__ == "__main__":
    main()
