# SPDX-License-Identifier: Apache-2.0
"""Numbers that sum up a run: accuracy, events, cycles, use of the lanes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .spec import (
    IntegerNetwork,
    MeshProgram,
    Population,
    Program,
    Stimulus,
    TileTrace,
    Trace,
    UserError,
)
from .spec.digest import digest

__all__ = ["accuracy", "check_labels", "confusion", "cycles_per_step", "lane_utilisation",
           "output_population", "predictions", "result_digest", "sample_digests", "summary",
           "synaptic_events", "total_cycles"]

Int = npt.NDArray[np.int64]


def output_population(network: IntegerNetwork, named: Sequence[str] = ()) -> Population:
    """The population that is read as the answer.

    The last of ``named``, which the file's Output shows; without it the last that drives no other.
    """
    if named:
        return network.population_names[named[-1]]
    driving = {e.source for e in network.projections if e.source != e.target}
    sinks = [p for p in network.populations if p.name not in driving]
    return (sinks or list(network.order))[-1]


def check_labels(output: Population, stimulus: Stimulus) -> None:
    """Refuse labels that the output has no neuron for.

    Raises
    ------
    UserError
        A label is not the number of a neuron of the output population.
    """
    if stimulus.labels is None:
        return
    wrong = (stimulus.labels < 0) | (stimulus.labels >= output.size)
    if wrong.any():
        raise UserError(f"labels must be in 0..{output.size - 1}, as the output {output.name!r} "
                        f"has {output.size} neurons; found {stimulus.labels[wrong][0]}")


def predictions(output: Population, trace: Trace) -> Int:
    """Class that the output says for each sample, (samples,); ties go to the lowest index.

    A spiking output votes with its numbers of spikes, a readout with its potentials summed over
    the steps.
    """
    held = trace.spikes if output.spikes else trace.potentials
    return held[output.name].sum(axis=1, dtype=np.int64).argmax(axis=1)


def accuracy(labels: Int, predicted: Int) -> float:
    """Share of samples whose prediction is their label, 0..1."""
    return float((labels == predicted).mean())


def confusion(labels: Int, predicted: Int, classes: int) -> Int:
    """Number of samples by label (row) and prediction (column), (classes, classes)."""
    return np.bincount(labels * classes + predicted, minlength=classes * classes).reshape(
        classes, classes)


def synaptic_events(network: IntegerNetwork, stimulus: Stimulus, trace: Trace) -> int:
    """Synapses with non-zero weight that a spike reached within the run.

    Of a plastic projection all synapses count that deliver, whatever their weight is just then. A
    spike that would arrive after the last step of its run does not count.
    """
    steps = stimulus.samples * stimulus.steps if trace.keep_state else stimulus.steps
    row = np.repeat(np.arange(stimulus.samples * stimulus.steps), np.diff(stimulus.start))
    first_line, line = {}, 0
    for port in network.inputs:
        first_line[port.name] = line
        line += port.size
    total = 0
    for e in network.projections:
        there = e.weights != 0
        if e.synapses is not None and network.learning is not None:
            there = e.synapses.mapped | network.learning.propagate_unmapped
        fan_out = np.count_nonzero(there, axis=0)
        if e.source in first_line:
            arrives = row % steps + e.delay < steps
            count = np.bincount(stimulus.line[arrives], minlength=stimulus.inputs)
            count = count[first_line[e.source]:first_line[e.source] + fan_out.size]
        else:
            spikes = trace.spikes[e.source].reshape(-1, steps, fan_out.size)
            count = spikes[:, :max(0, steps - e.delay)].sum(axis=(0, 1), dtype=np.int64)
        total += int(count @ fan_out)
    return total


def total_cycles(tile: TileTrace) -> int:
    """Clock cycles of all runs, each from its cycle 0 to the barrier of its last step."""
    return int((tile.barrier[:, -1] + 1).sum())


def cycles_per_step(tile: TileTrace) -> Int:
    """Cycles from one barrier to the next, (runs, tile steps); the first counts from cycle 0."""
    return np.diff(tile.barrier, axis=1, prepend=-1)


def lane_utilisation(program: Program | MeshProgram, tile: TileTrace, events: int) -> float | None:
    """Share of the lanes' synapse slots that did a synaptic event of the network, 0..1."""
    slots = int(tile.counters["synapse_reads"].sum()) * program.tile.lanes
    return events / slots if slots else None


