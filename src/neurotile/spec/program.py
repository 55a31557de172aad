# SPDX-License-Identifier: Apache-2.0
"""Program: what is loaded into a tile, and how its neurons stand for those of the network."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from .config import TileConfig
from .digest import digest
from .errors import UserError
from .event_formats import sdsp_synapse_word
from .learning import TileLearning
from .network import IntegerNetwork
from .stimulus import Stimulus

__all__ = ["Placement", "Program", "TileEvents"]


@dataclass(frozen=True)
class Placement:
    """Where a population lies: neurons first … first+size-1, ``offset`` steps late."""

    first: int
    size: int
    offset: int


@dataclass(frozen=True, eq=False)
class TileEvents:
    """Host events of one or more runs, in the order in which the host sends them.

    ``axon[start[r*steps+t]:start[r*steps+t+1]]`` are those of step t of run r, ascending.
    """

    runs: int
    steps: int
    start: npt.NDArray[np.int64]
    axon: npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Program:
    """Memory contents of a tile for one network.

    Parameters
    ----------
    config : TileConfig
        The tile.
    network : IntegerNetwork
        What it runs.
    memories : dict of str to ndarray of uint64, (rows, lanes)
        Packed words of every memory of ``formats.memories(config)``, states and accumulators zero.
    groups : int
        Number of mapped groups.
    placement : dict of str to Placement
        Place of every population of the network (relay neurons are not listed).
    input_start, input_axon, input_delay : ndarray
        Line i is sent to axons ``input_axon[input_start[i]:input_start[i+1]]``, each
        ``input_delay`` steps later.
    learning : TileLearning, optional
        Registers of a learning tile.
    synapse_index : dict of str to ndarray of int64, (targets, sources)
        Where each synapse of a plastic projection lies: row * lanes + lane, or -1.
    """

    config: TileConfig
    network: IntegerNetwork
    memories: dict[str, npt.NDArray[np.uint64]]
    groups: int
    placement: dict[str, Placement]
    input_start: npt.NDArray[np.int64]
    input_axon: npt.NDArray[np.int32]
    input_delay: npt.NDArray[np.int32]
    learning: TileLearning | None = None
    synapse_index: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)

    @property
    def tile(self) -> TileConfig:
        """The tile."""
        return self.config

    @property
    def neurons(self) -> int:
        """Neurons of the tile."""
        return self.config.neurons

    def neurons_of(self, population: str) -> npt.NDArray[np.int64]:
        """Tile neuron of each neuron of a population."""
        place = self.placement[population]
        return np.arange(place.first, place.first + place.size)

    def offset_of(self, population: str) -> int:
        """Steps by which a population lags behind model time."""
        return self.placement[population].offset

    @property
    def drain(self) -> int:
        """Tile steps after the last model step until every population has ended."""
        return max(place.offset for place in self.placement.values())

    def with_weights(self, weights: Mapping[str, npt.NDArray[np.int64]]) -> "Program":
        """Copy in which plastic projections have these weights, (targets, sources).

        Raises
        ------
        UserError
            A projection is not plastic, a synapse is not stored, or the weights do not fit.
        """
        word = sdsp_synapse_word()
        offset, top = word.offset("weight"), word.field("weight").limits[1]
        synapse = self.memories["synapse"].copy()
        flat = synapse.reshape(-1)
        for name, given in weights.items():
            if name not in self.synapse_index:
                raise UserError(f"{self.network.name}: there is no plastic projection {name!r}")
            index, found = self.synapse_index[name], np.abs(np.asarray(given))
            if found.shape == index.shape and (found[index < 0] != 0).any():
                raise UserError(f"projection {name!r}: a synapse without mapping bit has no place "
                                "on the tile and must keep the weight 0")
        network = self.network.with_weights(weights)
        for name, given in weights.items():
            index = self.synapse_index[name]
            stored, there = np.abs(np.asarray(given)).astype(np.uint64), index >= 0
            flat[index[there]] &= ~(np.uint64(top) << np.uint64(offset))
            flat[index[there]] |= stored[there] << np.uint64(offset)
        return replace(self, network=network, memories={**self.memories, "synapse": synapse})

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that decides spikes, states and cycles."""
        return digest([
            ("config", self.config.digest), ("network", self.network.digest),
            ("groups", self.groups),
            *([("learning", asdict(self.learning))] if self.learning else []),
            ("placement", {k: [p.first, p.size, p.offset] for k, p in self.placement.items()}),
            *sorted(self.memories.items()),
            ("start", self.input_start), ("axon", self.input_axon), ("delay", self.input_delay)])

    def events(self, stimulus: Stimulus, *, keep_state: bool = False) -> TileEvents:
        """Host events for ``stimulus``: one run per sample, or one run of all with kept state.

        Raises
        ------
        UserError
            The stimulus has another number of inputs, or more steps than the tile can count.
        """
        if stimulus.inputs != self.network.input_size:
            raise UserError(f"the stimulus has {stimulus.inputs} inputs, the network has "
                            f"{self.network.input_size}")
        runs = 1 if keep_state else stimulus.samples
        model_steps = stimulus.samples * stimulus.steps // runs
        steps = model_steps + self.drain
        if steps >= 1 << self.config.step_bits:
            raise UserError(f"a run of {steps} steps is longer than the "
                            f"{(1 << self.config.step_bits) - 1} that step_bits = "
                            f"{self.config.step_bits} allows")
        row = np.repeat(np.arange(stimulus.samples * stimulus.steps), np.diff(stimulus.start))
        fan_out = np.diff(self.input_start)[stimulus.line]
        ends = np.cumsum(fan_out)
        index = (np.arange(ends[-1] if ends.size else 0)
                 - np.repeat(ends - fan_out, fan_out)
                 + np.repeat(self.input_start[stimulus.line], fan_out))
        row = np.repeat(row, fan_out)
        step = row % model_steps + self.input_delay[index]
        # Sent after the run's last step, an event would be one of the next run.
        within = step < steps
        tile_row = (row // model_steps * steps + step)[within]
        axon = self.input_axon[index[within]]
        order = np.lexsort((axon, tile_row))
        start = np.searchsorted(tile_row[order], np.arange(runs * steps + 1))
        return TileEvents(runs, steps, start.astype(np.int64), axon[order])
