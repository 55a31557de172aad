# SPDX-License-Identifier: Apache-2.0
"""Where the cycles of a mesh go: which tile works, waits or sends, from the engine's time line."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..spec import MeshTimeline, MeshTrace

__all__ = ["MeshTimes", "mesh_times"]

Int = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MeshTimes:
    """Cycles from barrier to barrier, in the three parts that every tile divides them into.

    First a tile updates its neurons and sends their spikes (in the first step of a run there is
    nothing to update), then it integrates events until it is idle for good, then it waits for the
    barrier.

    Parameters
    ----------
    update, integrate, wait : ndarray of int64, (runs, steps, tiles)
        Cycles; their sum is the step's.
    last : ndarray of int64, (runs, steps)
        The slowest tile: the one that is idle last; of equals the first.
    queue : ndarray of int64, (runs, steps, tiles)
        Largest level of a queue in the step.
    """

    update: Int
    integrate: Int
    wait: Int
    last: Int
    queue: Int

    def slowest(self, part: str) -> Int:
        """``update``, ``integrate`` or ``wait`` of the slowest tile, (runs, steps)."""
        found: Int = np.take_along_axis(getattr(self, part), self.last[..., None], axis=2)[..., 0]
        return found

    @property
    def share_last(self) -> Floats:
        """Share of the steps in which each tile is the slowest, (tiles,)."""
        tiles = self.update.shape[2]
        return np.bincount(self.last.ravel(), minlength=tiles) / self.last.size

    @property
    def busy(self) -> Floats:
        """Share of all cycles in which each tile updates or integrates, (tiles,)."""
        work = (self.update + self.integrate).sum(axis=(0, 1))
        return work / (work + self.wait.sum(axis=(0, 1)))


def mesh_times(mesh: MeshTrace) -> MeshTimes | None:
    """Times of a run; None without a time line."""
    line: MeshTimeline | None = mesh.timeline
    if line is None:
        return None
    barrier = mesh.barrier[..., None]
    before = np.concatenate([np.full_like(barrier[:, :1], -1), barrier[:, :-1]], axis=1)
    # Nothing is updated before the first step: it begins in cycle 0.
    updated = np.concatenate([np.full_like(line.updated[:, :1], -1), line.updated[:, :-1]], axis=1)
    begun = line.idle - updated - 1
    return MeshTimes(update=updated - before, integrate=begun, wait=barrier - line.idle + 1,
                     last=line.idle.argmax(axis=2), queue=line.queue)
