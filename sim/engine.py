# SPDX-License-Identifier: Apache-2.0
"""The fast engine: a program and a stimulus in, a trace out."""

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ..spec import (
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
from ..spec.trace import log_steps
from .layout import Contents, Setup, clear_state, load_contents, make_setup
from .learning_layout import Learning, make_registers, make_weights
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
    learning : TileLearning, optional
        Registers of a tile that learns; they can be changed by :meth:`switch`. Its synapses are
        those of the program at first and go on from run to run; between two runs they can be
        read and written::

            tile = LoadedTile(program.config, program.memories, program.groups, steps,
                              program.learning)
            for sample in samples:
                trace = tile.run(sample)              # learns
                words = tile.synapses()               # weight in bits 2..0, mapping bit in bit 3
                tile.load_synapses(normalised(words))

    Raises
    ------
    UserError
        A memory is missing or has the wrong shape, ``groups`` is out of range, or there are
        registers of learning for a tile that does not learn.
    """

    setup: Setup
    contents: Contents

    def __init__(self, config: TileConfig, memories: dict[str, npt.NDArray[np.uint64]],
                 groups: int, length: int, learning: TileLearning | None = None) -> None:
        self.config = config
        self.contents = load_contents(config, memories, groups)
        self.setup = make_setup(config, self.contents, groups=groups, length=length)
        mask = (1 << config.weight_bits) - 1
        self._synapse = (memories["synapse"] & np.uint64(mask)).astype(np.int64)
        self._state = clear_state(config)
        self._weights = make_weights(config, memories, self._state) if config.learns else None
        self.switch(learning)
        # Kept from run to run: fresh memory costs more than what is written to it.
        self._neuron = np.zeros(_LOG_ROOM + config.neurons, np.int32)
        self._cycle = np.zeros(self._neuron.size, np.int64)

    def switch(self, learning: TileLearning | None) -> None:
        """Write the registers of a tile that learns; None: all are zero.

        Raises
        ------
        UserError
            The tile does not learn.
        """
        if learning is not None and not self.config.learns:
            raise UserError(f"{self.config.name}: has learning = 'none', so that it has no "
                            "registers of learning")
        self._registers = make_registers(self.config, learning or TileLearning())

    def synapses(self) -> npt.NDArray[np.int64]:
        """Words of the synapse memory as they are now, (synapse_words, lanes).

        ``Program.synapse_index`` says which of them belong to a projection.
        """
        if self._weights is None:
            return self._synapse.copy()
        return self._weights.synapse.reshape(self._synapse.shape).astype(np.int64)

    def load_synapses(self, words: npt.NDArray[np.integer]) -> None:
        """Write the synapse memory of a tile that learns, (synapse_words, lanes).

        Raises
        ------
        UserError
            The shape is wrong, a word is too wide, or the tile does not learn.
        """
        if self._weights is None:
            raise UserError(f"{self.config.name}: has learning = 'none': its synapses are those it "
                            "was loaded with")
        found, bits = np.asarray(words), self.config.weight_bits
        if found.shape != self._synapse.shape or found.dtype.kind not in "iu":
            raise UserError(f"{self.config.name}: synapses must be integers of shape "
                            f"{self._synapse.shape}, not {found.dtype} {found.shape}")
        if found.min() < 0 or found.max() >> bits:
            raise UserError(f"{self.config.name}: a synapse must be a word of {bits} bits")
        self._weights.synapse[:] = found.ravel()

    def run(self, events: TileEvents, recorded: npt.NDArray[np.int64] | None = None,
            progress: Progress | None = None,
            log: npt.NDArray[np.int64] | None = None) -> TileTrace:
        """Trace of these runs, each from cleared states.

        Parameters
        ----------
        events : TileEvents
            What the host sends.
        recorded : ndarray of int64, optional
            Tile neurons whose membrane potential is kept after every step.
        progress : callable, optional
            Called now and then with steps done and steps in all.
        log : ndarray of int64, optional
            Ascending tile steps (run * steps + step) after which the synapse memory is kept.

        Raises
        ------
        UserError
            An event came while no axon segment of the tile is the last of its axon.
        """
        kept = None if log is None else np.array(log, np.int64)
        record = self._empty_log(events, np.zeros(0, np.int64) if recorded is None else recorded)
        learning, state = self._learning(events, kept), self._state
        sent = Events(events.steps, np.array(events.start, np.int64),
                      np.array(events.axon, np.int32))
        total = events.runs * events.steps
        steps, done = _FIRST_STEPS if progress else total, 0
        # Integers of 32 and 64 bits wrap as intended; without compilation numpy warns about it.
        with np.errstate(over="ignore"):
            while done < total:
                started = time.perf_counter()
                code = advance(self.setup, self.contents, state, sent, record,
                               min(steps, total - done), learning)
                done = int(record.place[RUN]) * events.steps + int(record.place[STEP])
                if code == ENDLESS:
                    raise UserError(
                        f"{self.config.name}: run {record.place[RUN]}, step {record.place[STEP]}: "
                        "time-out, an event never ends because no axon segment has its 'last' bit "
                        "set")
                if code == FULL:
                    self._neuron = np.concatenate([self._neuron, self._neuron])
                    self._cycle = np.concatenate([self._cycle, self._cycle])
                    record = record._replace(spike_neuron=self._neuron, spike_cycle=self._cycle)
                elif progress:
                    progress(done, total)
                    if time.perf_counter() - started < _CALL_SECONDS / 2:
                        steps *= 2
        return self._trace(record, learning, kept)

    def _empty_log(self, events: TileEvents, recorded: npt.NDArray[np.int64]) -> Log:
        def zeros(*shape: int) -> npt.NDArray[np.int64]:
            return np.zeros(shape, np.int64)

        runs, steps, n = events.runs, events.steps, self.config.neurons
        return Log(
            barrier=zeros(runs, steps), sent=zeros(runs, steps), spike_neuron=self._neuron,
            spike_cycle=self._cycle, recorded=np.array(recorded, np.int64),
            membrane=zeros(runs, steps, recorded.size), final_membrane=zeros(runs, n),
            final_current=zeros(runs if self.config.has_current else 0, n),
            final_accumulator=zeros(runs, n), place=zeros(5),
            counters=zeros(len(self.config.counters), runs))

    def _learning(self, events: TileEvents, kept: npt.NDArray[np.int64] | None) -> Learning | None:
        if self._weights is None:
            return None
        steps = np.zeros(0, np.int64) if kept is None else kept
        return Learning(
            registers=self._registers, weights=self._weights, log_step=steps,
            log=np.zeros((steps.size, self._synapse.size), np.int64),
            final_calcium=np.zeros((events.runs, self.config.neurons), np.int64),
            place=np.zeros(3, np.int64))

    def _trace(self, log: Log, learning: Learning | None,
               kept: npt.NDArray[np.int64] | None) -> TileTrace:
        spikes = int(log.place[LOGGED])
        runs, steps = log.barrier.shape
        final = {"membrane": log.final_membrane, "accumulator": log.final_accumulator}
        if self.config.has_current:
            final["current"] = log.final_current
        synapse = self._synapse if learning is None else self.synapses()  # a copy takes its time
        synapse_log = None
        if learning is not None:
            final["calcium"] = learning.final_calcium
        if kept is not None:
            words = np.tile(synapse, (kept.size, 1, 1)) if learning is None else learning.log
            synapse_log = words.reshape(kept.size, *synapse.shape)
        return TileTrace(
            barrier=log.barrier, spike_run=np.repeat(np.arange(runs), log.sent.sum(axis=1)),
            spike_step=np.repeat(np.tile(np.arange(steps), runs), log.sent.ravel()),
            spike_neuron=log.spike_neuron[:spikes].astype(np.int64),
            spike_cycle=log.spike_cycle[:spikes].copy(), membrane=log.membrane, final=final,
            counters=dict(zip(self.config.counters, log.counters, strict=True)), synapse=synapse,
            synapse_log=synapse_log)


def run_tile(config: TileConfig, memories: dict[str, npt.NDArray[np.uint64]], groups: int,
             length: int, events: TileEvents, recorded_neurons: npt.NDArray[np.int64],
             progress: Progress | None = None, learning: TileLearning | None = None,
             log: npt.NDArray[np.int64] | None = None) -> TileTrace:
    """Trace of a tile with these memories; see :class:`LoadedTile` for parameters and errors."""
    tile = LoadedTile(config, memories, groups, length, learning)
    return tile.run(events, recorded_neurons, progress, log)


def run(program: Program, stimulus: Stimulus, *, record: Record | None = None,
        keep_state: bool = False, progress: Progress | None = None,
        weights_every: int = 0) -> Trace:
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
    weights_every : int
        Model steps, counted through over all samples, from one entry of the weight log to the next;
        0: none.

    Raises
    ------
    UserError
        The stimulus does not fit the network or the tile.
    """
    events = program.events(stimulus, keep_state=keep_state)
    full = full_record(program.network, record)
    length = stimulus.samples * stimulus.steps // events.runs
    tile = run_tile(program.config, program.memories, program.groups, length, events,
                    recorded_neurons(program, full), progress, program.learning,
                    log_steps(program, stimulus, keep_state, weights_every))
    return to_trace(program, stimulus, tile, engine="fast", record=full, keep_state=keep_state)
