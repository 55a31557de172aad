# SPDX-License-Identifier: Apache-2.0
"""The event queue: when it takes the host's events, and how full it gets."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .jit import kernel

__all__ = ["QueueTimes", "accept", "pop"]


class QueueTimes(NamedTuple):
    """Where host and fetch stand: cycle of the last acceptance, entries popped before it, level."""

    accepted: int
    popped: int
    high_water: int


@kernel
def accept(times: QueueTimes, popped: npt.NDArray[np.int64], entry: int) -> QueueTimes:
    """Times after the host sent entry number ``entry`` of the step, END_OF_STEP included.

    Parameters
    ----------
    popped : ndarray of int64, (Q,)
        Cycle in which entry m was popped, at m modulo Q.
    entry : int
        Number of the entry, own spikes first.
    """
    depth = popped.size
    cycle = times.accepted + 1
    if entry >= depth:
        cycle = max(cycle, popped[entry & depth - 1] + 1)
    left = times.popped
    while left < entry and popped[left & depth - 1] <= cycle:
        left += 1
    return QueueTimes(cycle, left, max(times.high_water, entry + 1 - left))


@kernel
def pop(popped: npt.NDArray[np.int64], entry: int, cycle: int) -> None:
    """Entry number ``entry`` of the step is popped in ``cycle``."""
    popped[entry & popped.size - 1] = cycle
