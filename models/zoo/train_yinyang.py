# SPDX-License-Identifier: Apache-2.0
"""Train the 4-120-3 network on the Yin-Yang data set; write yinyang.nir."""

from collections.abc import Callable

import numpy as np

from . import encode, training


def main() -> None:
    args = training.options(__doc__, epochs=80)
    features, labels = encode.yin_yang(seed=42, n=5000)
    spikes = encode.yin_yang_spikes(features)
    features, watched = encode.yin_yang(seed=41, n=1000)
    validation = (encode.yin_yang_spikes(features), watched)

    def batches(epoch: int) -> list[Callable[[], training.Batch]]:
        order = np.random.default_rng(epoch).permutation(len(labels))
        return [lambda k=k: (spikes[k], labels[k])  # type: ignore[misc]
                for k in np.array_split(order, 50)]

    net = training.build([4, 120, 3], [0.875, 0.96875], reset="zero", seed=1, gain=2.0)
    training.train(net, batches, epochs=args.epochs, rate=1e-2, limit=2.0, sharp=0.5,
                   report=lambda: training.hits(net, validation))
    training.export(net, args.out / "yinyang.nir", reset="zero")


if __name__ == "__main__":
    main()
