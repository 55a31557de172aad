# SPDX-License-Identifier: Apache-2.0
"""Engine ``rtl`` of a mesh: the exported Verilog, simulated, gives the trace."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...spec import MESH_COUNTERS, MeshConfig, UserError
from ...spec.codes import MemoryId, Register
from ...spec.config import LEARNING_COUNTERS
from ...spec.mesh_config import MeshMemoryId, MeshRegister, mesh_memories
from ...spec.mesh_run import MeshEvents, MeshTrace
from .mesh_simulation import MeshSimulation, mesh_reads, mesh_writes
from .simulation import Requests

__all__ = ["load_mesh_requests", "run_mesh"]

_STATES = (MemoryId.MEMBRANE, MemoryId.CURRENT, MemoryId.ACCUMULATOR, MemoryId.CALCIUM)
_LIMIT = 1 << 22

Contents = Mapping[str, npt.NDArray[np.uint64]]


def run_mesh(config: MeshConfig, memories: Sequence[Contents], groups: npt.ArrayLike, length: int,
             events: MeshEvents, progress: Callable[[int, int], None] | None = None, *,
             recorded: npt.NDArray[np.int64] | None = None, limit: int = _LIMIT,
             library: Path | None = None) -> MeshTrace:
    """What the simulated mesh does with any memory contents and any events.

    Parameters
    ----------
    memories : sequence of mappings of str to ndarray of uint64, (rows, lanes)
        Per tile the words of every memory of ``mesh_memories(config)``; any bit pattern is legal.
    groups : array_like of int, (tiles,)
        Number of mapped groups of each tile.
    length : int
        Register LENGTH of all tiles.
    progress : callable, optional
        Called with (steps done, steps) now and then.
    recorded : ndarray of int64, optional
        Neurons (tile * neurons + neuron) whose potential is read after every step.
    limit : int
        Cycles from one barrier to the next, or to the end, that count as endless.
    library : Path, optional
        Another simulator of this configuration than that of its own Verilog.

    Raises
    ------
    TimedOut
        A step takes longer than the limit.
    UserError
        Memories, groups, events or recorded neurons do not fit the mesh, or Verilator is not
        installed.
    """
    tile = config.tile
    kept = np.zeros(0, np.int64) if recorded is None else np.asarray(recorded)
    last = config.tiles * tile.neurons - 1
    if kept.ndim != 1 or kept.dtype.kind not in "iu" \
            or kept.size and not 0 <= kept.min() <= kept.max() <= last:
        raise UserError(f"{config.name}: recorded must be a list of neurons in 0..{last}")
    requests = load_mesh_requests(config, memories, np.asarray(groups, np.int64), length)
    counters = MESH_COUNTERS + (LEARNING_COUNTERS if tile.learns else ())
    states = [memory for memory in mesh_memories(config) if memory.id in _STATES]
    parts = []
    for number in range(config.tiles):
        parts += [mesh_reads(number, memory.id, np.arange(memory.rows * memory.lanes))
                  for memory in states]
        parts.append(mesh_reads(number, MemoryId.REGISTERS,
                                np.arange(len(counters)) + Register.EVENTS))
    end_reads = np.concatenate([*parts, mesh_reads(
        0, MeshMemoryId.MESH, [MeshRegister.LOST, MeshRegister.PARITY_ERRORS])])
    with MeshSimulation(config, library) as mesh:
        digest = mesh.host(mesh_reads(0, MeshMemoryId.MESH, MeshRegister.DIGEST))
        if int(digest[0]) != int(config.digest[:8], 16):
            raise RuntimeError(f"the Verilog is of another configuration than {config.name}")
        mesh.host(requests)
        barrier, end, spikes, values, membrane = mesh.run(
            events, end_reads=end_reads, step_limit=limit, recorded=kept.astype(np.int64),
            progress=progress)
    per_tile = values[:, :-2].reshape(events.runs, config.tiles, -1)
    final, first = {}, 0
    for memory in states:
        size = memory.rows * memory.lanes
        # The host port extends signs.
        words = np.ascontiguousarray(per_tile[:, :, first:first + size])
        final[memory.name] = words.view(np.int32).astype(np.int64)
        first += size
    return MeshTrace(
        barrier=barrier, end=end, spike_run=spikes[0], spike_step=spikes[1], spike_tile=spikes[2],
        spike_neuron=spikes[3], spike_cycle=spikes[4], final=final,
        counters={name: per_tile[:, :, first + k].astype(np.int64)
                  for k, name in enumerate(counters)},
        lost=values[:, -2].astype(np.int64), parity_errors=values[:, -1].astype(np.int64),
        membrane=membrane)


def load_mesh_requests(config: MeshConfig, memories: Sequence[Contents],
                       groups: npt.NDArray[np.int64], length: int) -> Requests:
    """Host requests that load all memories and registers after reset; see :func:`run_mesh`.

    Raises
    ------
    UserError
        Memories or groups do not fit the mesh.
    """
    if len(memories) != config.tiles or groups.shape != (config.tiles,):
        raise UserError(f"{config.name}: needs memories and groups of {config.tiles} tiles, not of "
                        f"{len(memories)} and {groups.size}")
    if groups.min() < 1 or groups.max() > config.tile.groups:
        raise UserError(f"groups must be in 1..{config.tile.groups}, not {groups.tolist()}")
    parts = []
    for number, contents in enumerate(memories):
        for memory in mesh_memories(config):
            words = contents.get(memory.name)
            if words is None or words.shape != (memory.rows, memory.lanes):
                raise UserError(f"tile {number}: memory {memory.name!r} must have shape "
                                f"{(memory.rows, memory.lanes)}, "
                                f"not {None if words is None else words.shape}")
            # A new simulator's memories hold 0.
            flat = words.reshape(-1).astype(np.int64)
            some = np.flatnonzero(flat)
            parts.append(mesh_writes(number, memory.id, some, flat[some]))
        parts += [mesh_writes(number, MemoryId.REGISTERS, int(register), value)
                  for register, value in ((Register.GROUPS, int(groups[number]) - 1),
                                          (Register.LENGTH, length))]
    return np.concatenate(parts)
