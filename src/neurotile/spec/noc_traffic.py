# SPDX-License-Identifier: Apache-2.0
"""Traffic through a mesh network with stubs in place of tiles, and what comes of it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import UserError
from .mesh_config import MeshConfig, packet_word

__all__ = ["NocTraffic", "NocTrace"]


@dataclass(frozen=True, kw_only=True)
class NocTraffic:
    """Packets to send and how the stubs behave.

    A source is a tile (its number) or a host port (tiles + row). It sends its packets in their
    order: each is offered, as the first that was not taken, from ``wait`` cycles after step
    ``step`` began; step t begins in the cycle after barrier t - 1, step 0 in cycle 0. A stub is
    busy in the ``work`` cycles after a packet reached it or its work on the one before ended, and
    idle when it is not busy and all its packets of the step are taken. END_OF_STEP is offered from
    the cycle after the last packet of the step was taken at all host ports, without such packets
    from the first of the step. A host port takes a packet in cycle c unless (c + 3 · row) mod 8 <
    ``stall``.

    Parameters
    ----------
    start : ndarray of int64, (sources + 1,)
        Packets of source s are ``start[s]`` to ``start[s + 1]``.
    step, wait : ndarray of int64, (packets,)
        When they are offered; steps of a source do not fall.
    word : ndarray of uint64, (packets,)
        The packets.
    steps : int
        Barriers after which the run ends; 0: no barriers, and the run ends when all packets are
        taken and the network is empty.
    work, stall : int
        See above.
    limit : int
        Cycle in which the run ends at the latest.
    """

    start: npt.NDArray[np.int64]
    step: npt.NDArray[np.int64]
    wait: npt.NDArray[np.int64]
    word: npt.NDArray[np.uint64]
    steps: int = 0
    work: int = 0
    stall: int = 0
    limit: int = 1 << 40

    def checked(self, config: MeshConfig) -> "NocTraffic":
        """This traffic with plain arrays.

        Raises
        ------
        UserError
            It does not fit the mesh.
        """
        sources, packets = config.tiles + config.rows, self.word.size
        if self.start.shape != (sources + 1,) or self.start[0] or self.start[-1] != packets:
            raise UserError(f"traffic: start must have {sources + 1} entries, from 0 to {packets}")
        if packets and int(self.word.max()) >> packet_word(config).width:
            raise UserError(f"traffic: packets have {packet_word(config).width} bits")
        return NocTraffic(
            start=np.ascontiguousarray(self.start, np.int64),
            step=np.ascontiguousarray(self.step, np.int64),
            wait=np.ascontiguousarray(self.wait, np.int64),
            word=np.ascontiguousarray(self.word, np.uint64), steps=self.steps, work=self.work,
            stall=self.stall, limit=self.limit)


@dataclass(frozen=True)
class NocTrace:
    """What the network did.

    Parameters
    ----------
    taken : ndarray of int64, (packets,)
        Cycle in which each packet entered; -1: it did not.
    cycle, port, word : ndarray of int64, int64, uint64, (packets that left,)
        Packets that left at a tile, or at tiles + row, by cycle and port.
    barrier : ndarray of int64, (steps,)
        Cycles of the barriers.
    sent : ndarray of int64, (tiles, 4)
        Packets sent on the links of each router.
    lost : int
        Packets lost.
    cycles : int
        Cycles of the run.
    """

    taken: npt.NDArray[np.int64]
    cycle: npt.NDArray[np.int64]
    port: npt.NDArray[np.int64]
    word: npt.NDArray[np.uint64]
    barrier: npt.NDArray[np.int64]
    sent: npt.NDArray[np.int64]
    lost: int
    cycles: int
