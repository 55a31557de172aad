# SPDX-License-Identifier: Apache-2.0
"""Accuracy of the spoken-digit networks, in float and in integers of 8 and 4 bits.

    python -m neurotile.fsdd --data fsdd.npz

prints the table of docs/fsdd.md. On a tile the host delays the input events.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .metrics import accuracy, predictions
from .models.zoo import fsdd
from .models.zoo.fsdd import DelayNetwork, cochlea
from .pipeline import ENGINES, run
from .spec import Stimulus

__all__ = ["Accuracies", "evaluate", "live_events"]

Spikes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Accuracies:
    """Of one training run, 0..1.

    Parameters
    ----------
    floating, bits8, bits4 : float
        Of one set of trained weights: as they are, and rounded to 8 and to 4 bits.
    tuned4 : float
        Of 4-bit weights that were trained further as such.
    density : float
        Spikes per hidden neuron and step, float.
    """

    floating: float
    bits8: float
    bits4: float
    tuned4: float
    density: float


def evaluate(net: DelayNetwork, tuned: DelayNetwork, spikes: Spikes, labels: Labels,
             engine: str = "golden") -> Accuracies:
    """Accuracies of a network and of its 4-bit version.

    Parameters
    ----------
    net, tuned : trained in floating point, then with 4-bit weights
    spikes, labels : (samples, steps, inputs), uint8, and (samples,), int64
    engine : runs the integers: ``golden``, ``fast`` or ``rtl``
    """
    scores, hidden = net.scores(spikes)
    stimulus = Stimulus.from_dense(spikes)
    results = [run(n.integers(weight_bits=bits), stimulus, engine=engine)
               for n, bits in ((net, 8), (net, 4), (tuned, 4))]
    bits8, bits4, tuned4 = (accuracy(labels, predictions(r.build.output, r.trace))
                            for r in results)
    return Accuracies(accuracy(labels, scores.argmax(axis=1)), bits8, bits4, tuned4,
                      float(hidden.mean()))


def live_events(net: DelayNetwork, spikes: Spikes) -> int:
    """Most input events of a sample that still have delays to serve, over all steps.

    An event counts in its own step and in every later one up to the last delay of its input, which
    is what a shared queue of events must hold at least.

    Parameters
    ----------
    net : whose delays count
    spikes : (samples, steps, inputs), uint8
    """
    last = net.delay.max(axis=(0, 2)).astype(int)
    total = np.cumsum(np.pad(spikes, ((0, 0), (int(last.max()) + 1, 0), (0, 0))), axis=1, dtype=int)
    steps = np.arange(spikes.shape[1])[:, None] + int(last.max()) + 1
    line = np.arange(spikes.shape[2])
    alive = total[:, steps, line] - total[:, steps - last - 1, line]
    return int(alive.sum(axis=2).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="fsdd.npz")
    parser.add_argument("--engine", choices=ENGINES, default="golden",
                        help="what runs the integers; default: %(default)s")
    args = parser.parse_args()
    recordings = cochlea.read(args.data)
    spikes, labels = cochlea.stimulus(recordings, recordings.split("test"))
    print("| network | hidden | synapses per pair | parameters | float | 8 bits | 4 bits "
          "| 4 bits, tuned | hidden spikes per sample | events alive |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name in fsdd.names():
        if name.endswith("_4bit"):
            continue
        net = fsdd.load(name)
        found = evaluate(net, fsdd.load(f"{name}_4bit"), spikes, labels,
                         args.engine)
        hidden, _, copies = net.weight.shape
        shares = (found.floating, found.bits8, found.bits4, found.tuned4)
        print(f"| `{name}` | {hidden} | {copies} | {net.parameters} | "
              f"{' | '.join(f'{100 * share:.2f} %' for share in shares)} | "
              f"{found.density * hidden * spikes.shape[1]:.0f} | {live_events(net, spikes)} |",
              flush=True)


if __name__ == "__main__":
    main()
