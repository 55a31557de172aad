# SPDX-License-Identifier: Apache-2.0
"""Bistability: RTL under Verilator against section 9, every output, every cycle."""

import random

import pytest

cocotb = pytest.importorskip("cocotb", reason="needs the extra 'rtl'")

from neurotile.testbenches import bench  # noqa: E402
from neurotile.testbenches.agents import lockstep  # noqa: E402
from neurotile.testbenches.learning_cases import LEARNING_PRESETS  # noqa: E402


class Model:
    """Steps of random length: settings at their start, an update, and rows where they are due."""

    def __init__(self, config, rng):
        self.config, self.rng = config, rng
        self.now, self.learnt, self.step = 0, 0, 0
        self.settings = {"enable": 0, "offset": 0, "length": 0, "period": 0, "rows": 0}
        self.seen = {"rows": 0, "none": 0, "late": 0, "kept": 0}
        self.start(clear=False)

    def start(self, clear):
        """A new step; the host may have changed everything."""
        rng, config = self.rng, self.config
        if clear or rng.random() < 0.1:
            self.settings = {
                "enable": int(rng.random() < 0.9), "offset": rng.choice([0, 0, 1, 5]),
                "length": rng.choice([0, 0, 3, 2 ** config.step_bits - 1]),
                "period": rng.choice([0, 1, 1, 2, 3, 2 ** config.step_bits - 1]),
                "rows": rng.randrange(min(config.synapse_words, rng.choice([4, 64])))}
        if clear:
            self.step = self.learnt = 0
        first, length = self.settings["offset"], self.settings["length"]
        self.learns = bool(self.settings["enable"]) and self.step >= first and (
            not length or self.step < first + length)
        period = self.settings["period"]
        self.due = self.learns and 0 < period <= self.learnt + 1
        # The update is complete in this cycle, END_OF_STEP leaves at or after ``offer``.
        self.begin = self.now
        self.q = self.now + rng.randint(2, 6)
        rows = self.settings["rows"] + 1
        self.offer = self.q + self.due * (rows + self.config.integrate_stages + 1)
        self.end = self.offer + rng.choice([0, 0, 0, 1, 3])
        self.clears = rng.random() < 0.1
        self.seen["rows" if self.due else "none"] += 1
        self.seen["late"] += self.end > self.offer
        self.seen["kept"] += not self.due and self.learnt > 0

    def stimulus(self):
        """Inputs of this cycle."""
        return {"step": self.step, **self.settings, "clear": int(self.now > self.end),
                "updated": int(self.q <= self.now <= self.end),
                "finished": int(self.now == self.end)}

    def outputs(self, **_):
        sent = self.now - self.q - 1
        issues = self.due and 0 <= sent <= self.settings["rows"]
        learn = int(self.learns) if self.begin < self.now <= self.end else None
        return {"learn": learn, "issue": int(issues), "row": sent if issues else None,
                "idle": int(self.now >= self.offer) if self.q <= self.now <= self.end else None}

    def tick(self, *, finished, clear, **_):
        self.now += 1
        if finished:
            if self.learns:
                self.learnt = 0 if self.due else self.learnt + 1
            self.step = min(self.step + 1, 2 ** self.config.step_bits - 1)
        if clear or finished and not self.clears:
            self.start(clear)


@cocotb.test()
async def matches_model(dut):
    """Rows from the cycle after the update is complete, idle R + E + 1 cycles after it."""
    rng, config = random.Random(cocotb.RANDOM_SEED), bench.config_of_case()
    model = Model(config, rng)
    await lockstep(dut, model, model.stimulus, 8000)
    assert all(model.seen.values()), model.seen


@pytest.mark.cocotb
@bench.seeds(1)
@pytest.mark.parametrize("case", sorted(LEARNING_PRESETS))
def test_bistability(case, seed):
    """With one and with two integrate stages."""
    from neurotile.hw.bistability import Bistability
    bench.run(Bistability(LEARNING_PRESETS[case]), "bistability", __name__, seed=seed,
              environment={bench.CASE: case})
