# SPDX-License-Identifier: Apache-2.0
"""Accuracy of the spoken-digit networks, in float and in integers of 8 and 4 bits.

    python -m neurotile.fsdd --data fsdd.npz

prints the table of docs/fsdd.md. Integers are run by the golden model.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .metrics import accuracy, output_population, predictions
from .models import golden
from .models.zoo import fsdd
from .models.zoo.fsdd import DelayNetwork, cochlea
from .spec import IntegerNetwork, Stimulus

__all__ = ["Accuracies", "evaluate", "integer_accuracy"]

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


def integer_accuracy(network: IntegerNetwork, spikes: Spikes, labels: Labels) -> float:
    """Share of samples that the golden model gets right, by the rule of `neurotile run`.

    Parameters
    ----------
    network : with readout or spiking output
    spikes, labels : (samples, steps, inputs), uint8, and (samples,), int64
    """
    trace = golden.run(network, Stimulus.from_dense(spikes))
    return accuracy(labels, predictions(output_population(network), trace))


def evaluate(net: DelayNetwork, tuned: DelayNetwork, spikes: Spikes, labels: Labels) -> Accuracies:
    """Accuracies of a network and of its 4-bit version.

    Parameters
    ----------
    net, tuned : trained in floating point, then with 4-bit weights
    spikes, labels : (samples, steps, inputs), uint8, and (samples,), int64
    """
    scores, hidden = net.scores(spikes)
    bits8, bits4, tuned4 = (integer_accuracy(n.integers(weight_bits=bits), spikes, labels)
                            for n, bits in ((net, 8), (net, 4), (tuned, 4)))
    return Accuracies(accuracy(labels, scores.argmax(axis=1)), bits8, bits4, tuned4,
                      float(hidden.mean()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="fsdd.npz")
    args = parser.parse_args()
    recordings = cochlea.read(args.data)
    spikes, labels = cochlea.stimulus(recordings, recordings.split("test"))
    print("| network | hidden | synapses per pair | parameters | float | 8 bits | 4 bits "
          "| 4 bits, tuned | hidden spikes per sample |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in fsdd.names():
        if name.endswith("_4bit"):
            continue
        net = fsdd.load(name)
        found = evaluate(net, fsdd.load(f"{name}_4bit"), spikes, labels)
        hidden, _, copies = net.weight.shape
        shares = (found.floating, found.bits8, found.bits4, found.tuned4)
        print(f"| `{name}` | {hidden} | {copies} | {net.parameters} | "
              f"{' | '.join(f'{100 * share:.2f} %' for share in shares)} | "
              f"{found.density * hidden * spikes.shape[1]:.0f} |", flush=True)


if __name__ == "__main__":
    main()
