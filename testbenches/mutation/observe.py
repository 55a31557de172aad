# SPDX-License-Identifier: Apache-2.0
"""What a simulated tile shows beside its traces: host port, reset, and outputs not accepted."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from neurotile.hw.engine import TimedOut, load_requests, step_limit
from neurotile.hw.engine.simulation import Requests, Simulation, reads, writes
from neurotile.spec import TileConfig, TileEvents
from neurotile.spec.codes import MemoryId, Register
from neurotile.spec.formats import host_request_word, memories

from .suite import Check

__all__ = ["REFUSE_MEMORY", "RESET_MEMORY", "host_answers", "refused", "reset_again", "run_again"]

RESET_MEMORY = 15
"""A write of n to this memory id, which no tile has, asserts ``rst`` n cycles later."""
REFUSE_MEMORY = 14
"""After a write of 1 to this memory id outputs are accepted now and then, and registers read."""

_NO_REGISTER = 1000
_REGISTERS = np.arange(26)
_STATES = (MemoryId.MEMBRANE, MemoryId.CURRENT, MemoryId.ACCUMULATOR)
_IDLE = writes(MemoryId.REGISTERS, _NO_REGISTER + np.arange(60), 0)
# Cycles from the request for a reset to the first one of the run, less those of CLEAR.
_BEFORE_RUN = 20


def host_answers(config: TileConfig, library: Path, checks: list[Check]) -> list[int]:
    """Answers of the host port, one after the other.

    First after words were written to every memory and register, then while the tile runs the
    contents of ``checks``: registers answer at once, memories in HOLD.
    """
    rng = np.random.default_rng(1)
    with Simulation(config, library) as tile:
        # STATUS first: a wrong state after reset may last a few cycles only.
        order = np.argsort(_REGISTERS != Register.STATUS, kind="stable")
        answers = [tile.host(reads(MemoryId.REGISTERS, order))]
        for memory in memories(config):
            index = np.unique(rng.integers(0, memory.rows * memory.lanes, 40))
            data = rng.integers(0, 1 << memory.word.width, index.size)
            tile.host(writes(memory.id, index, data))
            answers.append(tile.host(reads(memory.id, index)))
        for register in (Register.GROUPS, Register.LENGTH):
            tile.host(writes(MemoryId.REGISTERS, int(register), 5))
        answers.append(tile.host(reads(MemoryId.REGISTERS, order)))
    for number, check in enumerate(checks):
        with Simulation(config, library) as tile:
            answers.append(_while_running(tile, check, np.random.default_rng(number)))
    return _numbers(answers)


def _while_running(tile: Simulation, check: Check, rng: np.random.Generator
                   ) -> npt.NDArray[np.uint32]:
    """Answers to requests of all kinds during twelve steps without input events."""
    case, nothing = check.case, reads(MemoryId.REGISTERS, [])
    tile.host(load_requests(case.config, case.contents, groups=case.groups, length=case.length))
    empty = TileEvents(1, 12, np.zeros(13, np.int64), np.zeros(0, np.int32))
    try:
        tile.run(empty, step_reads=nothing, end_reads=nothing, step_limit=1)
    except TimedOut:
        pass  # as intended: the tile goes on, END_OF_STEP stays on offer
    requests: list[Requests] = []
    stop = rng.integers(2)
    for number in range(3):
        requests.append(reads(MemoryId.REGISTERS, rng.permutation(_REGISTERS)))
        requests.append(writes(MemoryId.REGISTERS, int(Register.CLEAR), 1))  # ignored
        requests.append(reads(MemoryId.REGISTERS, rng.permutation(_REGISTERS)))
        if number == stop:
            requests.append(writes(MemoryId.REGISTERS, int(Register.RUN), rng.integers(3)))
    for memory in rng.permutation(np.array(memories(case.config), object)):
        index = rng.integers(0, memory.rows * memory.lanes, 3)
        requests.append(writes(memory.id, index[0], rng.integers(1 << memory.word.width)))
        requests.append(reads(memory.id, index))
        requests.append(reads(MemoryId.REGISTERS, [Register.STATUS, Register.STEP]))
    return tile.host(np.concatenate(requests))


def reset_again(config: TileConfig, library: Path, checks: list[Check]) -> list[int]:
    """What the host sees after ``rst`` came in the middle of a run, and what later runs show."""
    shown: list[npt.NDArray] = []
    for number, check in enumerate(checks):
        case, rng = check.case, np.random.default_rng(number)
        load = load_requests(config, case.contents, groups=case.groups, length=case.length)
        settings = load[-2:]  # GROUPS and LENGTH; memories keep their contents
        with Simulation(config, library) as tile:
            tile.host(load)
            for _ in range(6):
                _interrupt(tile, check, rng)
                shown.append(tile.host(_all_states(config)))
                # Without CLEAR: reset alone has to empty the queue.
                tile.host(settings)
                tile.host(writes(MemoryId.REGISTERS, int(Register.RUN), 1))
                shown.append(tile.host(np.tile(reads(MemoryId.REGISTERS, _REGISTERS), 2)))
                _ask_for_reset(tile, 5)
                tile.host(_IDLE)
            tile.host(settings)
            shown += run_again(tile, check)
            for _ in range(6):
                shown.append(_reset_while_asking(tile, case.config, rng))
                shown.append(_reset_while_clearing(tile, case.config, rng))
    return _numbers(shown)


def _ask_for_reset(tile: Simulation, cycles: int) -> None:
    word = host_request_word()
    tile.host(np.atleast_1d(word.pack({"data": cycles, "index": 0, "memory": RESET_MEMORY,
                                       "write": 1})))


def _interrupt(tile: Simulation, check: Check, rng: np.random.Generator) -> None:
    """Start a run and assert ``rst`` in one of its cycles, every other time during an update."""
    config, barrier = check.case.config, check.expected.barrier[0]
    start = config.groups + _BEFORE_RUN
    cycle = int(rng.integers(barrier.max()))
    if rng.integers(2):
        cycle = int(rng.choice(barrier)) + int(rng.integers(config.groups + 8))
    events, nothing = check.case.events, reads(MemoryId.REGISTERS, [])
    one = TileEvents(1, events.steps, events.start[:events.steps + 1], events.axon)
    _ask_for_reset(tile, start + cycle)
    try:
        # Until shortly before the reset; then a request waits for HOLD, which the reset forgets.
        tile.run(one, step_reads=nothing, end_reads=nothing, step_limit=max(1, cycle // 2))
        limit = False
    except TimedOut:
        limit = True
    if limit and rng.integers(2):
        tile.host(writes(MemoryId.MEMBRANE, 0, 1))
    # Writes that nobody heeds pass the time.
    idle = np.tile(_IDLE, 1 + (start + cycle) // _IDLE.size)
    tile.host(idle)


def _reset_while_asking(tile: Simulation, config: TileConfig, rng: np.random.Generator
                        ) -> npt.NDArray[np.uint32]:
    """Answers, of which a reset swallows some."""
    _ask_for_reset(tile, int(rng.integers(3, 40)))
    requests = reads(MemoryId.MEMBRANE, rng.integers(0, config.neurons, 24))
    answers = np.zeros(20, np.uint32)
    tile.library.tile_host(tile._tile, requests.ctypes.data, requests.size,
                           answers.ctypes.data, answers.size)
    tile.host(_IDLE)
    return answers


def _reset_while_clearing(tile: Simulation, config: TileConfig, rng: np.random.Generator
                          ) -> npt.NDArray[np.uint32]:
    """Registers and states after CLEAR; one before was cut short, and every state written since."""
    _ask_for_reset(tile, int(rng.integers(3, config.groups + 3)))
    clear = writes(MemoryId.REGISTERS, int(Register.CLEAR), 1)
    tile.host(clear)
    tile.host(_IDLE)
    for memory in memories(config):
        if memory.id in _STATES:
            index = np.arange(memory.rows * memory.lanes)
            tile.host(writes(memory.id, index, (1 << memory.word.width) - 1))
    tile.host(clear)
    return tile.host(_all_states(config))


def refused(config: TileConfig, library: Path, checks: list[Check]) -> list[int]:
    """What runs show whose output events and answers have to wait, while registers are read."""
    shown: list[npt.NDArray] = []
    for check in checks:
        case = check.case
        with Simulation(config, library) as tile:
            tile.host(load_requests(config, case.contents, groups=case.groups, length=case.length))
            word = host_request_word()
            tile.host(np.atleast_1d(word.pack({"data": 1, "index": 0, "memory": REFUSE_MEMORY,
                                               "write": 1})))
            shown += run_again(tile, check)
    return _numbers(shown)


def _all_states(config: TileConfig) -> Requests:
    """Reads of every register and every state."""
    states = [reads(memory.id, np.arange(memory.rows * memory.lanes))
              for memory in memories(config) if memory.id in _STATES]
    return np.concatenate([reads(MemoryId.REGISTERS, _REGISTERS), *states])


def run_again(tile: Simulation, check: Check) -> list[npt.NDArray]:
    """What a run of loaded contents shows: barriers, spikes, potentials, registers and states."""
    case = check.case
    return list(tile.run(
        case.events, step_reads=reads(MemoryId.MEMBRANE, case.recorded),
        end_reads=_all_states(case.config),
        step_limit=4 * step_limit(case.config, case.contents["axon"], case.events)))


def _numbers(parts: list[npt.NDArray]) -> list[int]:
    return [int(value) for part in parts for value in part.reshape(-1)]
