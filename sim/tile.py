# SPDX-License-Identifier: Apache-2.0
"""The tile: its parts composed into steps, its steps into runs."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..spec.codes import Model
from .axon_walker import idle_walker, walk
from .event_queue import QueueTimes, accept, pop
from .jit import INT, entry, kernel, source_digest
from .layout import Contents, Setup, State
from .learning import (
    WRITES,
    clear_learning,
    end_step,
    keep_calcium,
    keep_synapses,
    learn_segment,
    learns_in,
    update_calcium,
)
from .learning_layout import Learning
from .npe import add_segment, flush_batch, update_span, wrap
from .spike_encoder import emit, find_spikes

__all__ = ["ENDLESS", "FULL", "PAUSED", "Events", "Log", "advance"]

Times = npt.NDArray[np.int64]

_IDLE = int(Model.IDLE)

PAUSED, FULL, ENDLESS = 0, 1, 2
"""Why :func:`advance` returned: all steps asked for are done; the log needs more room for spikes;
an event came to a tile whose axon segments never end."""

EVENTS, SYNAPSE_READS, HAZARD_STALLS, UPDATES, FIFO_STALLS, SPIKES, DROPS, HIGH_WATER = range(8)

RUN, STEP, CYCLE, QUEUED, LOGGED = range(5)


class Events(NamedTuple):
    """Host events as in ``spec.TileEvents``."""

    steps: int
    start: Times
    axon: npt.NDArray[np.int32]


class Log(NamedTuple):
    """What the kernels write down; see ``spec.TileTrace``."""

    barrier: Times
    sent: Times
    """Output spikes of each step of each run."""
    spike_neuron: npt.NDArray[np.int32]
    spike_cycle: Times
    recorded: Times
    """Neurons whose membrane potential is kept."""
    membrane: Times
    final_membrane: Times
    final_current: Times
    final_accumulator: Times
    counters: Times
    place: Times
    """Run, step, first cycle of the step, own spikes in the queue, and spikes logged so far."""


@kernel
def _integrate(setup: Setup, contents: Contents, state: State, host: npt.NDArray[np.int32],
               own: int, start: int, learning: Learning | None, learns: int) -> int:
    """Cycle of the barrier of a step with ``own`` spikes in the queue, begun in cycle ``start``."""
    counter = state.counter
    walker = idle_walker(setup, start)
    times = QueueTimes(start - 1, 0, counter[HIGH_WATER])
    batch = (0, 0, 0)
    entries = own + host.size
    for entry_number in range(entries):
        if entry_number < own:
            axon, visible = INT(state.queue[entry_number]), start
        else:
            times = accept(times, state.popped, entry_number)
            axon = INT(host[entry_number - own]) & setup.axons - 1
            visible = times.accepted + 1
        fetched = max(walker.taken, visible)
        pop(state.popped, entry_number, fetched)
        while True:
            segment = contents.segment[axon]
            walker = walk(setup, walker, segment, fetched, learning)
            counter[SYNAPSE_READS] += segment["groups"]
            counter[HAZARD_STALLS] += walker.cycle - walker.taken - segment["groups"]
            if learning is None:
                batch = add_segment(setup, contents, state, segment, batch)
            else:
                learn_segment(setup, learning, state, segment, axon, learns)
            if segment["last"]:
                break
            axon = (axon + 1) & setup.axons - 1
            fetched = walker.taken
    if learning is None:
        flush_batch(contents, state, batch)
    counter[EVENTS] += entries
    counter[HIGH_WATER] = times.high_water
    accepted = accept(times, state.popped, entries).accepted
    return max(accepted + 1, walker.cycle + setup.integrate_stages + 1)


@kernel
def _update(setup: Setup, contents: Contents, state: State, step: int,
            learning: Learning | None) -> None:
    """Update every mapped group that is active in this step."""
    step = min(step, setup.last_step)
    for index in range(contents.span.size):
        span = contents.span[index]
        since = step - span["offset"]
        if since >= 0 and (setup.length == 0 or since < setup.length):
            update_span(setup, contents, state, span)
            if learning is not None:
                if span["model"] != _IDLE:
                    update_calcium(learning, span["first"], span["stop"])
            state.counter[UPDATES] += (span["stop"] - span["first"]) >> setup.lane_bits
        else:
            state.fired[span["first"]:span["stop"]] = 0


@kernel
def _send(contents: Contents, state: State, log: Log, spikes: int) -> int:
    """Log the spikes that go to the host, queue those that stay: how many these are."""
    logged, queued = log.place[LOGGED], 0
    for s in range(spikes):
        neuron = state.spike[s]
        if contents.output[neuron]:
            log.spike_neuron[logged] = neuron
            log.spike_cycle[logged] = state.spike_cycle[s]
            logged += 1
        if contents.local[neuron]:
            if queued < state.queue.size:
                state.queue[queued] = contents.route_axon[neuron]
                queued += 1
            else:
                state.counter[DROPS] += 1
    log.sent[log.place[RUN], log.place[STEP]] = logged - log.place[LOGGED]
    log.place[LOGGED] = logged
    state.counter[HIGH_WATER] = max(state.counter[HIGH_WATER], queued)
    return queued


@kernel
def _clear(state: State) -> None:
    state.membrane[:] = 0
    state.current[:] = 0
    state.accumulator[:] = 0
    state.fired[:] = 0
    state.counter[:] = 0


@kernel
def _finish(setup: Setup, state: State, log: Log, run: int, learning: Learning | None) -> None:
    """Keep the states and counters at the end of a run, as far as the tile has them."""
    for n in range(setup.neurons):
        log.final_membrane[run, n] = state.membrane[n]
        if log.final_current.size:
            log.final_current[run, n] = state.current[n]
        log.final_accumulator[run, n] = wrap(setup, state.accumulator[n])
    for index in range(state.counter.size):
        log.counters[index, run] = state.counter[index] & 0xFFFFFFFF
    if learning is not None:
        log.counters[state.counter.size, run] = learning.place[WRITES] & 0xFFFFFFFF
        keep_calcium(learning, run)


def _make_advance(sources: str):
    @entry
    def advance(setup, contents, state, events, log, steps, learning):
        """Run up to ``steps`` steps from ``log.place``; the result says why it returned.

        ``learning`` is None for a tile that does not learn: numba then compiles as if its branches
        were not there.
        """
        len(sources)  # see jit.entry
        place = log.place
        for _ in range(steps):
            run, step = place[RUN], place[STEP]
            if place[LOGGED] + (setup.mapped << setup.lane_bits) > log.spike_cycle.size:
                return FULL
            if step == 0:
                _clear(state)
                if learning is not None:
                    clear_learning(learning)
                place[CYCLE] = place[QUEUED] = 0
            row = run * events.steps + step
            host = events.axon[events.start[row]:events.start[row + 1]]
            if setup.endless and host.size + place[QUEUED]:
                return ENDLESS
            learns = 0
            if learning is not None:
                learns = learns_in(setup, learning, step)
            barrier = _integrate(setup, contents, state, host, place[QUEUED], place[CYCLE],
                                 learning, learns)
            log.barrier[run, step] = barrier
            _update(setup, contents, state, step, learning)
            spikes = find_spikes(state.fired_words, setup.mapped << setup.lane_bits, state.spike)
            done, stalls = emit(setup, state.fired_words, barrier, state.spike_cycle,
                                state.credits)
            state.counter[FIFO_STALLS] += stalls
            state.counter[SPIKES] += spikes
            place[QUEUED] = _send(contents, state, log, spikes)
            if learning is not None:
                if learns:
                    done += end_step(setup, learning)
                keep_synapses(learning, row)
            place[CYCLE] = done + 1
            for index in range(log.recorded.size):
                log.membrane[run, step, index] = state.membrane[log.recorded[index]]
            place[STEP] = step + 1
            if step + 1 == events.steps:
                _finish(setup, state, log, run, learning)
                place[RUN] = run + 1
                place[STEP] = 0
        return PAUSED

    return advance


advance = _make_advance(source_digest())
