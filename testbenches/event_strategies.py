# SPDX-License-Identifier: Apache-2.0
"""Random programs and events for tiles in event mode, of which every one ends.

A closed loop ends because its neurons cannot all be kept above their thresholds: each spike
takes at least a threshold from the sum of the membranes, and gives less than one.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from neurotile.spec import EVENT_PRESETS, EventConfig, EventProgram, Events, Switches
from neurotile.spec.event_formats import (
    EventKind,
    calcium_rule_word,
    neuron_word,
    sdsp_synapse_word,
    state_word,
)
from neurotile.spec.formats import memories

from .strategies import Choices, Drawn

__all__ = ["EventCase", "event_cases", "random_event_case", "random_event_config"]

Fields = dict[str, npt.NDArray[np.int64]]

_HIGHEST_WEIGHT = 7
# Cycles of the events of a case, about: bistability of all synapses takes 8192 with 256 neurons.
_CYCLES = 30_000


@dataclass(frozen=True, eq=False)
class EventCase:
    """A program and events."""

    program: EventProgram
    events: Events
    kinds: str
    """What the memories hold and which events are sent."""

    def __repr__(self) -> str:
        return (f"<{self.program.config.name}; {self.kinds}; {self.program.switches}; "
                f"{self.events.words.size} events, wait={self.events.wait}>")


def random_event_case(choices: Choices, config: EventConfig) -> EventCase:
    """Case with any switches; memories from random bits to neurons that fire all the time."""
    kind = choices.pick(["usual", "eager", "bits", "edges"])
    rng = choices.numbers()
    found = {memory.name: rng.integers(0, 1 << memory.word.width, (memory.rows, memory.lanes),
                                       dtype=np.uint64) for memory in memories(config)}
    if kind != "bits":
        found |= _shaped(kind, rng, found)
    flags = [bool(choices.integer(0, 1)) for _ in range(4)]
    open_loop = choices.integer(0, 2) > 0
    switches = Switches(open_loop=open_loop, update_unmapped=flags[0],
                        propagate_unmapped=flags[1], learn_on_synapse=flags[2], source=flags[3],
                        learn=choices.integer(0, 4) > 0)
    if not open_loop:
        switches = _tamed(choices, rng, config, found, switches)
    events, stream = _events(choices, rng, config)
    return EventCase(EventProgram(config, found, switches), events, f"{kind} memories, {stream}")


@st.composite
def event_cases(draw: Any, config: EventConfig) -> EventCase:
    """Hypothesis strategy of cases for a tile."""
    return random_event_case(Drawn(draw), config)


def random_event_config(choices: Choices, name: str) -> EventConfig:
    """Small tile of any structure."""
    lanes = choices.pick([1, 2, 4, 8, 16])
    return EVENT_PRESETS["odin"].replace(
        name=name, lanes=lanes,
        neurons=lanes * choices.pick([2, 4, 8] if lanes > 4 else [2, 8, 16]),
        queue_depth=choices.pick([2, 4, 8, 32]), spike_fifo_depth=choices.pick([2, 4, 8]),
        stages=choices.pick([1, 2, 3]))


def _shaped(kind: str, rng: np.random.Generator, bits: dict[str, npt.NDArray[np.uint64]]
            ) -> dict[str, npt.NDArray[np.uint64]]:
    """Memories whose neurons do something, from random bits."""
    neuron = neuron_word().unpack(bits["neuron"])
    rule = calcium_rule_word().unpack(bits["calcium_rule"])
    state = state_word().unpack(bits["state"])
    shape = neuron["threshold"].shape

    def among(*values: int) -> npt.NDArray[np.int64]:
        return rng.choice(values, shape)

    neuron["disable"] = (rng.random(shape) < 0.1).astype(np.int64)
    rule["enable"] = (rng.random(shape) < 0.9).astype(np.int64)
    if kind == "edges":
        neuron["threshold"] = among(0, 1, 7, 254, 255)
        neuron["leak"] = among(0, 1, 127)
        rule["theta_mem"] = among(0, 1, 255)
        rule["leak"] = among(0, 1, 2, 31)
        state["v"] = among(0, 1, 248, 249, 254, 255)
        state["leak_count"] = among(0, 1, 30, 31)
        state["calcium"] = among(0, 6, 7)
    else:
        highest = 40 if kind == "usual" else 9
        neuron["threshold"] = rng.integers(2, highest, shape)
        neuron["leak"] = rng.integers(0, 4, shape)
        rule["theta_mem"] = rng.integers(0, highest, shape)
        rule["theta1"], rule["theta2"], rule["theta3"] = among(0, 0, 1), among(3, 7), among(5, 7)
        rule["leak"] = rng.integers(0, 5, shape)
        state["v"] = rng.integers(0, highest, shape)
        state["leak_count"] = rng.integers(0, 4, shape)
        both = state["up"] & state["down"]
        state["down"] -= both
    return {"neuron": neuron_word().pack(neuron), "calcium_rule": calcium_rule_word().pack(rule),
            "state": state_word().pack(state)}


def _tamed(choices: Choices, rng: np.random.Generator, config: EventConfig,
           found: dict[str, npt.NDArray[np.uint64]], switches: Switches) -> Switches:
    """Make a closed loop end: few neurons that send, or few synapses that deliver."""
    n = config.neurons
    neuron = neuron_word().unpack(found["neuron"])
    few = choices.pick([1, 2, 4, 8])
    if choices.integer(0, 1):
        few = min(few * choices.pick([1, 4]), n)
        sends = np.isin(np.arange(n), rng.choice(n, few, replace=False))
        neuron["disable"] = 1 - sends.astype(np.int64).reshape(neuron["disable"].shape)
    else:
        fields = sdsp_synapse_word().unpack(found["synapse"].reshape(n, n))
        few = min(few, n)
        chosen = rng.permuted(np.tile(np.arange(n), (n, 1)), axis=1)[:, :few]
        fields["mapped"] = np.zeros((n, n), np.int64)
        np.put_along_axis(fields["mapped"], chosen, 1, axis=1)
        found["synapse"] = sdsp_synapse_word().pack(fields).reshape(found["synapse"].shape)
        switches = Switches(**{**vars(switches), "propagate_unmapped": False})
    least = _HIGHEST_WEIGHT * few + 1
    neuron["threshold"] = rng.integers(least, min(255, least + 20), neuron["disable"].shape,
                                       endpoint=True)
    found["neuron"] = neuron_word().pack(neuron)
    return switches


_STREAMS: dict[str, tuple[EventKind, ...]] = {
    "all kinds": tuple(EventKind),
    "spikes": (*[EventKind.SPIKE] * 6, EventKind.TIME_ALL),
    "single neurons": (*[EventKind.SYNAPSE] * 3, EventKind.VIRTUAL, EventKind.LEAK,
                       EventKind.TIME_ONE),
    "scheduler": (EventKind.SPIKE, EventKind.VIRTUAL, EventKind.LEAK, EventKind.LEAK),
    "time": (EventKind.SPIKE, EventKind.TIME_ALL, EventKind.TIME_ONE),
    "learning": (*[EventKind.SPIKE] * 4, *[EventKind.SYNAPSE] * 4, EventKind.BISTABILITY_ROW),
}


def _events(choices: Choices, rng: np.random.Generator, config: EventConfig
            ) -> tuple[Events, str]:
    name = choices.pick(list(_STREAMS))
    kinds = rng.choice(_STREAMS[name], choices.integer(0, 60)).astype(np.int64)
    # As many events of each kind as there is time for.
    cost = np.where(kinds == EventKind.BISTABILITY_ALL, config.synapse_words, config.groups)
    kinds = kinds[np.cumsum(cost) <= _CYCLES]
    # Few sources and targets are met often enough to learn.
    most = min(config.neurons, choices.pick([config.neurons, 3, config.lanes + 1]))
    pre, post = (rng.integers(0, most, kinds.size) for _ in range(2))
    return Events.make(config, kinds, pre=pre, post=post, weight=rng.integers(0, 8, kinds.size),
                       inhibitory=rng.integers(0, 2, kinds.size),
                       wait=choices.integer(0, 1) == 0), name
