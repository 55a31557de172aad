# SPDX-License-Identifier: Apache-2.0
"""Runs a network step by step, all samples side by side (docs/semantics.md, section 1)."""

import numpy as np
import numpy.typing as npt

from ...spec import IntegerNetwork, Record, Stimulus, Trace, UserError, full_record
from .learning import Calcium, Learning
from .neuron import NeuronUpdate, State

__all__ = ["run"]

# Spikes that are held as bytes at a time; runs beyond it are worked off in portions.
_PORTION = 1 << 26

Spikes = npt.NDArray[np.uint8]


def run(network: IntegerNetwork, stimulus: Stimulus, *, record: Record | None = None,
        keep_state: bool = False, weights_every: int = 0) -> Trace:
    """Spikes, potentials and states of ``network`` under ``stimulus``.

    Parameters
    ----------
    network : IntegerNetwork
        What runs.
    stimulus : Stimulus
        Input spikes.
    record : dict of str to ndarray of int, optional
        Neurons of each population whose potential is kept; readouts are kept anyway.
    keep_state : bool
        The samples follow each other as one long run instead of each starting from zero.
    weights_every : int
        Model steps, counted through over all samples, from one entry of the weight log to the
        next; 0: no log.

    Raises
    ------
    UserError
        The stimulus has another number of inputs than the network, or ``record`` names what the
        network does not have.
    """
    if stimulus.inputs != network.input_size:
        raise UserError(f"the stimulus has {stimulus.inputs} inputs, the network has "
                        f"{network.input_size}")
    record = full_record(network, record)
    _check_record(network, record)
    samples, steps = stimulus.samples, stimulus.steps
    runs, run_steps = (1, samples * steps) if keep_state else (samples, steps)
    learning = None if network.learning is None else Learning(network, weights_every)
    if weights_every < 0 or weights_every and learning is None:
        raise UserError("weights_every must be a number of steps, and 0 for a network that does "
                        f"not learn, not {weights_every}")
    # What one sample teaches is known to the next, so they cannot run side by side.
    portion = 1 if learning else max(1, _PORTION // (run_steps * sum(network.sizes.values())))
    parts = [_run_side_by_side(network, stimulus, first, min(first + portion, runs), run_steps,
                               record, learning)
             for first in range(0, runs, portion)]
    spikes, potentials, states = ({key: np.concatenate([part[kind][key] for part in parts])
                                   for key in parts[0][kind]} for kind in range(3))
    return Trace(
        engine="golden", network=network.digest, stimulus=stimulus.digest, keep_state=keep_state,
        spikes={p.name: spikes[p.name].reshape(samples, steps, p.size)
                for p in network.populations if p.spikes},
        potentials={name: potentials[name].reshape(samples, steps, len(index))
                    for name, index in record.items()},
        record=record, states=states, weights=learning.weights if learning else {},
        weight_log=learning.weight_log if learning else {})


def _check_record(network: IntegerNetwork, record: Record) -> None:
    for name, index in record.items():
        if name not in network.population_names:
            raise UserError(f"record: there is no population {name!r}")
        size = network.sizes[name]
        if index.size and not (0 <= index.min() and index.max() < size):
            raise UserError(f"record: population {name!r} has neurons 0..{size - 1}, "
                            f"not {index.min() if index.min() < 0 else index.max()}")


def _run_side_by_side(network: IntegerNetwork, stimulus: Stimulus, first: int, last: int,
                      steps: int, record: Record, learning: Learning | None
                      ) -> tuple[dict, dict, dict]:
    """Spikes, potentials and states of the runs ``first`` … ``last - 1``; one if it learns."""
    runs = last - first
    spikes = _input_spikes(network, stimulus, first * steps, last * steps, runs)
    for p in network.populations:
        spikes[p.name] = np.zeros((runs, steps, p.size), np.uint8)
    potentials = {name: np.zeros((runs, steps, len(index)), np.int64)
                  for name, index in record.items()}
    states = {p.name: State.zero(runs, p.size) for p in network.populations}
    updates = {p.name: NeuronUpdate(p, network.state_bits, network.decay_bits)
               for p in network.populations}
    # Sums of 0/1 times integers far below 2**53 are exact in float64, whatever their order, and
    # only floats are multiplied by BLAS.
    calcium = {p.name: Calcium(p) for p in network.populations}
    weights = [np.ascontiguousarray(e.weights.T, np.float64) for e in network.projections]

    for t in range(steps):
        for p in network.order:
            acc = np.zeros((runs, p.size), np.int64)
            for number, (e, w) in enumerate(zip(network.projections, weights, strict=True)):
                if e.target == p.name and t >= e.delay:
                    arrived = spikes[e.source][:, t - e.delay]
                    if learning and number in learning.synapses:
                        acc[0] += learning.synapses[number].deliver(arrived[0], calcium[p.name])
                    else:
                        acc += _sums(arrived, w)
            states[p.name], fired = updates[p.name].step(states[p.name], acc)
            if learning:
                calcium[p.name].update(fired[0], states[p.name].v[0])
            spikes[p.name][:, t] = fired
            if p.name in record:
                potentials[p.name][:, t] = states[p.name].v[:, record[p.name]]
        if learning:
            learning.end_of_step(t)

    final = {}
    for p in network.populations:
        final[f"{p.name}.v"] = states[p.name].v
        if p.has_current:
            final[f"{p.name}.i"] = states[p.name].i
        if learning:
            final[f"{p.name}.calcium"] = calcium[p.name].level[None]
    return spikes, potentials, final


def _sums(spikes: Spikes, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Sum of the weights (sources, targets) of the spikes (runs, sources) at every target."""
    if len(spikes) == 1:
        # The same sum; a single run need not read the rows of the silent sources.
        sums = weights[spikes[0] != 0].sum(axis=0, keepdims=True)
    else:
        sums = spikes.astype(np.float64) @ weights
    return sums.astype(np.int64)


def _input_spikes(network: IntegerNetwork, stimulus: Stimulus, first: int, last: int,
                  runs: int) -> dict[str, Spikes]:
    """Dense spikes (runs, steps, lines) of every input port in the steps ``first`` … ``last - 1``.

    Steps are counted through over all samples.
    """
    start = stimulus.start[first:last + 1]
    dense = np.zeros((last - first, stimulus.inputs), np.uint8)
    dense[np.repeat(np.arange(last - first), np.diff(start)), stimulus.line[start[0]:start[-1]]] = 1
    by_run = dense.reshape(runs, -1, stimulus.inputs)
    ports, line = {}, 0
    for port in network.inputs:
        ports[port.name] = by_run[:, :, line:line + port.size]
        line += port.size
    return ports
