# SPDX-License-Identifier: Apache-2.0
"""Random search for a protocol on MNIST training images: ``python -m neurotile.learn.search``."""

import argparse
import json
from pathlib import Path

import numpy as np

from .evaluate import answers
from .images import mnist, prepared
from .protocol import PROTOCOLS
from .train import teach

__all__ = ["main"]

_HELD_OUT = 6000

_CHOICES = {
    "crop": (20, 22), "floor": (30, 60, 90), "precharge": tuple(range(14, 26)),
    "baseline": (3, 4, 5), "score": tuple(range(8, 20)), "margin": (0, 1, 2, 4),
    "rate_first": (100, 150, 200, 300, 450), "rate_last": (0, 5, 10, 20, 40),
    "rate_images": (1000, 1500, 2000, 3000)}


def main() -> None:
    """Try protocols; each is one line of JSON with its accuracies on held-out training images.

    The last 6,000 training images are held out. Seed s learns the 6,000 from 6,000 s on, so that a
    protocol is judged over images, first weights and learning spikes. Test images are not read
    into anything.
    """
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the MNIST files")
    parser.add_argument("--base", default="single", choices=sorted(PROTOCOLS))
    parser.add_argument("--neurons-per-class", type=int, default=1)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--search-seed", type=int, default=0, help="draws the protocols")
    parser.add_argument("--only", nargs="*", default=sorted(_CHOICES), help="keys that vary")
    args = parser.parse_args()
    data, rng, pixels = mnist(args.data), np.random.default_rng(args.search_seed), {}
    held = slice(len(data.train) - _HELD_OUT, len(data.train))
    for trial in range(args.trials):
        drawn = {key: int(rng.choice(_CHOICES[key])) for key in sorted(_CHOICES)}
        changes = {key: drawn[key] for key in args.only} if trial else {}
        protocol = PROTOCOLS[args.base].replace(**changes)
        key = (protocol.crop, protocol.deskew)
        if key not in pixels:
            pixels[key] = prepared(data.train, protocol)
        found = []
        for seed in range(args.seeds):
            taught = slice(6000 * seed, 6000 * (seed + 1))
            done = teach(pixels[key][taught], data.train_labels[taught], protocol,
                         per_class=args.neurons_per_class, seed=seed)
            answer = answers(done.weights, pixels[key][held], protocol).label
            found.append(round(float((answer == data.train_labels[held]).mean()), 4))
            if np.mean(found) < 0.82:
                break
        print(json.dumps({"mean": round(float(np.mean(found)), 4), "all": found, **changes}),
              flush=True)


if __name__ == "__main__":
    main()
