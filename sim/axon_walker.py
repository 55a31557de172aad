# SPDX-License-Identifier: Apache-2.0
"""The axon walker: in which cycle it takes a segment and issues its groups."""

from typing import NamedTuple

import numpy as np

from .jit import INT, kernel
from .layout import Setup
from .learning_layout import Learning

__all__ = ["Walker", "idle_walker", "walk"]


class Walker(NamedTuple):
    """Cycle in which the last segment was taken; group and cycle of the last two issues.

    On a tile that learns also the synapse rows of these issues.
    """

    taken: int
    group: int
    cycle: int
    group_before: int
    cycle_before: int
    row: int
    row_before: int


@kernel
def idle_walker(setup: Setup, start: int) -> Walker:
    """Walker in the first cycle of INTEGRATE, when no write is pending."""
    past = start - setup.integrate_stages - 1
    return Walker(start, -1, past, -1, past, -1, -1)


@kernel
def walk(setup: Setup, walker: Walker, segment: np.void, fetched: int,
         learning: Learning | None) -> Walker:
    """Walker after the segment whose address was presented in cycle ``fetched``.

    A group waits until ``integrate_stages`` cycles lie between two issues of it. Groups within a
    segment differ, so that only its first two issues can meet those of the segment before. On a
    tile that learns the same holds for rows, which differ unless the memory is very short.
    """
    free = setup.integrate_stages + 1
    taken = max(fetched + 1, walker.cycle)
    issue = taken + 1
    first, final_group = INT(segment["first"]), INT(segment["final"])
    groups = INT(segment["groups"])
    if first == walker.group:
        issue = max(issue, walker.cycle + free)
    if first == walker.group_before:
        issue = max(issue, walker.cycle_before + free)
    row = row_before = -1
    if learning is not None:
        row = INT(segment["weight"]) >> setup.lane_bits
        if row == walker.row:
            issue = max(issue, walker.cycle + free)
        if row == walker.row_before:
            issue = max(issue, walker.cycle_before + free)
    if groups == 1:
        return Walker(taken, first, issue, walker.group, walker.cycle, row, walker.row)
    second = issue + 1
    if (first + 1) & setup.groups - 1 == walker.group:
        second = max(second, walker.cycle + free)
    if learning is not None:
        if (row + 1) & setup.synapse_words - 1 == walker.row:
            second = max(second, walker.cycle + free)
        row, row_before = ((row + groups - 1) & setup.synapse_words - 1,
                           (row + groups - 2) & setup.synapse_words - 1)
    final = second + groups - 2
    before = issue if groups == 2 else final - 1
    if learning is not None:
        if setup.synapse_words < free:
            # Of two rows, every other issue has the same.
            before, final = issue, second
            for _ in range(2, groups):
                before, final = final, max(final + 1, before + free)
    return Walker(taken, final_group, final, (final_group - 1) & setup.groups - 1, before,
                  row, row_before)
