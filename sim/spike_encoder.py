# SPDX-License-Identifier: Apache-2.0
"""The spike encoder: groups issued on credit, spikes leaving one per cycle."""

import numpy as np
import numpy.typing as npt

from .jit import kernel
from .layout import Setup

__all__ = ["emit", "find_spikes"]

# Times a word with one byte set to 1, it has the number of this byte in its highest byte.
_BYTE_NUMBER = np.uint64(0x0001020304050607)


@kernel
def find_spikes(fired_words: npt.NDArray[np.uint64], stop: int,
                spike: npt.NDArray[np.int32]) -> int:
    """Number of neurons below ``stop`` whose byte is 1; ``spike`` lists them in ascending order."""
    found = 0
    for index in range((stop + 7) // 8):
        word = fired_words[index]
        while word != 0:
            rest = word & (word - np.uint64(1))
            spike[found] = index * 8 + np.int64(((word ^ rest) * _BYTE_NUMBER) >> np.uint64(56))
            found += 1
            word = rest
    return found


@kernel
def emit(setup: Setup, barrier: int, spike: npt.NDArray[np.int32], spikes: int,
         spike_cycle: npt.NDArray[np.int64], credit: npt.NDArray[np.int64]) -> tuple[int, int]:
    """Cycle of END_OF_STEP, and the cycles in which groups waited for a credit.

    Parameters
    ----------
    barrier : int
        Cycle in which the barrier fires.
    spike : ndarray of int32
        Neurons that fire, ascending; the first ``spikes`` count.
    spike_cycle : ndarray of int64
        Receives the cycle in which each spike acts.
    credit : ndarray of int64, (F,)
        Room for the credits that groups with spikes hold.
    """
    latency = setup.update_stages + 2
    issue, entered, stalls = barrier, barrier, 0
    # Bit a: a group without spikes was issued a cycles ago and holds its credit (a < latency).
    quiet, quiet_held = 0, 0
    oldest, newest = 0, 0
    s = 0
    spiking = spike[0] >> setup.lane_bits if spikes else -1
    for group in range(setup.mapped):
        while True:
            issue += 1
            quiet <<= 1
            quiet_held -= quiet >> latency & 1
            while oldest < newest and credit[oldest & setup.fifo_depth - 1] <= issue:
                oldest += 1
            if newest - oldest + quiet_held < setup.fifo_depth:
                break
            stalls += 1
        quiet &= (1 << latency) - 1
        if group != spiking:
            quiet |= 1
            quiet_held += 1
            continue
        entered = max(entered + 1, issue + latency)
        spike_cycle[s] = entered + 1
        s += 1
        while s < spikes and spike[s] >> setup.lane_bits == group:
            entered += 1
            spike_cycle[s] = entered + 1
            s += 1
        spiking = spike[s] >> setup.lane_bits if s < spikes else -1
        credit[newest & setup.fifo_depth - 1] = entered + 1
        newest += 1
    return max(issue + latency, entered + 2), stalls
