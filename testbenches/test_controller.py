# SPDX-License-Identifier: Apache-2.0
"""Controller: RTL under Verilator against the rules of the phases, every output, every cycle.

All phases and all transitions between them are reached in every run, which the test asserts.
"""

import random

import pytest

cocotb = pytest.importorskip("cocotb", reason="needs the extra 'rtl'")

from neurotile.spec import TEST_PRESETS  # noqa: E402
from neurotile.spec.codes import Phase  # noqa: E402
from neurotile.testbenches import bench, phase_coverage  # noqa: E402
from neurotile.testbenches.agents import lockstep  # noqa: E402

TRANSITIONS = {
    (Phase.HOLD, Phase.HOLD), (Phase.HOLD, Phase.CLEAR), (Phase.HOLD, Phase.INTEGRATE),
    (Phase.CLEAR, Phase.CLEAR), (Phase.CLEAR, Phase.HOLD),
    (Phase.INTEGRATE, Phase.INTEGRATE), (Phase.INTEGRATE, Phase.UPDATE),
    (Phase.UPDATE, Phase.UPDATE), (Phase.UPDATE, Phase.INTEGRATE), (Phase.UPDATE, Phase.HOLD)}
BARRIER = ("end_of_step", "queue_empty", "walker_idle")


def names(transitions):
    """Phases by name."""
    return {(a.name, b.name) for a, b in transitions}


def short_steps(config):
    """The tile with a step counter that reaches its end soon."""
    return config.replace(step_bits=4)


class Model:
    """Sections 4, 6 and 8: phases, RUN, step counter."""

    def __init__(self, config):
        self.config = config
        self.phase, self.row, self.run, self.step = Phase.HOLD, 0, 0, 0
        self.seen = set()
        self.stuck = False

    def outputs(self, **inputs):
        return {
            "phase": int(self.phase), "integrating": int(self.phase == Phase.INTEGRATE),
            "updating": int(self.phase == Phase.UPDATE),
            "clearing": int(self.phase == Phase.CLEAR),
            "hold": int(self.phase == Phase.HOLD and not self.run),
            "barrier": int(self.phase == Phase.INTEGRATE and all(inputs[x] for x in BARRIER)),
            "finish": int(self.phase == Phase.UPDATE and inputs["update_idle"]),
            "clear_row": self.row if self.phase == Phase.CLEAR else None,
            "run": self.run, "step": self.step}

    def tick(self, **inputs):
        before, ends = self.phase, self.phase == Phase.UPDATE and inputs["finished"]
        if inputs["run_write"]:
            self.run = inputs["run_data"]
        elif ends and self.run:
            self.run -= 1
        if before == Phase.HOLD and inputs["clear"]:
            self.phase, self.row = Phase.CLEAR, 0
        elif before == Phase.HOLD and self.run:
            self.phase = Phase.INTEGRATE
        elif before == Phase.CLEAR:
            self.row, self.step = self.row + 1, 0
            if self.row == self.config.groups:
                self.phase = Phase.HOLD
        elif before == Phase.INTEGRATE and all(inputs[x] for x in BARRIER):
            self.phase = Phase.UPDATE
        elif ends:
            self.phase = Phase.INTEGRATE if self.run else Phase.HOLD
            top = 2 ** self.config.step_bits - 1
            self.stuck |= self.step == top
            self.step = min(self.step + 1, top)
        self.seen.add((before, self.phase))


@cocotb.test()
@cocotb.parametrize(p_ready=[0.4, 0.95], p_host=[0.0, 0.05])
async def matches_model(dut, p_ready, p_host):
    """Conditions come and go; the host writes RUN and CLEAR in any phase."""
    rng, config = random.Random(cocotb.RANDOM_SEED), short_steps(bench.config_of_case())
    model = Model(config)

    def stimulus():
        inputs = {name: int(rng.random() < p_ready) for name in (*BARRIER, "update_idle")}
        updating = model.phase == Phase.UPDATE and inputs["update_idle"]
        writes = rng.random() < (p_host if model.run else 0.2)
        clear = rng.random() < (0.05 if model.phase == Phase.HOLD else p_host)
        return {**inputs, "finished": int(updating and rng.random() < p_ready),
                "clear": int(clear), "run_write": int(writes),
                "run_data": rng.choice([0, 1, 2, 5, 2 ** config.step_bits - 1])}

    await lockstep(dut, model, stimulus, 3000)
    phase_coverage.note(names(model.seen))
    assert model.seen == TRANSITIONS
    if not p_host:
        assert model.stuck, "the step counter never reached its end"


@pytest.mark.cocotb
@bench.seeds(1)
@pytest.mark.parametrize("case", ["test_all"])
def test_controller(case, seed, record_property):
    """Long runs without the host, and a host that interferes."""
    from neurotile.hw.controller import Controller
    folder = bench.run(Controller(short_steps(TEST_PRESETS[case])), "controller", __name__,
                       seed=seed, environment={bench.CASE: case})
    wanted = names(TRANSITIONS)
    assert phase_coverage.report(folder, f"controller {case}", wanted, record_property) == wanted
