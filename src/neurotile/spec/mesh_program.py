# SPDX-License-Identifier: Apache-2.0
"""MeshProgram: what is loaded into the tiles of a mesh, and where the network's neurons are."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from .config import TileConfig
from .digest import digest
from .errors import UserError
from .mesh_config import MeshConfig
from .mesh_run import MeshEvents, MeshTrace
from .network import IntegerNetwork
from .stimulus import Stimulus
from .trace import TileTrace

__all__ = ["MeshPlacement", "MeshProgram", "as_tile_trace"]

Int = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class MeshPlacement:
    """Where a population lies.

    Parameters
    ----------
    neuron : ndarray of int64, (size,)
        tile * neurons + neuron of each of its neurons; ``neurons`` are those of a tile.
    offset : int
        Steps by which it lags behind model time.
    """

    neuron: Int
    offset: int


@dataclass(frozen=True, eq=False)
class MeshProgram:
    """Memory contents of all tiles of a mesh for one network.

    Parameters
    ----------
    config : MeshConfig
        The mesh.
    network : IntegerNetwork
        What it runs.
    memories : sequence of dict of str to ndarray of uint64, (rows, lanes)
        Per tile the packed words of every memory of ``mesh_memories(config)``.
    groups : ndarray of int64, (tiles,)
        Mapped groups of every tile; 1 for a tile without neurons.
    placement : dict of str to MeshPlacement
        Place of every population of the network (relay neurons are not listed).
    input_start, input_row, input_word, input_delay : ndarray
        Line i is sent at host ports ``input_row[input_start[i]:input_start[i+1]]`` as these
        packets (``packet_word``), each ``input_delay`` steps later.
    """

    config: MeshConfig
    network: IntegerNetwork
    memories: Sequence[dict[str, npt.NDArray[np.uint64]]]
    groups: Int
    placement: dict[str, MeshPlacement]
    input_start: Int
    input_row: npt.NDArray[np.int32]
    input_word: npt.NDArray[np.uint64]
    input_delay: npt.NDArray[np.int32]

    @property
    def tile(self) -> TileConfig:
        """Every tile."""
        return self.config.tile

    @property
    def neurons(self) -> int:
        """Neurons of all tiles."""
        return self.config.tiles * self.config.tile.neurons

    def neurons_of(self, population: str) -> Int:
        """Number among all tiles' neurons of each neuron of a population."""
        return self.placement[population].neuron

    def offset_of(self, population: str) -> int:
        """Steps by which a population lags behind model time."""
        return self.placement[population].offset

    @property
    def drain(self) -> int:
        """Tile steps after the last model step until every population has ended."""
        return max(place.offset for place in self.placement.values())

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that decides spikes, states and cycles."""
        return digest([
            ("config", self.config.digest), ("network", self.network.digest),
            ("groups", self.groups),
            *((name, place.neuron) for name, place in self.placement.items()),
            ("offsets", {name: place.offset for name, place in self.placement.items()}),
            *((f"{number} {name}", words) for number, memories in enumerate(self.memories)
              for name, words in sorted(memories.items())),
            ("start", self.input_start), ("row", self.input_row), ("word", self.input_word),
            ("delay", self.input_delay)])

    def events(self, stimulus: Stimulus, *, keep_state: bool = False) -> MeshEvents:
        """Host packets for ``stimulus``: one run per sample, or one run of all with kept state.

        A host port sends the packets of a step in ascending order of their lines.

        Raises
        ------
        UserError
            The stimulus has another number of inputs, or more steps than the tiles can count.
        """
        tile, rows = self.config.tile, self.config.rows
        if stimulus.inputs != self.network.input_size:
            raise UserError(f"the stimulus has {stimulus.inputs} inputs, the network has "
                            f"{self.network.input_size}")
        runs = 1 if keep_state else stimulus.samples
        model_steps = stimulus.samples * stimulus.steps // runs
        steps = model_steps + self.drain
        if steps >= 1 << tile.step_bits:
            raise UserError(f"a run of {steps} steps is longer than the "
                            f"{(1 << tile.step_bits) - 1} that step_bits = {tile.step_bits} "
                            "allows")
        step = np.repeat(np.arange(stimulus.samples * stimulus.steps), np.diff(stimulus.start))
        fan_out = np.diff(self.input_start)[stimulus.line]
        ends = np.cumsum(fan_out)
        entry = (np.arange(ends[-1] if ends.size else 0) - np.repeat(ends - fan_out, fan_out)
                 + np.repeat(self.input_start[stimulus.line], fan_out))
        sent = np.repeat(step, fan_out)
        late = sent % model_steps + self.input_delay[entry]
        # Sent after the run's last step, a packet would be one of the next run.
        within = late < steps
        port = ((sent // model_steps * steps + late) * rows + self.input_row[entry])[within]
        order = np.argsort(port, kind="stable")  # lines ascend within a step of the stimulus
        start = np.searchsorted(port[order], np.arange(runs * steps * rows + 1))
        return MeshEvents(runs, steps, start.astype(np.int64),
                          self.input_word[entry[within][order]])


def as_tile_trace(program: MeshProgram, mesh: MeshTrace) -> TileTrace:
    """What was seen at a mesh in the form of a tile that has the neurons of all tiles.

    Counters are summed over the tiles; of ``queue_high_water`` it is the largest. There are no
    synapses in it: those of a mesh do not change.
    """
    config = program.config
    runs = len(mesh.barrier)
    counters = {name: value.max(axis=1) if name == "queue_high_water" else value.sum(axis=1)
                for name, value in mesh.counters.items()}
    counters |= {"lost": mesh.lost, "parity_errors": mesh.parity_errors}
    return TileTrace(
        barrier=mesh.barrier, spike_run=mesh.spike_run, spike_step=mesh.spike_step,
        spike_neuron=mesh.spike_tile * config.tile.neurons + mesh.spike_neuron,
        spike_cycle=mesh.spike_cycle, membrane=mesh.membrane,
        final={name: value.reshape(runs, -1) for name, value in mesh.final.items()},
        counters=counters, synapse=np.zeros((0, config.tile.lanes), np.int64), mesh=mesh)
