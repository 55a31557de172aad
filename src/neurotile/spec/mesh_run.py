# SPDX-License-Identifier: Apache-2.0
"""What runs on a mesh and what its engines report: events, trace (docs/mesh.md, section 6)."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .errors import UserError
from .mesh_config import MeshConfig, packet_word

__all__ = ["MeshEvents", "MeshTimeline", "MeshTrace"]


@dataclass(frozen=True, eq=False)
class MeshEvents:
    """Packets that the host sends, of every run, step and host port.

    Parameters
    ----------
    runs, steps : int
        Runs, and steps in each; before every run the mesh is cleared.
    start : ndarray of int64, (runs * steps * rows + 1,)
        Port r sends in step t of run n ``word[start[k]:start[k + 1]]``, k = (n * steps + t) * rows
        + r, in this order.
    word : ndarray of uint64
        Words of ``packet_word``.
    """

    runs: int
    steps: int
    start: npt.NDArray[np.int64]
    word: npt.NDArray[np.uint64]

    def checked(self, config: MeshConfig) -> "MeshEvents":
        """These events as contiguous arrays.

        Raises
        ------
        UserError
            They do not fit the mesh.
        """
        if self.runs < 1 or not 1 <= self.steps < 1 << config.tile.step_bits:
            raise UserError(f"events: need 1 or more runs of 1..{(1 << config.tile.step_bits) - 1} "
                            f"steps, not {self.runs} of {self.steps}")
        start = np.ascontiguousarray(self.start, np.int64)
        word = np.ascontiguousarray(self.word, np.uint64)
        parts = self.runs * self.steps * config.rows
        if start.shape != (parts + 1,) or start[0] != 0 or start[-1] != word.size \
                or (np.diff(start) < 0).any():
            raise UserError(f"events: start must rise from 0 to {word.size} in {parts + 1} entries")
        width = packet_word(config).width
        if (word >> np.uint64(width)).any():
            raise UserError(f"events: a packet of {config.name} has {width} bits")
        return MeshEvents(self.runs, self.steps, start, word)


@dataclass(frozen=True, eq=False)
class MeshTimeline:
    """What every tile did in every step, for the report; only the fast engine knows it.

    Parameters
    ----------
    idle : ndarray of int64, (runs, steps, tiles)
        First cycle from which the tile was idle until the barrier of the step.
    updated : ndarray of int64, (runs, steps, tiles)
        Cycle m of docs/mesh.md, section 3, in which the update after that barrier ended.
    queue : ndarray of int64, (runs, steps, tiles)
        Largest level of either queue from the barrier before to this one.
    """

    idle: npt.NDArray[np.int64]
    updated: npt.NDArray[np.int64]
    queue: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class MeshTrace:
    """What fast engine and RTL see of a mesh.

    Parameters
    ----------
    barrier : ndarray of int64, (runs, steps)
        Cycle of the barrier of each step; a run starts at cycle 0.
    end : ndarray of int64, (runs,)
        First cycle in which the mesh is held again.
    spike_run, spike_step, spike_tile, spike_neuron, spike_cycle : ndarray of int64
        Packets at the host ports, ascending in run, cycle and port.
    final : dict of str to ndarray of int64, (runs, tiles, words)
        ``membrane``, ``current``, ``accumulator`` and ``calcium`` (words) of all tiles at the end
        of each run, as far as they exist.
    counters : dict of str to ndarray of int64, (runs, tiles)
        The counters of every tile.
    lost, parity_errors : ndarray of int64, (runs,)
        Packets lost, and dropped for their parity.
    membrane : ndarray of int64, (runs, steps, recorded)
        Potential of the recorded neurons (tile * neurons + neuron) after the update of each step.
    timeline : MeshTimeline, optional
        Only if it was asked for.
    """

    barrier: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    spike_run: npt.NDArray[np.int64]
    spike_step: npt.NDArray[np.int64]
    spike_tile: npt.NDArray[np.int64]
    spike_neuron: npt.NDArray[np.int64]
    spike_cycle: npt.NDArray[np.int64]
    final: dict[str, npt.NDArray[np.int64]]
    counters: dict[str, npt.NDArray[np.int64]]
    lost: npt.NDArray[np.int64]
    parity_errors: npt.NDArray[np.int64]
    membrane: npt.NDArray[np.int64] = field(
        default_factory=lambda: np.zeros((0, 0, 0), np.int64))
    timeline: MeshTimeline | None = None
