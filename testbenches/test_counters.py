# SPDX-License-Identifier: Apache-2.0
"""Counters: RTL under Verilator against section 7, every output, every cycle."""

import random

import pytest

cocotb = pytest.importorskip("cocotb", reason="needs the extra 'rtl'")

from neurotile.testbenches import bench  # noqa: E402
from neurotile.testbenches.agents import lockstep  # noqa: E402
from neurotile.testbenches.learning_cases import LEARNING_PRESETS  # noqa: E402


class Model:
    """Sums, a maximum and a flag."""

    def __init__(self, config):
        self.values = dict.fromkeys((*config.counters, "overflow"), 0)

    def outputs(self, **_):
        return self.values

    def tick(self, *, clear, level, **counted):
        for name, count in counted.items():
            self.values[name.removeprefix("count_")] += count
        self.values["overflow"] |= counted["count_drops"]
        self.values["queue_high_water"] = max(self.values["queue_high_water"], level)
        if clear:
            self.values = dict.fromkeys(self.values, 0)


@cocotb.test()
@cocotb.parametrize(p_count=[0.3, 1.0])
async def matches_model(dut, p_count):
    """Counters that count independently of each other."""
    rng, config = random.Random(cocotb.RANDOM_SEED), bench.config_of_case()

    def stimulus():
        return {**{f"count_{name}": int(rng.random() < p_count)
                   for name in config.counters if name != "queue_high_water"},
                "level": rng.randrange(rng.randint(1, config.queue_depth + 1)),
                "clear": int(rng.random() < 0.02)}

    await lockstep(dut, Model(config), stimulus, 1000)


@pytest.mark.cocotb
@bench.seeds(1)
@pytest.mark.parametrize("case", ["test_learning"])
def test_counters(case, seed):
    """All counters there are; CLEAR comes while they count."""
    from neurotile.hw.counters import Counters
    bench.run(Counters(LEARNING_PRESETS[case]), "counters", __name__, seed=seed,
              environment={bench.CASE: case})