def sample_digests(trace: Trace) -> list[str]:
    """SHA-256 of what each sample did: its spikes, readout potentials and final states.

    Where samples follow each other with kept state, the final states count for the last one.
    Equal over engines.
    """
    held: list[npt.NDArray[Any]] = [*trace.spikes.values(), *trace.potentials.values()]
    samples = len(held[0])
    readouts = {name.removesuffix(".v") for name in trace.states} - set(trace.spikes)
    found = []
    for s in range(samples):
        items: list[tuple[str, Any]] = [(k, v[s]) for k, v in sorted(trace.spikes.items())]
        items += [(f"{k}.v", v[s].astype(np.int64)) for k, v in sorted(trace.potentials.items())
                  if k in readouts]
        if not trace.keep_state or s == samples - 1:
            run = 0 if trace.keep_state else s
            items += [(f"{k} final", v[run].astype(np.int64))
                      for k, v in sorted(trace.states.items())]
        found.append(digest(items))
    return found


def result_digest(trace: Trace, samples: list[str], weights: dict[str, Int]) -> str:
    """SHA-256 of a whole result: network, stimulus, every sample and the final weights."""
    return digest([("network", trace.network), ("stimulus", trace.stimulus),
                   ("keep_state", trace.keep_state), ("samples", samples),
                   *((k, v.astype(np.int64)) for k, v in sorted(weights.items()))])


def summary(network: IntegerNetwork, program: Program | MeshProgram | None, stimulus: Stimulus,
            trace: Trace, *, output: Population, digests: list[str], weights: dict[str, Int]
            ) -> dict[str, Any]:
    """Content of metrics.json (docs/cli.md), without the energy estimate.

    Parameters
    ----------
    network, program, stimulus, trace
        What ran, and what came out; ``program`` may be missing with the golden engine.
    output : Population
        Whose spikes or potentials are the answer.
    digests : list of str
        :func:`sample_digests` of ``trace``.
    weights : dict of str to ndarray of int
        Final weights by projection.
    """
    events = synaptic_events(network, stimulus, trace)
    found: dict[str, Any] = {
        "engine": trace.engine,
        "samples": stimulus.samples, "steps": stimulus.samples * stimulus.steps,
        "steps_per_sample": stimulus.steps, "cycles": None,
        "syn_events": events, "input_events": int(stimulus.line.size),
        "spikes": int(sum(int(s.sum(dtype=np.int64)) for s in trace.spikes.values())),
        "spikes_per_node": {k: int(v.sum(dtype=np.int64)) for k, v in trace.spikes.items()},
        "output": output.name,
        "digest": result_digest(trace, digests, weights)}
    if stimulus.labels is not None:
        check_labels(output, stimulus)
        predicted = predictions(output, trace)
        found["accuracy"] = accuracy(stimulus.labels, predicted)
        found["correct"] = int((stimulus.labels == predicted).sum())
        found["confusion"] = confusion(stimulus.labels, predicted, output.size).tolist()
    if trace.tile is not None and program is not None:
        per_step = cycles_per_step(trace.tile)
        found["cycles"] = total_cycles(trace.tile)
        found["cycles_per_step"] = {"mean": float(per_step.mean()), "min": int(per_step.min()),
                                    "median": float(np.median(per_step)),
                                    "max": int(per_step.max())}
        found["lane_utilisation"] = lane_utilisation(program, trace.tile, events)
        found["counters"] = {
            name: int(value.max() if name == "queue_high_water" else value.sum())
            for name, value in trace.tile.counters.items()}
    return found
