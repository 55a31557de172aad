# SPDX-License-Identifier: Apache-2.0
"""EventScheduler: RTL under Verilator against a deque, every output, every cycle."""

import os
import random
from collections import deque

import pytest

cocotb = pytest.importorskip("cocotb", reason="needs the extra 'rtl'")

from neurotile.spec import TEST_EVENT_PRESETS  # noqa: E402
from neurotile.spec.event_formats import EventKind, queue_entry_word  # noqa: E402
from neurotile.testbenches import bench  # noqa: E402
from neurotile.testbenches.agents import lockstep  # noqa: E402


class Model:
    """docs/event_mode.md, section 3: the head stays until it is taken; a spike never waits."""

    def __init__(self, config):
        self.depth, self.word = config.queue_depth, queue_entry_word(config)
        self.entries: deque[int] = deque()
        self.filled = self.dropped = False

    def full(self):
        return len(self.entries) == self.depth

    def outputs(self, *, spike_valid, **_):
        return {"i__ready": int(not self.full()), "full": int(self.full()),
                "drop": int(bool(spike_valid) and self.full()),
                "o__valid": int(bool(self.entries)), "level": len(self.entries),
                "o__payload": self.entries[0] if self.entries else None}

    def tick(self, *, i__valid, i__payload, spike_valid, spike, o__ready, clear):
        full = self.full()
        self.filled |= full
        self.dropped |= bool(spike_valid) and full
        if self.entries and o__ready:
            self.entries.popleft()
        if i__valid and not full:
            self.entries.append(i__payload)
        if spike_valid and not full:
            fields = self.word.unpack(i__payload) | {"neuron": spike, "kind": EventKind.SPIKE}
            self.entries.append(int(self.word.pack(fields)))
        if clear:
            self.entries.clear()


@cocotb.test()
@cocotb.parametrize(p_push=[0.3, 0.9], p_pop=[0.2, 1.0])
async def matches_model(dut, p_push, p_pop):
    """Events and spikes take turns; CLEAR now and then."""
    rng, config = random.Random(cocotb.RANDOM_SEED), TEST_EVENT_PRESETS[os.environ[bench.CASE]]
    model = Model(config)

    def stimulus():
        push, own = rng.random() < p_push, rng.random() < 0.5
        return {"i__valid": int(push and not own),
                "i__payload": rng.getrandbits(model.word.width),
                "spike_valid": int(push and own), "spike": rng.randrange(config.neurons),
                "o__ready": int(rng.random() < p_pop), "clear": int(rng.random() < 0.005)}

    await lockstep(dut, model, stimulus, 2000)
    if (p_push, p_pop) == (0.9, 0.2):
        assert model.filled and model.dropped, "the stimulus never filled the scheduler"


@pytest.mark.cocotb
@bench.seeds(1)
@pytest.mark.parametrize("case", ["test_event_one_lane"])
def test_event_scheduler(case, seed):
    """Four entries, so that it is full often."""
    from neurotile.hw.event_scheduler import EventScheduler
    bench.run(EventScheduler(TEST_EVENT_PRESETS[case]), "event_scheduler", __name__, seed=seed,
              environment={bench.CASE: case})
