# SPDX-License-Identifier: Apache-2.0
"""ODIN's codes and layouts in the tile's terms, against plain readings of their definitions."""

import numpy as np
import pytest

from neurotile import odin
from neurotile.spec import UserError
from neurotile.spec.event_formats import (
    EventKind,
    calcium_rule_word,
    neuron_word,
    sdsp_synapse_word,
    state_word,
    switches_word,
)

REGISTERS = dict.fromkeys(odin.REGISTERS, 0)


def expected(code):
    """Kind, pre, post, weight and inhibitory of a code, as ODIN's controller reads it."""
    high, low = code >> 8 & 0xFF, code & 0xFF
    if code >> 16:
        return EventKind.SYNAPSE, high, low, 0, 0
    if low & 0x7F == 0x7F:
        return (EventKind.TIME_ONE if low & 0x80 else EventKind.TIME_ALL), high, high, 0, 0
    if low & 0x7F == 0:
        return ((EventKind.BISTABILITY_ROW if low & 0x80 else EventKind.BISTABILITY_ALL),
                high, high, 0, 0)
    payload = low >> 3
    if payload == 0:
        return EventKind.SPIKE, high, high, 0, 0
    if payload & 1:
        return EventKind.LEAK, high, high, 0, 0
    return EventKind.VIRTUAL, high, high, payload >> 2, payload >> 1 & 1


def test_every_event_code():
    codes = np.arange(1 << 17, dtype=np.uint32)
    found = odin.odin_events(codes, where="here").fields(odin.CONFIG)
    columns = np.array([found[k] for k in ("kind", "pre", "post", "weight", "inhibitory")]).T
    np.testing.assert_array_equal(columns, [expected(int(code)) for code in codes])


@pytest.mark.parametrize(("code", "text"), [
    (0x10307, "SYNAPSE from 3 to 7"), (0x0307, "SPIKE of neuron 3"), (0x0301, "SPIKE of neuron 3"),
    (0x03FF, "TIME_ONE for neuron 3"), (0x037F, "TIME_ALL"), (0x0300, "BISTABILITY_ALL"),
    (0x0380, "BISTABILITY_ROW of neuron 3"), (0x03B1, "VIRTUAL weight 5 off neuron 3"),
    (0x03A1, "VIRTUAL weight 5 onto neuron 3"), (0x0309, "LEAK of neuron 3")])
def test_events_in_words(code, text):
    words = odin.odin_events(np.array([code], np.uint32), where="here").words
    assert odin.describe_event(int(words[0])) == text


def test_a_code_that_odin_does_not_define():
    with pytest.raises(UserError, match=r"^t\.npz: event 1 has the code 0x20000, which ODIN does "
                                        r"not define: codes have 17 bits, 0\.\.0x1ffff$"):
        odin.odin_events(np.array([7, 1 << 17], np.uint32), where="t.npz")


@pytest.fixture
def memories():
    """Random contents of ODIN's memories: neurons, synapses, signs, flags."""
    rng = np.random.default_rng(4)
    return (rng.integers(0, 1 << 64, (256, 2), np.uint64),
            rng.integers(0, 1 << 32, 8192, np.uint32), rng.integers(0, 2, 256, np.uint8),
            rng.integers(0, 256, 64, np.uint8))


def program_of(memories, config=odin.CONFIG):
    neurons, synapses, signs, flags = memories
    return odin.odin_program(neurons, synapses, signs, flags,
                             odin.switches(REGISTERS, where="here"), config)


def test_memories_come_back_bit_by_bit(memories):
    neurons, synapses, _, flags = memories
    program = program_of(memories)
    state = program.memories["state"]
    np.testing.assert_array_equal(odin.synapse_words(program.memories["synapse"]), synapses)
    np.testing.assert_array_equal(odin.flag_bytes(state), flags)
    np.testing.assert_array_equal(odin.neuron_words(neurons, state), neurons)
    # Only potential, calcium and its counter come from the tile.
    np.testing.assert_array_equal(
        odin.neuron_words(neurons, np.zeros_like(state)) ^ neurons,
        neurons & np.array([0, 0xFFFF << 6], np.uint64))


def test_every_field_lies_where_odin_has_it(memories):
    neurons, synapses, signs, flags = memories
    program = program_of(memories)
    lanes = program.config.lanes
    n, pre, post = 201, 77, 130
    word = int(neurons[n, 0]) | int(neurons[n, 1]) << 64

    def bits(high, low):
        return word >> low & (1 << high - low + 1) - 1

    def held(memory, layout):
        value = program.memories[memory][n // lanes, n % lanes]
        return {k: int(v) for k, v in layout.unpack(value).items()}

    assert held("neuron", neuron_word()) == {
        "leak": bits(7, 1), "leak_enable": bits(8, 8), "threshold": bits(16, 9),
        "disable": bits(127, 127)}
    assert held("calcium_rule", calcium_rule_word()) == {
        "enable": bits(17, 17), "theta_mem": bits(25, 18), "theta1": bits(28, 26),
        "theta2": bits(31, 29), "theta3": bits(34, 32), "leak": bits(39, 35)}
    assert held("state", state_word()) == {
        "v": bits(77, 70), "calcium": bits(80, 78), "leak_count": bits(85, 81),
        "up": flags[n // 8] >> n % 8 & 1, "down": flags[32 + n // 8] >> n % 8 & 1}
    row = pre * program.config.groups + post // lanes
    nibble = int(synapses[pre * 32 + post // 8]) >> 4 * (post % 8) & 0xF
    assert {k: int(v) for k, v in sdsp_synapse_word().unpack(
        program.memories["synapse"][row, post % lanes]).items()} == {
            "weight": nibble & 7, "mapped": nibble >> 3}
    assert program.memories["sign"][pre, 0] == signs[pre]


def test_other_numbers_of_lanes(memories):
    neurons, synapses, _, flags = memories
    config = odin.CONFIG.replace(name="wide", lanes=16)
    program = program_of(memories, config)
    assert program.memories["synapse"].shape == (4096, 16)
    np.testing.assert_array_equal(odin.synapse_words(program.memories["synapse"]), synapses)
    np.testing.assert_array_equal(odin.flag_bytes(program.memories["state"]), flags)


@pytest.mark.parametrize(("register", "switch"), [
    ("open_loop", "open_loop"), ("update_unmapped", "update_unmapped"),
    ("propagate_unmapped", "propagate_unmapped"), ("sdsp_on_syn", "learn_on_synapse"),
    ("aer_src", "source")])
def test_every_register_is_its_switch(register, switch):
    found = odin.switches({**REGISTERS, register: 1, "mon_neur": 100}, where="here")
    fields = {k: int(v) for k, v in switches_word().unpack(found.word).items()}
    assert fields == {**dict.fromkeys(fields, 0), "learn": 1, switch: 1}


@pytest.mark.parametrize(("change", "says"), [
    ({"burst_timeref": 1}, "not supported"), ({"open_loop": 2}, "'open_loop' must be in 0..1"),
    ({"mon_neur": 256}, "in 0..255"), ({"aer_src": True}, "not True"),
    ({"aer_src": None}, "not None"), ({"open_lop": 0}, "unknown 'open_lop'")])
def test_wrong_registers_are_named(change, says):
    with pytest.raises(UserError, match="^t.npz: config") as error:
        odin.switches({**REGISTERS, **change}, where="t.npz")
    assert says in str(error.value)


def test_a_missing_register_is_named():
    config = {k: v for k, v in REGISTERS.items() if k != "sdsp_on_syn"}
    with pytest.raises(UserError, match="no 'sdsp_on_syn'"):
        odin.switches(config, where="t.npz")
