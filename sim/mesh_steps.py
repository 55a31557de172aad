# SPDX-License-Identifier: Apache-2.0
"""A mesh from step to step: packets arrive where they go, in no time."""

from typing import Any

from .jit import INT, entry, kernel, outlined, source_digest
from .layout import Setup
from .mesh_layout import Tiles
from .mesh_paths import ENDLESS, Paths
from .mesh_places import (
    DONE,
    ENDLESS_AXON,
    ENDLESS_ROUTE,
    ENDLESS_TREE,
    ENTRY,
    LOGGED,
    PAUSED,
    SENT,
    SPIKE,
    SPREADING,
    STEP,
    TILE,
    WHO,
)
from .mesh_queue import WAIT, push_post
from .mesh_tile import (
    ARRIVED,
    EVENTS,
    LEVEL,
    PACKETS,
    POST_LEVEL,
    PRE,
    RECEIVED,
    SPIKES,
    SPIKES_SENT,
    SYNAPSE_READS,
    note,
    update,
)
from .noc import NocState

__all__ = ["run_steps"]


@kernel
def _fetch(setup: Setup, tiles: Tiles, tile: int, found: int, slots: int) -> None:
    """An entry of the queue is popped."""
    counter, axon = tiles.counter[tile], found & setup.axons - 1
    counter[EVENTS] += 1
    if found >> WAIT:
        push_post(setup, tiles, tile, axon, (found >> WAIT) - 1)
        return
    more = True
    while more:
        segment, skip = tiles.segment[tile, axon], INT(tiles.skip[tile, axon])
        counter[SYNAPSE_READS] += segment["groups"]
        note(setup, tiles, tile, axon, slots)
        axon = (axon + 1) & setup.axons - 1
        if skip >= 0:
            push_post(setup, tiles, tile, axon, skip)
        more = segment["last"] == 0


@outlined
def _absorb(setup: Setup, tiles: Tiles, tile: int, carried: int, slots: int) -> bool:
    """Pop what was carried from the step before, and all arrivals; False: one never ends."""
    at = tiles.at[tile]
    for index in range(carried + at[ARRIVED]):
        if index < carried:
            found = tiles.queue[tile, at[PRE], index]
        else:
            found = tiles.arrival[tile, index - carried]
        if tiles.endless[tile] & 1 and found >> WAIT == 0:
            return False
        _fetch(setup, tiles, tile, found, slots)
    at[ARRIVED] = 0
    return True


@kernel
def _deliver(setup: Setup, tiles: Tiles, net: NocState, paths: Paths, number: int, packet: int,
             delay_shift: int, slots: int, more: bool) -> int:
    """A packet arrives at all tiles that it goes to; a tile where an event never ends, or -1."""
    value = packet >> net.value_shift & net.value_mask
    wait = packet >> delay_shift if delay_shift >= 0 else INT(0)
    for index in range(paths.first[number], paths.first[number + 1]):
        tile = paths.tile[index]
        tiles.counter[tile, RECEIVED] += 1
        if more:  # else nothing is popped any more
            place = tiles.at[tile, ARRIVED]
            if place == tiles.arrival.shape[1]:
                if not _absorb(setup, tiles, tile, INT(0), slots):
                    return INT(tile)
                place = INT(0)
            axon = value + paths.axon[index] & setup.axons - 1
            tiles.arrival[tile, place] = wait << WAIT | axon
            tiles.at[tile, ARRIVED] = place + 1
    return INT(-1)


def _make_run(sources: str) -> Any:
    @entry
    def run(setup: Setup, tiles: Tiles, net: NocState, rows: int, steps: int, slots: int,
            delay_shift: int, paths: Paths, start: Any, word: Any, numbers: Any, place: Any,
            log: Any, recorded: Any, membrane: Any, visits: int) -> int:
        """Go on from ``place`` for a number of steps; why it returned."""
        len(sources)  # see jit.entry
        at, count = tiles.at, INT(tiles.at.shape[0])
        step, logged, sent = place[STEP], place[LOGGED], place[SENT]
        tile, spike, following = place[TILE], place[SPIKE], place[ENTRY]
        code, spreading, stop = INT(PAUSED), place[SPREADING], step + visits
        while code == PAUSED:
            # One packet at a time: of a spike's chain, or of the host.
            if logged == log.shape[1]:
                break
            number, packet, owner = INT(-1), INT(0), INT(-1)
            if spreading:
                if tile == count:
                    spreading = INT(0)
                    if step == steps:
                        code = INT(DONE)
                    elif step >= stop:
                        break
                    continue
                if spike == at[tile, SPIKES]:
                    tile, spike = tile + 1, INT(0)
                    continue
                neuron = INT(tiles.spike[tile, spike])
                if following == 0:
                    tiles.counter[tile, SPIKES_SENT] += 1
                    first = INT(tiles.fanout[tile, neuron])
                    if first < 0:
                        spike += 1
                        continue
                    if tiles.endless[tile] & 2:
                        place[WHO], code = tile, INT(ENDLESS_ROUTE)
                        continue
                    following = first + 1
                number, packet = paths.entry[tile, following - 1], tiles.packet[tile, following - 1]
                kind, owner = tiles.entry[tile, following - 1], tile
                if kind & 2:
                    packet |= tiles.own[tile] | neuron << net.value_shift
                tiles.counter[tile, PACKETS] += 1
                following = (following & tiles.packet.shape[1] - 1) + 1
                if kind & 1:
                    following = INT(0)
                    spike += 1
            elif sent < start[(step + 1) * rows]:
                number, packet = numbers[sent], word[sent]
                sent += 1
            else:
                for index in range(count):
                    if not _absorb(setup, tiles, index, at[index, LEVEL], slots):
                        place[WHO], code = index, INT(ENDLESS_AXON)
                if code != PAUSED:
                    continue
                for index in range(count):
                    update(setup, tiles, index, step, slots)
                    at[index, PRE] = 1 - at[index, PRE]
                    at[index, LEVEL], at[index, POST_LEVEL] = at[index, POST_LEVEL], 0
                for index in range(recorded.size):
                    neuron = recorded[index]
                    membrane[step, index] = tiles.membrane[neuron // setup.neurons,
                                                           neuron % setup.neurons]
                step += 1
                tile, spike, spreading = INT(0), INT(0), INT(1)
                continue
            paths.uses[number] += 1
            if paths.kind[number] & ENDLESS:
                place[WHO], code = owner, INT(ENDLESS_TREE)
            elif paths.kind[number]:
                log[0, logged], log[1, logged], log[2, logged] = -1, step - 1, 0
                log[3, logged] = packet
                logged += 1
            else:
                blamed = _deliver(setup, tiles, net, paths, number, packet, delay_shift, slots,
                                  step < steps)
                if blamed >= 0:
                    place[WHO], code = blamed, INT(ENDLESS_AXON)
        place[STEP], place[LOGGED], place[SENT] = step, logged, sent
        place[TILE], place[SPIKE], place[ENTRY], place[SPREADING] = (tile, spike, following,
                                                                         spreading)
        return code

    return run


run_steps = _make_run(source_digest())
