# SPDX-License-Identifier: Apache-2.0
"""TileMemory: RTL under Verilator against a list of rows, every output, every cycle."""

import os
import random
from typing import Any

import pytest

cocotb = pytest.importorskip("cocotb", reason="needs the extra 'rtl'")

from neurotile.spec import TEST_PRESETS  # noqa: E402
from neurotile.spec.formats import memories  # noqa: E402
from neurotile.testbenches import bench  # noqa: E402
from neurotile.testbenches.agents import lockstep, signed  # noqa: E402

STATES = ("membrane", "current", "accumulator")


class Model:
    """Section 8: the host reaches single words, the pipeline rows; an index wraps."""

    def __init__(self, memory):
        self.memory = memory
        self.bits = memory.word.width
        self.number = memory.word.fields[0].signed and len(memory.word.fields) == 1
        self.rows: list[Any] = [None] * memory.rows
        self.shown: Any = None
        self.lane: Any = None
        self.answer: Any = None

    def outputs(self, **_):
        return {"read__data": self.shown, "host__answer": self.answer}

    def word(self, index):
        return index // self.memory.lanes % self.memory.rows, index % self.memory.lanes

    def tick(self, **inputs):
        if self.lane is not None:
            self.answer = self.shown >> self.bits * self.lane & (1 << self.bits) - 1
            if self.number:
                self.answer = signed(self.answer, self.bits) % 2 ** 32
            self.lane = None
        if inputs["host__read"]:
            row, self.lane = self.word(inputs["host__index"])
            self.shown = self.rows[row]
        elif inputs["read__en"]:
            self.shown = self.rows[inputs["read__address"]]
        if inputs["host__write"]:
            row, lane = self.word(inputs["host__index"])
            mask = (1 << self.bits) - 1
            value = (inputs["host__data"] & mask) << self.bits * lane
            self.rows[row] = (self.rows[row] or 0) & ~(mask << self.bits * lane) | value
        elif inputs.get("clear"):
            self.rows[inputs["clear_row"]] = 0
        elif inputs.get("write__en"):
            self.rows[inputs["write__address"]] = inputs["write__data"]


@cocotb.test()
async def matches_model(dut):
    """First the host fills the memory, then everyone uses it in turn."""
    rng, config = random.Random(cocotb.RANDOM_SEED), bench.config_of_case()
    memory = {m.name: m for m in memories(config)}[os.environ["NEUROTILE_MEMORY"]]
    model, state = Model(memory), memory.name in STATES
    size = memory.rows * memory.lanes
    cycle = -2  # the call that asks for the names comes first

    def stimulus():
        nonlocal cycle
        cycle += 1
        filling = cycle < size
        who = rng.choice(["host write", "host read", "pipeline", "pipeline", "clear"])
        who = "host write" if filling else who
        index = cycle if filling else rng.getrandbits(24)
        row = rng.randrange(memory.rows)
        write, read = rng.sample(range(memory.rows), 2)
        inputs = {"host__index": max(index, 0), "host__data": rng.getrandbits(32),
                  "host__own": int(who.startswith("host")),
                  "host__write": int(who == "host write"), "host__read": int(who == "host read"),
                  "read__address": read, "read__en": int(who == "pipeline" and rng.random() < 0.8)}
        if state:
            inputs |= {"write__address": write,
                       "write__data": rng.getrandbits(memory.word.width * memory.lanes),
                       "write__en": int(who == "pipeline" and rng.random() < 0.8),
                       "clear": int(who == "clear"), "clear_row": row}
        return inputs

    await lockstep(dut, model, stimulus, size + 1500)


@pytest.mark.cocotb
@bench.seeds(1)
@pytest.mark.parametrize(("case", "name"), [("test_all", "membrane"), ("test_all", "axon"),
                                            ("test_one_lane", "threshold")])
def test_tile_memory(case, name, seed):
    """A state with lanes, a record without, and signed numbers in one lane."""
    from neurotile.hw.tile_memory import TileMemory
    memory = {m.name: m for m in memories(TEST_PRESETS[case])}[name]
    bench.run(TileMemory(memory, state=name in STATES), f"{name}_memory", __name__, seed=seed,
              environment={bench.CASE: case, "NEUROTILE_MEMORY": name})
