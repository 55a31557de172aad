# SPDX-License-Identifier: Apache-2.0
"""A mesh from cycle to cycle: tiles send, the network carries, the barrier ends the step."""

from typing import Any

from .jit import INT, entry, source_digest
from .layout import Setup
from .mesh_layout import Tiles
from .mesh_places import (
    BEGAN,
    DONE,
    EMPTY,
    ENDLESS_AXON,
    ENDLESS_ROUTE,
    LAST_HOST,
    LOGGED,
    NOW,
    PAUSED,
    SENDING,
    STEP,
    WHO,
)
from .mesh_queue import arrive, catch_up
from .mesh_tile import HIGHEST, NEVER, SPIKES, START, STILL, WAKE, begin_update, send, update
from .noc import ENTERING, OUT, PACKETS, NocState, advance, enter, host_input, room

__all__ = ["run_cycles"]


def _make_run(sources: str) -> Any:
    @entry
    def run(setup: Setup, tiles: Tiles, net: NocState, rows: int, steps: int, slots: int,
            delay_shift: int, stages: int, start: Any, sent: Any, word: Any, place: Any, log: Any,
            recorded: Any, membrane: Any, barrier: Any, times: Any, visits: int) -> int:
        """Go on from ``place`` for a number of visited cycles; why it returned."""
        len(sources)  # see jit.entry
        at, order, count = tiles.at, tiles.order, INT(tiles.at.shape[0])
        cycle, step, logged, sending = place[NOW], place[STEP], place[LOGGED], place[SENDING]
        code = INT(PAUSED)
        for _ in range(visits):
            if logged + rows > log.shape[1]:
                break
            wake, index = INT(NEVER), INT(0)
            while index < sending:
                tile = INT(order[index])
                if at[tile, WAKE] <= cycle:
                    if not send(setup, tiles, net, tile, cycle):
                        place[WHO], code = tile, INT(ENDLESS_ROUTE)
                        break
                    if at[tile, WAKE] == NEVER:
                        sending -= 1
                        order[index] = order[sending]
                        continue
                wake = min(wake, at[tile, WAKE])
                index += 1
            if code != PAUSED:
                break
            if step < steps:
                for row in range(rows):
                    part = step * rows + row
                    if sent[part] < start[part + 1]:
                        wake = cycle + 1
                        if room(net, host_input(net, row)):
                            enter(net, host_input(net, row), word[sent[part]])
                            sent[part] += 1
                            place[LAST_HOST] = cycle
            if net.counts[PACKETS] or net.counts[ENTERING]:
                advance(net)
                wake = cycle + 1
                place[EMPTY] = wake
                first = logged
                for number in range(net.counts[OUT]):
                    port, packet = INT(net.out_port[number]), net.out_word[number]
                    if port < count:
                        wait = packet >> delay_shift if delay_shift >= 0 else INT(0)
                        axon = packet >> net.value_shift & net.value_mask
                        if arrive(setup, tiles, port, axon, wait, cycle) and not catch_up(
                                setup, tiles, port, slots, step < steps, False):
                            place[WHO], code = port, INT(ENDLESS_AXON)
                    else:
                        spot = logged
                        while spot > first and log[2, spot - 1] > port:
                            for field in range(4):
                                log[field, spot] = log[field, spot - 1]
                            spot -= 1
                        log[0, spot], log[1, spot] = cycle, step - 1
                        log[2, spot], log[3, spot] = port, packet
                        logged += 1
                if code != PAUSED:
                    break
            if wake != NEVER:
                cycle = wake
                continue
            # All packets of the step have arrived.
            still, end = INT(0), place[EMPTY]
            for tile in range(count):
                if not catch_up(setup, tiles, tile, slots, step < steps, True):
                    place[WHO], code = tile, INT(ENDLESS_AXON)
                still, end = max(still, at[tile, STILL]), max(end, at[tile, START])
                if step:
                    times[1, step - 1, tile] = at[tile, START] - 1
            if code != PAUSED:
                break
            if step == steps:
                cycle, code = end, INT(DONE)
                break
            held = max(place[BEGAN], place[LAST_HOST] + 1) + 1
            cycle = max(still, held, place[EMPTY]) + stages
            barrier[step], sending = cycle, INT(0)
            for tile in range(count):
                times[0, step, tile], times[2, step, tile] = at[tile, STILL], at[tile, HIGHEST]
                update(setup, tiles, tile, step, slots)
                begin_update(setup, tiles, tile, cycle)
                order[sending] = tile
                sending += INT(at[tile, SPIKES] > 0)
            for index in range(recorded.size):
                neuron = recorded[index]
                membrane[step, index] = tiles.membrane[neuron // setup.neurons,
                                                       neuron % setup.neurons]
            step += 1
            cycle += 1
            place[BEGAN] = place[EMPTY] = cycle
        place[NOW], place[STEP], place[LOGGED], place[SENDING] = cycle, step, logged, sending
        return code

    return run


run_cycles = _make_run(source_digest())
