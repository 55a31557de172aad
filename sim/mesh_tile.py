# SPDX-License-Identifier: Apache-2.0
"""A tile of a mesh, from one cycle in which something happens to the next (docs/mesh.md)."""

import numpy as np

from .axon_walker import Walker, idle_walker, walk
from .jit import INT, kernel
from .layout import Contents, Setup, State
from .mesh_layout import AT, Tiles
from .noc import NocState, enter, local_input, room
from .npe import add_segment, flush_batch, update_span
from .spike_encoder import find_spikes

__all__ = ["FINISHED", "HIGHEST", "HOLD", "INTEGRATE", "NEVER", "PHASE", "STILL", "UPDATE", "WAKE",
           "act", "arrive", "begin_update", "wake_up"]

NEVER = 1 << 60

(WAKE, PHASE, STILL, PRE, HEAD, LEVEL, POST_LEVEL, POPPED, D_VALID, D_AXON, D_CYCLE,
 TAKEN, GROUP, CYCLE, GROUP_BEFORE, CYCLE_BEFORE, B_NEURON, B_LENGTH, B_ROWS, B_SLOT,
 SPIKES, NEXT, READY, ISSUED, ISSUE, SILENT, SPIKING, P_NEURON, R_ENTRY, R_NEURON, DONE,
 SLOT, USED_SILENT, USED_SPIKING, HIGHEST) = range(AT)
"""Scalars of a tile: next cycle in which it does something, phase, first cycle in which it is
idle; which queue is PRE, its first entry, levels, cycle of the last pop; D; the walker; the batch;
spikes of the update, next one, when it can leave; groups issued, cycle of the last, credits that
came back of groups without and with spikes; P, R (plus one, 0: empty), cycle in which either gave
something up; step modulo slots; credits of either kind used; largest level since the barrier."""

HOLD, INTEGRATE, UPDATE, FINISHED = range(4)
"""Phases; FINISHED: the update is over, INTEGRATE or HOLD from ``WAKE``."""

(_EVENTS, _SYNAPSE_READS, _HAZARD_STALLS, _UPDATES, _FIFO_STALLS, _SPIKES, _DROPS, _HIGH_WATER,
 _PACKETS, _RECEIVED) = range(10)


@kernel
def _contents(tiles: Tiles, tile: int) -> Contents:
    return Contents(
        tiles.segment[tile], tiles.weight[tile], tiles.span[tile], tiles.threshold[tile],
        tiles.v_reset[tile], tiles.bias[tile], tiles.decay_v[tile], tiles.decay_i[tile],
        tiles.unused, tiles.unused_bytes, tiles.unused_bytes)


@kernel
def _state(setup: Setup, tiles: Tiles, tile: int, slot: int) -> State:
    """State of a tile with the accumulators of one slot."""
    first = slot * setup.neurons
    accumulator = tiles.accumulator[tile]
    return State(
        tiles.membrane[tile], tiles.current[tile], accumulator[first:first + setup.neurons],
        tiles.potential[tile], tiles.fired[tile], tiles.fired_words[tile], tiles.unused,
        tiles.unused_times, tiles.batch[tile], tiles.spike[tile], tiles.unused_times,
        tiles.unused_times, tiles.unused_times)


@kernel
def _flush(setup: Setup, tiles: Tiles, tile: int) -> None:
    at = tiles.at[tile]
    flush_batch(_contents(tiles, tile), _state(setup, tiles, tile, at[B_SLOT]),
                (at[B_NEURON], at[B_LENGTH], at[B_ROWS]))
    at[B_ROWS] = 0


@kernel
def _push_post(setup: Setup, tiles: Tiles, tile: int, axon: int, wait: int) -> None:
    at, counter = tiles.at[tile], tiles.counter[tile]
    level = at[POST_LEVEL]
    if level == setup.queue_depth:
        counter[_DROPS] += 1
        return
    tiles.queue[tile, 1 - at[PRE], level] = axon
    tiles.wait[tile, 1 - at[PRE], level] = wait
    at[POST_LEVEL] = level + 1
    at[HIGHEST] = max(at[HIGHEST], level + 1)


