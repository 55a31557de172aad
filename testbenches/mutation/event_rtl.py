# SPDX-License-Identifier: Apache-2.0
"""Mutants of the RTL of a tile in event mode: one build holds them all."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurotile.hw.engine import event_engine
from neurotile.hw.engine.event_build import build_event_library
from neurotile.hw.engine.event_simulation import EventSimulation
from neurotile.hw.engine.simulation import reads, writes
from neurotile.hw.event_tile import EventTile
from neurotile.sim import event_engine as fast
from neurotile.spec import EventConfig, EventTrace, UserError
from neurotile.spec.event_formats import EventMemoryId, EventRegister
from neurotile.spec.formats import host_request_word, memories
from neurotile.testbenches.event_equality import event_differences
from neurotile.testbenches.event_strategies import EventCase, random_event_case
from neurotile.testbenches.strategies import Seeded

from . import verilog
from .observe import REFUSE_MEMORY, RESET_MEMORY
from .rtl import SELECT, SELECTOR, flat, with_disturbances

__all__ = ["EventBench", "event_verilog", "make_event_bench"]

_LIMIT, _SHORT_LIMIT = 100_000, 2_000
_RESET, _REFUSED = 16, 16
_REGISTERS = np.arange(28)

Shown = list[npt.NDArray[np.uint32]]


def event_verilog(config: EventConfig) -> str:
    """The tile as one module."""
    return flat(EventTile(config), "tile")


@dataclass
class EventBench:
    """A tile with all its mutants built in, and what the right tile says."""

    config: EventConfig
    mutants: list[verilog.Mutant]
    library: Path
    checks: list[tuple[EventCase, EventTrace]]
    wanted: list[list[int]]

    def survives(self, number: int) -> bool:
        """Nothing tells mutant ``number`` (from 1; 0 is the right tile) from the right tile."""
        os.environ[SELECT] = str(number)
        try:
            return not self._wrong_traces() and self.looks() == self.wanted
        except (UserError, RuntimeError):
            return False  # a time-out, a broken protocol or a host port that hangs
        finally:
            del os.environ[SELECT]

    def _wrong_traces(self) -> bool:
        return any(event_differences(expected, event_engine.run(
            case.program, case.events, limit=_LIMIT, library=self.library))
            for case, expected in self.checks)

    def looks(self) -> list[list[int]]:
        """What is observed beside traces."""
        busy = [case for case, trace in self.checks if trace.counters["passes"]]
        return [_numbers(shown) for shown in (
            self._host_answers(busy[0]), self._reset_again(busy[:_RESET]),
            self._refused(busy[:_REFUSED]))]

    def _host_answers(self, case: EventCase) -> Shown:
        """After writes to everything, and to requests that wait for HOLD."""
        rng, registers = np.random.default_rng(1), reads(EventMemoryId.REGISTERS, _REGISTERS)
        with EventSimulation(self.config, self.library) as tile:
            shown = [tile.host(reads(EventMemoryId.REGISTERS, EventRegister.STATUS)),
                     tile.host(registers)]
            for memory in memories(self.config):
                index = np.unique(rng.integers(0, memory.rows * memory.lanes, 60))
                data = rng.integers(0, 1 << memory.word.width, index.size)
                tile.host(writes(memory.id, index, data))
            tile.switch(case.program.switches)
            for _ in range(4):
                parts = [registers]
                for memory in memories(self.config):
                    index = rng.integers(0, memory.rows * memory.lanes, 30)
                    parts.append(reads(memory.id, index))
                asked = [writes(EventMemoryId.REGISTERS, int(EventRegister.RUN), 1), registers,
                         writes(EventMemoryId.REGISTERS, int(EventRegister.CLEAR), 1), registers,
                         writes(EventMemoryId.REGISTERS, int(EventRegister.RUN), 0), *parts]
                shown.append(tile.host(np.concatenate(asked)))
                tile.host(writes(EventMemoryId.REGISTERS, int(EventRegister.CLEAR), 1))
                shown.append(tile.host(rng.permutation(np.concatenate(parts))))
            return shown

    def _reset_again(self, cases: list[EventCase]) -> Shown:
        """What is left after ``rst`` in the middle of events, and what follows shows."""
        shown: Shown = []
        for number, case in enumerate(cases):
            rng = np.random.default_rng(number)
            with EventSimulation(self.config, self.library) as tile:
                tile.load(case.program.memories)
                for _ in range(3):
                    _tell(tile, RESET_MEMORY, int(rng.integers(8, 400)))
                    tile.switch(case.program.switches)
                    try:
                        tile.process(case.events, limit=_SHORT_LIMIT)
                    except (UserError, RuntimeError):
                        pass  # as intended: the reset cuts it off
                    tile.host(writes(EventMemoryId.REGISTERS, 1000 + np.arange(400), 0))
                    shown.append(tile.host(reads(EventMemoryId.REGISTERS, _REGISTERS)))
                    # Without CLEAR: reset alone has to empty everything.
                    tile.switch(case.program.switches)
                    shown += self._processed(tile, case)
                # A reset in the middle of CLEAR, then CLEAR again.
                _tell(tile, RESET_MEMORY, int(rng.integers(3, self.config.groups + 3)))
                tile.write_register(EventRegister.CLEAR, 1)
                tile.host(writes(EventMemoryId.REGISTERS, 1000 + np.arange(100), 0))
                tile.load(case.program.memories)
                tile.clear()
                shown.append(tile.host(reads(EventMemoryId.REGISTERS, _REGISTERS)))
                shown.append(tile.read("state").astype(np.uint32))
        return shown

    def _refused(self, cases: list[EventCase]) -> Shown:
        """What runs show whose spikes and answers have to wait, while registers are read."""
        shown: Shown = []
        for case in cases:
            with EventSimulation(self.config, self.library) as tile:
                tile.load(case.program.memories)
                tile.switch(case.program.switches)
                _tell(tile, REFUSE_MEMORY, 1)
                for _ in range(2):
                    shown += self._processed(tile, case)
        return shown

    def _processed(self, tile: EventSimulation, case: EventCase) -> Shown:
        done = tile.process(case.events, limit=_LIMIT)
        parts = [done.spike_event, done.spike_neuron, done.spike_cycle, done.accepted,
                 np.array([done.end])]
        return [*(part.astype(np.uint32) for part in parts),
                tile.host(reads(EventMemoryId.REGISTERS, _REGISTERS)),
                tile.read("state").astype(np.uint32), tile.read("synapse").astype(np.uint32)]


def _tell(tile: EventSimulation, memory: int, value: int) -> None:
    tile.host(np.atleast_1d(host_request_word().pack(
        {"data": value, "index": 0, "memory": memory, "write": 1})))


def make_event_bench(config: EventConfig, text: str, mutants: list[verilog.Mutant], checks: int
                     ) -> EventBench:
    """Build mutants of a tile, whose Verilog is ``text``, and what they are compared with.

    Raises
    ------
    RuntimeError
        The right tile fails: then the verdicts on mutants would say nothing.
    """
    library = build_event_library(
        config, with_disturbances(verilog.instrument(text, mutants, SELECTOR)), flat=True)
    cases = [random_event_case(Seeded(seed), config) for seed in range(checks)]
    made = [(case, fast.run(case.program, case.events)) for case in cases]
    bench = EventBench(config, mutants, library, made, [])
    bench.wanted = bench.looks()
    if not bench.survives(0):
        raise RuntimeError(f"{config.name}: the tile without any bug fails")
    return bench


def _numbers(parts: list[Any]) -> list[int]:
    return [int(value) for part in parts for value in part.reshape(-1)]
