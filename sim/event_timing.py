# SPDX-License-Identifier: Apache-2.0
"""When the spikes of a pass leave and when the pass ends (docs/event_mode.md, section 5)."""

import numpy as np
import numpy.typing as npt

from .jit import INT, kernel

__all__ = ["spike_times"]

Times = npt.NDArray[np.int64]


@kernel
def spike_times(groups: npt.NDArray[np.int32], spikes: int, issues: int, start: int, stages: int,
                fifo_depth: int, spike_cycle: Times, credits: Times) -> tuple[int, int]:
    """Last cycle of a pass that updates neurons, and the cycles without a credit.

    Parameters
    ----------
    groups : ndarray of int32
        Group of each of the ``spikes`` emitted spikes, ascending; the first of the pass is 0.
    issues : int
        Groups of the pass.
    start : int
        Cycle of the choice.
    spike_cycle : ndarray of int64
        Receives the cycle in which each spike leaves.
    credits : ndarray of int64, (a power of two,)
        Room for the credits that come back in each cycle, all zero; longer than any group holds
        its credit.
    """
    sent, held = start, stages + 1
    for s in range(spikes):
        issue = start + 1 + groups[s]
        sent = max(sent + 1, issue + stages + 1)
        spike_cycle[s] = sent
        held = max(held, sent + 1 - issue)
    # If no group holds its credit longer than the FIFO is deep, then at an issue at most the
    # fifo_depth - 1 groups before it hold one. It is the common case.
    if held <= fifo_depth or issues <= fifo_depth:
        return max(start + issues + stages + 1, sent + 1), 0
    return _on_credit(groups, spikes, issues, start, stages, fifo_depth, spike_cycle, credits)


@kernel
def _on_credit(groups: npt.NDArray[np.int32], spikes: int, issues: int, start: int, stages: int,
               fifo_depth: int, spike_cycle: Times, credits: Times) -> tuple[int, int]:
    """As :func:`spike_times`, one group after the other."""
    last = credits.size - 1
    issue, sent, held, stalls, s = start, start, 0, 0, 0
    for group in range(issues):
        issue += 1
        held -= credits[issue & last]
        credits[issue & last] = 0
        while held == fifo_depth:
            stalls += 1
            issue += 1
            held -= credits[issue & last]
            credits[issue & last] = 0
        back = issue + stages + 1
        while s < spikes and INT(groups[s]) == group:
            sent = max(sent + 1, issue + stages + 1)
            spike_cycle[s] = sent
            back = sent + 1
            s += 1
        credits[back & last] += 1
        held += 1
    credits[:] = 0
    return max(issue + stages + 1, sent + 1), stalls
