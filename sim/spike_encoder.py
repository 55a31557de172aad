# SPDX-License-Identifier: Apache-2.0
"""The spike encoder: groups issued on credit, spikes leaving one per cycle.

Which groups spike is unpredictable, so that a branch on it costs more than the work on either side:
the loops below do the same work for every group, and branch only at its third spike.
"""

import numpy as np
import numpy.typing as npt

from .jit import INT, kernel
from .layout import Setup

__all__ = ["emit", "find_spikes"]

_FAR = 1 << 60
_ONE = np.uint64(1)
_TOP = np.uint64(56)
# Times a word with one byte set to 1, it has the number of this byte in its highest byte.
_BYTE_NUMBER = np.uint64(0x0001020304050607)
# Times a word of bytes, it has their sum in its highest byte.
_BYTE_SUM = np.uint64(0x0101010101010101)


@kernel
def _first_byte(word: np.uint64, rest: np.uint64) -> int:
    return INT(((word ^ rest) * _BYTE_NUMBER) >> _TOP)


@kernel
def find_spikes(fired_words: npt.NDArray[np.uint64], stop: int,
                spike: npt.NDArray[np.int32]) -> int:
    """Number of neurons below ``stop`` whose byte is 1; ``spike`` lists them in ascending order.

    ``spike`` needs room for two more.
    """
    found = 0
    for index in range((stop + 7) // 8):
        word = fired_words[index]
        rest = word & (word - _ONE)
        spike[found] = index * 8 + _first_byte(word, rest)
        found += INT(word != rest)
        word, rest = rest, rest & (rest - _ONE)
        spike[found] = index * 8 + _first_byte(word, rest)
        found += INT(word != rest)
        while rest:
            word, rest = rest, rest & (rest - _ONE)
            spike[found] = index * 8 + _first_byte(word, rest)
            found += 1
    return found


@kernel
def _count(setup: Setup, fired_words: npt.NDArray[np.uint64], group: int) -> int:
    """Spikes of a group."""
    if setup.lane_bits < 3:
        lanes = 1 << setup.lane_bits
        word = fired_words[group * lanes >> 3] >> np.uint64((group * lanes & 7) * 8)
        word &= (_ONE << np.uint64(lanes * 8)) - _ONE
        return INT((word * _BYTE_SUM) >> _TOP)
    words, spikes = 1 << setup.lane_bits - 3, 0
    for index in range(group * words, group * words + words):
        spikes += INT((fired_words[index] * _BYTE_SUM) >> _TOP)
    return spikes


@kernel
def emit(setup: Setup, fired_words: npt.NDArray[np.uint64], barrier: int,
         spike_cycle: npt.NDArray[np.int64], credits: npt.NDArray[np.int64]) -> tuple[int, int]:
    """Cycle of END_OF_STEP, and the number of cycles in which groups waited for a credit.

    Parameters
    ----------
    fired_words : ndarray of uint64
        One byte of 0 or 1 for every neuron.
    barrier : int
        Cycle in which the barrier fires.
    spike_cycle : ndarray of int64
        Receives the cycle in which each spike acts, in ascending neuron order; needs room for two
        more.
    credits : ndarray of int64, (a power of two,)
        Credits that come back in each cycle, all zero; longer than any group holds its credit.
    """
    latency, last = setup.update_stages + 2, credits.size - 1
    issue, entered, stalls, held, found = barrier, barrier, 0, 0, 0
    for group in range(setup.mapped):
        issue += 1
        held -= credits[issue & last]
        credits[issue & last] = 0
        while held == setup.fifo_depth:
            stalls += 1
            issue += 1
            held -= credits[issue & last]
            credits[issue & last] = 0
        spikes = _count(setup, fired_words, group)
        never = (spikes - 1 >> 8) & _FAR  # without spikes no time of theirs counts
        before = max(entered, issue + latency - 1 - never)
        spike_cycle[found] = before + 2
        spike_cycle[found + 1] = before + 3
        for s in range(2, spikes):
            spike_cycle[found + s] = before + 2 + s
        found += spikes
        entered = before + spikes
        credits[max(entered + 1 - never, issue + latency) & last] += 1
        held += 1
    credits[:] = 0
    return max(issue + latency, entered + 2), stalls
