# SPDX-License-Identifier: Apache-2.0
"""EventQueue: RTL under Verilator against a deque, every output, every cycle."""

import random
from collections import deque

import pytest

cocotb = pytest.importorskip("cocotb", reason="needs the extra 'rtl'")

from neurotile.spec import TEST_PRESETS  # noqa: E402
from neurotile.testbenches import bench  # noqa: E402
from neurotile.testbenches.agents import lockstep  # noqa: E402


class Model:
    """Section 6, event queue: a pop in the same cycle makes no room; a spike never waits."""

    def __init__(self, depth):
        self.depth = depth
        self.entries: deque[int] = deque()
        self.filled = self.dropped = False

    def full(self):
        return len(self.entries) == self.depth

    def outputs(self, *, spike_valid, **_):
        return {"i__ready": int(not self.full()), "drop": int(bool(spike_valid) and self.full()),
                "o__valid": int(bool(self.entries)), "level": len(self.entries),
                "o__payload": self.entries[0] if self.entries else None}

    def tick(self, *, i__valid, i__payload, spike_valid, spike_axon, o__ready, clear):
        full = self.full()
        self.filled |= full
        self.dropped |= bool(spike_valid) and full
        if self.entries and o__ready:
            self.entries.popleft()
        if (i__valid or spike_valid) and not full:
            self.entries.append(spike_axon if spike_valid else i__payload)
        if clear:
            self.entries.clear()


@cocotb.test()
@cocotb.parametrize(p_push=[0.3, 0.9], p_pop=[0.2, 1.0])
async def matches_model(dut, p_push, p_pop):
    """Host events and spikes take turns; CLEAR now and then."""
    rng, config = random.Random(cocotb.RANDOM_SEED), bench.config_of_case()
    model = Model(config.queue_depth)

    def stimulus():
        push, own = rng.random() < p_push, rng.random() < 0.5
        return {"i__valid": int(push and not own), "i__payload": rng.randrange(config.axons),
                "spike_valid": int(push and own), "spike_axon": rng.randrange(config.axons),
                "o__ready": int(rng.random() < p_pop), "clear": int(rng.random() < 0.005)}

    await lockstep(dut, model, stimulus, 2000)
    if (p_push, p_pop) == (0.9, 0.2):
        assert model.filled and model.dropped, "the stimulus never filled the queue"


@pytest.mark.cocotb
@bench.seeds(1)
@pytest.mark.parametrize("case", ["test_wide_lanes"])
def test_event_queue(case, seed):
    """A queue of 4, so that it is full often."""
    from neurotile.hw.event_queue import EventQueue
    bench.run(EventQueue(TEST_PRESETS[case]), "event_queue", __name__, seed=seed,
              environment={bench.CASE: case})
