# SPDX-License-Identifier: Apache-2.0
"""Every bit format of a tile and the list of its memories (docs/semantics.md, section 5)."""

from dataclasses import dataclass
from enum import IntEnum

from .codes import MemoryId
from .config import TileConfig
from .event_config import EventConfig
from .event_formats import event_words, sdsp_synapse_word
from .word import Field, Word

__all__ = ["Memory", "axon_word", "calcium_word", "group_word", "host_request_word", "input_word",
           "memories", "output_word", "route_word", "step_calcium_rule_word"]

_HOST_INDEX_BITS = 24


def axon_word(config: TileConfig) -> Word:
    """Axon descriptor: one segment of a row of synapses."""
    learns = (Field("inhibitory", 1, "weights are subtracted"),
              Field("plastic", 1, "synapses learn")) if config.learns else ()
    delays = {
        "none": (),
        "scdq": (Field("more", 1, "another level follows at the next address"),
                 Field("skip", config.delay_bits, "steps between this level and the next")),
        "ring": (Field("delay", config.delay_bits, "steps from arrival to effect"),)}[config.delay]
    return Word("axon", (
        Field("row", config.row_bits, "first synapse word"),
        Field("group", config.group_bits, "first group"),
        Field("count", config.group_bits, "number of groups minus one"),
        Field("last", 1, "no further segment follows"), *learns, *delays))


def group_word(config: TileConfig) -> Word:
    """What the neurons of a group have in common."""
    shared = (Field("set", config.set_bits, "parameter set"),) if config.shared else ()
    return Word("group", (
        Field("model", 3, "neuron model, a code of spec.codes.Model"),
        Field("soft_reset", 1, "subtract the threshold instead of loading v_reset"),
        Field("shift", config.shift_bits, "left shift of the accumulator"),
        Field("offset", config.offset_bits, "first step in which the group is updated"), *shared))


def route_word(config: TileConfig) -> Word:
    """What a spike of a neuron does."""
    return Word("route", (
        Field("axon", config.axon_bits, "axon of this tile"),
        Field("local", 1, "put the axon into the event queue"),
        Field("output", 1, "send the neuron number to the output")))


def input_word(config: TileConfig) -> Word:
    """Event from the host."""
    return Word("input", (Field("axon", config.axon_bits, "axon number"),
                          Field("end_of_step", 1, "all events of the step have been sent")))


def output_word(config: TileConfig) -> Word:
    """Event to the host."""
    return Word("output", (Field("neuron", config.neuron_bits, "neuron number"),
                           Field("end_of_step", 1, "all spikes of the step have been sent")))


def host_request_word() -> Word:
    """Request at the host port."""
    return Word("request", (Field("data", 32, "word to write"),
                            Field("index", _HOST_INDEX_BITS, "row * lanes + lane"),
                            Field("memory", 4, "spec.codes.MemoryId"),
                            Field("write", 1, "write, do not read")))


@dataclass(frozen=True)
class Memory:
    """One memory of the tile: ``rows`` rows of ``lanes`` words."""

    id: IntEnum
    word: Word
    rows: int
    lanes: int

    @property
    def name(self) -> str:
        """Name in Verilog, in files and in messages."""
        return self.id.name.lower()

    @property
    def bits(self) -> int:
        """Bits of the whole memory."""
        return self.rows * self.lanes * self.word.width


def step_calcium_rule_word() -> Word:
    """When a neuron's synapses learn, apart from ``theta_mem``."""
    return Word("calcium_rule", (
        Field("enable", 1, "calcium and flags change"),
        Field("theta1", 3, "least calcium of depression and potentiation"),
        Field("theta2", 3, "calcium bound of depression"),
        Field("theta3", 3, "calcium bound of potentiation"),
        Field("leak", 5, "updates per decrement of calcium; 0: never")))


def calcium_word() -> Word:
    """Calcium of a neuron and what it makes its synapses do."""
    return Word("calcium", (Field("calcium", 3, "calcium"),
                            Field("leak_count", 5, "updates since calcium leaked"),
                            Field("up", 1, "synapses potentiate"),
                            Field("down", 1, "synapses depress")))


def memories(config: TileConfig | EventConfig) -> tuple[Memory, ...]:
    """Memories that a tile of this configuration has, in the order of their ids."""
    if isinstance(config, EventConfig):
        return tuple(Memory(id, *shape) for id, shape in event_words(config).items())

    def value(name: str, width: int, signed: bool = True) -> Word:
        return Word(name, (Field("value", width, name, signed=signed),))

    rows, lanes = (config.parameter_sets, 1) if config.shared else (config.groups, config.lanes)
    s = config.state_bits
    found = [
        Memory(MemoryId.AXON, axon_word(config), config.axons, 1),
        Memory(MemoryId.SYNAPSE, sdsp_synapse_word() if config.learns else
               value("synapse", config.weight_bits, config.weight_bits > 1),
               config.synapse_words, config.lanes),
        Memory(MemoryId.GROUP, group_word(config), config.groups, 1),
        Memory(MemoryId.THRESHOLD, value("threshold", s), rows, lanes),
        Memory(MemoryId.V_RESET, value("v_reset", s), rows, lanes),
        Memory(MemoryId.BIAS, value("bias", s), rows, lanes)]
    if config.has_decay:
        decay = Word("decay", (Field("v", config.decay_bits + 1, "decay of the membrane"),
                               Field("i", config.decay_bits + 1, "decay of the current")))
        found.append(Memory(MemoryId.DECAY, decay, rows, lanes))
    found.append(Memory(MemoryId.MEMBRANE, value("membrane", s), config.groups, config.lanes))
    if config.has_current:
        found.append(Memory(MemoryId.CURRENT, value("current", s), config.groups, config.lanes))
    found.append(Memory(MemoryId.ACCUMULATOR, value("accumulator", config.acc_bits),
                        config.accumulator_rows, config.lanes))
    found.append(Memory(MemoryId.ROUTE, route_word(config), config.neurons, 1))
    if config.learns:
        found += [Memory(MemoryId.THETA_MEM, value("theta_mem", s), rows, lanes),
                  Memory(MemoryId.CALCIUM_RULE, step_calcium_rule_word(), rows, lanes),
                  Memory(MemoryId.CALCIUM, calcium_word(), config.groups, config.lanes)]
    return tuple(found)