@kernel
def arrive(setup: Setup, tiles: Tiles, tile: int, axon: int, wait: int, cycle: int) -> None:
    """A packet at the local output in this cycle, after the tile's own :func:`act`."""
    at, counter = tiles.at[tile], tiles.counter[tile]
    level = at[LEVEL]
    if level + (at[POPPED] == cycle) >= setup.queue_depth:
        counter[_DROPS] += 1
        return
    place = (at[HEAD] + level) & setup.queue_depth - 1
    tiles.queue[tile, at[PRE], place] = axon & setup.axons - 1
    tiles.wait[tile, at[PRE], place] = wait
    at[LEVEL] = level + 1
    counter[_RECEIVED] += 1
    at[HIGHEST] = max(at[HIGHEST], level + 1)
    if at[PHASE] == INTEGRATE and at[WAKE] == NEVER:
        at[WAKE] = cycle + 1


@kernel
def wake_up(setup: Setup, tiles: Tiles, tile: int, cycle: int) -> None:
    """INTEGRATE from this cycle on."""
    at = tiles.at[tile]
    walker = idle_walker(setup, cycle)
    at[TAKEN], at[GROUP], at[CYCLE] = walker.taken, walker.group, walker.cycle
    at[GROUP_BEFORE], at[CYCLE_BEFORE] = walker.group_before, walker.cycle_before
    at[PHASE], at[STILL] = INTEGRATE, cycle
    at[WAKE] = cycle if at[LEVEL] else NEVER


@kernel
def _take(setup: Setup, tiles: Tiles, tile: int, slots: int) -> int:
    """W takes D: skip to the next level, -1: none."""
    at, counter = tiles.at[tile], tiles.counter[tile]
    axon = at[D_AXON]
    segment = tiles.segment[tile, axon]
    walker = walk(setup, Walker(at[TAKEN], at[GROUP], at[CYCLE], at[GROUP_BEFORE],
                                at[CYCLE_BEFORE], INT(-1), INT(-1)), segment, at[D_CYCLE], None)
    at[TAKEN], at[GROUP], at[CYCLE] = walker.taken, walker.group, walker.cycle
    at[GROUP_BEFORE], at[CYCLE_BEFORE] = walker.group_before, walker.cycle_before
    counter[_SYNAPSE_READS] += segment["groups"]
    counter[_HAZARD_STALLS] += walker.cycle - walker.taken - segment["groups"]
    slot = (at[SLOT] + tiles.delay[tile, axon]) & slots - 1
    if slot != at[B_SLOT]:
        _flush(setup, tiles, tile)
        at[B_SLOT] = slot
    batch = add_segment(setup, _contents(tiles, tile), _state(setup, tiles, tile, slot), segment,
                        (at[B_NEURON], at[B_LENGTH], at[B_ROWS]))
    at[B_NEURON], at[B_LENGTH], at[B_ROWS] = batch
    at[D_VALID] = 0
    return INT(tiles.skip[tile, axon])


