# SPDX-License-Identifier: Apache-2.0
"""What the kernels work on: a tile's configuration, contents and state as arrays."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..spec import COUNTERS, MODELS, TileConfig, UserError
from ..spec.codes import Model
from ..spec.formats import memories as tile_memories

__all__ = ["SEGMENT", "SPAN", "Contents", "Setup", "State", "clear_state", "load_contents",
           "make_setup"]

Array = npt.NDArray[np.int32]

SEGMENT = np.dtype([("weight", "i4"), ("neuron", "i4"), ("length", "i4"), ("groups", "i4"),
                    ("first", "i4"), ("final", "i4"), ("last", "i4"), ("wraps", "i4")])
"""Axon segment: first weight and neuron, their number; number of groups, first and final group;
no segment follows; runs over the end of a memory."""

SPAN = np.dtype([("first", "i4"), ("stop", "i4"), ("model", "i4"), ("soft_reset", "i4"),
                 ("shift", "i4"), ("offset", "i4")])
"""Neighbouring mapped groups with the same group word: first neuron and the one after the last."""


class Setup(NamedTuple):
    """Configuration of a tile and its registers, as integers."""

    neurons: int
    lane_bits: int
    groups: int
    mapped: int
    axons: int
    state_bits: int
    acc_bits: int
    decay_bits: int
    queue_depth: int
    fifo_depth: int
    integrate_stages: int
    update_stages: int
    synapse_words: int
    length: int
    last_step: int
    narrow: int
    """32 bits hold every intermediate result of the update."""
    endless: int
    """No axon segment is the last one, so the first event is never done."""


class Contents(NamedTuple):
    """Memories that a run reads; arrays of N entries have one per neuron."""

    segment: npt.NDArray[np.void]
    weight: npt.NDArray[np.signedinteger]
    """Weights row after row, then N zeros; only the zeros for a tile that learns."""
    span: npt.NDArray[np.void]
    threshold: Array
    v_reset: Array
    bias: Array
    decay_v: Array
    decay_i: Array
    route_axon: Array
    local: npt.NDArray[np.uint8]
    output: npt.NDArray[np.uint8]


class State(NamedTuple):
    """Memories that a run writes, and room for what one step hands from part to part."""

    membrane: Array
    current: Array
    accumulator: Array
    potential: Array
    """Membrane potential before the reset."""
    fired: npt.NDArray[np.uint8]
    fired_words: npt.NDArray[np.uint64]
    """The same memory, eight neurons a word."""
    queue: Array
    """Axons of the own spikes that wait for the next step."""
    popped: npt.NDArray[np.int64]
    """Cycle in which each of the last Q entries was popped."""
    batch: npt.NDArray[np.int64]
    spike: Array
    spike_cycle: npt.NDArray[np.int64]
    credits: npt.NDArray[np.int64]
    """Credits of the spike FIFO that come back in each cycle, modulo its size."""
    counter: npt.NDArray[np.int64]


def clear_state(config: TileConfig) -> State:
    """State after CLEAR."""
    n = config.neurons
    fired = np.zeros(-(-n // 8) * 8, np.uint8)
    return State(
        membrane=np.zeros(n, np.int32), current=np.zeros(n, np.int32),
        accumulator=np.zeros(n, np.int32), potential=np.zeros(n, np.int32), fired=fired,
        fired_words=fired.view(np.uint64), queue=np.zeros(config.queue_depth, np.int32),
        popped=np.zeros(config.queue_depth, np.int64), batch=np.zeros(8, np.int64),
        spike=np.zeros(n + 2, np.int32), spike_cycle=np.zeros(n + 2, np.int64),
        credits=np.zeros(2 * max(8, config.spike_fifo_depth * config.lanes), np.int64),
        counter=np.zeros(len(COUNTERS), np.int64))


def make_setup(config: TileConfig, contents: Contents, *, groups: int, length: int) -> Setup:
    """Configuration, registers and what follows from both.

    Raises
    ------
    UserError
        ``groups`` is not a number of groups of the tile.
    """
    if not 1 <= groups <= config.groups:
        raise UserError(f"{config.name}: groups must be in 1..{config.groups}, not {groups}")
    last_step = (1 << config.step_bits) - 1
    shift = int(contents.span["shift"].max())
    s, a, d = config.state_bits, config.acc_bits, config.decay_bits if config.has_decay else 0
    # |v * decay| <= 2^(S+D) - 2^(S-1), which leaves room to round. A sum is acc * 2^k, at most
    # 2^30, with bias and v, at most 2^29 each without decay; with it S <= 27 and v < 2^S.
    narrow = s + d <= 31 and s <= 30 and a - 1 + shift <= 30
    return Setup(
        neurons=config.neurons, lane_bits=config.lanes.bit_length() - 1, groups=config.groups,
        mapped=groups, axons=config.axons, state_bits=s, acc_bits=a, decay_bits=config.decay_bits,
        queue_depth=config.queue_depth, fifo_depth=config.spike_fifo_depth,
        integrate_stages=config.integrate_stages, update_stages=config.update_stages,
        synapse_words=config.synapse_words, length=length & last_step, last_step=last_step,
        narrow=int(narrow), endless=int(not contents.segment["last"].any()))


def load_contents(config: TileConfig, memories: dict[str, npt.NDArray[np.uint64]],
                  groups: int) -> Contents:
    """Contents of a tile whose memories hold these words, any bit patterns.

    Parameters
    ----------
    memories : dict of str to ndarray of uint64, (rows, lanes)
        At least the memories that a run reads; states are cleared at its start.
    groups : int
        Number of mapped groups.

    Raises
    ------
    UserError
        A memory is missing or has the wrong shape.
    """
    word = {}
    for memory in tile_memories(config):
        if memory.name in ("membrane", "current", "accumulator", "calcium"):
            continue
        shape = (memory.rows, memory.lanes)
        if memory.name not in memories:
            raise UserError(f"{config.name}: memory {memory.name!r} is missing")
        found = np.asarray(memories[memory.name])
        if found.shape != shape:
            raise UserError(f"{config.name}: memory {memory.name!r} must have shape {shape}, "
                            f"not {found.shape}")
        word[memory.name] = memory.word.unpack(found)
    group = {name: value[:, 0] for name, value in word["group"].items()}
    row = group["set"] if config.shared else np.arange(config.groups)

    def parameter(memory: str, field: str = "value") -> Array:
        if memory not in word:
            return np.zeros(config.neurons, np.int32)
        rows = word[memory][field][row]
        return np.broadcast_to(rows, (config.groups, config.lanes)).astype(np.int32).ravel()

    route = {name: value[:, 0] for name, value in word["route"].items()}
    return Contents(
        segment=_segments(config, {k: v[:, 0] for k, v in word["axon"].items()}),
        weight=_weights(config, word["synapse"]), span=_spans(config, group, groups),
        threshold=parameter("threshold"), v_reset=parameter("v_reset"), bias=parameter("bias"),
        decay_v=parameter("decay", "v"), decay_i=parameter("decay", "i"),
        route_axon=route["axon"].astype(np.int32), local=route["local"].astype(np.uint8),
        output=route["output"].astype(np.uint8))


def _segments(config: TileConfig, axon: dict[str, npt.NDArray[np.int64]]) -> npt.NDArray[np.void]:
    found: npt.NDArray[np.void] = np.zeros(config.axons, SEGMENT)
    groups = axon["count"] + 1
    found["weight"] = axon["row"] * config.lanes
    found["neuron"] = axon["group"] * config.lanes
    found["length"] = groups * config.lanes
    found["groups"] = groups
    found["first"] = axon["group"]
    found["final"] = (axon["group"] + axon["count"]) % config.groups
    found["last"] = axon["last"]
    found["wraps"] = ((axon["row"] + groups > config.synapse_words)
                      | (axon["group"] + groups > config.groups))
    return found


def _weights(config: TileConfig, synapse: dict[str, npt.NDArray[np.int64]]
             ) -> npt.NDArray[np.signedinteger]:
    if config.learns:
        return np.zeros(config.neurons, np.int8)
    stored = synapse["value"]
    if config.weight_bits == 1:
        stored = 2 * stored - 1
    dtype = np.dtype(np.int16 if config.weight_bits == 16 else np.int8)
    flat: npt.NDArray[np.signedinteger] = np.zeros(stored.size + config.neurons, dtype)
    flat[:stored.size] = stored.ravel()
    return flat


def _spans(config: TileConfig, group: dict[str, npt.NDArray[np.int64]],
           groups: int) -> npt.NDArray[np.void]:
    built_in = np.array([0, *(Model[m.upper()] if m in config.models else 0 for m in MODELS), 0])
    words = np.stack([built_in[group["model"]], group["soft_reset"], group["shift"],
                      group["offset"]], axis=1)[:groups]
    starts = np.flatnonzero(np.r_[True, (words[1:] != words[:-1]).any(axis=1)])
    spans = np.zeros(starts.size, SPAN)
    spans["first"] = starts * config.lanes
    spans["stop"] = np.r_[starts[1:], groups] * config.lanes
    for column, name in enumerate(("model", "soft_reset", "shift", "offset")):
        spans[name] = words[starts, column]
    return spans
