# SPDX-License-Identifier: Apache-2.0
"""The tile in event mode: the scheduler's choices, the passes that they start."""

import numpy as np

from ..spec.event_config import EVENT_COUNTERS
from ..spec.event_formats import EventKind
from .event_layout import EventSetup, EventTile, Record
from .event_neuron import deliver, receive_row, settle, time_reference, time_references
from .event_timing import find_emitted, spike_times
from .jit import INT, entry, kernel, source_digest
from .sdsp import bistable_synapses, sdsp_row, sdsp_synapse

__all__ = ["CYCLE", "DONE", "ENDLESS", "FULL", "LEVEL", "LOGGED", "NEXT", "advance_events"]

DONE, PAUSED, FULL, ENDLESS = range(4)
"""Why :func:`advance_events` returned: the tile is idle and all events asked for are accepted; it
has made its number of choices; the record needs more room for spikes; an event does not end."""

CYCLE, NEXT, HEAD, LEVEL, LOGGED, LONE = range(6)
"""``place`` of a record: cycle of the next choice, events accepted, position of the scheduler's
head, its entries, spikes recorded, passes from the scheduler since the last acceptance."""

(EVENTS, PASSES, SYNAPSE_READS, SYNAPSE_WRITES, UPDATES, FIFO_STALLS, SPIKES, DROPS,
 HIGH_WATER) = range(len(EVENT_COUNTERS))

_SPIKE, _VIRTUAL, _LEAK = int(EventKind.SPIKE), int(EventKind.VIRTUAL), int(EventKind.LEAK)
_SYNAPSE, _TIME_ONE = int(EventKind.SYNAPSE), int(EventKind.TIME_ONE)
_TIME_ALL, _ROW = int(EventKind.TIME_ALL), int(EventKind.BISTABILITY_ROW)

_BYTE = np.uint8
_WORD = np.uint64


@kernel
def _field(word: np.uint64, position: int, last: int) -> int:
    return INT((word >> _WORD(position)) & _WORD(last))


@kernel
def _push(setup: EventSetup, tile: EventTile, record: Record, word: np.uint64) -> None:
    """Append an entry to the scheduler, or drop it."""
    place, counter = record.place, tile.counter
    if place[LEVEL] == setup.queue_depth:
        counter[DROPS] += 1
        return
    tile.queue[place[HEAD] + place[LEVEL] & setup.queue_depth - 1] = word
    place[LEVEL] += 1
    counter[HIGH_WATER] = max(counter[HIGH_WATER], place[LEVEL])


@kernel
def _note(record: Record, spikes: int) -> None:
    """The spikes listed behind the output become part of it."""
    record.sent[record.place[NEXT] - 1] += spikes
    record.place[LOGGED] += spikes


@kernel
def _spike_pass(setup: EventSetup, tile: EventTile, pre: int) -> None:
    """Spike of ``pre``."""
    neurons, first = tile.neurons, pre * setup.neurons
    receive_row(neurons, tile.synapse, first, tile.sign[pre], _BYTE(setup.propagate_from))
    if setup.learn:
        sdsp_row(tile.synapse, first, neurons.up, neurons.down, _BYTE(setup.learn_from))
    settle(neurons)


@kernel
def _synapse_pass(setup: EventSetup, tile: EventTile, pre: int, post: int) -> None:
    """Neuron ``post`` receives the synapse from ``pre``."""
    neurons, where = tile.neurons, pre * setup.neurons + post
    synapse = tile.synapse[where]
    if setup.learn and setup.learn_on_synapse:
        tile.synapse[where] = sdsp_synapse(synapse, neurons.up[post], neurons.down[post],
                                           _BYTE(setup.learn_from))
    x = _BYTE(synapse & _BYTE(7)) if synapse >= setup.propagate_from else _BYTE(0)
    deliver(neurons, post, x, tile.sign[pre])


@kernel
def _bistability_pass(setup: EventSetup, tile: EventTile, kind: int, pre: int) -> int:
    """Bistability of one row or all: number of groups."""
    rows = 1 if kind == _ROW else setup.neurons
    first = pre * setup.neurons if kind == _ROW else 0
    if setup.learn:
        bistable_synapses(tile.synapse, first, first + rows * setup.neurons,
                          _BYTE(setup.learn_from))
        tile.counter[SYNAPSE_WRITES] += rows * setup.groups
    tile.counter[SYNAPSE_READS] += rows * setup.groups
    return rows * setup.groups