@kernel
def _integrate(setup: Setup, tiles: Tiles, tile: int, cycle: int, slots: int) -> bool:
    """Fetch and walker in this cycle; False: an event never ends."""
    at, counter = tiles.at[tile], tiles.counter[tile]
    skip = INT(-1)
    if at[D_VALID] and cycle >= max(at[D_CYCLE] + 1, at[CYCLE]):
        axon = at[D_AXON]
        skip = _take(setup, tiles, tile, slots)
        if skip >= 0:
            _push_post(setup, tiles, tile, (axon + 1) & setup.axons - 1, skip)
        if not tiles.segment[tile, axon]["last"]:
            at[D_VALID], at[D_AXON], at[D_CYCLE] = 1, (axon + 1) & setup.axons - 1, cycle
    if not at[D_VALID] and at[LEVEL]:
        axon = INT(tiles.queue[tile, at[PRE], at[HEAD]])
        wait = INT(tiles.wait[tile, at[PRE], at[HEAD]])
        if wait == 0 or skip < 0:
            at[HEAD] = (at[HEAD] + 1) & setup.queue_depth - 1
            at[LEVEL] -= 1
            at[POPPED] = cycle
            counter[_EVENTS] += 1
            if wait:
                _push_post(setup, tiles, tile, axon, wait - 1)
            else:
                if tiles.endless[tile] & 1:
                    return False
                at[D_VALID], at[D_AXON], at[D_CYCLE] = 1, axon, cycle
    if at[D_VALID]:
        at[WAKE] = max(at[D_CYCLE] + 1, at[CYCLE])
    elif at[LEVEL]:
        at[WAKE] = cycle + 1
    else:
        at[WAKE] = NEVER
        at[STILL] = max(cycle + 1, at[CYCLE] + setup.integrate_stages + 1)
    return True


@kernel
def _issue(setup: Setup, tiles: Tiles, tile: int, stop: int) -> None:
    """Issue groups up to the one before ``stop``; all of them but the last have no spikes left."""
    at = tiles.at[tile]
    credit = tiles.credit[tile]
    mask = setup.fifo_depth - 1
    while at[ISSUED] < stop:
        issue = at[ISSUE] + 1
        if at[ISSUED] >= setup.fifo_depth:
            silent, spiking = INT(NEVER), INT(NEVER)
            if at[USED_SILENT] < at[SILENT]:
                silent = credit[0, at[USED_SILENT] & mask]
            if at[USED_SPIKING] < at[SPIKING]:
                spiking = credit[1, at[USED_SPIKING] & mask]
            if silent < spiking:
                at[USED_SILENT] += 1
            else:
                at[USED_SPIKING] += 1
            back = max(issue, min(silent, spiking))
            tiles.counter[tile, _FIFO_STALLS] += back - issue
            issue = back
        at[ISSUE] = issue
        at[ISSUED] += 1
        if at[ISSUED] < stop or at[NEXT] == at[SPIKES]:
            credit[0, at[SILENT] & mask] = issue + setup.update_stages + 2
            at[SILENT] += 1


@kernel
def begin_update(setup: Setup, tiles: Tiles, tile: int, cycle: int, step: int, slots: int) -> None:
    """The barrier of step ``step`` in this cycle: all updates, and when the first spike leaves."""
    at = tiles.at[tile]
    _flush(setup, tiles, tile)
    state, contents = _state(setup, tiles, tile, at[SLOT]), _contents(tiles, tile)
    now = min(step, setup.last_step)
    for index in range(tiles.spans[tile]):
        span = contents.span[index]
        since = now - span["offset"]
        if since >= 0 and (setup.length == 0 or since < setup.length):
            update_span(setup, contents, state, span)
            tiles.counter[tile, _UPDATES] += (span["stop"] - span["first"]) >> setup.lane_bits
        else:
            state.fired[span["first"]:span["stop"]] = 0
    mapped = tiles.mapped[tile]
    at[SPIKES] = find_spikes(state.fired_words, mapped << setup.lane_bits, state.spike)
    at[NEXT] = at[ISSUED] = at[SILENT] = at[SPIKING] = at[P_NEURON] = at[R_ENTRY] = 0
    at[USED_SILENT] = at[USED_SPIKING] = at[DONE] = 0
    at[ISSUE], at[PHASE] = cycle, UPDATE
    at[SLOT] = (at[SLOT] + 1) & slots - 1
    at[PRE] = 1 - at[PRE]
    at[HEAD], at[LEVEL], at[POST_LEVEL], at[POPPED] = 0, at[POST_LEVEL], 0, -1
    tiles.counter[tile, _HIGH_WATER] = max(tiles.counter[tile, _HIGH_WATER], at[HIGHEST])
    at[HIGHEST] = at[LEVEL]
    _expect(setup, tiles, tile, cycle)


