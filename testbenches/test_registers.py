# SPDX-License-Identifier: Apache-2.0
"""Registers: RTL under Verilator against the table of section 8, every output, every cycle."""

import random

import pytest

cocotb = pytest.importorskip("cocotb", reason="needs the extra 'rtl'")

from neurotile.spec import COUNTERS, TEST_PRESETS  # noqa: E402
from neurotile.testbenches import bench  # noqa: E402
from neurotile.testbenches.agents import lockstep  # noqa: E402


class Model:
    """The table of section 8, typed from there."""

    def __init__(self, config):
        self.config = config
        self.groups = self.length = 0
        self.answer = None

    def outputs(self, *, host__index, host__write, host__data, **_):
        run = bool(host__write and host__index == 4)
        return {"groups": self.groups, "length": self.length, "host__answer": self.answer,
                "clear": int(bool(host__write and host__index == 5)), "run_write": int(run),
                "run_data": host__data % 2 ** self.config.step_bits if run else None}

    def tick(self, **inputs):
        if inputs["host__read"]:
            table = {0: 0x4E54494C, 1: 0x0001_0000, 2: int(self.config.digest[:8], 16),
                     3: inputs["phase"] | inputs["overflow"] << 2, 4: inputs["run"],
                     6: self.groups, 7: self.length, 8: inputs["step"],
                     **{16 + n: inputs[name] for n, name in enumerate(COUNTERS)}}
            self.answer = table.get(inputs["host__index"], 0)
        if inputs["host__write"] and inputs["host__index"] == 6:
            self.groups = inputs["host__data"] % self.config.groups
        if inputs["host__write"] and inputs["host__index"] == 7:
            self.length = inputs["host__data"] % 2 ** self.config.step_bits


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
                **{name: rng.getrandbits(32) for name in COUNTERS}}

    await lockstep(dut, Model(config), stimulus, 2000)


@pytest.mark.cocotb
@bench.seeds(1)
@pytest.mark.parametrize("case", ["test_all"])
def test_registers(case, seed):
    """Every index of the table and some others."""
    from neurotile.hw.registers import Registers
    bench.run(Registers(TEST_PRESETS[case]), "registers", __name__, seed=seed,
              environment={bench.CASE: case})
