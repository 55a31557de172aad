# SPDX-License-Identifier: Apache-2.0
"""Train the 64-128-10 network on UCI digits; write digits.nir and digits_test.npz."""

from collections.abc import Callable

import numpy as np
from sklearn.datasets import load_digits

from . import encode, training


def main() -> None:
    args = training.options(__doc__, epochs=60)
    data = load_digits()
    labels = data.target.astype(np.int64)
    spikes = encode.digits_spikes(data.images)
    train, test = encode.digits_split(labels)
    np.savez_compressed(args.out / "digits_test.npz", spikes=spikes[test],
                        labels=labels[test].astype(np.uint8))

    def batches(epoch: int) -> list[Callable[[], training.Batch]]:
        order = np.random.default_rng(epoch).permutation(train)
        return [lambda k=k: (spikes[k], labels[k])  # type: ignore[misc]
                for k in np.array_split(order, 42)]

    net = training.build([64, 128, 10], [0.9375, 0.9375], reset="subtract", seed=1, gain=3.0)
    training.train(net, batches, epochs=args.epochs, rate=5e-3, limit=1.0, cost=0.01, decay=0.05,
                   report=lambda: training.hits(net, (spikes[test], labels[test])))
    training.export(net, args.out / "digits.nir", reset="subtract")


if __name__ == "__main__":
    main()
