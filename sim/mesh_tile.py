# SPDX-License-Identifier: Apache-2.0
"""A tile of a mesh: weights, update, and the spikes that leave (docs/mesh.md, section 3)."""

from .jit import INT, kernel, outlined
from .layout import Contents, Setup, State
from .mesh_layout import AT, Tiles
from .noc import NocState, enter, local_input, room
from .npe import add_row, add_segment, flush_batch, update_span
from .spike_encoder import find_spikes

__all__ = ["ARRIVED", "CYCLE", "CYCLE_BEFORE", "D_AXON", "D_CYCLE", "D_VALID", "DROPS", "EVENTS",
           "FETCH", "GROUP", "GROUP_BEFORE", "HAZARD_STALLS", "HEAD", "HIGHEST", "HIGH_WATER",
           "LEVEL", "NEVER", "NOTED", "PACKETS", "POPPED", "POST_LEVEL", "PRE", "RECEIVED",
           "SPIKES", "SPIKES_SENT", "START", "STILL", "SYNAPSE_READS", "TAKEN", "UPDATING", "WAKE",
           "add_noted", "begin_update", "note", "send", "update"]

NEVER = 1 << 60

(WAKE, START, UPDATING, STILL, PRE, HEAD, LEVEL, POST_LEVEL, POPPED, HIGHEST, D_VALID, D_AXON,
 D_CYCLE, TAKEN, GROUP, CYCLE, GROUP_BEFORE, CYCLE_BEFORE, ARRIVED, NOTED, SPIKES, NEXT, READY,
 ISSUED, ISSUE, SILENT, SPIKING, P_NEURON, R_ENTRY, R_NEURON, DONE, SLOT, USED_SILENT,
 USED_SPIKING, FETCH) = range(AT)
"""Scalars of a tile: next cycle in which it sends; first cycle of INTEGRATE, NEVER while unknown;
INTEGRATE was not reached yet; first cycle in which it is idle; which queue is PRE, its first entry,
levels, cycle of the last pop, largest level since the barrier; D; the walker; arrivals and segments
that wait in lists; spikes of the update, next one, when it can leave; groups issued, cycle of the
last, credits that came back of groups without and with spikes; P, R (plus one, 0: empty), cycle in
which either gave something up; step modulo slots; credits of either kind used; next
cycle in which fetch or walker do something."""

(EVENTS, SYNAPSE_READS, HAZARD_STALLS, _UPDATES, _FIFO_STALLS, SPIKES_SENT, DROPS, HIGH_WATER,
 PACKETS, RECEIVED) = range(10)
"""Places in ``counter``."""

_SHORT = 2  # groups of a segment that is added alone, so that it breaks no batch


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
def note(setup: Setup, tiles: Tiles, tile: int, axon: int, slots: int) -> None:
    """The weights of a segment are to be added in this step; in which order does not matter."""
    at = tiles.at[tile]
    if at[NOTED] == tiles.noted.shape[1]:
        add_noted(setup, tiles, tile, slots)
    tiles.noted[tile, at[NOTED]] = axon
    at[NOTED] += 1


@outlined
def add_noted(setup: Setup, tiles: Tiles, tile: int, slots: int) -> None:
    """Add the weights of all segments noted."""
    at, noted, contents = tiles.at[tile], tiles.noted[tile], _contents(tiles, tile)
    count, now, rest = at[NOTED], at[SLOT], INT(0)
    at[NOTED] = 0
    for index in range(count):
        axon = noted[index]
        segment = tiles.segment[tile, axon]
        if segment["groups"] <= _SHORT and not segment["wraps"]:
            slot = (now + tiles.delay[tile, axon]) & slots - 1
            add_row(contents, _state(setup, tiles, tile, slot), segment)
        else:
            noted[rest] = axon
            rest += 1
    batch, before = (INT(0), INT(0), INT(0)), now
    for index in range(rest + 1):
        axon = noted[min(index, rest - 1)]
        slot = (now + tiles.delay[tile, axon]) & slots - 1
        if index == rest or slot != before:
            flush_batch(contents, _state(setup, tiles, tile, before), batch)
            batch, before = (batch[0], batch[1], INT(0)), slot
        if index < rest:
            batch = add_segment(setup, contents, _state(setup, tiles, tile, slot),
                                tiles.segment[tile, axon], batch)


