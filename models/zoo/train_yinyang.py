# SPDX-License-Identifier: Apache-2.0
"""Train the 4-120-3 network on the Yin-Yang data set; write yinyang.nir."""

from collections.abc import Callable

import numpy as np

from . import encode, test_set, training


def main() -> None:
    args = training.options(__doc__, epochs=60)
    features, labels = encode.yin_yang(seed=42, n=5000)
    spikes, test = encode.yin_yang_spikes(features), test_set("yinyang")

    def batches(epoch: int) -> list[Callable[[], training.Batch]]:
        order = np.random.default_rng(epoch).permutation(len(labels))
        return [lambda k=k: (spikes[k], labels[k])  # type: ignore[misc]
                for k in np.array_split(order, 50)]

    net = training.build([4, 120, 3], [0.9375, 0.9375], reset="zero", seed=1, gain=1.0)
    training.train(net, batches, epochs=args.epochs, rate=1e-2, limit=1.0,
                   report=lambda: training.hits(net, test))
    training.export(net, args.out / "yinyang.nir", reset="zero")


if __name__ == "__main__":
    main()
