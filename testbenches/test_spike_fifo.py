# SPDX-License-Identifier: Apache-2.0
"""SpikeFifo: RTL under Verilator against a deque and its credits, every output, every cycle."""

import random
from collections import deque

import pytest

cocotb = pytest.importorskip("cocotb", reason="needs the extra 'rtl'")

from neurotile.spec import TEST_PRESETS  # noqa: E402
from neurotile.testbenches import bench  # noqa: E402
from neurotile.testbenches.agents import lockstep  # noqa: E402


class Model:
    """Section 6, update: F credits, returned at the push of no spikes or the pop of a group."""

    def __init__(self, config):
        self.config = config
        self.credits = config.spike_fifo_depth
        self.stored: deque[int] = deque()
        self.in_flight = 0
        self.seen = {"no credit": False, "full": False}

    def mask(self, word):
        return word >> self.config.group_bits

    def outputs(self, **_):
        return {"credit": int(self.credits > 0), "idle": int(not self.stored),
                "o__valid": int(bool(self.stored)),
                "o__payload": self.stored[0] if self.stored else None}

    def tick(self, *, issue, i_valid, i, o__ready):
        self.in_flight += issue - i_valid
        self.credits -= issue
        if self.stored and o__ready:
            self.stored.popleft()
            self.credits += 1
        if i_valid and self.mask(i):
            self.stored.append(i)
        elif i_valid:
            self.credits += 1
        assert self.credits + len(self.stored) + self.in_flight == self.config.spike_fifo_depth
        self.seen["no credit"] |= self.credits == 0
        self.seen["full"] |= len(self.stored) == self.config.spike_fifo_depth


@cocotb.test()
@cocotb.parametrize(p_issue=[0.3, 1.0], p_take=[0.2, 0.9])
async def matches_model(dut, p_issue, p_take):
    """Groups are pushed some cycles after they took a credit, often without spikes."""
    rng, config = random.Random(cocotb.RANDOM_SEED), bench.config_of_case()
    model = Model(config)

    def stimulus():
        mask = rng.randrange(1 << config.lanes) if rng.random() < 0.6 else 0
        return {"issue": int(model.credits > 0 and rng.random() < p_issue),
                "i_valid": int(model.in_flight > 0 and rng.random() < 0.7),
                "i": rng.randrange(config.groups) | mask << config.group_bits,
                "o__ready": int(rng.random() < p_take)}

    await lockstep(dut, model, stimulus, 2000)
    if p_issue == 1.0 and p_take == 0.2:
        assert all(model.seen.values()), model.seen


@pytest.mark.cocotb
@bench.seeds(1)
@pytest.mark.parametrize("case", ["test_one_lane"])
def test_spike_fifo(case, seed):
    """Two entries, so that credits run out often."""
    from neurotile.hw.spike_fifo import SpikeFifo
    bench.run(SpikeFifo(TEST_PRESETS[case]), "spike_fifo", __name__, seed=seed,
              environment={bench.CASE: case})
