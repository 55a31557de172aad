# SPDX-License-Identifier: Apache-2.0
"""Accuracy of the spoken-digit networks, in float and in integers of 8 and 4 bits.

    python -m neurotile.fsdd --data fsdd.npz --engine fast

prints the tables of docs/fsdd.md. With golden there is no tile. With the other engines there is one
on a mesh of 1 x 1, which delays events in its queue, or one alone, to which the host sends an event
again for each of its delays.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .fsdd_mesh import QueueUse, agree, on_mesh, queue_use
from .metrics import accuracy, predictions
from .models.zoo import fsdd
from .models.zoo.fsdd import DelayNetwork, cochlea
from .pipeline import ENGINES, Result, run
from .spec import IntegerNetwork, Stimulus

__all__ = ["Accuracies", "evaluate", "live_events"]

Spikes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

TILES = ("mesh", "host")
_PROFILED = 32


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
    equal : bool
        In every run of integers all spikes and potentials of the readout are golden's.
    """

    floating: float
    bits8: float
    bits4: float
    tuned4: float
    density: float
    equal: bool

    @property
    def drop(self) -> float:
        """What 8 bits, or 4 bits after tuning, lose against float at most."""
        return self.floating - min(self.bits8, self.tuned4)


def evaluate(net: DelayNetwork, tuned: DelayNetwork, spikes: Spikes, labels: Labels,
             engine: str = "golden", tile: str = "mesh") -> Accuracies:
    """Accuracies of a network and of its 4-bit version.

    Parameters
    ----------
    net, tuned : trained in floating point, then with 4-bit weights
    spikes, labels : (samples, steps, inputs), uint8, and (samples,), int64
    engine : runs the integers: ``golden``, ``fast`` or ``rtl``
    tile : who delays events: the queue of a ``mesh`` of one tile, or the ``host``
    """
    scores, hidden = net.scores(spikes)
    stimulus = Stimulus.from_dense(spikes)
    found: list[float] = []
    equal = True
    for network in (net.integers(weight_bits=8), net.integers(weight_bits=4),
                    tuned.integers(weight_bits=4)):
        result = wanted = run(network, stimulus, engine="golden")
        if engine != "golden":
            result = _on_tile(network, stimulus, engine, tile)
        equal &= agree(wanted.trace, result.trace)
        found.append(accuracy(labels, predictions(result.build.output, result.trace)))
    bits8, bits4, tuned4 = found
    return Accuracies(accuracy(labels, scores.argmax(axis=1)), bits8, bits4, tuned4,
                      float(hidden.mean()), equal)


def _on_tile(network: IntegerNetwork, stimulus: Stimulus, engine: str, tile: str) -> Result:
    return run(on_mesh(network) if tile == "mesh" else network, stimulus, engine=engine)


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
    parser.add_argument("--tile", choices=TILES, default="mesh",
                        help="who delays events: the queue of the one tile of a mesh, or the host, "
                        "which sends them again; default: %(default)s")
    parser.add_argument("--samples", type=int, default=None,
                        help="so many test recordings, evenly chosen; default: all 300")
    parser.add_argument("--networks", default="",
                        help="only networks whose names begin so, as fsdd_delays48")
    args = parser.parse_args()
    recordings = cochlea.read(args.data)
    chosen = [name for name in fsdd.names()
              if name.startswith(args.networks) and not name.endswith("_4bit")]
    test = _evenly(*cochlea.stimulus(recordings, recordings.split("test")), args.samples)
    _print_accuracies(chosen, *test, args.engine, args.tile)
    if args.engine != "golden" and args.tile == "mesh":
        train = _evenly(*cochlea.stimulus(recordings, recordings.split("train")), _PROFILED)
        print()
        _print_queues(chosen, test[0], train[0], args.engine)


def _evenly(spikes: Spikes, labels: Labels, count: int | None) -> tuple[Spikes, Labels]:
    """So many samples of all digits: recordings are in the order of their digits."""
    index = np.arange(count or len(labels)) * len(labels) // (count or len(labels))
    return spikes[index], labels[index]


def _print_accuracies(names: list[str], spikes: Spikes, labels: Labels, engine: str, tile: str
                      ) -> None:
    _print_head("network", "hidden", "synapses per pair", "parameters", "float", "8 bits", "4 bits",
                "4 bits, tuned", "largest drop of 8 and tuned 4 bits", "all equal to golden",
                "hidden spikes per sample")
    for name in names:
        net = fsdd.load(name)
        found = evaluate(net, fsdd.load(f"{name}_4bit"), spikes, labels, engine, tile)
        hidden, _, copies = net.weight.shape
        shares = (found.floating, found.bits8, found.bits4, found.tuned4, found.drop)
        _print_row(f"`{name}`", hidden, copies, net.parameters,
                   *(f"{100 * share:.2f} %" for share in shares), _yes(found.equal),
                   f"{found.density * hidden * spikes.shape[1]:.0f}")


def _print_queues(names: list[str], spikes: Spikes, training: Spikes, engine: str) -> None:
    """Two rows for each network with delays, for SCDQ and for the ring."""
    stimulus, profile = Stimulus.from_dense(spikes), Stimulus.from_dense(training)
    _print_head("network", "weight bits", "delays by", "equal to golden", "events alive",
                "high-water mark", "bound", "worst case: depth, bits", "profiled: depth, bits",
                "drops, profiled", "accumulator bits", "cycles per sample", "nJ per sample")
    for name in names:
        for suffix, bits in (("", 8), ("_4bit", 4)):
            net = fsdd.load(f"{name}{suffix}")
            network = net.integers(weight_bits=bits)
            wanted = run(network, stimulus, engine="golden").trace
            for delay in ("scdq", "ring") if max(net.levels()) else ("none",):
                use = queue_use(network, delay.replace("none", "scdq"), stimulus, profile,
                                   wanted, engine)
                _print_row(f"`{name}`", bits, delay, _yes(use.equal), live_events(net, spikes),
                           *_columns(use))


def _columns(use: QueueUse) -> tuple[object, ...]:
    return (use.high_water, use.bound, f"{use.worst_depth}, {use.worst_bits}",
            f"{use.profiled_depth}, {use.profiled_bits}", use.drops, use.accumulator_bits,
            f"{use.cycles:.0f}", f"{use.picojoules / 1000:.1f}")


def _yes(value: bool) -> str:
    return "yes" if value else "NO"


def _print_head(*names: str) -> None:
    _print_row(*names)
    print("|" + "---|" * len(names))


def _print_row(*cells: object) -> None:
    print(f"| {' | '.join(str(cell) for cell in cells)} |", flush=True)


if __name__ == "__main__":
    main()
