# SPDX-License-Identifier: Apache-2.0
"""Which neurons emit spikes in a pass, when these leave and when the pass ends.

See docs/event_mode.md, section 5. How many spikes a pass has is unpredictable: a branch on it costs
more than the work on either side.
"""

import numpy as np
import numpy.typing as npt

from .jit import INT, kernel

__all__ = ["find_emitted", "spike_times"]

Times = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int32]
Words = npt.NDArray[np.uint64]

_ONE = np.uint64(1)
_TOP_BYTE = np.uint64(56)
# Times a word of eight bytes that are 0 or 1, it has their bits in its highest byte.
_GATHER = np.uint64(0x0102040810204080)
# De Bruijn sequence: the highest six bits of any power of two times it differ.
_SEQUENCE = 0x03F79D71B4CB0A89
_TOP_SIX = np.uint64(58)
_POSITION = np.zeros(64, np.int32)
_POSITION[[(_SEQUENCE << bit & (1 << 64) - 1) >> 58 for bit in range(64)]] = np.arange(64)
_SEQUENCE_WORD = np.uint64(_SEQUENCE)


@kernel
def _lowest(bits: np.uint64, rest: np.uint64) -> int:
    return INT(_POSITION[((bits ^ rest) * _SEQUENCE_WORD) >> _TOP_SIX])


@kernel
def find_emitted(emitted_words: Words, spike: Numbers, first: int) -> int:
    """Number of neurons whose byte is 1, listed in ascending order in ``spike`` from ``first`` on.

    Parameters
    ----------
    emitted_words : ndarray of uint64, (a multiple of 8,)
        One byte of 0 or 1 for every neuron.
    spike : ndarray of int32
        Needs room for two more.
    """
    found = first
    for block in range(0, emitted_words.size, 8):
        bits = np.uint64(0)
        for word in range(8):
            byte = emitted_words[np.uint64(block + word)] * _GATHER >> _TOP_BYTE
            bits |= byte << np.uint64(8 * word)
        rest = bits & (bits - _ONE)
        spike[found] = block * 8 + _lowest(bits, rest)
        found += INT(bits != rest)
        bits, rest = rest, rest & (rest - _ONE)
        spike[found] = block * 8 + _lowest(bits, rest)
        found += INT(bits != rest)
        while rest:
            bits, rest = rest, rest & (rest - _ONE)
            spike[found] = block * 8 + _lowest(bits, rest)
            found += 1
    return found - first


@kernel
def spike_times(spike: Numbers, spike_cycle: Times, first: int, spikes: int, lane_bits: int,
                group: int, groups: int, start: int, stages: int, fifo_depth: int,
                credits: Times) -> tuple[int, int]:
    """Last cycle of a pass that updates neurons, and the cycles without a credit.

    Parameters
    ----------
    spike : ndarray of int32
        Neurons that emitted the ``spikes`` spikes, ascending, from ``first`` on.
    spike_cycle : ndarray of int64
        Receives the cycle in which each spike leaves.
    group, groups : int
        First group of the pass, and their number.
    start : int
        Cycle of the choice.
    credits : ndarray of int64, (a power of two,)
        Room for the credits that come back in each cycle, all zero; longer than any group holds
        its credit.
    """
    sent, held = start, stages + 1
    for s in range(first, first + spikes):
        issue = start + 1 + (INT(spike[s]) >> lane_bits) - group
        sent = max(sent + 1, issue + stages + 1)
        spike_cycle[s] = sent
        held = max(held, sent + 1 - issue)
    # If no group holds its credit longer than the FIFO is deep, then at an issue at most the
    # fifo_depth - 1 groups before it hold one. It is the common case.
    if held <= fifo_depth or groups <= fifo_depth:
        return max(start + groups + stages + 1, sent + 1), 0
    return _on_credit(spike, spike_cycle, first, spikes, lane_bits, groups, start, stages,
                      fifo_depth, credits)


@kernel
def _on_credit(spike: Numbers, spike_cycle: Times, first: int, spikes: int, lane_bits: int,
               groups: int, start: int, stages: int, fifo_depth: int,
               credits: Times) -> tuple[int, int]:
    """As :func:`spike_times`, one group of all after the other."""
    last, end = credits.size - 1, first + spikes
    issue, sent, held, stalls, s = start, start, 0, 0, first
    for group in range(groups):
        issue += 1
        held -= credits[issue & last]
        credits[issue & last] = 0
        while held == fifo_depth:
            stalls += 1
            issue += 1
            held -= credits[issue & last]
            credits[issue & last] = 0
        back = issue + stages + 1
        while s < end and INT(spike[s]) >> lane_bits == group:
            sent = max(sent + 1, issue + stages + 1)
            spike_cycle[s] = sent
            back = sent + 1
            s += 1
        credits[back & last] += 1
        held += 1
    credits[:] = 0
    return max(issue + stages + 1, sent + 1), stalls
