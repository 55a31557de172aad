# SPDX-License-Identifier: Apache-2.0
"""What the kernels of learning work on (docs/semantics.md, section 9)."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..spec import TileConfig, TileLearning
from ..spec.event_formats import sdsp_synapse_word
from ..spec.formats import memories as tile_memories
from ..spec.learning import learning_switches_word
from .calcium import NEVER, NO_CALCIUM
from .layout import State

__all__ = ["Learning", "Registers", "Weights", "make_registers", "make_weights"]

Bytes = npt.NDArray[np.uint8]
Array = npt.NDArray[np.int32]
Times = npt.NDArray[np.int64]


class Registers(NamedTuple):
    """Registers of a learning tile as the kernels read them."""

    learn: int
    learn_from: int
    """Smallest synapse (weight and mapping bit) that learns."""
    propagate_from: int
    """Smallest synapse that delivers its weight."""
    offset: int
    period: int
    rows: int


class Weights(NamedTuple):
    """Memories that only a learning tile has; arrays of N entries have one per neuron."""

    synapse: Bytes
    """Weight in bits 2..0, mapping bit in bit 3; row after row."""
    inhibitory: Bytes
    """Of every axon segment, as ``plastic``."""
    plastic: Bytes
    v: Array
    """Membrane potential: the array of ``State``, as ``spike`` is its ``fired``."""
    spike: Bytes
    theta_mem: Array
    theta1: Bytes
    theta2: Bytes
    theta3: Bytes
    enable: Bytes
    last_count: Bytes
    """Value of ``leak_count`` at which calcium leaks."""
    calcium: Bytes
    leak_count: Bytes
    up: Bytes
    down: Bytes
    leaks: Bytes
    """1 where calcium leaks in this update."""


class Learning(NamedTuple):
    """Everything about learning that a run needs; None in its place for tiles that do not learn."""

    registers: Registers
    weights: Weights
    log_step: Times
    """Tile steps, counted over all runs, after which the synapse memory is kept."""
    log: npt.NDArray[np.int64]
    final_calcium: Times
    place: Times


def make_registers(config: TileConfig, learning: TileLearning) -> Registers:
    """Registers with the widths that they have on the tile."""
    mapped = 1 << sdsp_synapse_word().offset("mapped")
    word = learning_switches_word()
    switch = {field.name: learning.switches >> word.offset(field.name) & 1
              for field in word.fields}
    return Registers(
        learn=switch["learn"], learn_from=0 if switch["update_unmapped"] else mapped,
        propagate_from=0 if switch["propagate_unmapped"] else mapped,
        offset=learning.offset & (1 << config.offset_bits) - 1,
        period=learning.period & (1 << config.step_bits) - 1,
        rows=(learning.rows - 1 & config.synapse_words - 1) + 1)


def make_weights(config: TileConfig, memories: dict[str, npt.NDArray[np.uint64]],
                 state: State) -> Weights:
    """Memories of a learning tile; calcium and flags are zero."""
    n = config.neurons
    word = {m.name: m.word.unpack(np.asarray(memories[m.name])) for m in tile_memories(config)
            if m.name in ("axon", "group", "theta_mem", "calcium_rule")}
    row = word["group"]["set"][:, 0] if config.shared else np.arange(config.groups)

    def parameter(memory: str, field: str) -> npt.NDArray[np.int64]:
        values = np.broadcast_to(word[memory][field][row], (config.groups, config.lanes))
        return values.reshape(n)

    enable = parameter("calcium_rule", "enable") != 0
    leak = parameter("calcium_rule", "leak")
    columns = {
        "theta1": np.where(enable, parameter("calcium_rule", "theta1"), NO_CALCIUM),
        "theta2": parameter("calcium_rule", "theta2"), "enable": enable,
        "theta3": parameter("calcium_rule", "theta3"),
        "last_count": np.where(enable & (leak != 0), leak - 1, NEVER),
        **{name: word["axon"][name][:, 0] for name in ("inhibitory", "plastic")},
        **{name: np.zeros(n) for name in ("calcium", "leak_count", "up", "down", "leaks")}}
    offsets = [sdsp_synapse_word().offset(name) for name in ("weight", "mapped")]
    assert offsets == [0, 3]  # sdsp.py computes on the word itself
    return Weights(
        synapse=np.asarray(memories["synapse"]).ravel().astype(np.uint8) & np.uint8(15),
        v=state.membrane, spike=state.fired,
        theta_mem=parameter("theta_mem", "value").astype(np.int32),
        **{name: np.asarray(values).astype(np.uint8) for name, values in columns.items()})
