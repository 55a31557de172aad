# SPDX-License-Identifier: Apache-2.0
"""Random tiles, contents and events: legal, but nothing that a mapper would make."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..spec import MODELS, TileConfig, TileEvents, TileLearning
from ..spec.formats import axon_word
from ..spec.formats import memories as tile_memories

__all__ = ["Case", "random_case", "random_config", "random_learning"]


class Case(NamedTuple):
    """Arguments of an engine's ``run_tile``."""

    config: TileConfig
    memories: dict[str, npt.NDArray[np.uint64]]
    groups: int
    length: int
    events: TileEvents
    recorded: npt.NDArray[np.int64]


def random_config(rng: np.random.Generator, *, learning: str = "none") -> TileConfig:
    """A small tile with every free parameter drawn."""
    def power(low: int, high: int) -> int:
        return 1 << int(rng.integers(low, high + 1))

    lanes = power(0, 4)
    step_bits = int(rng.integers(4, 9))
    models = tuple(m for m in MODELS if rng.random() < 0.6) or ("lif",)
    return TileConfig(
        name="random", axons=power(1, 5), neurons=lanes * power(1, 4), lanes=lanes,
        weight_bits=4 if learning == "sdsp" else power(0, 4), synapse_words=power(1, 6),
        state_bits=int(rng.integers(8, 33)),
        acc_bits=int(rng.integers(8, 33)), decay_bits=int(rng.integers(4, 16)),
        shift_bits=int(rng.integers(1, 5)), models=models,
        parameters=("neuron", "shared")[rng.integers(2)], parameter_sets=power(1, 3),
        queue_depth=power(1, 5), spike_fifo_depth=power(1, 4),
        integrate_stages=int(rng.integers(1, 3)), update_stages=int(rng.integers(1, 5)),
        step_bits=step_bits, offset_bits=int(rng.integers(1, 4)),
        learning=learning, delay="none", delay_bits=4)


def random_case(config: TileConfig, rng: np.random.Generator, *, runs: int = 2, steps: int = 7,
                events: float = 4.0) -> Case:
    """Contents and events for a tile.

    Parameters
    ----------
    config : TileConfig
        The tile.
    rng : Generator
        Decides everything, also how wild the case is.
    runs, steps : int
        Size of the events.
    events : float
        Mean number of events of the host in a step.
    """
    memories = {}
    tame = rng.random() < 0.7
    for memory in tile_memories(config):
        shape = (memory.rows, memory.lanes)
        fields = {}
        for field in memory.word.fields:
            low, high = field.limits
            if tame:
                low, high = _tame(config, memory.name, field.name, low, high)
            fields[field.name] = rng.integers(low, high, shape, endpoint=True)
        if memory.name == "route" and rng.random() < 0.8:
            fields["output"][:] = 1
        memories[memory.name] = memory.word.pack(fields)
    last = np.uint64(1 << axon_word(config).offset("last"))
    if not (memories["axon"] & last).any():
        memories["axon"] |= last
    counts = rng.poisson(events, runs * steps)
    axon = np.concatenate([np.sort(rng.integers(0, config.axons, k)) for k in counts])
    return Case(
        config, memories, int(rng.integers(1, config.groups + 1)), int(rng.integers(0, steps)),
        TileEvents(runs, steps, np.r_[0, np.cumsum(counts)], axon.astype(np.int32)),
        rng.permutation(config.neurons)[:5].astype(np.int64))


def _tame(config: TileConfig, memory: str, field: str, low: int, high: int) -> tuple[int, int]:
    """Narrower limits, for neurons that spike now and then and axons that end soon."""
    near = min(high, 1 << min(config.weight_bits + 1, config.state_bits - 1))
    return {("threshold", "value"): (0, near), ("bias", "value"): (-near // 2, near),
            ("v_reset", "value"): (0, near // 2), ("axon", "count"): (0, min(high, 3)),
            ("group", "shift"): (0, min(high, 2)), ("group", "offset"): (0, min(high, 1)),
            ("route", "local"): (0, 1),
            ("theta_mem", "value"): (-2, near), ("calcium_rule", "theta1"): (0, 1),
            ("calcium_rule", "theta2"): (2, 7), ("calcium_rule", "leak"): (0, 3),
            ("decay", "v"): (high // 4, high // 2)}.get((memory, field), (low, high))


def random_learning(config: TileConfig, rng: np.random.Generator, *, steps: int) -> TileLearning:
    """Registers of a tile that learns, with which synapses learn in some of the steps."""
    switches = int(rng.integers(0, 8)) | int(rng.random() < 0.8)
    return TileLearning(
        switches=switches, offset=int(rng.integers(0, min(steps, 1 << config.offset_bits))) // 2,
        period=int(rng.choice([0, 1, 2, 3, steps - 1])),
        rows=int(rng.integers(1, config.synapse_words + 1)))
