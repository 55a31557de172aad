# SPDX-License-Identifier: Apache-2.0
"""The fast engine in event mode: a program and events in, a trace out."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..spec import EVENT_COUNTERS, EventProgram, Events, EventTrace, Switches, UserError
from ..spec.event_run import Observer
from .event_layout import (
    Record,
    empty_tile,
    load_memory,
    make_event_setup,
    new_record,
    pack_memory,
)
from .event_tile import CYCLE, ENDLESS, FULL, LEVEL, LOGGED, NEXT, advance_events

__all__ = ["LoadedEventTile", "Processed", "run"]

Int = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

_CALL_SECONDS = 0.1
_FIRST_CHOICES = 1 << 10
_MOST_CHOICES = 1 << 30
_ROOM = 1 << 16
_PASS_LIMIT = 1 << 20


@dataclass(frozen=True, eq=False)
class Processed:
    """What a tile says about a list of events; fields as in ``spec.EventTrace``."""

    spike_event: Int
    spike_neuron: Int
    spike_cycle: Int
    accepted: Int
    end: int


class LoadedEventTile:
    """A tile in event mode with its memories loaded, for any number of event lists.

    Memories and counters go on from list to list. Nothing is packed or copied between two calls of
    :meth:`process`: reading a weight is reading an array, and so is writing one::

        tile = LoadedEventTile(program)
        for image in images:
            out = tile.process(events_of(image))            # learns
            votes = np.bincount(out.spike_neuron, minlength=10)
            tile.neurons["v"][:] = 0                        # write states
        weights = tile.synapse[:, :10] & 7                  # read weights

    Parameters
    ----------
    program : EventProgram
        Configuration, memories and switches.

    Attributes
    ----------
    synapse : ndarray of uint8, (N, N)
        Live: weight in bits 2..0 and mapping bit in bit 3 of the synapse [pre, post].
    neurons : dict of str to ndarray of uint8, (N,)
        Live: ``v``, ``calcium``, ``leak_count``, ``up`` and ``down`` of every neuron. What is
        written must fit the field of ``event_formats.state_word``.
    """

    def __init__(self, program: EventProgram) -> None:
        self.program, self.config = program, program.config
        self._tile = empty_tile(self.config)
        n = self.config.neurons
        self.synapse = self._tile.synapse.reshape(n, n)
        self.neurons = {name: getattr(self._tile.neurons, name)
                        for name in ("v", "calcium", "leak_count", "up", "down")}
        # Kept from list to list: fresh memory costs more than what is written to it.
        self._room = new_record(np.zeros(0, np.uint64), _ROOM + n + 3)
        self.switch(program.switches)
        self.reset()

    def reset(self) -> None:
        """Load all memories of the program again and clear the counters."""
        self.load(self.program.memories)
        self._tile.counter[:] = 0

    def clear(self) -> None:
        """What register CLEAR does: states and counters become 0."""
        for array in self.neurons.values():
            array[:] = 0
        self._tile.counter[:] = 0

    def load(self, memories: Mapping[str, Words]) -> None:
        """Write all words of these memories; the others stay.

        Parameters
        ----------
        memories : mapping of str to ndarray of uint64, (rows, lanes)
            As in ``EventProgram``.

        Raises
        ------
        UserError
            A memory is unknown, has the wrong shape, or a word is too wide.
        """
        EventProgram(self.config, {**self.program.memories, **memories}, self.program.switches)
        for name, words in memories.items():
            load_memory(self._tile, name, words)

    def switch(self, switches: Switches) -> None:
        """Write register SWITCHES."""
        self._setup = make_event_setup(self.config, switches)

    def memories(self) -> dict[str, Words]:
        """Words of ``synapse`` and ``state``, each (rows, lanes)."""
        return {name: pack_memory(self.config, self._tile, name) for name in ("synapse", "state")}

    def counters(self) -> dict[str, int]:
        """Counters since the last :meth:`reset` or :meth:`clear`."""
        values = (self._tile.counter & 0xFFFFFFFF).tolist()
        return dict(zip(EVENT_COUNTERS, values, strict=True))

    def process(self, events: Events, *, observe: Observer | None = None,
                progress: Callable[[int, int], None] | None = None,
                pass_limit: int = _PASS_LIMIT) -> Processed:
        """Process events; cycle 0 is the first of this list.

        Parameters
        ----------
        events : Events
            What the host sends.
        observe : callable, optional
            Called after every event is completely processed; only with ``events.wait``.
        progress : callable, optional
            Called now and then with events accepted and events in all.
        pass_limit : int
            Passes of spikes after an event, without another, that count as endless.

        Raises
        ------
        UserError
            ``observe`` was given without ``events.wait``, or an event never ends.
        """
        if observe and not events.wait:
            raise UserError("events: only events with wait=True can be observed, because others "
                            "overlap")
        total, choices = events.words.size, _FIRST_CHOICES
        record = self._room._replace(
            words=np.asarray(events.words, np.uint64), accepted=np.zeros(total, np.int64),
            sent=np.zeros(total, np.int64), place=np.zeros(6, np.int64))
        place = record.place
        until = 1 if observe else total
        # Bytes wrap as intended; without compilation numpy warns about it.
        with np.errstate(over="ignore"):
            while True:
                started = time.perf_counter()
                code = advance_events(self._setup, self._tile, record, int(events.wait),
                                      min(until, total), choices, pass_limit)
                if code == FULL:
                    record = self._grow(record)
                    continue
                if code == ENDLESS:
                    raise UserError(
                        f"{self.config.name}: event {place[NEXT] - 1}: after {pass_limit} passes "
                        f"{place[LEVEL]} spikes are in the scheduler: the closed loop never ends; "
                        "it needs less weight, or open_loop")
                idle = place[LEVEL] == 0 and place[NEXT] == min(until, total)
                if idle and observe and total:
                    observe(until - 1, self.memories())
                    until += 1
                if progress:
                    progress(int(place[NEXT]), total)
                if idle and place[NEXT] == total:
                    break
                if time.perf_counter() - started < _CALL_SECONDS / 2:
                    choices = min(2 * choices, _MOST_CHOICES)
        return self._processed(record)

    def _grow(self, record: Record) -> Record:
        """Record with twice the room for spikes, which is kept."""
        longer = {name: np.concatenate([array, array]) for name, array in
                  record._asdict().items() if name.startswith("spike_")}
        self._room = self._room._replace(**longer)
        return record._replace(**longer)

    def _processed(self, record: Record) -> Processed:
        spikes = int(record.place[LOGGED])
        return Processed(
            spike_event=np.repeat(np.arange(record.sent.size), record.sent),
            spike_neuron=record.spike_neuron[:spikes].astype(np.int64),
            spike_cycle=record.spike_cycle[:spikes].copy(), accepted=record.accepted,
            end=int(record.place[CYCLE]))


def run(program: EventProgram, events: Events, *, observe: Observer | None = None,
        progress: Callable[[int, int], None] | None = None,
        pass_limit: int = _PASS_LIMIT) -> EventTrace:
    """Trace of a program; see :meth:`LoadedEventTile.process` for parameters and errors."""
    tile = LoadedEventTile(program)
    done = tile.process(events, observe=observe, progress=progress, pass_limit=pass_limit)
    return EventTrace(
        engine="fast", spike_event=done.spike_event, spike_neuron=done.spike_neuron,
        memories=tile.memories(), counters=tile.counters(), accepted=done.accepted, end=done.end,
        spike_cycle=done.spike_cycle)
