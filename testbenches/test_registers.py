# SPDX-License-Identifier: Apache-2.0
"""Registers: RTL under Verilator against the table of section 8, every output, every cycle."""

import random

import pytest

cocotb = pytest.importorskip("cocotb", reason="needs the extra 'rtl'")

from neurotile.spec import TEST_PRESETS  # noqa: E402
from neurotile.testbenches import bench  # noqa: E402
from neurotile.testbenches.agents import lockstep  # noqa: E402
from neurotile.testbenches.learning_cases import LEARNING_PRESETS  # noqa: E402


class Model:
    """The tables of sections 8 and 9, typed from there."""

    def __init__(self, config):
        self.config = config
        self.groups = self.length = 0
        self.answer = None
        # Index, name and number of values of each register of learning.
        self.learning = {9: ("switches", 8), 10: ("learn_offset", 2 ** config.offset_bits),
                         11: ("bistability_period", 2 ** config.step_bits),
                         12: ("bistability_rows", config.synapse_words)} if config.learns else {}
        self.values = dict.fromkeys(self.learning, 0)

    def outputs(self, *, host__index, host__write, host__data, **_):
        run = bool(host__write and host__index == 4)
        learning = {name: self.values[n] for n, (name, _) in self.learning.items()}
        return {**learning, "groups": self.groups, "length": self.length,
                "host__answer": self.answer,
                "clear": int(bool(host__write and host__index == 5)), "run_write": int(run),
                "run_data": host__data % 2 ** self.config.step_bits if run else None}

    def tick(self, **inputs):
        if inputs["host__read"]:
            table = {0: 0x4E54494C, 1: 0x0001_0000, 2: int(self.config.digest[:8], 16),
                     3: inputs["phase"] | inputs["overflow"] << 2, 4: inputs["run"],
                     6: self.groups, 7: self.length, 8: inputs["step"],
                     **{16 + n: inputs[name] for n, name in enumerate(self.config.counters)},
                     **self.values}
            self.answer = table.get(inputs["host__index"], 0)
        if inputs["host__write"] and inputs["host__index"] == 6:
            self.groups = inputs["host__data"] % self.config.groups
        if inputs["host__write"] and inputs["host__index"] == 7:
            self.length = inputs["host__data"] % 2 ** self.config.step_bits
        if inputs["host__write"] and inputs["host__index"] in self.learning:
            _, values = self.learning[inputs["host__index"]]
            self.values[inputs["host__index"]] = inputs["host__data"] % values


@cocotb.test()
async def matches_model(dut):
    """Random reads and writes, most of them of registers that exist."""
    rng, config = random.Random(cocotb.RANDOM_SEED), bench.config_of_case()

    def stimulus():
        write = rng.randrange(2)
        index = rng.randrange(26) if rng.random() < 0.9 else rng.getrandbits(24)
        return {"host__index": index, "host__data": rng.getrandbits(32), "host__write": write,
                "host__read": int(not write and rng.random() < 0.9), "phase": rng.randrange(4),
                "overflow": rng.randrange(2), "run": rng.randrange(2 ** config.step_bits),
                "step": rng.randrange(2 ** config.step_bits),
                **{name: rng.getrandbits(32) for name in config.counters}}

    await lockstep(dut, Model(config), stimulus, 2000)


@pytest.mark.cocotb
@bench.seeds(1)
@pytest.mark.parametrize("case", ["test_all", "test_learning"])
def test_registers(case, seed):
    """Every index of the table and some others."""
    from neurotile.hw.registers import Registers
    config = {**TEST_PRESETS, **LEARNING_PRESETS}[case]
    bench.run(Registers(config), "registers", __name__, seed=seed,
              environment={bench.CASE: case})
