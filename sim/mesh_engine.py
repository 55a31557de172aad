# SPDX-License-Identifier: Apache-2.0
"""The fast engine of a mesh: memories and packets of the host in, a trace out."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from ..spec import MESH_COUNTERS, MeshConfig, UserError
from ..spec.mesh_config import mesh_memories, packet_word
from ..spec.mesh_run import MeshEvents, MeshTimeline, MeshTrace
from .mesh_cycles import run_cycles
from .mesh_layout import Memories, clear_tiles, load_tiles
from .mesh_paths import Paths, PathTable
from .mesh_places import (
    DONE,
    ENDLESS_AXON,
    ENDLESS_TREE,
    LAST_HOST,
    LOGGED,
    NOW,
    PAUSED,
    PLACES,
    SENT,
    STEP,
    WHO,
)
from .mesh_steps import run_steps
from .mesh_tile import FETCH, HIGHEST, NEVER, UPDATING
from .noc import clear_network, lost_packets, noc_state, sent_packets

__all__ = ["LoadedMesh", "run_mesh"]

_VISITS, _STEPS = 1 << 20, 1 << 8  # cycles and steps per call
_LOG_ROOM = 1 << 14
_UNKNOWN = ("hazard_stalls", "fifo_stalls", "queue_high_water")

Ints = npt.NDArray[np.int64]


class LoadedMesh:
    """A mesh with its memories loaded, ready for any number of runs, one at a time.

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

    Raises
    ------
    UserError
        Memories or groups do not fit the mesh, or tiles learn.
    """

    def __init__(self, config: MeshConfig, memories: Sequence[Memories],
                 groups: Sequence[int] | npt.NDArray[np.integer], length: int) -> None:
        self.config = config
        self.setup, self.tiles = load_tiles(config, memories, groups, length)
        trees = None
        if config.multicast:
            word = next(m.word for m in mesh_memories(config) if m.name == "tree")
            trees = [np.stack([fields["ports"][:, 0], fields["axon"][:, 0]], axis=1)
                     for fields in (word.unpack(memory["tree"]) for memory in memories)]
        self.net = noc_state(config, trees)
        delay = config.tile.delay == "scdq"
        self._delay_shift = packet_word(config).offset("delay") if delay else -1
        self._slots = config.tile.accumulator_rows // config.tile.groups
        self._table: PathTable | None = None
        # Kept from run to run: fresh memory costs more than what is written to it.
        self._log = np.zeros((4, _LOG_ROOM + config.rows), np.int64)

    def run(self, events: MeshEvents, *, recorded: Ints | None = None, timeline: bool = False,
            cycles: bool = True, progress: Callable[[int, int], None] | None = None) -> MeshTrace:
        """Trace of these runs with the reference stimulus of docs/mesh.md.

        Without cycles the trace holds spikes, states and counters of the same network without any
        timing. As long as no queue is ever full they are those of a run with cycles. ``barrier``,
        ``end``, ``spike_cycle`` and the counters ``hazard_stalls``, ``fifo_stalls`` and
        ``queue_high_water`` are -1 everywhere, ``drops`` counts only what POST does not hold, and
        spikes ascend in run, step, tile and neuron.

        Parameters
        ----------
        events : MeshEvents
            What the host sends.
        recorded : ndarray of int64, optional
            Neurons (tile * neurons + neuron) whose membrane potential is kept after every step.
        timeline : bool
            Keep also when every tile was idle and had updated.
        cycles : bool
            Whether network, queues and walkers are simulated.
        progress : callable, optional
            Called now and then with steps done and steps in all.

        Raises
        ------
        UserError
            Events or ``recorded`` do not fit the mesh, a chain of axon segments or route entries
            without ``last`` never ends, ``timeline`` is asked for without cycles, or, without
            cycles, a packet follows a tree that never ends.
        """
        config, tiles, net = self.config, self.tiles, self.net
        if timeline and not cycles:
            raise UserError(f"{config.name}: a run without cycles has no timeline")
        events = events.checked(config)
        kept, word = _recorded(config, recorded), events.word.view(np.int64)
        runs, steps = events.runs, events.steps
        barrier, end = np.full((runs, steps), -1), np.full(runs, -1)
        membrane = np.zeros((runs, steps, kept.size), np.int64)
        times = np.zeros((3, runs, steps, config.tiles), np.int64)
        numbers = np.zeros(0, np.int64) if cycles else self.path_numbers(events, word)
        paths = None if cycles else self.paths()
        logs, states = [], []
        counters, lost = np.zeros((runs, config.tiles, len(MESH_COUNTERS)), np.int64), []
        for run in range(runs):
            clear_tiles(tiles)
            clear_network(net)
            tiles.at[:, FETCH], tiles.at[:, UPDATING] = NEVER, 1
            place = np.zeros(PLACES, np.int64)
            first = run * steps * config.rows
            start = events.start[first:first + steps * config.rows + 1]
            sent = start[:-1].copy()
            place[LAST_HOST], place[SENT] = -1, start[0]
            loaded = self.setup, tiles, net, config.rows, steps, self._slots, self._delay_shift
            code = PAUSED
            while code == PAUSED:
                if place[LOGGED] + config.rows > self._log.shape[1]:
                    self._log = np.concatenate([self._log, np.zeros_like(self._log)], axis=1)
                with np.errstate(over="ignore"):
                    if cycles:
                        code = run_cycles(
                            *loaded, config.barrier_stages, start, sent, word, place, self._log,
                            kept, membrane[run], barrier[run], times[:, run], _VISITS)
                    else:
                        code = run_steps(*loaded, paths, start, word, numbers, place, self._log,
                                         kept, membrane[run], _STEPS)
                if progress:
                    progress(run * steps + int(place[STEP]), runs * steps)
            if code != DONE:
                raise self._endless(run, place, code)
            high = tiles.counter[:, MESH_COUNTERS.index("queue_high_water")]
            np.maximum(high, tiles.at[:, HIGHEST], out=high)  # of spikes of the last update
            if cycles:
                end[run] = place[NOW]
                sent_on, gone = sent_packets(net), lost_packets(net)
            else:
                assert paths is not None and self._table is not None
                sent_on, gone = self._table.counts(paths.uses)
                paths.uses[:] = 0
            tiles.counter[:, -4:] = sent_on
            counters[run] = tiles.counter & 0xFFFFFFFF
            lost.append(gone)
            states.append(self._states())
            log = self._log[:, :place[LOGGED]].copy()
            logs.append(log)
        cycle, step, _, packet = logs[0] if runs == 1 else np.concatenate(logs, axis=1)
        target, neuron = packet & (1 << config.target_bits) - 1, packet >> net.value_shift
        tile = (target >> config.x_bits) * config.cols + (target & (1 << config.x_bits) - 1)
        spikes = [np.repeat(np.arange(runs), [log.shape[1] for log in logs]), step, tile,
                  neuron & net.value_mask, cycle]
        if not cycles and (word >> net.host_shift & 1).any():  # those that go back to it
            order = np.lexsort(spikes[3::-1])
            spikes = [column[order] for column in spikes]
        counted = {name: counters[:, :, number] for number, name in enumerate(MESH_COUNTERS)}
        if not cycles:
            counted |= {name: np.full((runs, config.tiles), -1) for name in _UNKNOWN}
        return MeshTrace(
            barrier=barrier, end=end,
            spike_run=spikes[0], spike_step=spikes[1], spike_tile=spikes[2],
            spike_neuron=spikes[3], spike_cycle=spikes[4],
            final={name: np.stack([state[name] for state in states]) for name in states[0]},
            counters=counted, lost=np.array(lost), parity_errors=np.zeros(runs, np.int64),
            membrane=membrane, timeline=MeshTimeline(*times) if timeline else None)

    def paths(self) -> Paths:
        """Paths of all packets met so far, and of all route entries."""
        if self._table is None:
            self._table = PathTable(self.config, self.net, self.tiles)
        return self._table.paths()

    def path_numbers(self, events: MeshEvents, word: Ints) -> Ints:
        """Numbers of the paths of the host's packets, of which :meth:`paths` knows from now on."""
        if self._table is None:
            self._table = PathTable(self.config, self.net, self.tiles)
        rows = self.config.rows
        row = np.repeat(np.arange(events.start.size - 1) % rows, np.diff(events.start))
        return self._table.numbers(row * self.config.cols, word)

    def _endless(self, run: int, place: Ints, code: int) -> UserError:
        where = f"{self.config.name}: run {run}, step {place[STEP]}: time-out, "
        if code == ENDLESS_TREE:
            return UserError(f"{where}a packet never ends because its tree leads back to a router")
        kind = "axon segment" if code == ENDLESS_AXON else "route entry"
        return UserError(f"{where}tile {place[WHO]} never ends because no {kind} has its 'last' "
                         "bit set")

    def _states(self) -> dict[str, Ints]:
        tiles, tile = self.tiles, self.config.tile
        unused = 32 - tile.acc_bits
        found = {"membrane": tiles.membrane, "current": tiles.current,
                 "accumulator": tiles.accumulator << unused >> unused}
        if not tile.has_current:
            del found["current"]
        return {name: words.astype(np.int64) for name, words in found.items()}


def run_mesh(config: MeshConfig, memories: Sequence[Memories],
             groups: Sequence[int] | npt.NDArray[np.integer], length: int, events: MeshEvents,
             progress: Callable[[int, int], None] | None = None, *, recorded: Ints | None = None,
             timeline: bool = False) -> MeshTrace:
    """Trace of a mesh with these memories; see :class:`LoadedMesh` for parameters and errors."""
    return LoadedMesh(config, memories, groups, length).run(
        events, recorded=recorded, timeline=timeline, progress=progress)


def _recorded(config: MeshConfig, recorded: Ints | None) -> Ints:
    found = np.zeros(0, np.int64) if recorded is None else np.asarray(recorded)
    last = config.tiles * config.tile.neurons - 1
    if found.ndim != 1 or found.dtype.kind not in "iu" \
            or found.size and not 0 <= found.min() <= found.max() <= last:
        raise UserError(f"{config.name}: recorded must be a list of neurons in 0..{last}")
    return np.ascontiguousarray(found, np.int64)
