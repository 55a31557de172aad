# SPDX-License-Identifier: Apache-2.0
"""Queue, fetch and walker of a tile of a mesh (docs/mesh.md, section 4).

Nothing waits for them, so that they follow when all arrivals of a step are known, or a list of
them is full.
"""

from .axon_walker import Walker, idle_walker, walk
from .jit import INT, kernel, outlined
from .layout import Setup
from .mesh_layout import Tiles
from .mesh_tile import (
    ARRIVED,
    CYCLE,
    CYCLE_BEFORE,
    D_AXON,
    D_CYCLE,
    D_VALID,
    DROPS,
    EVENTS,
    FETCH,
    GROUP,
    GROUP_BEFORE,
    HAZARD_STALLS,
    HEAD,
    HIGHEST,
    LEVEL,
    NEVER,
    POPPED,
    POST_LEVEL,
    PRE,
    RECEIVED,
    START,
    STILL,
    SYNAPSE_READS,
    TAKEN,
    UPDATING,
    note,
)

__all__ = ["WAIT", "arrive", "catch_up", "push_post"]

WAIT = 32  # first bit of ``wait`` in an arrival


@kernel
def push_post(setup: Setup, tiles: Tiles, tile: int, axon: int, wait: int) -> None:
    """A push into POST."""
    at = tiles.at[tile]
    level = at[POST_LEVEL]
    if level == setup.queue_depth:
        tiles.counter[tile, DROPS] += 1
        return
    tiles.queue[tile, 1 - at[PRE], level] = wait << WAIT | axon
    at[POST_LEVEL] = level + 1
    at[HIGHEST] = max(at[HIGHEST], level + 1)


@kernel
def arrive(setup: Setup, tiles: Tiles, tile: int, axon: int, wait: int, cycle: int) -> bool:
    """A packet at the local output in this cycle; whether the list is full now."""
    at = tiles.at[tile]
    number = at[ARRIVED]
    tiles.arrival[tile, number] = wait << WAIT | axon & setup.axons - 1
    tiles.arrival_cycle[tile, number] = cycle
    at[ARRIVED] = number + 1
    return bool(number + 1 == tiles.arrival.shape[1])


@outlined
def catch_up(setup: Setup, tiles: Tiles, tile: int, slots: int, more: bool, last: bool) -> bool:
    """Up to the last arrival known, or if none follows in this step up to being idle.

    ``more``: the tile comes to INTEGRATE; False: an event never ends.
    """
    at, counter = tiles.at[tile], tiles.counter[tile]
    segments, queue = tiles.segment[tile], tiles.queue[tile, at[PRE]]
    arrival, arrival_cycle = tiles.arrival[tile], tiles.arrival_cycle[tile]
    deepest, head, level, popped = setup.queue_depth, at[HEAD], at[LEVEL], at[POPPED]
    valid, axon, fetched, wake = at[D_VALID], at[D_AXON], at[D_CYCLE], at[FETCH]
    walker = Walker(at[TAKEN], at[GROUP], at[CYCLE], at[GROUP_BEFORE], at[CYCLE_BEFORE], INT(-1),
                    INT(-1))
    asleep, start, count, index = at[UPDATING], at[START], at[ARRIVED], INT(0)
    while index < count or last:
        due = arrival_cycle[index] if index < count else INT(NEVER) - 1
        if asleep and more and start <= due:
            asleep, at[STILL] = INT(0), start
            walker = idle_walker(setup, start)
            wake = start if level else INT(NEVER)
        while wake <= due:
            cycle, skip = wake, INT(-1)
            if valid:
                segment = segments[axon]
                walker = walk(setup, walker, segment, fetched, None)
                groups = INT(segment["groups"])
                counter[SYNAPSE_READS] += groups
                counter[HAZARD_STALLS] += walker.cycle - walker.taken - groups
                note(setup, tiles, tile, axon, slots)
                skip = INT(tiles.skip[tile, axon])
                axon = (axon + 1) & setup.axons - 1
                valid = INT(segment["last"] == 0)
                fetched = cycle
                if skip >= 0:
                    push_post(setup, tiles, tile, axon, skip)
            if not valid and level:
                found = queue[head]
                wait = found >> WAIT
                if wait == 0 or skip < 0:
                    head, level, popped = head + 1 & deepest - 1, level - 1, cycle
                    counter[EVENTS] += 1
                    if wait:
                        push_post(setup, tiles, tile, found & setup.axons - 1, wait - 1)
                    elif tiles.endless[tile] & 1:
                        return False
                    else:
                        valid, axon, fetched = INT(1), found, cycle
            if valid:
                wake = max(fetched + 1, walker.cycle)
            elif level:
                wake = cycle + 1
            else:
                wake = INT(NEVER)
                at[STILL] = max(cycle + 1, walker.cycle + setup.integrate_stages + 1)
        if index == count:
            break
        if level + (popped == due) >= deepest:
            counter[DROPS] += 1
        else:
            queue[head + level & deepest - 1] = arrival[index]
            level += 1
            counter[RECEIVED] += 1
            at[HIGHEST] = max(at[HIGHEST], level)
            if not asleep and wake == NEVER:
                wake = due + 1
        index += 1
    at[ARRIVED] = 0
    at[HEAD], at[LEVEL], at[POPPED], at[UPDATING] = head, level, popped, asleep
    at[D_VALID], at[D_AXON], at[D_CYCLE], at[FETCH] = valid, axon, fetched, wake
    at[TAKEN], at[GROUP], at[CYCLE] = walker.taken, walker.group, walker.cycle
    at[GROUP_BEFORE], at[CYCLE_BEFORE] = walker.group_before, walker.cycle_before
    return True