@kernel
def _expect(setup: Setup, tiles: Tiles, tile: int, cycle: int) -> None:
    """When the next spike can leave the FIFO, or the update end, and the tile wake."""
    at = tiles.at[tile]
    latency = setup.update_stages + 2
    if at[NEXT] < at[SPIKES]:
        group = INT(tiles.spike[tile, at[NEXT]]) >> setup.lane_bits
        if group >= at[ISSUED]:
            _issue(setup, tiles, tile, group + 1)
        at[READY] = max(at[ISSUE] + latency, cycle + 1)
    else:
        _issue(setup, tiles, tile, tiles.mapped[tile])
    if at[P_NEURON] or at[R_ENTRY]:
        at[WAKE] = cycle + 1
    elif at[NEXT] < at[SPIKES]:
        at[WAKE] = at[READY]
    else:
        at[PHASE] = FINISHED
        at[WAKE] = max(at[ISSUE] + latency, at[DONE] + 1) + 1


@kernel
def _update(setup: Setup, tiles: Tiles, net: NocState, tile: int, cycle: int) -> bool:
    """Stages P and R in this cycle; False: a chain of route entries never ends."""
    at, counter = tiles.at[tile], tiles.counter[tile]
    if at[R_ENTRY]:
        place = local_input(net, tile)
        if room(net, place):
            entry = at[R_ENTRY] - 1
            word = tiles.packet[tile, entry]
            if tiles.entry[tile, entry] & 2:
                word |= tiles.own[tile] | np.uint64(at[R_NEURON] << net.value_shift)
            enter(net, place, word)
            counter[_PACKETS] += 1
            at[DONE] = cycle
            at[R_ENTRY] = 0
            if not tiles.entry[tile, entry] & 1:
                at[R_ENTRY] = ((entry + 1) & tiles.packet.shape[1] - 1) + 1
    if at[P_NEURON]:
        first = INT(tiles.fanout[tile, at[P_NEURON] - 1])
        if first < 0:
            at[P_NEURON], at[DONE] = 0, cycle
        elif not at[R_ENTRY]:
            if tiles.endless[tile] & 2:
                return False
            at[R_ENTRY], at[R_NEURON] = first + 1, at[P_NEURON] - 1
            at[P_NEURON], at[DONE] = 0, cycle
    if not at[P_NEURON] and at[NEXT] < at[SPIKES] and cycle >= at[READY]:
        neuron = INT(tiles.spike[tile, at[NEXT]])
        at[P_NEURON] = neuron + 1
        at[NEXT] += 1
        counter[_SPIKES] += 1
        if at[NEXT] == at[SPIKES] or (neuron >> setup.lane_bits
                                      != INT(tiles.spike[tile, at[NEXT]]) >> setup.lane_bits):
            tiles.credit[tile, 1, at[SPIKING] & setup.fifo_depth - 1] = cycle + 1
            at[SPIKING] += 1
    _expect(setup, tiles, tile, cycle)
    return True


@kernel
def act(setup: Setup, tiles: Tiles, net: NocState, tile: int, cycle: int, slots: int,
        more: int) -> bool:
    """What a tile does in cycle ``WAKE``; False: a chain never ends. ``more``: steps follow."""
    at = tiles.at[tile]
    if at[PHASE] == FINISHED:
        at[PHASE], at[WAKE] = HOLD, NEVER
        if not more:
            return True
        wake_up(setup, tiles, tile, cycle)
        if at[WAKE] != cycle:
            return True
    if at[PHASE] == INTEGRATE:
        return bool(_integrate(setup, tiles, tile, cycle, slots))
    return bool(_update(setup, tiles, net, tile, cycle))