@kernel
def _update_one(setup: EventSetup, tile: EventTile, word: np.uint64, kind: int, pre: int,
                post: int) -> None:
    """Pass that updates neuron ``post``."""
    neurons, counter = tile.neurons, tile.counter
    if kind == _SYNAPSE:
        counter[SYNAPSE_READS] += 1
        counter[SYNAPSE_WRITES] += setup.learn & setup.learn_on_synapse
        _synapse_pass(setup, tile, pre, post)
    elif kind == _VIRTUAL:
        deliver(neurons, post, _BYTE(_field(word, setup.weight, 7)),
                _field(word, setup.inhibitory, 1))
    else:
        time_reference(neurons, post)


@kernel
def _execute(setup: EventSetup, tile: EventTile, record: Record, word: np.uint64,
             kind: int) -> None:
    """One pass, chosen in the cycle of ``record.place``; its place is then the next choice."""
    place, counter = record.place, tile.counter
    start, logged = place[CYCLE], place[LOGGED]
    pre, post = (_field(word, setup.pre, setup.neurons - 1),
                 _field(word, setup.post, setup.neurons - 1))
    counter[PASSES] += 1
    if kind >= _ROW:
        groups = _bistability_pass(setup, tile, kind, pre)
        place[CYCLE] = start + groups + setup.stages + 2
        return
    if kind == _SPIKE or kind == _TIME_ALL:
        if kind == _SPIKE:
            counter[SYNAPSE_READS] += setup.groups
            counter[SYNAPSE_WRITES] += setup.groups if setup.learn else 0
            _spike_pass(setup, tile, pre)
        else:
            time_references(tile.neurons)
        group, groups = 0, setup.groups
        spikes = find_emitted(tile.neurons.emitted_words, record.spike_neuron, logged)
    else:
        _update_one(setup, tile, word, kind, pre, post)
        group, groups = post >> setup.lane_bits, 1
        record.spike_neuron[logged] = post
        spikes = INT(tile.neurons.emitted[post])
    done, stalls = spike_times(
        record.spike_neuron, record.spike_cycle, logged, spikes, setup.lane_bits, group, groups,
        start, setup.stages, setup.fifo_depth, tile.credits)
    counter[UPDATES] += groups
    counter[FIFO_STALLS] += stalls
    counter[SPIKES] += spikes
    if not setup.open_loop:
        for s in range(logged, logged + spikes):
            _push(setup, tile, record, _WORD(record.spike_neuron[s]) << _WORD(setup.pre))
    if not setup.source:
        _note(record, spikes)
    place[CYCLE] = done + 1


def _make_advance_events(sources: str):
    @entry
    def advance_events(setup, tile, record, wait, until, choices, pass_limit):
        """Make up to ``choices`` choices; events are offered up to before number ``until``.

        With ``wait`` an event is offered only while the tile is idle. The result says why it
        returned.
        """
        len(sources)  # see jit.entry
        place = record.place
        for _ in range(choices):
            level = place[LEVEL]
            offered = place[NEXT] < until and (level == 0 or not wait)
            if level == 0 and not offered:
                return DONE
            if place[LOGGED] + setup.neurons + 3 > record.spike_cycle.size:
                return FULL
            word = record.words[place[NEXT]] if offered else _WORD(0)
            kind = _field(word, setup.kind, 7)
            accepted = offered and level < setup.queue_depth and (kind < _ROW or level == 0)
            if accepted:
                record.accepted[place[NEXT]] = place[CYCLE]
                place[NEXT] += 1
                place[LONE] = 0
                tile.counter[EVENTS] += 1
                if kind <= _LEAK:
                    _push(setup, tile, record, word)
                    place[CYCLE] += 1
                    continue
            elif place[LONE] == pass_limit:
                return ENDLESS
            else:
                place[LONE] += 1
                word = tile.queue[place[HEAD]]
                kind = _field(word, setup.kind, 3)
                if kind == _SYNAPSE:  # no entry is of this kind, unless a bit of it flips
                    kind = _SPIKE
                if setup.source and kind == _SPIKE:
                    record.spike_neuron[place[LOGGED]] = _field(word, setup.pre, setup.neurons - 1)
                    record.spike_cycle[place[LOGGED]] = place[CYCLE]
                    _note(record, 1)
            _execute(setup, tile, record, word, kind)
            if not accepted:
                place[HEAD] = place[HEAD] + 1 & setup.queue_depth - 1
                place[LEVEL] -= 1
        return PAUSED

    return advance_events


advance_events = _make_advance_events(source_digest())
