# SPDX-License-Identifier: Apache-2.0
"""Print the zoo's table: accuracy of every exported file, in float and with 8-bit weights."""

import argparse
from pathlib import Path

from . import load_mnist_test, names, path, reference, test_set


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mnist", type=Path, help="folder of the MNIST .gz files; else left out")
    args = parser.parse_args()
    print("| network | layers | steps | samples | float "
          "| 8-bit weights, float states | spikes per sample |")
    print("|---|---|---|---|---|---|---|")
    for name in names():
        if name.startswith("mnist"):
            if args.mnist is None:
                continue
            spikes, labels = load_mnist_test(args.mnist, int(name[5:]))
        else:
            spikes, labels = test_set(name)
        layers = reference.load(path(name))
        count, per_layer = reference.counts(layers, spikes)
        coarse, _ = reference.counts(reference.rounded(layers), spikes)
        sizes = [layers[0].weight.shape[1], *(len(layer.weight) for layer in layers)]
        print(f"| {name} | {'-'.join(map(str, sizes))} | {spikes.shape[1]} | {len(spikes)} "
              f"| {100 * reference.accuracy(count, labels):.2f} % "
              f"| {100 * reference.accuracy(coarse, labels):.2f} % "
              f"| {', '.join(f'{n:.0f}' for n in per_layer)} |", flush=True)


if __name__ == "__main__":
    main()
