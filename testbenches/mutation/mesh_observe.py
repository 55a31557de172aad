# SPDX-License-Identifier: Apache-2.0
"""What a simulated mesh shows beside its traces: host port, reset, later runs, wrong packets."""

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from neurotile.hw.engine import TimedOut
from neurotile.hw.engine.mesh_engine import load_mesh_requests
from neurotile.hw.engine.mesh_simulation import MeshSimulation, mesh_reads, mesh_writes
from neurotile.hw.engine.simulation import Requests
from neurotile.spec import MeshConfig
from neurotile.spec.codes import MemoryId, Register
from neurotile.spec.mesh_config import MeshMemoryId, MeshRegister, mesh_memories
from neurotile.spec.mesh_run import MeshEvents

from .mesh_suite import MeshCheck
from .mesh_verilog import CORRUPT, FREE, KEEP, NOBODY, REFUSE, RESET

__all__ = ["disturbed", "host_answers", "reset_again", "run_again", "wrong_packets"]

_STATES = (MemoryId.MEMBRANE, MemoryId.CURRENT, MemoryId.ACCUMULATOR)
_LIMIT = 20_000
_MESH = MeshMemoryId.MESH
_REGISTERS = np.arange(34)
_IDLE = mesh_writes(NOBODY, MemoryId.REGISTERS, 2000 + np.arange(100), 0)
_NOTHING = mesh_reads(0, _MESH, [])

Shown = list[npt.NDArray]


def host_answers(config: MeshConfig, library: Path, checks: list[MeshCheck]) -> list[int]:
    """Answers of the host port: after writes to everything, and while the mesh runs."""
    rng = np.random.default_rng(1)
    shown: Shown = []
    with MeshSimulation(config, library) as mesh:
        # STATUS first: a wrong state after reset may last a few cycles only.
        shown.append(mesh.host(mesh_reads(0, _MESH, [MeshRegister.STATUS, *_REGISTERS])))
        for tile in (*_some_tiles(config), config.tiles, NOBODY):
            shown.append(mesh.host(mesh_reads(tile, MemoryId.REGISTERS, _REGISTERS)))
            for memory in mesh_memories(config):
                index = np.unique(rng.integers(0, memory.rows * memory.lanes, 20))
                mesh.host(mesh_writes(tile, memory.id, index,
                                      rng.integers(0, 1 << memory.word.width, index.size)))
            # What is in one memory is in no other, and in no other tile.
            for memory in mesh_memories(config):
                index = rng.integers(0, memory.rows * memory.lanes, 20)
                shown.append(mesh.host(mesh_reads(tile, memory.id, index)))
        for register in (Register.GROUPS, Register.LENGTH, Register.RUN, Register.CLEAR):
            for tile in range(config.tiles):
                mesh.host(mesh_writes(tile, MemoryId.REGISTERS, int(register), 1 + tile % 3))
        shown.append(mesh.host(_registers(config)))
        # Registers of the mesh that there are not, and RUN of 0 steps.
        mesh.host(mesh_writes(0, _MESH, [6, 7, 9, 12, 20, 21, MeshRegister.RUN], 0))
        shown.append(mesh.host(_registers(config)))
    for number, check in enumerate(checks):
        with MeshSimulation(config, library) as mesh:
            shown += _while_running(mesh, check, np.random.default_rng(number))
    return _numbers(shown)


def _while_running(mesh: MeshSimulation, check: MeshCheck, rng: np.random.Generator) -> Shown:
    """Answers to requests of all kinds during steps without packets of the host."""
    config = mesh.config
    mesh.host(_load(check))
    mesh.host(mesh_writes(NOBODY, MemoryId.REGISTERS, FREE, 1))
    shown: Shown = []
    for steps in (3, 1, int(rng.integers(2, 20))):
        mesh.host(mesh_writes(0, _MESH, MeshRegister.RUN, steps))
        for register in rng.permutation([MeshRegister.RUN, MeshRegister.CLEAR]):
            shown.append(mesh.host(rng.permutation(_registers(config))[:60]))
            mesh.host(mesh_writes(0, _MESH, register, 200))  # ignored
        # These wait until the mesh is held.
        for tile in _some_tiles(config):
            for memory in rng.permutation(np.array(mesh_memories(config), object))[:4]:
                index = rng.integers(0, memory.rows * memory.lanes, 3)
                shown.append(mesh.host(mesh_reads(tile, memory.id, index)))
        shown.append(mesh.host(np.concatenate([_registers(config), _states(config)])))
    mesh.host(mesh_writes(0, _MESH, MeshRegister.CLEAR, 1))
    shown.append(mesh.host(mesh_reads(0, _MESH, [MeshRegister.STATUS, MeshRegister.STEP])))
    shown.append(mesh.host(np.concatenate([_registers(config), _states(config)])))
    return shown


