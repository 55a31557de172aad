# SPDX-License-Identifier: Apache-2.0
"""The fast engine of a mesh: tiles, network and barrier, idle time skipped."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..spec import MESH_COUNTERS, MeshConfig, UserError
from ..spec.mesh_config import mesh_memories, packet_word
from ..spec.mesh_run import MeshEvents, MeshTimeline, MeshTrace
from .jit import INT, entry, source_digest
from .mesh_layout import Memories, Tiles, clear_tiles, load_tiles
from .mesh_tile import (
    FINISHED,
    HIGHEST,
    HOLD,
    NEVER,
    PHASE,
    STILL,
    WAKE,
    act,
    arrive,
    begin_update,
    wake_up,
)
from .noc import ENTERING, LOST, OUT, PACKETS, NocState, advance, enter, host_input, noc_state, room

__all__ = ["run_mesh"]

_DONE, _PAUSED, _ENDLESS_AXON, _ENDLESS_ROUTE = range(4)
_NOW, _STEP, _FIRE, _HELD_FROM, _LAST_HOST, _LOGGED, _WHO = range(7)  # places in ``place``
_CYCLES_PER_CALL = 1 << 20
_LOG_ROOM = 1 << 12


def run_mesh(config: MeshConfig, memories: Sequence[Memories],
             groups: Sequence[int] | npt.NDArray[np.integer], length: int, events: MeshEvents,
             progress: Callable[[int, int], None] | None = None, *,
             recorded: npt.NDArray[np.int64] | None = None, timeline: bool = False) -> MeshTrace:
    """Trace of a mesh with these memories, with the reference stimulus of docs/mesh.md.

    Pointers of the routers go on from run to run, as CLEAR leaves them.

    Parameters
    ----------
    config : MeshConfig
        The mesh.
    memories : sequence of dict of str to ndarray of uint64, (rows, lanes)
        Per tile the words of every memory, any bit patterns; states are cleared before each run.
    groups : sequence of int, (tiles,)
        Mapped groups of every tile.
    length : int
        Register LENGTH of all tiles.
    events : MeshEvents
        What the host sends.
    progress : callable, optional
        Called now and then with steps done and steps in all.
    recorded : ndarray of int64, optional
        Neurons (tile * neurons + neuron) whose membrane potential is kept after every step.
    timeline : bool
        Keep also when every tile was idle and had updated.

    Raises
    ------
    UserError
        Memories, groups, events or ``recorded`` do not fit the mesh, tiles learn, or a chain of
        axon segments or route entries without ``last`` never ends.
    """
    events = events.checked(config)
    kept = _recorded(config, recorded)
    setup, tiles = load_tiles(config, memories, groups, length)
    trees = None
    if config.multicast:
        word = next(m.word for m in mesh_memories(config) if m.name == "tree")
        trees = [np.stack([fields["ports"][:, 0], fields["axon"][:, 0]], axis=1)
                 for fields in (word.unpack(memory["tree"]) for memory in memories)]
    net = noc_state(config, trees)
    runs, steps, count = events.runs, events.steps, config.tiles
    layout = packet_word(config)
    delay_shift = layout.offset("delay") if config.tile.delay == "scdq" else -1
    slots = config.tile.accumulator_rows // config.tile.groups
    barrier, end, lost = (np.zeros((runs, steps), np.int64), np.zeros(runs, np.int64),
                          np.zeros(runs, np.int64))
    final = {"membrane": tiles.membrane, "current": tiles.current, "accumulator": tiles.accumulator}
    if not config.tile.has_current:
        del final["current"]
    states: dict[str, list[Any]] = {name: [] for name in final}
    counters = np.zeros((runs, count, len(MESH_COUNTERS)), np.int64)
    logs = []
    membrane = np.zeros((runs, steps, kept.size), np.int64)
    times = np.zeros((3, runs, steps, count), np.int64)
    with np.errstate(over="ignore"):
        for run in range(runs):
            clear_tiles(tiles)
            net.sent[:] = net.counts[LOST] = 0
            place = np.zeros(8, np.int64)
            place[[_FIRE, _HELD_FROM]], place[_LAST_HOST] = NEVER, -1
            log = np.zeros((4, _LOG_ROOM + config.rows), np.int64)
            rows = steps * config.rows
            start = events.start[run * rows:(run + 1) * rows + 1]
            sent = start[:-1].copy()
            code = _PAUSED
            while code == _PAUSED:
                code = _run(setup, tiles, net, count, config.rows, steps, config.barrier_stages,
                            slots, delay_shift, start, sent, events.word, place, barrier[run], log,
                            kept, membrane[run], times[:, run], _CYCLES_PER_CALL)
                if place[_LOGGED] + config.rows > log.shape[1]:
                    log = np.concatenate([log, np.zeros_like(log)], axis=1)
                if progress:
                    progress(run * steps + int(place[_STEP]), runs * steps)
            if code != _DONE:
                kind = "axon segment" if code == _ENDLESS_AXON else "route entry"
                raise UserError(f"{config.name}: run {run}, step {place[_STEP]}: time-out, tile "
                                f"{place[_WHO]} never ends because no {kind} has its 'last' bit "
                                "set")
            end[run], lost[run] = place[_NOW], net.counts[LOST]
            high = tiles.counter[:, MESH_COUNTERS.index("queue_high_water")]
            np.maximum(high, tiles.at[:, HIGHEST], out=high)  # of spikes of the last update
            tiles.counter[:, -4:] = net.sent.reshape(-1, 4)
            counters[run] = tiles.counter & 0xFFFFFFFF
            unused = 32 - config.tile.acc_bits
            for name, words in final.items():
                cut = words << unused >> unused if name == "accumulator" else words
                states[name].append(cut.astype(np.int64))
            found = log[:, :place[_LOGGED]]
            found = found[:, np.lexsort((found[2], found[0]))]
            logs.append((np.full(found.shape[1], run), found))
    cycle, step, _, packet = np.concatenate([found for _, found in logs], axis=1)
    fields = layout.unpack(packet.astype(np.uint64))
    y, x = fields["target"] >> config.x_bits, fields["target"] & (1 << config.x_bits) - 1
    return MeshTrace(
        barrier=barrier, end=end, spike_run=np.concatenate([number for number, _ in logs]),
        spike_step=step, spike_tile=y * config.cols + x, spike_neuron=fields["value"],
        spike_cycle=cycle,
        final={name: np.stack(words) for name, words in states.items()},
        counters={name: counters[:, :, number] for number, name in enumerate(MESH_COUNTERS)},
        lost=lost, parity_errors=np.zeros(runs, np.int64), membrane=membrane,
        timeline=MeshTimeline(*times) if timeline else None)


def _recorded(config: MeshConfig, recorded: npt.NDArray[np.int64] | None
              ) -> npt.NDArray[np.int64]:
    found = np.zeros(0, np.int64) if recorded is None else np.asarray(recorded)
    last = config.tiles * config.tile.neurons - 1
    if found.ndim != 1 or found.dtype.kind not in "iu" \
            or found.size and not 0 <= found.min() <= found.max() <= last:
        raise UserError(f"{config.name}: recorded must be a list of neurons in 0..{last}")
    return np.ascontiguousarray(found, np.int64)


def _make_run(sources: str) -> Any:
    @entry
    def run(setup: Any, tiles: Tiles, net: NocState, count: int, rows: int, steps: int,
            stages: int, slots: int, delay_shift: int, start: Any, sent: Any, word: Any,
            place: Any, barrier: Any, log: Any, recorded: Any, membrane: Any, times: Any,
            visits: int) -> int:
        """Go on from ``place`` for a number of visited cycles; why it returned."""
        len(sources)  # see jit.entry
        cycle, step = place[_NOW], place[_STEP]
        fire, held_from = place[_FIRE], place[_HELD_FROM]
        last_host, logged = place[_LAST_HOST], place[_LOGGED]
        at = tiles.at
        if cycle == 0:
            for tile in range(count):
                wake_up(setup, tiles, tile, INT(0))
        code = INT(_PAUSED)
        for _ in range(visits):
            if logged + rows > log.shape[1]:
                break
            before = net.counts[PACKETS]
            wake, still, holding = INT(NEVER), INT(0), before == 0
            for tile in range(count):
                if at[tile, WAKE] <= cycle:
                    if at[tile, PHASE] == FINISHED:
                        times[1, step - 1, tile] = cycle - 1
                    if not act(setup, tiles, net, tile, cycle, slots, step < steps):
                        place[_WHO] = tile
                        code = INT(_ENDLESS_AXON + (tiles.endless[tile] & 1 ^ 1))
                wake = min(wake, at[tile, WAKE])
                still = max(still, at[tile, STILL])
                holding = holding and at[tile, PHASE] == HOLD
            if code != _PAUSED:
                break
            if holding and step == steps:
                code = INT(_DONE)
                break
            idle, following = wake == NEVER, wake
            if step < steps and held_from == NEVER:
                sending = False
                for row in range(rows):
                    part = step * rows + row
                    if sent[part] < start[part + 1]:
                        sending = True
                        if room(net, host_input(net, row)):
                            enter(net, host_input(net, row), word[sent[part]])
                            sent[part] += 1
                            last_host = cycle
                if sending or last_host == cycle:
                    following = cycle + 1
                else:
                    held_from = cycle + 1
            if idle and fire == NEVER and held_from != NEVER:
                quiet = max(still, held_from)
                if quiet > cycle:
                    following = min(following, quiet)
                elif before == 0 and net.counts[ENTERING] == 0:
                    fire = cycle + stages
            if before or net.counts[ENTERING]:
                advance(net)
                following = cycle + 1
                for number in range(net.counts[OUT]):
                    port, packet = net.out_port[number], INT(net.out_word[number])
                    if port < count:
                        wait = INT(0)
                        if delay_shift >= 0:
                            wait = packet >> delay_shift
                        arrive(setup, tiles, port, packet >> net.value_shift & net.value_mask,
                               wait, cycle)
                    else:
                        log[0, logged], log[1, logged] = cycle, step - 1
                        log[2, logged], log[3, logged] = port, packet
                        logged += 1
            if cycle == fire:
                barrier[step] = cycle
                for tile in range(count):
                    times[0, step, tile] = at[tile, STILL]
                    times[2, step, tile] = at[tile, HIGHEST]
                    begin_update(setup, tiles, tile, cycle, step, slots)
                for index in range(recorded.size):
                    neuron = recorded[index]
                    membrane[step, index] = tiles.membrane[neuron // setup.neurons,
                                                           neuron % setup.neurons]
                step += 1
                fire = held_from = INT(NEVER)
                following = cycle + 1
            cycle = max(cycle + 1, min(following, fire))
        place[_NOW], place[_STEP], place[_FIRE], place[_HELD_FROM] = cycle, step, fire, held_from
        place[_LAST_HOST], place[_LOGGED] = last_host, logged
        return code

    return run


_run = _make_run(source_digest())
