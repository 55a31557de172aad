# SPDX-License-Identifier: Apache-2.0
"""MeshRegisters: RTL under Verilator against docs/mesh.md, section 5, every output, every cycle."""

import os
import random

import pytest

cocotb = pytest.importorskip("cocotb", reason="needs the extra 'rtl'")

from neurotile.spec import TEST_MESH_PRESETS  # noqa: E402
from neurotile.testbenches import bench  # noqa: E402
from neurotile.testbenches.agents import lockstep  # noqa: E402

ID, VERSION, DIGEST, STATUS, RUN, CLEAR, STEP, LOST, PARITY_ERRORS = 0, 1, 2, 3, 4, 5, 8, 16, 17


class Model:
    """The table of section 5, typed from there."""

    def __init__(self, config):
        self.config = config
        self.run = self.step = self.lost = self.parity_errors = 0
        self.answer = None
        self.seen = set()

    def outputs(self, *, held, host__write, host__index, host__data, **_):
        written = host__index if host__write and held else None
        steps = host__data % 2 ** self.config.tile.step_bits
        return {"host__answer": self.answer, "running": int(self.run > 0),
                "start": int(written == RUN and steps > 0), "clear": int(written == CLEAR)}

    def tick(self, *, held, barrier, overflow, host__write, host__read, host__index, host__data,
             **counts):
        if host__read:
            self.answer = {
                ID: 0x4E544D48, VERSION: 0x0001_0000, DIGEST: int(self.config.digest[:8], 16),
                STATUS: held | overflow << 1 | (self.lost + self.parity_errors > 0) << 2,
                RUN: self.run, STEP: self.step, LOST: self.lost,
                PARITY_ERRORS: self.parity_errors}.get(host__index, 0)
        if barrier:
            self.run, self.step = self.run - 1, self.step + 1
        for tile in range(self.config.tiles):
            self.lost += counts[f"lost__{tile}"]
            self.parity_errors += counts[f"parity_errors__{tile}"]
        if host__write:
            self.seen.add((host__index, held))
        if host__write and held and host__index == RUN:
            self.run = host__data % 2 ** self.config.tile.step_bits
        if host__write and held and host__index == CLEAR:
            self.step = self.lost = self.parity_errors = 0


@cocotb.test()
@cocotb.parametrize(p_lost=[0.0, 0.2])
async def matches_model(dut, p_lost):
    """Reads and writes of all registers; a mesh that is held has no barrier and no packets."""
    rng, config = random.Random(cocotb.RANDOM_SEED), TEST_MESH_PRESETS[os.environ[bench.CASE]]
    model = Model(config)

    def stimulus():
        held = rng.randrange(2) if not model.run else int(rng.random() < 0.02)
        write, index = rng.randrange(2), rng.choice([*range(18), RUN, STEP, rng.getrandbits(18)])
        if index == CLEAR and rng.random() < 0.7:
            index = STATUS

        def some(limit):
            return rng.randrange(limit) if not held and rng.random() < p_lost else 0

        return {
            "held": held, "barrier": int(not held and model.run and rng.random() < 0.5),
            "overflow": rng.randrange(2), "host__index": index, "host__own": held,
            "host__data": rng.choice([0, 1, 5, rng.getrandbits(32)]), "host__write": write,
            "host__read": int(not write and rng.random() < 0.9),
            **{f"lost__{tile}": some(16) for tile in range(config.tiles)},
            **{f"parity_errors__{tile}": some(8) for tile in range(config.tiles)}}

    await lockstep(dut, model, stimulus, 4000)
    assert {(index, held) for index in (RUN, CLEAR, STEP) for held in (0, 1)} <= model.seen


@pytest.mark.cocotb
@bench.seeds(1)
@pytest.mark.parametrize("case", ["test_mesh_1x1", "test_mesh_2x2"])
def test_mesh_registers(case, seed):
    """One tile, and some."""
    from neurotile.hw.mesh_registers import MeshRegisters
    bench.run(MeshRegisters(TEST_MESH_PRESETS[case]), "mesh_registers", __name__, seed=seed,
              environment={bench.CASE: case})
