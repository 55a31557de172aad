# SPDX-License-Identifier: Apache-2.0
"""What the kernels of event mode work on: configuration, contents and records as arrays."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..spec import EVENT_COUNTERS, EventConfig, Switches
from ..spec.event_formats import (
    calcium_rule_word,
    event_word,
    neuron_word,
    sdsp_synapse_word,
    state_word,
)
from .calcium import NEVER, NO_CALCIUM
from .event_neuron import Neurons

__all__ = ["EventSetup", "EventTile", "Record", "empty_tile", "load_memory", "make_event_setup",
           "new_record", "pack_memory"]

Bytes = npt.NDArray[np.uint8]
Times = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]


class EventSetup(NamedTuple):
    """Configuration of a tile in event mode and its switches, as integers."""

    neurons: int
    lane_bits: int
    groups: int
    queue_depth: int
    fifo_depth: int
    stages: int
    pre: int
    """Bit position of this field in an event, as the following."""
    post: int
    weight: int
    inhibitory: int
    kind: int
    open_loop: int
    learn_from: int
    """Smallest synapse (weight and mapping bit) that learns."""
    propagate_from: int
    """Smallest synapse that delivers its weight."""
    learn_on_synapse: int
    source: int
    learn: int


class EventTile(NamedTuple):
    """Memories, scheduler and counters."""

    synapse: Bytes
    """Weight in bits 2..0, mapping bit in bit 3; pre * N + post."""
    sign: Bytes
    neurons: Neurons
    queue: Words
    """Entries of the scheduler, as events."""
    counter: Times
    credits: Times
    """Room for ``event_timing.spike_times``."""


class Record(NamedTuple):
    """Events that are processed, and what is written down about them."""

    words: Words
    accepted: Times
    sent: Times
    """Spikes of the output between the acceptance of each event and the next."""
    spike_neuron: npt.NDArray[np.int32]
    """The output; behind it a pass lists what it emits."""
    spike_cycle: Times
    place: Times
    """See the constants of ``event_tile``."""


def make_event_setup(config: EventConfig, switches: Switches) -> EventSetup:
    """Configuration and switches as the kernels read them."""
    word, mapped = event_word(config), 1 << sdsp_synapse_word().offset("mapped")
    return EventSetup(
        neurons=config.neurons, lane_bits=config.lanes.bit_length() - 1, groups=config.groups,
        queue_depth=config.queue_depth, fifo_depth=config.spike_fifo_depth, stages=config.stages,
        pre=word.offset("pre"), post=word.offset("post"), weight=word.offset("weight"),
        inhibitory=word.offset("inhibitory"), kind=word.offset("kind"),
        open_loop=int(switches.open_loop), learn_from=0 if switches.update_unmapped else mapped,
        propagate_from=0 if switches.propagate_unmapped else mapped,
        learn_on_synapse=int(switches.learn_on_synapse), source=int(switches.source),
        learn=int(switches.learn))


def empty_tile(config: EventConfig) -> EventTile:
    """Tile whose memories hold zeros."""
    n = config.neurons
    emitted = np.zeros(-(-n // 64) * 64, np.uint8)
    columns: dict[str, Any] = {name: np.zeros(n, np.uint8) for name in Neurons._fields}
    columns |= {"emitted": emitted, "emitted_words": emitted.view(np.uint64)}
    longest = config.spike_fifo_depth * config.lanes + 2 * config.stages + 2
    return EventTile(
        synapse=np.zeros(n * n, np.uint8), sign=np.zeros(n, np.uint8),
        neurons=Neurons(**columns), queue=np.zeros(config.queue_depth, np.uint64),
        counter=np.zeros(len(EVENT_COUNTERS), np.int64),
        credits=np.zeros(1 << longest.bit_length(), np.int64))


def new_record(words: Words, spikes: int) -> Record:
    """Record of these events with room for a number of spikes."""
    return Record(words=np.array(words, np.uint64), accepted=np.zeros(words.size, np.int64),
                  sent=np.zeros(words.size, np.int64), spike_neuron=np.zeros(spikes, np.int32),
                  spike_cycle=np.zeros(spikes, np.int64), place=np.zeros(6, np.int64))


def load_memory(tile: EventTile, name: str, words: npt.NDArray[np.integer]) -> None:
    """Write all words of a memory, (rows, lanes)."""
    flat, neurons = np.asarray(words, np.uint64).ravel(), tile.neurons
    if name == "synapse":
        word = sdsp_synapse_word()
        weight, mapped = word.offset("weight"), word.offset("mapped")
        assert (weight, mapped) == (0, 3)  # sdsp.py computes on the word itself
        tile.synapse[:] = flat
    elif name == "sign":
        tile.sign[:] = flat
    elif name == "neuron":
        field = neuron_word().unpack(flat)
        neurons.threshold[:] = field["threshold"]
        neurons.leak[:] = field["leak"] * field["leak_enable"]
        neurons.sends[:] = 1 - field["disable"]
    elif name == "calcium_rule":
        field = calcium_rule_word().unpack(flat)
        enable = field["enable"] != 0
        neurons.enable[:] = enable
        for theta in ("theta_mem", "theta2", "theta3"):
            getattr(neurons, theta)[:] = field[theta]
        neurons.theta1[:] = np.where(enable, field["theta1"], NO_CALCIUM)
        neurons.last_count[:] = np.where(enable & (field["leak"] != 0), field["leak"] - 1, NEVER)
    else:
        for part, values in state_word().unpack(flat).items():
            getattr(neurons, part)[:] = values


def pack_memory(config: EventConfig, tile: EventTile, name: str) -> Words:
    """Words of ``synapse`` or ``state``, (rows, lanes)."""
    if name == "synapse":
        return tile.synapse.astype(np.uint64).reshape(config.synapse_words, config.lanes)
    fields = [field.name for field in state_word().fields]
    words = state_word().pack({part: getattr(tile.neurons, part) for part in fields})
    return words.reshape(config.groups, config.lanes)
