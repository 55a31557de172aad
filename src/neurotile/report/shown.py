# SPDX-License-Identifier: Apache-2.0
"""Samples that the report shows spike by spike, and the potentials of some of their neurons.

An engine keeps potentials only where it was told to. For the others the golden model runs these
samples again, and its spikes are compared with those of the run.
"""

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..chunks import select
from ..metrics import predictions
from ..spec import Record, Stimulus, Trace
from .html import INPUT_COLOUR, colour

if TYPE_CHECKING:
    from ..pipeline import Result

__all__ = ["Shown", "choose", "page_data"]

_SAMPLES, _WRONG, _STEPS, _SPIKES, _NEURONS = 24, 8, 4000, 120_000, 12
_GOLDEN_WORK = 4e9  # multiplications that a report may cost


@dataclass(frozen=True, eq=False)
class Shown:
    """What is shown of a run.

    Parameters
    ----------
    samples : list of int
        Samples.
    steps : int
        First steps of each that are shown.
    stimulus : Stimulus
        Their input.
    golden : Trace, optional
        The golden model's run of them; missing if it would take too long.
    differs : int
        Spikes of these samples in which run and golden model differ.
    """

    samples: list[int]
    steps: int
    stimulus: Stimulus
    golden: Trace | None
    differs: int


def choose(result: "Result") -> Shown:
    """Pick samples, among them some that were classified wrongly, and check them."""
    stimulus, trace = result.stimulus, result.trace
    most = max(1, min(_SAMPLES, _STEPS // stimulus.steps, stimulus.samples))
    samples = list(range(most))
    # Where weights change, the golden model needs all samples from the first one on.
    learns = result.build.network.learning is not None
    if stimulus.labels is not None and not trace.keep_state and not learns:
        wrong = np.flatnonzero(predictions(result.build.output, trace) != stimulus.labels)
        wrong = wrong[:min(_WRONG, most // 2)]
        right = [s for s in range(min(stimulus.samples, 4 * most)) if s not in set(wrong.tolist())]
        samples = sorted({*wrong.tolist(), *right[:most - len(wrong)]})
    steps = _shown_steps(result, samples)
    part = select(stimulus, samples, steps)
    golden, differs = _golden(result, samples, part)
    return Shown(samples, steps, part, golden, differs)


def _shown_steps(result: "Result", samples: list[int]) -> int:
    """As many steps as the page has room for spikes."""
    stimulus = result.stimulus
    per_step = np.diff(stimulus.start).reshape(stimulus.samples, -1)[samples].sum(axis=0)
    for spikes in result.trace.spikes.values():
        per_step = per_step + spikes[samples].sum(axis=(0, 2), dtype=np.int64)
    room = int(np.searchsorted(np.cumsum(per_step), _SPIKES, side="right"))
    return max(1, min(room, _STEPS, stimulus.steps))


def _golden(result: "Result", samples: list[int], part: Stimulus) -> tuple[Trace | None, int]:
    from ..models import golden
    network, trace = result.build.network, result.trace
    work = part.samples * part.steps * sum(e.weights.size for e in network.projections)
    goes_on = trace.keep_state or network.learning is not None
    if work > _GOLDEN_WORK or (goes_on and part.steps < result.stimulus.steps
                               and part.samples > 1):
        return None, 0
    found = golden.run(network, part, record=_interesting(result, samples),
                       keep_state=trace.keep_state)
    differs = sum(int((found.spikes[name] != spikes[samples, :part.steps]).sum())
                  for name, spikes in trace.spikes.items())
    return found, differs


def _interesting(result: "Result", samples: list[int]) -> Record:
    """Neurons of each population: all of a small one, else the busiest and some others."""
    record = {}
    for p in result.build.network.populations:
        if p.size <= _NEURONS or not p.spikes:
            record[p.name] = np.arange(p.size)
            continue
        count = result.trace.spikes[p.name][samples].sum(axis=(0, 1), dtype=np.int64)
        busiest = np.argsort(-count, kind="stable")[:_NEURONS - 4]
        spread = np.linspace(0, p.size - 1, 4).astype(np.int64)
        record[p.name] = np.union1d(busiest, spread)
    return record


def page_data(result: "Result", shown: Shown) -> dict[str, Any]:
    """What the page's script draws, as plain values (arrays in base64)."""
    network, output = result.build.network, result.build.output
    trace, stimulus = result.trace, result.stimulus
    held = trace.spikes if output.spikes else trace.potentials
    votes = held[output.name][shown.samples].sum(axis=1, dtype=np.int64)
    predicted = predictions(output, trace)
    inputs = shown.stimulus.dense()
    nodes = [{"name": " + ".join(port.name for port in network.inputs), "size": stimulus.inputs,
              "colour": INPUT_COLOUR, "spikes": [_spikes(inputs[k])
                                                 for k in range(len(shown.samples))]}]
    traced = []
    for number, p in enumerate(network.populations):
        if p.spikes:
            nodes.append({"name": p.name, "size": p.size, "colour": colour(number),
                          "spikes": [_spikes(trace.spikes[p.name][s, :shown.steps])
                                     for s in shown.samples]})
        potentials = _potentials(result, shown, p.name)
        if potentials is not None:
            neurons, values, source = potentials
            busy = (trace.spikes[p.name][shown.samples][..., neurons].sum(axis=(0, 1))
                    if p.spikes else np.zeros(len(neurons)))
            traced.append({
                "name": p.name, "colour": colour(number), "source": source,
                "neurons": neurons.tolist(),
                "first": np.argsort(-busy, kind="stable")[:3 if p.spikes else 12].tolist(),
                "spiking": p.spikes,
                "threshold": p.threshold[neurons].tolist() if p.spikes else None,
                "values": [_packed(v, np.int32) for v in values]})
    return {
        "steps": shown.steps, "nodes": nodes, "traced": traced,
        "output": {"name": output.name, "size": output.size, "spiking": output.spikes},
        "samples": [{"number": s, "votes": votes[k].tolist(), "predicted": int(predicted[s]),
                     "label": None if stimulus.labels is None else int(stimulus.labels[s])}
                    for k, s in enumerate(shown.samples)]}


def _potentials(result: "Result", shown: Shown, name: str
                ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], str] | None:
    """Neurons, potentials (samples, steps, neurons) and where they come from."""
    trace, golden = result.trace, shown.golden
    if name in trace.record and len(trace.record[name]):
        keep = slice(0, 4 * _NEURONS)
        values = trace.potentials[name][shown.samples, :shown.steps]
        return trace.record[name][keep], values[..., keep], f"{trace.engine} engine"
    if golden is None:
        return None
    return golden.record[name], golden.potentials[name], "golden model"


def _spikes(raster: npt.NDArray[np.uint8]) -> list[str]:
    step, neuron = np.nonzero(raster)
    return [_packed(step, np.uint16), _packed(neuron, np.uint32)]


def _packed(values: npt.NDArray[Any], dtype: type[np.generic]) -> str:
    little = np.ascontiguousarray(values, np.dtype(dtype).newbyteorder("<"))
    return base64.b64encode(little.tobytes()).decode()
