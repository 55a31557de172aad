# SPDX-License-Identifier: Apache-2.0
"""The fast engine: a program and a stimulus in, a trace out."""

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ..spec import (
    COUNTERS,
    Program,
    Record,
    Stimulus,
    TileConfig,
    TileEvents,
    TileTrace,
    Trace,
    UserError,
    full_record,
    recorded_neurons,
    to_trace,
)
from .layout import Contents, Setup, State, clear_state, load_contents, make_setup
from .tile import ENDLESS, FULL, LOGGED, RUN, STEP, Events, Log, advance

__all__ = ["LoadedTile", "Progress", "run", "run_tile"]

Progress = Callable[[int, int], None]
"""Called with the tile steps done and the tile steps to do."""

_CALL_SECONDS = 0.1
_FIRST_STEPS = 64
_LOG_ROOM = 1 << 16


class LoadedTile:
    """A tile with its memories loaded, ready for any number of runs, one at a time.

    Parameters
    ----------
    config : TileConfig
        The tile.
    memories : dict of str to ndarray of uint64, (rows, lanes)
        Words of every memory, any bit patterns; states are cleared at the start of each run.
    groups : int
        Number of mapped groups.
    length : int
        Register LENGTH: model steps of a run, 0 for no end.

    Raises
    ------
    UserError
        A memory is missing or has the wrong shape, or ``groups`` is out of range.
    """

    setup: Setup
    contents: Contents

    def __init__(self, config: TileConfig, memories: dict[str, npt.NDArray[np.uint64]],
                 groups: int, length: int) -> None:
        self.config = config
        self.contents = load_contents(config, memories, groups)
        self.setup = make_setup(config, self.contents, groups=groups, length=length)
        mask = (1 << config.weight_bits) - 1
        self.synapse = (memories["synapse"] & np.uint64(mask)).astype(np.int64)
        # Kept from run to run: fresh memory costs more than what is written to it.
        self._neuron = np.zeros(_LOG_ROOM + config.neurons, np.int32)
        self._cycle = np.zeros(self._neuron.size, np.int64)

    def run(self, events: TileEvents, recorded: npt.NDArray[np.int64] | None = None,
            progress: Progress | None = None) -> TileTrace:
        """Trace of these runs, each from cleared states.

        Parameters
        ----------
        events : TileEvents
            What the host sends.
        recorded : ndarray of int64, optional
            Tile neurons whose membrane potential is kept after every step.
        progress : callable, optional
            Called now and then with steps done and steps in all.

        Raises
        ------
        UserError
            An event came while no axon segment of the tile is the last of its axon.
        """
        log = self._empty_log(events, np.zeros(0, np.int64) if recorded is None else recorded)
        state: State = clear_state(self.config)
        sent = Events(events.steps, np.array(events.start, np.int64),
                      np.array(events.axon, np.int32))
        total = events.runs * events.steps
        steps, done = _FIRST_STEPS if progress else total, 0
        # Integers of 32 and 64 bits wrap as intended; without compilation numpy warns about it.
        with np.errstate(over="ignore"):
            while done < total:
                started = time.perf_counter()
                code = advance(self.setup, self.contents, state, sent, log,
                               min(steps, total - done))
                done = int(log.place[RUN]) * events.steps + int(log.place[STEP])
                if code == ENDLESS:
                    raise UserError(
                        f"{self.config.name}: run {log.place[RUN]}, step {log.place[STEP]}: "
                        "time-out, an event never ends because no axon segment has its 'last' bit "
                        "set")
                if code == FULL:
                    self._neuron = np.concatenate([self._neuron, self._neuron])
                    self._cycle = np.concatenate([self._cycle, self._cycle])
                    log = log._replace(spike_neuron=self._neuron, spike_cycle=self._cycle)
                elif progress:
                    progress(done, total)
                    if time.perf_counter() - started < _CALL_SECONDS / 2:
                        steps *= 2
        return self._trace(log)

    def _empty_log(self, events: TileEvents, recorded: npt.NDArray[np.int64]) -> Log:
        def zeros(*shape: int) -> npt.NDArray[np.int64]:
            return np.zeros(shape, np.int64)

        runs, steps, n = events.runs, events.steps, self.config.neurons
        return Log(
            barrier=zeros(runs, steps), sent=zeros(runs, steps), spike_neuron=self._neuron,
            spike_cycle=self._cycle, recorded=np.array(recorded, np.int64),
            membrane=zeros(runs, steps, recorded.size), final_membrane=zeros(runs, n),
            final_current=zeros(runs if self.config.has_current else 0, n),
            final_accumulator=zeros(runs, n), counters=zeros(len(COUNTERS), runs), place=zeros(5))

    def _trace(self, log: Log) -> TileTrace:
        spikes = int(log.place[LOGGED])
        runs, steps = log.barrier.shape
        final = {"membrane": log.final_membrane, "accumulator": log.final_accumulator}
        if self.config.has_current:
            final["current"] = log.final_current
        return TileTrace(
            barrier=log.barrier, spike_run=np.repeat(np.arange(runs), log.sent.sum(axis=1)),
            spike_step=np.repeat(np.tile(np.arange(steps), runs), log.sent.ravel()),
            spike_neuron=log.spike_neuron[:spikes].astype(np.int64),
            spike_cycle=log.spike_cycle[:spikes].copy(), membrane=log.membrane, final=final,
            counters=dict(zip(COUNTERS, log.counters, strict=True)), synapse=self.synapse)


def run_tile(config: TileConfig, memories: dict[str, npt.NDArray[np.uint64]], groups: int,
             length: int, events: TileEvents, recorded_neurons: npt.NDArray[np.int64],
             progress: Progress | None = None) -> TileTrace:
    """Trace of a tile with these memories; see :class:`LoadedTile` for parameters and errors."""
    return LoadedTile(config, memories, groups, length).run(events, recorded_neurons, progress)


def run(program: Program, stimulus: Stimulus, *, record: Record | None = None,
        keep_state: bool = False, progress: Progress | None = None) -> Trace:
    """Trace of a program in model time.

    Parameters
    ----------
    program : Program
        Network mapped to a tile.
    stimulus : Stimulus
        Input spikes.
    record : Record, optional
        Neurons whose membrane potential is kept; readouts always are.
    keep_state : bool
        Samples follow each other without CLEAR, as one run.
    progress : callable, optional
        Called now and then with tile steps done and tile steps in all.

    Raises
    ------
    UserError
        The stimulus does not fit the network or the tile.
    """
    events = program.events(stimulus, keep_state=keep_state)
    full = full_record(program.network, record)
    length = stimulus.samples * stimulus.steps // events.runs
    tile = run_tile(program.config, program.memories, program.groups, length, events,
                    recorded_neurons(program, full), progress)
    return to_trace(program, stimulus, tile, engine="fast", record=full, keep_state=keep_state)
