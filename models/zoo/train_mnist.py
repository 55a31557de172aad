# SPDX-License-Identifier: Apache-2.0
"""Train mnist16 (256-240-10) and mnist28 (784-240-10); write their .nir files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from . import encode, load_mnist_test, training

BATCH = 128


def shifted(images: encode.Bytes, rng: np.random.Generator) -> encode.Bytes:
    """The images moved by up to one pixel in each direction, all alike; MNIST's rim is empty."""
    down, right = rng.integers(-1, 2, size=2)
    return np.roll(images, (down, right), axis=(1, 2))


def train(data: Path, out: Path, *, size: int, epochs: int) -> None:
    """Train the network for images of ``size`` pixels per side and write it to folder ``out``."""
    images, small = encode.read_mnist(data, "train")
    labels = small.astype(np.int64)
    test = load_mnist_test(data, size)

    def batches(epoch: int) -> list[Callable[[], training.Batch]]:
        rng = np.random.default_rng(epoch)
        order = rng.permutation(len(images))

        def make(k: encode.Integers) -> training.Batch:
            return encode.mnist_spikes(shifted(images[k], rng), size), labels[k]

        return [lambda k=k: make(k)  # type: ignore[misc]
                for k in np.array_split(order, len(order) // BATCH)]

    net = training.build([size ** 2, 240, 10], [0.9375, 0.9375], reset="subtract", seed=1, gain=3.0)
    training.train(net, batches, epochs=epochs, rate=3e-3, limit=1.0, cost=0.01, decay=0.02,
                   report=lambda: training.hits(net, test))
    training.export(net, out / f"mnist{size}.nir", reset="subtract")


def main() -> None:
    args = training.options(__doc__, epochs=12)
    if args.data is None:
        print("skipped: --data must name the folder of the MNIST .gz files")
        return
    for size in (16, 28):
        train(args.data, args.out, size=size, epochs=args.epochs)


if __name__ == "__main__":
    main()
