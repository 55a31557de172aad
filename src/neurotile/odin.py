# SPDX-License-Identifier: Apache-2.0
"""ODIN's registers, event codes and memory layouts in terms of a tile in event mode (docs/odin.md).

Written from the open RTL's documentation and behaviour (Frenkel et al., IEEE TBioCAS 2019,
doi 10.1109/TBCAS.2018.2880425; github.com/ChFrenkel/ODIN).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .spec import (
    EVENT_PRESETS,
    EventConfig,
    EventProgram,
    Events,
    Field,
    Switches,
    UserError,
    Word,
)
from .spec.event_formats import (
    EventKind,
    calcium_rule_word,
    event_word,
    neuron_word,
    sdsp_synapse_word,
    state_word,
)

__all__ = ["CONFIG", "NEURONS", "REGISTERS", "SYNAPSE_WORDS", "describe_event",
           "flag_bytes", "neuron_fields", "neuron_words", "odin_events", "odin_program",
           "state_memory", "switches", "synapse_words"]

Words = npt.NDArray[np.uint64]

CONFIG = EVENT_PRESETS["odin"]
NEURONS, SYNAPSE_WORDS, _PER_WORD = 256, 8192, 8

# Names in a trace's `config`, with address in ODIN's SPI register map and number of values.
REGISTERS = {"open_loop": (1, 2), "burst_timeref": (18, 2), "aer_src": (19, 2),
             "mon_neur": (21, 256), "update_unmapped": (23, 2), "propagate_unmapped": (24, 2),
             "sdsp_on_syn": (25, 2)}

# A neuron's word has 128 bits; events change v, calcium and leak_count only.
_LOW = Word("bits 63..0 of a neuron word", (
    Field("lif", 1, "0: Izhikevich"), Field("leak", 7, "leak strength"),
    Field("leak_enable", 1, "leak_en"), Field("threshold", 8, "thr"), Field("enable", 1, "ca_en"),
    Field("theta_mem", 8, "theta_mem"), Field("theta1", 3, "ca_theta1"),
    Field("theta2", 3, "ca_theta2"), Field("theta3", 3, "ca_theta3"),
    Field("calcium_leak", 5, "ca_leak"), Field("unused_low", 24, "preserved")))
_HIGH = Word("bits 127..64 of a neuron word", (
    Field("unused_mid", 6, "preserved"), Field("v", 8, "membrane potential"),
    Field("calcium", 3, "calcium"), Field("leak_count", 5, "calcium leak counter"),
    Field("unused_high", 41, "preserved"), Field("disable", 1, "disable")))
_STATE = state_word()
_CHANGING = ("v", "calcium", "leak_count")
_KEPT = ~np.uint64(sum(((1 << _HIGH.field(k).width) - 1) << _HIGH.offset(k) for k in _CHANGING))


def switches(config: Mapping[str, Any], *, where: str) -> Switches:
    """Switches for ODIN's configuration registers.

    Parameters
    ----------
    config : dict of str to int
        A value for every name in ``REGISTERS``; ``mon_neur`` affects nothing here.

    Raises
    ------
    UserError
        A register is missing, unknown, has an illegal value, or asks for bursts.
    """
    if wrong := [f"no {k!r}" for k in REGISTERS if k not in config] + [
            f"unknown {k!r}" for k in config if k not in REGISTERS]:
        raise UserError(f"{where}: config must have {', '.join(REGISTERS)}; here: {wrong[0]}")
    for name, (_, values) in REGISTERS.items():
        if type(config[name]) is not int or not 0 <= config[name] < values:
            raise UserError(f"{where}: config {name!r} must be in 0..{values - 1}, "
                            f"not {config[name]!r}")
    if config["burst_timeref"]:
        raise UserError(f"{where}: config 'burst_timeref' = 1 is not supported: there are no burst "
                        "queues; it must be 0")
    return Switches(open_loop=bool(config["open_loop"]),
                    update_unmapped=bool(config["update_unmapped"]),
                    propagate_unmapped=bool(config["propagate_unmapped"]),
                    learn_on_synapse=bool(config["sdsp_on_syn"]), source=bool(config["aer_src"]))


def odin_events(codes: npt.NDArray[np.uint32], *, where: str,
                config: EventConfig = CONFIG) -> Events:
    """Events for ODIN's input events.

    Every code of 17 bits does something in ODIN; what it does is in the table of docs/odin.md.

    Parameters
    ----------
    codes : ndarray of uint32, (n,)
        17-bit AER addresses.

    Raises
    ------
    UserError
        A code has more than 17 bits.
    """
    if (wrong := np.flatnonzero(codes >> 17)).size:
        raise UserError(f"{where}: event {wrong[0]} has the code {codes[wrong[0]]:#x}, which ODIN "
                        "does not define: codes have 17 bits, 0..0x1ffff")
    code = codes.astype(np.int64)
    high, low = code >> 8 & 0xFF, code & 0xFF
    payload = low >> 3
    virtual = np.where(payload & 1, EventKind.LEAK, EventKind.VIRTUAL)
    kind = np.select(
        [code >> 16 == 1, low == 0xFF, low == 0x7F, low == 0x80, low == 0x00, payload == 0],
        [EventKind.SYNAPSE, EventKind.TIME_ONE, EventKind.TIME_ALL, EventKind.BISTABILITY_ROW,
         EventKind.BISTABILITY_ALL, EventKind.SPIKE], virtual)
    return Events.make(
        config, kind, pre=high, post=np.where(kind == EventKind.SYNAPSE, low, high),
        weight=np.where(kind == EventKind.VIRTUAL, payload >> 2, 0),
        inhibitory=np.where(kind == EventKind.VIRTUAL, payload >> 1 & 1, 0))


def describe_event(word: int, config: EventConfig = CONFIG) -> str:
    """An event in words, as in ``SPIKE of neuron 3``."""
    event = {k: int(v) for k, v in event_word(config).unpack(word).items()}
    kind, post = EventKind(event["kind"]), event["post"]
    what = {EventKind.SPIKE: f"of neuron {event['pre']}",
            EventKind.VIRTUAL: f"weight {event['weight']} "
                               f"{'off' if event['inhibitory'] else 'onto'} neuron {post}",
            EventKind.LEAK: f"of neuron {post}",
            EventKind.SYNAPSE: f"from {event['pre']} to {post}",
            EventKind.TIME_ONE: f"for neuron {post}",
            EventKind.BISTABILITY_ROW: f"of neuron {event['pre']}"}
    return f"{kind.name} {what.get(kind, '')}".rstrip()


def neuron_fields(words: Words) -> dict[str, npt.NDArray[np.int64]]:
    """Fields of neuron words, (neurons, 2): bits 63..0 and 127..64."""
    return {**_LOW.unpack(words[..., 0]), **_HIGH.unpack(words[..., 1])}


def odin_program(neurons: Words, synapses: npt.NDArray[np.uint32], signs: npt.NDArray[np.uint8],
                 flags: npt.NDArray[np.uint8], switches: Switches,
                 config: EventConfig = CONFIG) -> EventProgram:
    """Program for the contents of ODIN's memories.

    Parameters
    ----------
    neurons : ndarray of uint64, (256, 2)
        Neuron words; the type in bit 0 is not looked at.
    synapses : ndarray of uint32, (8192,)
        Words of eight synapses.
    signs : ndarray of uint8, (256,)
        1: inhibitory presynaptic neuron.
    flags : ndarray of uint8, (64,)
        32 bytes of ``up``, 32 bytes of ``down``.
    """
    held = neuron_fields(neurons)
    shape = (config.groups, config.lanes)
    nibbles = synapses[:, np.newaxis] >> np.arange(0, 4 * _PER_WORD, 4, dtype=np.uint32) & 0xF
    synapse = sdsp_synapse_word().pack({"weight": nibbles & 7, "mapped": nibbles >> 3})
    neuron = neuron_word().pack({k: held[k] for k in ("leak", "leak_enable", "threshold",
                                                      "disable")})
    rule = calcium_rule_word().pack(
        {**{k: held[k] for k in ("enable", "theta_mem", "theta1", "theta2", "theta3")},
         "leak": held["calcium_leak"]})
    return EventProgram(config, {
        "synapse": synapse.reshape(config.synapse_words, config.lanes),
        "sign": signs.astype(np.uint64).reshape(NEURONS, 1), "neuron": neuron.reshape(shape),
        "calcium_rule": rule.reshape(shape), "state": state_memory(neurons, flags, config)},
        switches)


def state_memory(neurons: Words, flags: npt.NDArray[np.uint8],
                 config: EventConfig = CONFIG) -> Words:
    """Contents of memory ``state`` for neuron words, (256, 2), and flag bytes, (64,)."""
    held = neuron_fields(neurons)
    up, down = np.unpackbits(flags, bitorder="little").reshape(2, NEURONS)
    words = _STATE.pack({**{k: held[k] for k in _CHANGING}, "up": up, "down": down})
    return words.reshape(config.groups, config.lanes)


def neuron_words(initial: Words, state: Words) -> Words:
    """ODIN's neuron words, (256, 2), with this ``state``; the rest is that of ``initial``."""
    # Field by field with shifts: Word.pack checks what is right by construction, at every event.
    words = initial.copy()
    words[:, 1] &= _KEPT
    for name in _CHANGING:
        words[:, 1] |= _state_bits(state, name) << np.uint64(_HIGH.offset(name))
    return words


def _state_bits(state: Words, name: str) -> Words:
    mask = np.uint64((1 << _STATE.field(name).width) - 1)
    return state.reshape(NEURONS) >> np.uint64(_STATE.offset(name)) & mask


def synapse_words(synapse: Words) -> npt.NDArray[np.uint32]:
    """ODIN's synapse words, (8192,), for the contents of memory ``synapse``."""
    # The synapse word of the tile, {weight, mapped}, is ODIN's nibble. Two make a byte, four bytes
    # a word, the first in the least significant bits.
    nibbles = synapse.astype(np.uint8).reshape(-1, 2)
    return (nibbles[:, 0] | nibbles[:, 1] << 4).view("<u4").astype(np.uint32, copy=False)


def flag_bytes(state: Words) -> npt.NDArray[np.uint8]:
    """ODIN's 64 flag bytes for the contents of memory ``state``."""
    flags = [_state_bits(state, "up"), _state_bits(state, "down")]
    return np.packbits(np.array(flags, np.uint8), axis=1, bitorder="little").reshape(-1)
