# SPDX-License-Identifier: Apache-2.0
"""The fast engine of a mesh: memories and packets of the host in, a trace out."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from ..spec import MESH_COUNTERS, MeshConfig, UserError
from ..spec.mesh_config import mesh_memories, packet_word
from ..spec.mesh_run import MeshEvents, MeshTimeline, MeshTrace
from .mesh_cycles import (
    DONE,
    ENDLESS_AXON,
    LAST_HOST,
    LOGGED,
    NOW,
    PAUSED,
    PLACES,
    STEP,
    WHO,
    run_cycles,
)
from .mesh_layout import Memories, clear_tiles, load_tiles
from .mesh_tile import FETCH, HIGHEST, NEVER, UPDATING
from .noc import clear_counts, clear_network, lost_packets, noc_state, sent_packets

__all__ = ["LoadedMesh", "run_mesh"]

_VISITS = 1 << 20
_LOG_ROOM = 1 << 14

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
        # Kept from run to run: fresh memory costs more than what is written to it.
        self._log = np.zeros((4, _LOG_ROOM + config.rows), np.int64)

    def run(self, events: MeshEvents, *, recorded: Ints | None = None, timeline: bool = False,
            progress: Callable[[int, int], None] | None = None) -> MeshTrace:
        """Trace of these runs with the reference stimulus of docs/mesh.md.

        Pointers of the routers are reset before the first run and go on from run to run, as CLEAR
        leaves them.

        Parameters
        ----------
        events : MeshEvents
            What the host sends.
        recorded : ndarray of int64, optional
            Neurons (tile * neurons + neuron) whose membrane potential is kept after every step.
        timeline : bool
            Keep also when every tile was idle and had updated.
        progress : callable, optional
            Called now and then with steps done and steps in all.

        Raises
        ------
        UserError
            Events or ``recorded`` do not fit the mesh, or a chain of axon segments or route entries
            without ``last`` never ends.
        """
        config, tiles, net = self.config, self.tiles, self.net
        events = events.checked(config)
        kept = _recorded(config, recorded)
        word = events.word.view(np.int64)
        runs, steps, rows = events.runs, events.steps, config.rows * events.steps
        barrier, end, lost = (np.zeros((runs, steps), np.int64), np.zeros(runs, np.int64),
                              np.zeros(runs, np.int64))
        membrane = np.zeros((runs, steps, kept.size), np.int64)
        times = np.zeros((3, runs, steps, config.tiles), np.int64)
        counters = np.zeros((runs, config.tiles, len(MESH_COUNTERS)), np.int64)
        states: list[dict[str, Ints]] = []
        clear_network(net)
        logs = []
        with np.errstate(over="ignore"):
            for run in range(runs):
                clear_tiles(tiles)
                clear_counts(net)
                tiles.at[:, FETCH], tiles.at[:, UPDATING] = NEVER, 1
                place = np.zeros(PLACES, np.int64)
                place[LAST_HOST] = -1
                start = events.start[run * rows:(run + 1) * rows + 1]
                sent = start[:-1].copy()
                code = PAUSED
                while code == PAUSED:
                    code = run_cycles(
                        self.setup, tiles, net, config.rows, config.x_bits, steps,
                        config.barrier_stages, self._slots, self._delay_shift, start, sent, word,
                        place, barrier[run], self._log, kept, membrane[run], times[:, run], _VISITS)
                    if place[LOGGED] + config.rows > self._log.shape[1]:
                        self._log = np.concatenate([self._log, np.zeros_like(self._log)], axis=1)
                    if progress:
                        progress(run * steps + int(place[STEP]), runs * steps)
                if code != DONE:
                    kind = "axon segment" if code == ENDLESS_AXON else "route entry"
                    raise UserError(f"{config.name}: run {run}, step {place[STEP]}: time-out, tile "
                                    f"{place[WHO]} never ends because no {kind} has its 'last' bit "
                                    "set")
                end[run], lost[run] = place[NOW], lost_packets(net)
                high = tiles.counter[:, MESH_COUNTERS.index("queue_high_water")]
                np.maximum(high, tiles.at[:, HIGHEST], out=high)  # of spikes of the last update
                tiles.counter[:, -4:] = sent_packets(net).reshape(-1, 4)
                counters[run] = tiles.counter & 0xFFFFFFFF
                states.append(self._states())
                logs.append(self._log[:, :place[LOGGED]].copy())
        cycle, step, _, packet = logs[0] if runs == 1 else np.concatenate(logs, axis=1)
        target, value = packet & (1 << config.target_bits) - 1, packet >> self.net.value_shift
        y, x = target >> config.x_bits, target & (1 << config.x_bits) - 1
        return MeshTrace(
            barrier=barrier, end=end,
            spike_run=np.repeat(np.arange(runs), [log.shape[1] for log in logs]), spike_step=step,
            spike_tile=y * config.cols + x, spike_neuron=value & self.net.value_mask,
            spike_cycle=cycle,
            final={name: np.stack([state[name] for state in states]) for name in states[0]},
            counters={name: counters[:, :, number] for number, name in enumerate(MESH_COUNTERS)},
            lost=lost, parity_errors=np.zeros(runs, np.int64), membrane=membrane,
            timeline=MeshTimeline(*times) if timeline else None)

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
