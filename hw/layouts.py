# SPDX-License-Identifier: Apache-2.0
"""Words and memories of :mod:`neurotile.spec` as Amaranth shapes and interfaces."""

from typing import Any

from amaranth import signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import EventConfig, TileConfig, Word
from neurotile.spec.event_formats import event_word
from neurotile.spec.formats import Memory, group_word

__all__ = ["PASS_FLAGS", "element_shape", "event_pass", "flags_layout", "host_bus", "issue",
           "read_port", "row_layout", "row_select", "spike_mask", "struct_layout",
           "update_control", "write_port"]


def struct_layout(word: Word) -> data.StructLayout:
    """``StructLayout`` with the same fields at the same bit positions as ``word``."""
    return data.StructLayout({
        field.name: signed(field.width) if field.signed else unsigned(field.width)
        for field in word.fields
    })


def element_shape(word: Word) -> Any:
    """Shape of one word: a number if ``value`` is its only field, else a struct."""
    if [field.name for field in word.fields] == ["value"]:
        field = word.fields[0]
        return signed(field.width) if field.signed else unsigned(field.width)
    return struct_layout(word)


def row_layout(memory: Memory) -> data.ArrayLayout:
    """One row of ``memory``: a word per lane."""
    return data.ArrayLayout(element_shape(memory.word), memory.lanes)


def read_port(memory: Memory) -> wiring.Signature:
    """Signature of a reader of ``memory``.

    Members
    -------
    address : ``Out(range(rows))``
        Row to read.
    en : ``Out(1)``
        Read at the end of this cycle; ``data`` keeps its value otherwise.
    data : ``In(row_layout(memory))``
        The row, from the cycle after ``en``.
    """
    return wiring.Signature({"address": Out(range(memory.rows)), "en": Out(1),
                             "data": In(row_layout(memory))})


def write_port(memory: Memory) -> wiring.Signature:
    """Signature of a writer of ``memory``.

    Members
    -------
    address : ``Out(range(rows))``
        Row to write.
    en : ``Out(1)``
        Write all lanes at the end of this cycle.
    data : ``Out(row_layout(memory))``
        The row.
    """
    return wiring.Signature({"address": Out(range(memory.rows)), "en": Out(1),
                             "data": Out(row_layout(memory))})


def host_bus() -> wiring.Signature:
    """Signature with which the host port reaches one memory or the registers.

    Members
    -------
    index : ``Out(24)``
        Word, row · lanes + lane.
    data : ``Out(32)``
        Word to write, right-aligned.
    own : ``Out(1)``
        Only the host uses the memory in this cycle.
    write, read : ``Out(1)``
        Do it at the end of this cycle; never both, and memories only with ``own``.
    answer : ``In(32)``
        The word read, two cycles after ``read``.
    """
    return wiring.Signature({"index": Out(24), "data": Out(32), "own": Out(1), "write": Out(1),
                             "read": Out(1), "answer": In(32)})


def issue(config: TileConfig) -> wiring.Signature:
    """Signature of the walker's issue: a synapse word for a group of neurons.

    Members
    -------
    valid : ``Out(1)``
        A group is issued in this cycle.
    row : ``Out(row_bits)``
        Synapse word.
    group : ``Out(group_bits)``
        Group of neurons.
    inhibitory, plastic : ``Out(1)``
        Weights are subtracted; synapses learn. On a tile that learns.
    slot : ``Out(delay_bits)``
        Slot of the accumulators. On a tile with a ring of them.
    """
    kinds = dict.fromkeys(("inhibitory", "plastic"), Out(1)) if config.learns else {}
    if config.delay == "ring":
        kinds["slot"] = Out(config.delay_bits)
    return wiring.Signature({"valid": Out(1), "row": Out(config.row_bits),
                             "group": Out(config.group_bits), **kinds})


def flags_layout(config: TileConfig) -> data.ArrayLayout:
    """Per lane what a neuron makes its synapses do: ``up``, ``down``."""
    return data.ArrayLayout(data.StructLayout({"up": 1, "down": 1}), config.lanes)


def row_select(config: TileConfig) -> wiring.Signature:
    """Signature of the read of states and parameters, the cycle after a group was issued.

    Members
    -------
    valid : ``Out(1)``
        A group is read in this cycle.
    group : ``Out(group_bits)``
        Row of states and accumulators.
    parameters : ``Out(set_bits)`` or ``Out(group_bits)``
        Row of the parameter memories.
    """
    bits = config.set_bits if config.shared else config.group_bits
    return wiring.Signature({"valid": Out(1), "group": Out(config.group_bits),
                             "parameters": Out(bits)})


def update_control(config: TileConfig) -> data.StructLayout:
    """What the update pipeline knows about the group in one of its stages.

    Fields: ``valid``, ``active`` (inside its window), ``group``, and ``model``, ``soft_reset`` and
    ``shift`` of the group word.
    """
    word = group_word(config)
    return data.StructLayout({
        "valid": 1, "active": 1, "group": config.group_bits,
        "model": word.field("model").width, "soft_reset": 1, "shift": config.shift_bits})


def spike_mask(config: TileConfig | EventConfig) -> data.StructLayout:
    """Spikes of one group: its number and one bit per lane."""
    return data.StructLayout({"group": config.group_bits, "mask": config.lanes})


PASS_FLAGS = ("one", "every", "time", "bistable", "reads", "writes")
"""Bits of :func:`event_pass`, in their order."""


def event_pass(config: EventConfig) -> data.StructLayout:
    """What a pass of the event mode does, the same for all its groups.

    Fields: ``pre``, ``post``, ``weight`` and ``inhibitory`` of the event, and flags: ``one``: only
    neuron ``post`` takes part; ``every``: the synapses of all presynaptic neurons; ``time``: a time
    reference; ``bistable``: synapses become bistable, neurons stay; ``reads``: synapses are
    read; ``writes``: synapses can change.
    """
    word = event_word(config)
    return data.StructLayout({
        **{name: word.field(name).width for name in ("pre", "post", "weight", "inhibitory")},
        **dict.fromkeys(PASS_FLAGS, 1)})