@outlined
def update(setup: Setup, tiles: Tiles, tile: int, step: int, slots: int) -> None:
    """All updates after the barrier of step ``step``; ``spike`` lists the neurons that fire."""
    at = tiles.at[tile]
    if at[NOTED]:
        add_noted(setup, tiles, tile, slots)
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
    at[SPIKES] = find_spikes(state.fired_words, tiles.mapped[tile] << setup.lane_bits, state.spike)
    at[SLOT] = (at[SLOT] + 1) & slots - 1


@kernel
def begin_update(setup: Setup, tiles: Tiles, tile: int, cycle: int) -> None:
    """After :func:`update`, with the barrier in this cycle: when the first spike leaves."""
    at = tiles.at[tile]
    at[NEXT] = at[ISSUED] = at[SILENT] = at[SPIKING] = at[P_NEURON] = at[R_ENTRY] = 0
    at[USED_SILENT] = at[USED_SPIKING] = at[DONE] = 0
    at[ISSUE], at[UPDATING], at[START] = cycle, 1, NEVER
    at[PRE] = 1 - at[PRE]
    at[HEAD], at[LEVEL], at[POST_LEVEL], at[POPPED] = 0, at[POST_LEVEL], 0, -1
    at[FETCH] = NEVER
    tiles.counter[tile, HIGH_WATER] = max(tiles.counter[tile, HIGH_WATER], at[HIGHEST])
    at[HIGHEST] = at[LEVEL]
    _expect(setup, tiles, tile, cycle)
    _sleep(setup, tiles, tile, cycle)


@kernel
def _issue(setup: Setup, tiles: Tiles, tile: int, stop: int) -> None:
    """Issue groups up to the one before ``stop``; all of them but the last have no spikes left."""
    at, credit = tiles.at[tile], tiles.credit[tile]
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
def _expect(setup: Setup, tiles: Tiles, tile: int, cycle: int) -> None:
    """When the next spike can leave the FIFO; without one all groups are issued."""
    at = tiles.at[tile]
    stop = tiles.mapped[tile]
    if at[NEXT] < at[SPIKES]:
        stop = (INT(tiles.spike[tile, at[NEXT]]) >> setup.lane_bits) + 1
    _issue(setup, tiles, tile, stop)
    at[READY] = max(at[ISSUE] + setup.update_stages + 2, cycle + 1)


@kernel
def _sleep(setup: Setup, tiles: Tiles, tile: int, cycle: int) -> None:
    """When the tile goes on to send, or that it has sent all."""
    at = tiles.at[tile]
    if at[P_NEURON] or at[R_ENTRY]:
        at[WAKE] = cycle + 1
    elif at[NEXT] < at[SPIKES]:
        at[WAKE] = at[READY]
    else:
        at[WAKE] = NEVER
        at[START] = max(at[ISSUE] + setup.update_stages + 2, at[DONE] + 1) + 1


@kernel
def send(setup: Setup, tiles: Tiles, net: NocState, tile: int, cycle: int) -> bool:
    """Stages P and R in cycle ``WAKE``; False: a chain of route entries never ends."""
    at = tiles.at[tile]
    if at[R_ENTRY]:
        place = local_input(net, tile)
        if room(net, place):
            entry = at[R_ENTRY] - 1
            word, kind = tiles.packet[tile, entry], tiles.entry[tile, entry]
            if kind & 2:
                word |= tiles.own[tile] | at[R_NEURON] << net.value_shift
            enter(net, place, word)
            tiles.counter[tile, PACKETS] += 1
            at[DONE] = cycle
            at[R_ENTRY] = 0
            if not kind & 1:
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
        tiles.counter[tile, SPIKES_SENT] += 1
        if at[NEXT] == at[SPIKES] or (neuron >> setup.lane_bits
                                      != INT(tiles.spike[tile, at[NEXT]]) >> setup.lane_bits):
            tiles.credit[tile, 1, at[SPIKING] & setup.fifo_depth - 1] = cycle + 1
            at[SPIKING] += 1
        _expect(setup, tiles, tile, cycle)
    _sleep(setup, tiles, tile, cycle)
    return True
