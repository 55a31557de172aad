# SPDX-License-Identifier: Apache-2.0
"""Write spikes and labels of recorded digits, as `neurotile run` reads them."""

import argparse
from pathlib import Path

import numpy as np

from . import cochlea


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="fsdd.npz")
    parser.add_argument("--split", choices=["train", "test"], default="test",
                        help="takes 5 to 49, or 0 to 4; default: %(default)s")
    parser.add_argument("--out", type=Path, required=True, help=".npz file to write")
    args = parser.parse_args()
    recordings = cochlea.read(args.data)
    spikes, labels = cochlea.stimulus(recordings, recordings.split(args.split))
    np.savez_compressed(args.out, spikes=spikes, labels=labels)
    print(f"{args.out}: {len(spikes)} samples of {spikes.shape[1]} steps, {spikes.shape[2]} lines, "
          f"{spikes.sum() / len(spikes):.0f} spikes each")


if __name__ == "__main__":
    main()
