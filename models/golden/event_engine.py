# SPDX-License-Identifier: Apache-2.0
"""Runs a tile in event mode, one event after the other (docs/event_mode.md, sections 1 to 4)."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ...spec import EVENT_COUNTERS, EventProgram, Events, EventTrace, UserError
from ...spec.event_formats import (
    EventKind,
    calcium_rule_word,
    neuron_word,
    sdsp_synapse_word,
    state_word,
)
from ...spec.event_run import Observer
from .event_rules import CalciumNeurons, bistability, sdsp

__all__ = ["run"]

Int = npt.NDArray[np.int64]
Progress = Callable[[int, int], None]

_PASS_LIMIT = 1 << 20
_SYNAPSE = sdsp_synapse_word()


def run(program: EventProgram, events: Events, *, observe: Observer | None = None,
        progress: Progress | None = None, pass_limit: int = _PASS_LIMIT) -> EventTrace:
    """Spikes, memories and counters of ``program`` under ``events``.

    The host waits for each event to be completely processed, so nothing here depends on cycles.
    That holds for ``queue_high_water`` too: an appended entry stays at least until the pass that it
    was appended in has ended, so the largest number of entries is reached right after an append.

    Parameters
    ----------
    observe : Observer, optional
        Called after every event.
    progress : callable, optional
        Called with (events done, events).
    pass_limit : int
        Passes of one event that count as endless.

    Raises
    ------
    UserError
        ``events.wait`` is not set, or an event never ends.
    """
    if not events.wait:
        raise UserError("the golden engine has no cycles: it can only run events that wait for the "
                        "one before (Events.wait)")
    tile = _Tile(program)
    fields = events.fields(program.config)
    for k in range(len(events.words)):
        tile.accept(k, {name: int(values[k]) for name, values in fields.items()}, pass_limit)
        if observe is not None:
            observe(k, tile.memories())
        if progress is not None:
            progress(k + 1, len(events.words))
    return EventTrace(
        engine="golden", spike_event=np.array(tile.spike_event, np.int64),
        spike_neuron=np.array(tile.spike_neuron, np.int64),
        memories={name: words.copy() for name, words in tile.memories().items()},
        counters=tile.counters)


@dataclass
class _Tile:
    """Memories, scheduler, output and counters of a tile.

    ``entries`` holds the event of every scheduler entry as a dictionary of its fields; the head is
    the one that is executed.
    """

    program: EventProgram
    entries: deque[dict[str, int]] = field(default_factory=deque)
    event: int = 0
    spike_event: list[int] = field(default_factory=list)
    spike_neuron: list[int] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=lambda: {
        name: 0 for name in EVENT_COUNTERS if name != "fifo_stalls"})

    def __post_init__(self) -> None:
        held, n = self.program.memories, self.program.config.neurons
        # Lane n mod L of group n // L is neuron n, so rows of lanes are neurons in their order.
        self.synapse = held["synapse"].reshape(n, n).astype(np.uint64)
        self.inhibitory = held["sign"].reshape(n) == 1
        self.all = np.arange(n)
        self.neurons = CalciumNeurons(neuron_word().unpack(held["neuron"].reshape(n)),
                                      calcium_rule_word().unpack(held["calcium_rule"].reshape(n)),
                                      state_word().unpack(held["state"].reshape(n)))

    def memories(self) -> Mapping[str, npt.NDArray[np.uint64]]:
        """Words of the memories that events change."""
        shape = (-1, self.program.config.lanes)
        return {"synapse": self.synapse.reshape(shape),
                "state": state_word().pack(self.neurons.state).reshape(shape)}

    def accept(self, number: int, event: dict[str, int], pass_limit: int) -> None:
        """Process an input event with all that follows from it."""
        self.event = number
        self.counters["events"] += 1
        if event["kind"] <= EventKind.LEAK:
            self._append(event)
        else:
            self._execute(event)
        first = self.counters["passes"]
        while self.entries:
            if self.counters["passes"] - first >= pass_limit:
                raise UserError(f"event {number}: not at its end after {pass_limit:,} passes; its "
                                "spikes excite the network for ever")
            self._execute(self.entries[0])
            self.entries.popleft()

    def _append(self, entry: dict[str, int]) -> None:
        self.entries.append(entry)
        self.counters["queue_high_water"] = max(self.counters["queue_high_water"],
                                                len(self.entries))

    def _execute(self, event: dict[str, int]) -> None:
        """One pass, its output and what it appends to the scheduler."""
        self.counters["passes"] += 1
        kind, pre = EventKind(event["kind"]), event["pre"]
        if kind is EventKind.SPIKE and self.program.switches.source:
            self._output(pre)
        if kind is EventKind.BISTABILITY_ROW:
            self._bistability(self.all[pre:pre + 1])
        elif kind is EventKind.BISTABILITY_ALL:
            self._bistability(self.all)
        else:
            for neuron in self._update(kind, event):
                self._emit(int(neuron))

    def _update(self, kind: EventKind, event: dict[str, int]) -> Int:
        """A pass that updates neurons; those that emit a spike, ascending."""
        everyone = kind in (EventKind.SPIKE, EventKind.TIME_ALL)
        who = self.all if everyone else self.all[event["post"]:event["post"] + 1]
        self._count("updates", who)
        if kind in (EventKind.SPIKE, EventKind.SYNAPSE):
            return self._synapses(event["pre"], who,
                                  plastic=everyone or self.program.switches.learn_on_synapse)
        if kind is EventKind.VIRTUAL:
            return self.neurons.deliver(who, np.array([event["weight"]]),
                                        inhibitory=bool(event["inhibitory"]))
        return self.neurons.time_reference(who)

    def _synapses(self, pre: int, who: Int, *, plastic: bool) -> Int:
        """Deliver the synapses of ``pre`` and change them; neurons that emit a spike."""
        switches, state = self.program.switches, self.neurons.state
        synapse = _SYNAPSE.unpack(self.synapse[pre, who])
        self._count("synapse_reads", who)
        if plastic and switches.learn:
            # Before the neurons: the flags are those that they had before the event.
            self._store(pre, who, synapse, sdsp(synapse["weight"], state["up"][who],
                                                state["down"][who]))
        delivered = (synapse["mapped"] == 1) | switches.propagate_unmapped
        return self.neurons.deliver(who, np.where(delivered, synapse["weight"], 0),
                                    inhibitory=bool(self.inhibitory[pre]))

    def _bistability(self, rows: Int) -> None:
        for pre in rows:
            synapse = _SYNAPSE.unpack(self.synapse[pre])
            self._count("synapse_reads", self.all)
            if self.program.switches.learn:
                self._store(pre, self.all, synapse, bistability(synapse["weight"]))

    def _store(self, pre: int, who: Int, synapse: dict[str, Int], weight: Int) -> None:
        """Write the new weights of the synapses that may change."""
        changes = (synapse["mapped"] == 1) | self.program.switches.update_unmapped
        self.synapse[pre, who] = _SYNAPSE.pack(
            {**synapse, "weight": np.where(changes, weight, synapse["weight"])})
        self._count("synapse_writes", who)

    def _count(self, name: str, who: Int) -> None:
        """Count the groups of a pass over the neurons ``who``."""
        self.counters[name] += -(-len(who) // self.program.config.lanes)

    def _emit(self, neuron: int) -> None:
        self.counters["spikes"] += 1
        if not self.program.switches.source:
            self._output(neuron)
        if not self.program.switches.open_loop:
            if len(self.entries) < self.program.config.queue_depth:
                self._append({"kind": EventKind.SPIKE, "pre": neuron})
            else:
                self.counters["drops"] += 1

    def _output(self, neuron: int) -> None:
        self.spike_event.append(self.event)
        self.spike_neuron.append(neuron)
