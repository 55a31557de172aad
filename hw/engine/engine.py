# SPDX-License-Identifier: Apache-2.0
"""Engine ``rtl``: the exported Verilog of a tile, simulated, gives the trace."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...spec import (
    Program,
    Record,
    Stimulus,
    TileConfig,
    TileEvents,
    TileLearning,
    TileTrace,
    Trace,
    UserError,
    full_record,
    recorded_neurons,
    to_trace,
)
from ...spec.codes import MemoryId, Register
from ...spec.formats import Memory, axon_word, memories
from ...spec.trace import log_steps
from .simulation import Requests, Simulation, StepLog, TimedOut, reads, register, writes

__all__ = ["TimedOut", "load_requests", "run", "run_tile", "step_limit"]

Progress = Callable[[int, int], None]
_STATES = (MemoryId.MEMBRANE, MemoryId.CURRENT, MemoryId.ACCUMULATOR, MemoryId.CALCIUM)


def run(program: Program, stimulus: Stimulus, *, record: Record | None = None,
        keep_state: bool = False, progress: Progress | None = None,
        weights_every: int = 0) -> Trace:
    """Trace of a program on the simulated RTL.

    Parameters
    ----------
    record : Record, optional
        Neurons whose potential is read after every step, beside those of readouts. The tile pauses
        for it, in zero cycles of the trace.
    keep_state : bool
        All samples are one long run.
    progress : callable, optional
        Called with (steps done, steps) about every tenth of a second.
    weights_every : int
        Model steps, counted through over all samples, from one entry of the weight log to the next;
        0: none. The tile pauses for it too.

    Raises
    ------
    UserError
        The stimulus does not fit, the network does not learn but weights are asked for, Verilator
        or g++ is not installed, or (:class:`TimedOut`) a step never ends.
    """
    events = program.events(stimulus, keep_state=keep_state)
    full = full_record(program.network, record)
    tile = run_tile(program.config, program.memories, program.groups,
                    stimulus.steps * stimulus.samples // events.runs, events,
                    recorded_neurons(program, full), progress, program.learning,
                    log_steps(program, stimulus, keep_state, weights_every))
    return to_trace(program, stimulus, tile, engine="rtl", record=full, keep_state=keep_state)


def run_tile(config: TileConfig, contents: Mapping[str, npt.NDArray[np.uint64]], groups: int,
             length: int, events: TileEvents, recorded: npt.ArrayLike = (),
             progress: Progress | None = None, learning: TileLearning | None = None,
             log: npt.NDArray[np.int64] | None = None, *, limit: int | None = None,
             library: Path | None = None) -> TileTrace:
    """What the simulated tile does with any memory contents and any events.

    Parameters
    ----------
    contents : mapping of str to ndarray of uint64, (rows, lanes)
        Words of every memory of ``formats.memories(config)``; any bit pattern is legal.
    groups : int
        Number of mapped groups.
    length : int
        Register LENGTH.
    recorded : array_like of int
        Tile neurons whose potential is read after every step.
    learning : TileLearning, optional
        Registers of a tile that learns; without it they are zero.
    log : ndarray of int64, optional
        Ascending tile steps (run * steps + step) after which the synapse memory is read.
    limit : int, optional
        Cycles from one barrier to the next that count as endless; by default :func:`step_limit`.
    library : Path, optional
        Another simulator of this configuration than that of its own Verilog, from
        :func:`~neurotile.hw.engine.build.build_library`.

    Raises
    ------
    TimedOut
        A step takes longer than the limit.
    """
    recorded = np.asarray(recorded, np.int64)
    if limit is None:
        limit = step_limit(config, contents["axon"], events)
    counters = config.counters
    present = {memory.id: memory for memory in memories(config)}
    states = [present[number] for number in _STATES if number in present]
    end_reads = np.concatenate(
        [_all_reads(memory) for memory in states]
        + [reads(MemoryId.REGISTERS, np.arange(len(counters)) + Register.EVENTS)])
    synapses = present[MemoryId.SYNAPSE]
    kept = None if log is None else StepLog(log, _all_reads(synapses))
    with Simulation(config, library) as tile:
        _check_identity(tile)
        tile.host(load_requests(config, contents, groups=groups, length=length, learning=learning))
        barrier, spikes, step_values, end_values = tile.run(
            events, step_reads=reads(MemoryId.MEMBRANE, recorded), end_reads=end_reads,
            step_limit=limit, progress=progress, log=kept)
        synapse = tile.host(_all_reads(synapses))
    final, first = {}, 0
    for memory in states:
        found = end_values[:, first:first + config.neurons]
        final[memory.name] = found.view(np.int32).astype(np.int64)
        first += config.neurons

    def words(answers: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
        stored = answers.astype(np.int64) & (1 << config.weight_bits) - 1
        return stored.reshape(*answers.shape[:-1], config.synapse_words, config.lanes)

    return TileTrace(
        barrier=barrier, spike_run=spikes[0], spike_step=spikes[1], spike_neuron=spikes[2],
        spike_cycle=spikes[3], membrane=step_values.view(np.int32).astype(np.int64), final=final,
        counters={name: end_values[:, first + k].astype(np.int64)
                  for k, name in enumerate(counters)},
        synapse=words(synapse), synapse_log=None if kept is None else words(kept.values))


def load_requests(config: TileConfig, contents: Mapping[str, npt.NDArray[np.uint64]], *,
                  groups: int, length: int, learning: TileLearning | None = None) -> Requests:
    """Host requests that fill every memory and set GROUPS, LENGTH and the registers of learning.

    Raises
    ------
    UserError
        A memory is missing or has another shape, ``groups`` is out of range, or there are registers
        of learning for a tile that does not learn.
    """
    if not 1 <= groups <= config.groups:
        raise UserError(f"groups must be in 1..{config.groups}, not {groups}")
    parts = []
    for memory in memories(config):
        shape = (memory.rows, memory.lanes)
        words = contents.get(memory.name)
        if words is None or words.shape != shape:
            raise UserError(f"memory {memory.name!r} must have shape {shape}, "
                            f"not {None if words is None else words.shape}")
        parts.append(writes(memory.id, np.arange(words.size), words.reshape(-1).astype(np.int64)))
    settings = [register(Register.GROUPS, groups - 1), register(Register.LENGTH, length)]
    if learning is not None:
        if not config.learns:
            raise UserError(f"{config.name}: has learning = 'none', so that it has no registers of "
                            "learning")
        settings += [register(Register.SWITCHES, learning.switches),
                     register(Register.LEARN_OFFSET, learning.offset),
                     register(Register.BISTABILITY_PERIOD, learning.period),
                     register(Register.BISTABILITY_ROWS, learning.rows - 1)]
    return np.concatenate([*parts, np.array(settings, np.uint64)])


def step_limit(config: TileConfig, axon: npt.NDArray[np.uint64], events: TileEvents) -> int:
    """Cycles that no step can take if every axon's chain of segments ends.

    Parameters
    ----------
    axon : ndarray of uint64, (axons, 1)
        Contents of the axon memory.
    """
    segment = axon_word(config).unpack(axon.reshape(-1))
    last, size = segment["last"], segment["count"] + 1
    # The longest chain, walking backwards from a last segment; without one no chain ends.
    worst = 0
    if last.any():
        chain, end = 0, int(np.flatnonzero(last)[-1])
        for address in range(end, end - config.axons, -1):
            chain = int(size[address]) if last[address] else chain + int(size[address])
            worst = max(worst, chain)
    entries = int(np.diff(events.start).max(initial=0)) + config.queue_depth
    stages = config.integrate_stages + config.update_stages
    # A group is held back for integrate_stages cycles at most; an update waits for the pipeline
    # and for one cycle per spike. Doubled, since only an endless step must exceed it.
    integrate = entries * (worst * (config.integrate_stages + 1) + 4)
    rows = config.synapse_words if config.learns else 0  # bistability
    return 2 * (integrate + config.neurons + config.groups * (stages + 4) + rows) + 1000


def _all_reads(memory: Memory) -> Requests:
    return reads(memory.id, np.arange(memory.rows * memory.lanes))


def _check_identity(tile: Simulation) -> None:
    found = int(tile.host(np.array([register(Register.DIGEST)], np.uint64))[0])
    if found != int(tile.config.digest[:8], 16):
        raise RuntimeError(f"the Verilog is of another configuration than {tile.config.name}")
