# SPDX-License-Identifier: Apache-2.0
"""EventTile with an output that waits and a host that stops it: spikes and memories stay the same.

Cycles with an output that always accepts are the business of test_event_engines.py.
"""

import os
import random

import numpy as np
import pytest

cocotb = pytest.importorskip("cocotb", reason="needs the extra 'rtl'")

from cocotb.triggers import FallingEdge  # noqa: E402

from neurotile.models.golden import event_engine as golden  # noqa: E402
from neurotile.spec import EVENT_COUNTERS, TEST_EVENT_PRESETS  # noqa: E402
from neurotile.spec.event_formats import (  # noqa: E402
    EventMemoryId,
    EventPhase,
    EventRegister,
)
from neurotile.spec.formats import memories  # noqa: E402
from neurotile.testbenches import bench  # noqa: E402
from neurotile.testbenches.agents import Host, reset, settle  # noqa: E402
from neurotile.testbenches.event_strategies import random_event_case  # noqa: E402
from neurotile.testbenches.strategies import Seeded  # noqa: E402


class Bench:
    """A tile, its host, and an output that accepts with probability ``p_take``."""

    def __init__(self, dut, config, rng, p_take):
        self.dut, self.config, self.rng, self.p_take = dut, config, rng, p_take
        self.host = Host(dut, rng, 0.1)
        self.spikes: list[int] = []
        self.waited = 0

    async def take(self):
        """Forever; what is offered must stay until it is taken."""
        offered = None
        while True:
            ready = int(self.rng.random() < self.p_take)
            self.dut.o__ready.value = ready
            await settle()
            word = int(self.dut.o__payload.value) if int(self.dut.o__valid.value) else None
            assert offered is None or word == offered, f"{offered} on offer became {word}"
            offered = word if not ready else None
            if word is not None and ready:
                self.spikes.append(word)
            self.waited += offered is not None
            await FallingEdge(self.dut.clk)

    async def register(self, number, value=None):
        """Write or read a register."""
        if value is None:
            return await self.host.read(EventMemoryId.REGISTERS, number)
        return await self.host.write(EventMemoryId.REGISTERS, number, value)

    async def load(self, program):
        """CLEAR, all memories, SWITCHES."""
        await self.register(EventRegister.CLEAR, 1)
        while await self.register(EventRegister.STATUS) & 3 != EventPhase.HOLD:
            pass
        for memory in memories(self.config):
            for index, word in enumerate(program.memories[memory.name].reshape(-1).tolist()):
                await self.host.write(memory.id, index, word)
        await self.register(EventRegister.SWITCHES, program.switches.word)

    async def memory(self, name):
        """All words of a memory, read by the host."""
        memory = next(m for m in memories(self.config) if m.name == name)
        words = [await self.host.read(memory.id, index)
                 for index in range(memory.rows * memory.lanes)]
        return np.array(words, np.uint64).reshape(memory.rows, memory.lanes)

    async def stop(self):
        """RUN = 0, until HOLD; whether the scheduler still holds something."""
        await self.register(EventRegister.RUN, 0)
        for _ in range(2000):
            if await self.register(EventRegister.STATUS) & 3 == EventPhase.HOLD:
                return await self.register(EventRegister.LEVEL) > 0
        raise AssertionError("the tile does not stop")

    async def send(self, word):
        """Present an event until it is taken."""
        self.dut.i__payload.value = word
        self.dut.i__valid.value = 1
        await settle()
        while not int(self.dut.i__ready.value):
            await FallingEdge(self.dut.clk)
            await settle()
        await FallingEdge(self.dut.clk)
        self.dut.i__valid.value = 0

    async def until_idle(self):
        """All events are processed."""
        await settle()
        while not int(self.dut.idle.value):
            await FallingEdge(self.dut.clk)
            await settle()
        await FallingEdge(self.dut.clk)


@cocotb.test()
async def waiting_and_stopping_change_nothing(dut):
    """Wait-mode events of random cases; RUN is withdrawn at any time, then memories are read."""
    config = TEST_EVENT_PRESETS[os.environ[bench.CASE]]
    rng = random.Random(cocotb.RANDOM_SEED)
    await reset(dut, i__valid=0, o__ready=0, request__valid=0, response__ready=0)
    spikes, waited, stopped_busy, listed = 0, 0, 0, 0
    taking = None
    for seed in range(400):
        case = random_event_case(Seeded(seed), config)
        if not case.events.wait or case.events.words.size < 6:
            continue
        if spikes > 300 and stopped_busy > 1 and listed > 5:
            break
        states: list[dict[str, np.ndarray]] = []

        def observe(k, words, to=states):
            to.append({name: array.copy() for name, array in words.items()})

        trace = golden.run(case.program, case.events, observe=observe)
        tile = Bench(dut, config, rng, rng.choice([0.2, 0.7, 1.0]))
        if taking is not None:
            taking.cancel()
        taking = cocotb.start_soon(tile.take())
        await tile.load(case.program)
        await tile.register(EventRegister.RUN, 1)
        for k, word in enumerate(case.events.words.tolist()):
            await tile.send(word)
            if rng.random() < 0.3:
                for _ in range(rng.randrange(20)):
                    await FallingEdge(dut.clk)
                stopped_busy += await tile.stop()
                if rng.random() < 0.2 and await tile.register(EventRegister.LEVEL) == 0:
                    for name, words in states[k].items():
                        assert (await tile.memory(name) == words).all(), (seed, k, name)
                await tile.register(EventRegister.RUN, 1)
            await tile.until_idle()
        await tile.stop()
        assert tile.spikes == trace.spike_neuron.tolist(), f"seed {seed}: {case}"
        for name, words in trace.memories.items():
            assert (await tile.memory(name) == words).all(), f"seed {seed}: {name}"
        for name, value in trace.counters.items():
            index = EventRegister.COUNTERS + EVENT_COUNTERS.index(name)
            assert await tile.register(index) == value, f"seed {seed}: {name}"
        spikes += len(tile.spikes)
        waited += tile.waited
        listed += len(tile.spikes) if case.program.switches.source else 0
    assert spikes > 300 and waited > 300 and stopped_busy > 1 and listed > 5, (
        spikes, waited, stopped_busy, listed)


@pytest.mark.cocotb
@bench.seeds(1)
@pytest.mark.parametrize("case", ["test_event_one_lane"])
def test_event_tile(case, seed):
    """The smallest tile: loading it through the host port takes few cycles."""
    from neurotile.hw.event_tile import EventTile
    bench.run(EventTile(TEST_EVENT_PRESETS[case]), "tile", __name__, seed=seed,
              environment={bench.CASE: case})
