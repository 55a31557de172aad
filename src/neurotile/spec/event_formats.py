# SPDX-License-Identifier: Apache-2.0
"""Every code and bit format of a tile in event mode (docs/event_mode.md)."""

from enum import IntEnum

from .event_config import EventConfig
from .word import Field, Word

__all__ = ["EVENT_ID_VALUE", "EventKind", "EventMemoryId", "EventPhase", "EventRegister",
           "calcium_rule_word", "event_output_word", "event_words", "event_word", "neuron_word",
           "queue_entry_word", "sdsp_synapse_word", "state_word", "switches_word"]

EVENT_ID_VALUE = 0x4E544556


class EventKind(IntEnum):
    """What an input event does; kinds up to ``LEAK`` go through the scheduler."""

    SPIKE = 0
    VIRTUAL = 1
    LEAK = 2
    SYNAPSE = 3
    TIME_ONE = 4
    TIME_ALL = 5
    BISTABILITY_ROW = 6
    BISTABILITY_ALL = 7


class EventMemoryId(IntEnum):
    """What the ``memory`` field of a host request addresses in event mode."""

    REGISTERS = 0
    SYNAPSE = 2
    SIGN = 3
    NEURON = 4
    CALCIUM_RULE = 5
    STATE = 6


class EventPhase(IntEnum):
    """Bits 1..0 of STATUS in event mode."""

    HOLD = 0
    CLEAR = 1
    FREE = 2
    PASS = 3


class EventRegister(IntEnum):
    """Host registers in event mode; counters follow from COUNTERS on in their order."""

    ID = 0
    VERSION = 1
    DIGEST = 2
    STATUS = 3
    RUN = 4
    CLEAR = 5
    SWITCHES = 6
    LEVEL = 7
    COUNTERS = 16


def event_word(config: EventConfig) -> Word:
    """Event from the host; what its kind does not use is ignored."""
    n = config.neuron_bits
    return Word("event", (Field("pre", n, "presynaptic neuron"),
                          Field("post", n, "neuron, or postsynaptic neuron"),
                          Field("weight", 3, "weight of a virtual event"),
                          Field("inhibitory", 1, "sign of a virtual event"),
                          Field("kind", 3, "spec.event_formats.EventKind")))


def queue_entry_word(config: EventConfig) -> Word:
    """Entry of the scheduler; ``kind`` 3 acts as SPIKE."""
    return Word("entry", (Field("neuron", config.neuron_bits, "pre of a spike, else post"),
                          Field("weight", 3, "weight of a virtual event"),
                          Field("inhibitory", 1, "sign of a virtual event"),
                          Field("kind", 2, "SPIKE, VIRTUAL or LEAK of EventKind")))


def event_output_word(config: EventConfig) -> Word:
    """Spike to the host."""
    return Word("output", (Field("neuron", config.neuron_bits, "neuron number"),))


def sdsp_synapse_word() -> Word:
    """Synapse with 3-bit weight (ODIN, doi 10.1109/TBCAS.2018.2880425, section II-C)."""
    return Word("synapse", (Field("weight", 3, "weight without sign"),
                            Field("mapped", 1, "mapping bit")))


def neuron_word() -> Word:
    """Parameters of a LIF neuron of ODIN."""
    return Word("neuron", (Field("leak", 7, "subtracted by a time reference"),
                           Field("leak_enable", 1, "time references leak"),
                           Field("threshold", 8, "fires at or above it"),
                           Field("disable", 1, "spikes are not sent")))


def calcium_rule_word() -> Word:
    """When a neuron's synapses learn."""
    return Word("calcium_rule", (
        Field("enable", 1, "calcium and flags change"),
        Field("theta_mem", 8, "membrane threshold between depression and potentiation"),
        Field("theta1", 3, "least calcium of both"),
        Field("theta2", 3, "calcium bound of depression"),
        Field("theta3", 3, "calcium bound of potentiation"),
        Field("leak", 5, "time references per decrement of calcium; 0: never")))


def state_word() -> Word:
    """State of a LIF neuron of ODIN with its learning flags."""
    return Word("state", (Field("v", 8, "membrane potential"),
                          Field("calcium", 3, "calcium"),
                          Field("leak_count", 5, "time references since calcium leaked"),
                          Field("up", 1, "synapses potentiate"),
                          Field("down", 1, "synapses depress")))


def switches_word() -> Word:
    """Register SWITCHES."""
    return Word("switches", (
        Field("open_loop", 1, "spikes do not enter the scheduler"),
        Field("update_unmapped", 1, "synapses without mapping bit learn too"),
        Field("propagate_unmapped", 1, "synapses without mapping bit deliver their weight"),
        Field("learn_on_synapse", 1, "single-synapse events trigger SDSP"),
        Field("source", 1, "output lists executed spike events, not emitted spikes"),
        Field("learn", 1, "synapses change")))


def event_words(config: EventConfig) -> dict[EventMemoryId, tuple[Word, int, int]]:
    """Word, rows and lanes of every memory in event mode."""
    g, lanes = config.groups, config.lanes
    return {
        EventMemoryId.SYNAPSE: (sdsp_synapse_word(), config.synapse_words, lanes),
        EventMemoryId.SIGN: (Word("sign", (Field("value", 1, "inhibitory"),)), config.neurons, 1),
        EventMemoryId.NEURON: (neuron_word(), g, lanes),
        EventMemoryId.CALCIUM_RULE: (calcium_rule_word(), g, lanes),
        EventMemoryId.STATE: (state_word(), g, lanes)}
