# SPDX-License-Identifier: Apache-2.0
"""Trace: what an engine reports, in the terms of the network; and its tile-level form."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .errors import UserError
from .event_formats import sdsp_synapse_word
from .formats import calcium_word
from .mesh_run import MeshTrace
from .network import IntegerNetwork
from .program import Program
from .stimulus import Stimulus

if TYPE_CHECKING:
    from .mesh_program import MeshProgram

__all__ = ["Record", "TileTrace", "Trace", "full_record", "log_steps", "recorded_neurons",
           "to_trace"]

Record = dict[str, npt.NDArray[np.int64]]
"""Neurons of each population whose membrane potential is kept for every step."""


@dataclass(frozen=True, eq=False)
class TileTrace:
    """What fast engine and RTL see at the tile.

    Parameters
    ----------
    barrier : ndarray of int64, (runs, steps)
        Cycle in which the barrier of each step fired; a run starts at cycle 0.
    spike_run, spike_step, spike_neuron, spike_cycle : ndarray of int64
        Output spikes in order: run, tile step whose update emitted it, tile neuron, cycle.
    membrane : ndarray of int64, (runs, steps, recorded)
        Potential of the recorded tile neurons after each update.
    final : dict of str to ndarray of int64, (runs, neurons)
        ``membrane``, ``current``, ``accumulator`` and ``calcium`` (words) at the end of each run,
        as far as they exist.
    counters : dict of str to ndarray of int64, (runs,)
        The counters of docs/semantics.md, section 7.
    synapse : ndarray of int64, (synapse_words, lanes)
        Stored weights (bit patterns) at the end.
    synapse_log : ndarray of int64, (logged, synapse_words, lanes), optional
        The same after each of the steps that were asked for.
    mesh : MeshTrace, optional
        What was seen tile by tile, if there are many (``mesh_program.as_tile_trace``).
    """

    barrier: npt.NDArray[np.int64]
    spike_run: npt.NDArray[np.int64]
    spike_step: npt.NDArray[np.int64]
    spike_neuron: npt.NDArray[np.int64]
    spike_cycle: npt.NDArray[np.int64]
    membrane: npt.NDArray[np.int64]
    final: dict[str, npt.NDArray[np.int64]]
    counters: dict[str, npt.NDArray[np.int64]]
    synapse: npt.NDArray[np.int64]
    synapse_log: npt.NDArray[np.int64] | None = None
    mesh: MeshTrace | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class Trace:
    """Spikes, potentials and states of every node in model time.

    Parameters
    ----------
    engine : str
        ``golden``, ``fast`` or ``rtl``.
    network, stimulus : str
        Digests of what ran.
    keep_state : bool
        Samples followed each other without CLEAR.
    spikes : dict of str to ndarray of uint8, (samples, steps, neurons)
        Every spiking population.
    potentials : dict of str to ndarray of int64, (samples, steps, recorded)
        Membrane potential after each step of the neurons in ``record``; all neurons of readouts.
    record : Record
        Which neurons ``potentials`` holds.
    states : dict of str to ndarray of int64, (runs, neurons)
        ``NODE.v``, for current-based models ``NODE.i`` and in a network that learns
        ``NODE.calcium`` at the end of each run (a sample, or all samples with ``keep_state``).
    tile : TileTrace, optional
        Cycles and counters; golden has none.
    weights : dict of str to ndarray of int64, (targets, sources)
        Weights of every plastic projection at the end, with their sign.
    weight_log : dict of str to ndarray of int64, (logged, targets, sources)
        The same after every ``weights_every`` model steps, counted through over all samples.
    """

    engine: str
    network: str
    stimulus: str
    keep_state: bool
    spikes: dict[str, npt.NDArray[np.uint8]]
    potentials: dict[str, npt.NDArray[np.int64]]
    record: Record
    states: dict[str, npt.NDArray[np.int64]]
    program: str | None = None
    tile: TileTrace | None = field(default=None, repr=False)
    weights: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict, repr=False)
    weight_log: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict, repr=False)


def full_record(network: IntegerNetwork, record: Record | None) -> Record:
    """``record`` with all neurons of the readout populations added."""
    readouts = {p.name: np.arange(p.size) for p in network.populations if not p.spikes}
    return {**{k: np.asarray(v, np.int64) for k, v in (record or {}).items()}, **readouts}


def recorded_neurons(program: "Program | MeshProgram", record: Record) -> npt.NDArray[np.int64]:
    """Tile neurons of ``record``, population by population."""
    return np.concatenate([program.neurons_of(name)[index]
                           for name, index in record.items()] or [np.zeros(0, np.int64)])


def log_steps(program: Program, stimulus: Stimulus, keep_state: bool, weights_every: int
              ) -> npt.NDArray[np.int64] | None:
    """Tile steps (run * steps + step) after which weights are logged; None for ``weights_every`` 0.

    Raises
    ------
    UserError
        ``weights_every`` is negative, or not 0 for a network that does not learn.
    """
    if weights_every == 0:
        return None
    if weights_every < 0 or program.learning is None:
        raise UserError(f"weights_every must be a number of steps, and 0 for a network that does "
                        f"not learn, not {weights_every}")
    model_steps = stimulus.samples * stimulus.steps
    last = np.arange(weights_every - 1, model_steps, weights_every)
    length = model_steps if keep_state else stimulus.steps
    return last // length * (length + program.drain) + last % length + program.learning.offset


def _weights(program: "Program | MeshProgram", words: npt.NDArray[np.int64]
             ) -> dict[str, npt.NDArray[np.int64]]:
    """Weights (..., targets, sources) of every plastic projection in synapse memories."""
    if not isinstance(program, Program):  # tiles of a mesh do not learn
        return {}
    offset = sdsp_synapse_word().offset("weight")
    flat = words.reshape(*words.shape[:-2], words.shape[-2] * words.shape[-1]) >> offset & 7
    found = {}
    for e in program.network.projections:
        if e.synapses is not None and e.name in program.synapse_index:
            index = program.synapse_index[e.name]
            stored = np.where(index < 0, 0, flat[..., index])
            found[e.name] = np.where(e.synapses.inhibitory, -stored, stored)
    return found


def to_trace(program: "Program | MeshProgram", stimulus: Stimulus, tile: TileTrace, *, engine: str,
             record: Record, keep_state: bool) -> Trace:
    """Trace in model time of what was seen at the tile: offsets taken off, nodes told apart."""
    samples, steps = stimulus.samples, stimulus.steps
    runs = tile.barrier.shape[0]
    model_steps = samples * steps // runs
    owner, place = np.full(program.neurons, -1), np.zeros(program.neurons, np.int64)
    spikes, states, potentials, offsets = {}, {}, {}, []
    for number, p in enumerate(program.network.populations):
        part = program.neurons_of(p.name)
        owner[part], place[part] = number, np.arange(p.size)
        offsets.append(program.offset_of(p.name))
        if p.spikes:
            spikes[p.name] = np.zeros((runs, model_steps, p.size), np.uint8)
        states[f"{p.name}.v"] = tile.final["membrane"][:, part]
        if p.has_current:
            states[f"{p.name}.i"] = tile.final["current"][:, part]
        if program.network.learning is not None:
            words = tile.final["calcium"][:, part]
            states[f"{p.name}.calcium"] = calcium_word().unpack(words)["calcium"]
    node = owner[tile.spike_neuron]
    for number, p in enumerate(program.network.populations):
        if p.spikes:
            mine = node == number
            spikes[p.name][tile.spike_run[mine], tile.spike_step[mine] - offsets[number],
                           place[tile.spike_neuron[mine]]] = 1
            spikes[p.name] = spikes[p.name].reshape(samples, steps, p.size)
    column = 0
    for name, index in record.items():
        offset = program.offset_of(name)
        seen = tile.membrane[:, offset:offset + model_steps, column:column + len(index)]
        potentials[name] = seen.reshape(samples, steps, len(index))
        column += len(index)
    return Trace(engine=engine, network=program.network.digest, stimulus=stimulus.digest,
                 keep_state=keep_state, spikes=spikes, potentials=potentials, record=record,
                 states=states, program=program.digest, tile=tile,
                 weights=_weights(program, tile.synapse),
                 weight_log={} if tile.synapse_log is None
                 else _weights(program, tile.synapse_log))
