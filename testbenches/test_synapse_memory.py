# SPDX-License-Identifier: Apache-2.0
"""SynapseMemory of a tile that learns: RTL under Verilator against section 9, every cycle."""

import random
from typing import Any

import pytest

cocotb = pytest.importorskip("cocotb", reason="needs the extra 'rtl'")

from neurotile.testbenches import bench  # noqa: E402
from neurotile.testbenches.agents import lockstep  # noqa: E402
from neurotile.testbenches.learning_cases import LEARNING_PRESETS  # noqa: E402


class Model:
    """Words are read in one cycle and written ``integrate_stages`` later."""

    def __init__(self, config, rng):
        self.config, self.rng = config, rng
        self.words = [[0] * config.lanes for _ in range(config.synapse_words)]
        self.read: Any = None
        self.writes = []
        self.answers = [None, None]
        self.switches = (0, 0)
        self.loaded = 0
        self.seen = {"up": 0, "down": 0, "bistable": 0, "unmapped": 0, "negative": 0, "host": 0}

    def stimulus(self):
        """The host fills the memory; then words are read, none before it is written."""
        config, rng = self.config, self.rng
        size = config.synapse_words * config.lanes
        idle = {"en": 0, "row": 0, "bistable": 0, "bistable_row": 0, "inhibitory": 0, "plastic": 0,
                "learn": 0, "flags": rng.getrandbits(2 * config.lanes),
                "update_unmapped": self.switches[0], "propagate_unmapped": self.switches[1],
                "host__own": 0, "host__write": 0, "host__read": 0, "host__index": 0,
                "host__data": 0}
        if self.loaded < size or not self.read and not self.writes and rng.random() < 0.05:
            self.switches = rng.randrange(2), rng.randrange(2)
            write = self.loaded < size or rng.randrange(2)
            index = self.loaded if self.loaded < size else rng.randrange(size)
            self.loaded += self.loaded < size
            return idle | {"host__own": 1, "host__index": index, "host__write": int(write),
                           "host__read": int(not write), "host__data": rng.getrandbits(32)}
        pending = [row for _, row, _ in self.writes] + ([self.read[0]] if self.read else [])
        row = rng.randrange(rng.choice([4, config.synapse_words]))
        if row in pending or rng.random() < 0.1:
            return idle
        bistable = rng.random() < 0.2
        kind = {"inhibitory": rng.randrange(2), "plastic": int(rng.random() < 0.8)}
        return idle | kind | {
            "en": int(not bistable), "row": row, "bistable": int(bistable), "bistable_row": row,
            "learn": int(rng.random() < 0.8)}

    def outputs(self, *, flags, **_):
        wanted = {"writes": int(any(left == 0 for left, _, _ in self.after(flags))),
                  "host__answer": self.answers[0], "weights": None}
        if self.read:
            row, kind = self.read
            weights = []
            for word in self.words[row]:
                delivers = word >> 3 or self.switches[1]
                weight = (-(word & 7) if kind["inhibitory"] else word & 7) if delivers else 0
                weights.append(weight % 16)
            wanted["weights"] = sum(w << 4 * n for n, w in enumerate(weights))
        return wanted

    def after(self, flags):
        """Writes that are due in as many cycles, with that of the word which shows now."""
        if not self.read:
            return self.writes
        row, kind = self.read
        if not kind["bistable"] and not (kind["plastic"] and kind["learn"]):
            return self.writes
        words = []
        for lane, word in enumerate(self.words[row]):
            up, down = flags >> 2 * lane & 1, flags >> 2 * lane + 1 & 1
            weight = word & 7
            if kind["bistable"]:
                by = 1 if weight >= 4 else -1
            else:
                by = 1 if up else -down
            if not (word >> 3 or self.switches[0]):
                by = 0
            words.append(word & 8 | max(0, min(7, weight + by)))
        return [*self.writes, (self.config.integrate_stages - 1, row, words)]

    def tick(self, **inputs):
        writes = self.after(inputs["flags"])
        if len(writes) > len(self.writes):
            _, row, words = writes[-1]
            changes = {b - a for a, b in zip(self.words[row], words, strict=True)}
            self.seen["up"] += 1 in changes
            self.seen["down"] += -1 in changes
            self.seen["bistable"] += self.read[1]["bistable"]
            self.seen["unmapped"] += self.switches[0]
        self.seen["negative"] += bool(self.read and self.read[1]["inhibitory"])
        for left, row, words in writes:
            if left == 0:
                self.words[row] = words
        self.writes = [(left - 1, row, words) for left, row, words in writes if left]
        row, lane = divmod(inputs["host__index"], self.config.lanes)
        self.answers = [*self.answers[1:], self.answers[-1]]
        if inputs["host__write"]:
            self.words[row][lane] = inputs["host__data"] & 15
        if inputs["host__read"]:
            self.answers[-1] = self.words[row][lane]
            self.seen["host"] += 1
        self.read = None
        if inputs["en"] or inputs["bistable"]:
            self.read = inputs["row"], inputs


@cocotb.test()
async def matches_model(dut):
    """Events, bistability and the host, with any flags and switches."""
    rng, config = random.Random(cocotb.RANDOM_SEED), bench.config_of_case()
    model = Model(config, rng)
    await lockstep(dut, model, model.stimulus, 4000)
    assert all(model.seen.values()), model.seen


@pytest.mark.cocotb
@bench.seeds(1)
@pytest.mark.parametrize("case", sorted(LEARNING_PRESETS))
def test_synapse_memory(case, seed):
    """With one and with two integrate stages."""
    from neurotile.hw.synapse_memory import SynapseMemory
    bench.run(SynapseMemory(LEARNING_PRESETS[case]), "synapse_memory", __name__, seed=seed,
              environment={bench.CASE: case})
