# SPDX-License-Identifier: Apache-2.0
"""The axon walker: in which cycle it takes a segment and issues its groups."""

from typing import NamedTuple

import numpy as np

from .jit import INT, kernel
from .layout import Setup

__all__ = ["Walker", "idle_walker", "walk"]


class Walker(NamedTuple):
    """Cycle in which the last segment was taken; group and cycle of the last two issues."""

    taken: int
    group: int
    cycle: int
    group_before: int
    cycle_before: int


@kernel
def idle_walker(setup: Setup, start: int) -> Walker:
    """Walker in the first cycle of INTEGRATE, when no write is pending."""
    past = start - setup.integrate_stages - 1
    return Walker(start, -1, past, -1, past)


@kernel
def walk(setup: Setup, walker: Walker, segment: np.void, fetched: int) -> Walker:
    """Walker after the segment whose address was presented in cycle ``fetched``.

    A group waits until ``integrate_stages`` cycles lie between two issues of it. Groups within a
    segment differ, so that only its first two issues can meet those of the segment before.
    """
    free = setup.integrate_stages + 1
    taken = max(fetched + 1, walker.cycle)
    issue = taken + 1
    first, final_group = INT(segment["first"]), INT(segment["final"])
    if first == walker.group:
        issue = max(issue, walker.cycle + free)
    if first == walker.group_before:
        issue = max(issue, walker.cycle_before + free)
    groups = INT(segment["groups"])
    if groups == 1:
        return Walker(taken, first, issue, walker.group, walker.cycle)
    second = issue + 1
    if (first + 1) & setup.groups - 1 == walker.group:
        second = max(second, walker.cycle + free)
    final = second + groups - 2
    before = issue if groups == 2 else final - 1
    return Walker(taken, final_group, final, (final_group - 1) & setup.groups - 1, before)
