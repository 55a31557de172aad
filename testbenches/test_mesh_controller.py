# SPDX-License-Identifier: Apache-2.0
"""MeshController: RTL under Verilator against docs/mesh.md, every output, every cycle.

All phases and all transitions between them are reached in every run, which the test asserts.
"""

import os
import random

import pytest

cocotb = pytest.importorskip("cocotb", reason="needs the extra 'rtl'")

from neurotile.spec import TEST_MESH_PRESETS  # noqa: E402
from neurotile.spec.codes import Phase  # noqa: E402
from neurotile.testbenches import bench  # noqa: E402
from neurotile.testbenches.agents import lockstep  # noqa: E402

TRANSITIONS = {
    (Phase.HOLD, Phase.HOLD), (Phase.HOLD, Phase.CLEAR), (Phase.HOLD, Phase.INTEGRATE),
    (Phase.CLEAR, Phase.CLEAR), (Phase.CLEAR, Phase.HOLD),
    (Phase.INTEGRATE, Phase.INTEGRATE), (Phase.INTEGRATE, Phase.UPDATE),
    (Phase.UPDATE, Phase.UPDATE), (Phase.UPDATE, Phase.INTEGRATE), (Phase.UPDATE, Phase.HOLD)}


def short_steps(case):
    """The tile with a step counter that reaches its end soon."""
    return TEST_MESH_PRESETS[case].tile.replace(step_bits=4)


class Model:
    """Sections 2 to 5: phases, CLEAR, STEP; the slot counts on where STEP stops."""

    def __init__(self, config):
        self.config, self.ring = config, config.delay == "ring"
        self.phase, self.steps, self.cleared = Phase.HOLD, 0, 0
        self.rows = config.neurons // config.lanes * (2 ** config.delay_bits if self.ring else 1)
        self.seen, self.most = set(), 0

    def outputs(self, *, update_idle, **_):
        slot = {"slot": self.steps % 2 ** self.config.delay_bits} if self.ring else {}
        return {
            **slot, "phase": int(self.phase), "integrating": int(self.phase == Phase.INTEGRATE),
            "updating": int(self.phase == Phase.UPDATE),
            "clearing": int(self.phase == Phase.CLEAR), "hold": int(self.phase == Phase.HOLD),
            "finished": int(self.phase == Phase.UPDATE and update_idle),
            "clear_row": self.cleared if self.phase == Phase.CLEAR else None,
            # Between CLEAR's first and last cycle STEP falls to 0.
            "step": (None if self.phase == Phase.CLEAR
                     else min(self.steps, 2 ** self.config.step_bits - 1)),
            **({"slot": None} if self.ring and self.phase == Phase.CLEAR else {})}

    def tick(self, *, start, more, clear, barrier, update_idle):
        before = self.phase
        if before == Phase.HOLD:
            self.phase = Phase.CLEAR if clear else Phase.INTEGRATE if start else before
            self.cleared = 0
        elif before == Phase.CLEAR:
            self.cleared, self.steps = self.cleared + 1, 0
            if self.cleared == self.rows:
                self.phase = Phase.HOLD
        elif before == Phase.INTEGRATE and barrier:
            self.phase = Phase.UPDATE
        elif before == Phase.UPDATE and update_idle:
            self.phase = Phase.INTEGRATE if more else Phase.HOLD
            self.steps += 1
            self.most = max(self.most, self.steps)
        self.seen.add((before, self.phase))


@cocotb.test()
@cocotb.parametrize(p_clear=[0.01, 0.3], p_ready=[0.3, 0.9])
async def matches_model(dut, p_clear, p_ready):
    """Every input in any phase; only some of them may have an effect."""
    rng, config = random.Random(cocotb.RANDOM_SEED), short_steps(os.environ[bench.CASE])
    model = Model(config)

    def stimulus():
        return {"start": int(rng.random() < 0.3), "more": int(rng.random() < 0.8),
                "clear": int(rng.random() < p_clear), "barrier": int(rng.random() < p_ready),
                "update_idle": int(rng.random() < p_ready)}

    await lockstep(dut, model, stimulus, 4000)
    assert model.seen == TRANSITIONS
    if p_clear < 0.1:
        assert model.most > 2 ** config.step_bits, "the step counter never reached its end"


@pytest.mark.cocotb
@bench.seeds(1)
@pytest.mark.parametrize("case", ["test_mesh_1x1", "test_mesh_4x4"])
def test_mesh_controller(case, seed):
    """With a ring of accumulators, and without."""
    from neurotile.hw.mesh_controller import MeshController
    bench.run(MeshController(short_steps(case)), "mesh_controller", __name__, seed=seed,
              environment={bench.CASE: case})