def reset_again(config: MeshConfig, library: Path, checks: list[MeshCheck]) -> list[int]:
    """What the host sees after ``rst`` came in the middle of a run, and what later runs show."""
    shown: Shown = []
    for number, check in enumerate(checks):
        rng = np.random.default_rng(number)
        load = _load(check)
        # Memories keep their contents, GROUPS and LENGTH do not.
        settings = load[_places(load) == int(MemoryId.REGISTERS)]
        with MeshSimulation(config, library) as mesh:
            mesh.host(load)
            for attempt in range(6):
                barrier = check.expected.barrier[0]
                # Three of four times what leads to a barrier, or follows it, is cut off.
                cycle = max(0, int(rng.choice(barrier)) + int(rng.integers(-12, 12))) \
                    if attempt % 4 else int(rng.integers(barrier[-1]))
                # CLEAR of the run before comes first, which may take as long as a reset later.
                mesh.host(mesh_writes(NOBODY, MemoryId.REGISTERS, RESET,
                                      config.tile.accumulator_rows + 20 + cycle))
                shown.append(np.array([_try_to_run(mesh, check.case.events)], np.int64))
                mesh.host(np.tile(_IDLE, 2 + (config.tile.accumulator_rows + cycle) // 100))
                shown.append(mesh.host(np.concatenate([_registers(config), _states(config)])))
                # Without CLEAR: reset alone has to empty everything.
                mesh.host(settings)
                mesh.host(mesh_writes(NOBODY, MemoryId.REGISTERS, KEEP, 1))
                shown += run_again(mesh, check)
                mesh.host(mesh_writes(NOBODY, MemoryId.REGISTERS, KEEP, 0))
            for attempt in range(12):
                shown.append(_reset_while_asking(mesh, rng, refuse=attempt % 3 == 0))
            for _ in range(4):
                shown.append(_reset_while_clearing(mesh, rng))
    with MeshSimulation(config, library) as mesh:
        mesh.host(_load(checks[0]))
        first = int(checks[0].expected.barrier[0, 0]) + config.tile.accumulator_rows
        for cycle in range(max(1, first - 10), first + 40):  # every cycle around a barrier
            mesh.host(mesh_writes(NOBODY, MemoryId.REGISTERS, RESET, cycle))
            _try_to_run(mesh, checks[0].case.events)
            mesh.host(np.tile(_IDLE, 1 + cycle // 100))
            shown.append(mesh.host(mesh_reads(0, _MESH, _REGISTERS[:20])))
    return _numbers(shown)


def _reset_while_asking(mesh: MeshSimulation, rng: np.random.Generator, *, refuse: bool
                        ) -> npt.NDArray[np.uint32]:
    """Answers, which may have to wait, and of which a reset swallows some."""
    for register, value in ((REFUSE, int(refuse)), (RESET, int(rng.integers(8, 80)))):
        mesh.host(mesh_writes(NOBODY, MemoryId.REGISTERS, register, value))
    requests = rng.permutation(np.concatenate([
        mesh_reads(0, _MESH, _REGISTERS[:6]), _states(mesh.config)[:24],
        mesh_reads(mesh.config.tiles - 1, MemoryId.REGISTERS, _REGISTERS[:6])]))
    answers = np.zeros(requests.size - 4, np.uint32)
    mesh.library.tile_host(mesh._tile, requests.ctypes.data, requests.size, answers.ctypes.data,
                           answers.size)
    mesh.host(_IDLE)
    mesh.host(mesh_writes(NOBODY, MemoryId.REGISTERS, REFUSE, 0))
    mesh.host(_IDLE)
    return answers


def _reset_while_clearing(mesh: MeshSimulation, rng: np.random.Generator
                          ) -> npt.NDArray[np.uint32]:
    """Registers and states after CLEAR; one before was cut short, and every state written since."""
    config = mesh.config
    mesh.host(mesh_writes(NOBODY, MemoryId.REGISTERS, RESET,
                          int(rng.integers(3, config.tile.accumulator_rows + 3))))
    clear = mesh_writes(0, _MESH, MeshRegister.CLEAR, 1)
    mesh.host(clear)
    mesh.host(_IDLE)
    for memory in mesh_memories(config):
        if memory.id in _STATES:
            index = np.arange(memory.rows * memory.lanes)
            for tile in range(config.tiles):
                mesh.host(mesh_writes(tile, memory.id, index, (1 << memory.word.width) - 1))
    mesh.host(clear)
    return mesh.host(np.concatenate([_registers(config), _states(config)]))


def _try_to_run(mesh: MeshSimulation, events: MeshEvents) -> int:
    """Whether a run that a reset cuts off times out, or ends before its time."""
    try:
        mesh.run(events, end_reads=_NOTHING, step_limit=500)
    except TimedOut:
        return 1
    except RuntimeError:
        return 2  # held although steps are left
    return 0


def disturbed(config: MeshConfig, library: Path, checks: list[MeshCheck]) -> list[int]:
    """What runs show whose packets and answers have to wait, and runs without CLEAR before."""
    shown: Shown = []
    for number, check in enumerate(checks):
        with MeshSimulation(config, library) as mesh:
            mesh.host(_load(check))
            for register in (REFUSE, KEEP) if number % 2 else (KEEP,):
                mesh.host(mesh_writes(NOBODY, MemoryId.REGISTERS, register, 1))
            for _ in range(3):
                shown += run_again(mesh, check)
    return _numbers(shown)


def wrong_packets(config: MeshConfig, library: Path, checks: list[MeshCheck]) -> list[int]:
    """What runs show in which packets change on links and in FIFOs."""
    shown: Shown = []
    os.environ[CORRUPT] = "1"
    try:
        for check in checks:
            with MeshSimulation(config, library) as mesh:
                mesh.host(_load(check))
                for keep in (0, 0, 1):  # counts start again with CLEAR, and only with it
                    mesh.host(mesh_writes(NOBODY, MemoryId.REGISTERS, KEEP, keep))
                    shown += run_again(mesh, check)
                    shown.append(mesh.host(mesh_reads(0, _MESH, MeshRegister.STATUS)))
    finally:
        del os.environ[CORRUPT]
    return _numbers(shown)


def run_again(mesh: MeshSimulation, check: MeshCheck) -> Shown:
    """What runs of loaded contents show: barriers, spikes, registers and states."""
    config = mesh.config
    return list(mesh.run(check.case.events, step_limit=_LIMIT, end_reads=np.concatenate(
        [_registers(config), _states(config)])))


def _load(check: MeshCheck) -> Requests:
    case = check.case
    return load_mesh_requests(case.config, case.memories, case.groups, case.length)


def _places(requests: Requests) -> npt.NDArray[np.int64]:
    """Memory of every request."""
    return MeshSimulation.request_word.unpack(requests)["memory"]


def _some_tiles(config: MeshConfig) -> list[int]:
    return sorted({0, 1, config.cols, config.tiles - 1} & set(range(config.tiles)))


def _registers(config: MeshConfig) -> Requests:
    """Reads of every register, of the mesh and of some tiles."""
    return np.concatenate([mesh_reads(0, _MESH, _REGISTERS)] + [
        mesh_reads(tile, MemoryId.REGISTERS, _REGISTERS) for tile in _some_tiles(config)])


def _states(config: MeshConfig) -> Requests:
    """Reads of every state of all tiles."""
    return np.concatenate([mesh_reads(tile, memory.id, np.arange(memory.rows * memory.lanes))
                           for tile in range(config.tiles) for memory in mesh_memories(config)
                           if memory.id in _STATES])


def _numbers(parts: Shown) -> list[int]:
    return [int(value) for part in parts for value in part.reshape(-1)]
