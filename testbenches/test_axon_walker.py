# SPDX-License-Identifier: Apache-2.0
"""AxonWalker: RTL under Verilator against the fetch and walker rules, every output, every cycle."""

import random
from typing import Any

import pytest

cocotb = pytest.importorskip("cocotb", reason="needs the extra 'rtl'")

from neurotile.spec import TEST_PRESETS  # noqa: E402
from neurotile.spec.formats import axon_word  # noqa: E402
from neurotile.testbenches import bench  # noqa: E402
from neurotile.testbenches.agents import lockstep  # noqa: E402
from neurotile.testbenches.learning_cases import LEARNING_PRESETS  # noqa: E402


class Model:
    """Section 6, fetch and walker; also plays the axon memory."""

    def __init__(self, config, rng):
        self.config, self.rng = config, rng
        self.word = axon_word(config)
        self.memory = [self.random_segment() for _ in range(config.axons)]
        self.memory[-1]["last"] = 1
        self.d: Any = None
        self.w: Any = None
        self.recent: list[Any] = []
        self.noise = 0
        self.seen = {"stall": 0, "follow": 0, "back_to_back": 0, "wrap": 0}
        if config.learns:
            self.seen["row"] = 0

    def random_segment(self):
        segment = {field.name: self.rng.randint(*field.limits) for field in self.word.fields}
        segment["last"] = int(self.rng.random() < 0.6)
        if self.rng.random() < 0.6:
            segment["count"] = self.rng.randrange(2)
        if self.config.learns:
            segment["row"] //= self.rng.choice([1, 16])
        return segment

    def data(self):
        """What the axon memory shows in this cycle: D, or anything while D is empty."""
        if self.d is None:
            return self.noise
        return int(self.word.pack(self.memory[self.d]))

    def now(self, *, i__valid, i__payload, enable):
        """What happens in this cycle."""
        held = self.w is not None and (self.same("group") or self.config.learns
                                       and self.same("row"))
        issue = self.w is not None and not held
        final = issue and self.w["count"] == 0
        take = self.d is not None and (self.w is None or final)
        follow = take and not self.memory[self.d]["last"]
        ready = enable and (self.d is None or take) and not follow
        address = None
        if follow:
            address = (self.d + 1) % self.config.axons
        elif ready and i__valid:
            address = i__payload
        return held, issue, final, take, ready, address

    def same(self, name):
        """What is to be issued has this in common with what is still to be written."""
        return self.w[name] in [issued[name] for issued in self.recent if issued is not None]

    def outputs(self, *, axon__data, **inputs):
        held, issue, _, _, ready, address = self.now(**inputs)
        idle = self.d is None and self.w is None and all(x is None for x in self.recent)
        kinds = {f"issue__{name}": self.w[name] if issue else None
                 for name in ("inhibitory", "plastic")} if self.config.learns else {}
        return {**kinds, "i__ready": int(ready), "axon__en": int(address is not None),
                "axon__address": address, "stall": int(held), "issue__valid": int(issue),
                "issue__row": self.w["row"] if issue else None,
                "issue__group": self.w["group"] if issue else None, "idle": int(idle)}

    def tick(self, *, axon__data, **inputs):
        held, issue, final, take, _, address = self.now(**inputs)
        self.seen["stall"] += held
        self.seen["follow"] += address is not None and self.d is not None and take
        self.seen["back_to_back"] += bool(final and take)
        if held and self.config.learns:
            self.seen["row"] += not self.same("group")
        self.recent = [self.w if issue else None,
                       *self.recent][:self.config.integrate_stages]
        if issue:
            row, group = self.w["row"] + 1, self.w["group"] + 1
            self.seen["wrap"] += row == self.config.synapse_words or group == self.config.groups
            self.w = {**self.w, "row": row % self.config.synapse_words,
                      "group": group % self.config.groups, "count": self.w["count"] - 1}
        if final:
            self.w = None
        if take:
            self.w, self.d = self.memory[self.d], None
        if address is not None:
            self.d = address
        self.noise = self.rng.getrandbits(self.word.width)


@cocotb.test()
@cocotb.parametrize(p_event=[0.1, 1.0], p_enable=[0.5, 1.0])
async def matches_model(dut, p_event, p_enable):
    """Random segments; events with and without pauses, fetching now and then forbidden."""
    rng, config = random.Random(cocotb.RANDOM_SEED), bench.config_of_case()
    model = Model(config, rng)

    def stimulus():
        return {"i__valid": int(rng.random() < p_event), "i__payload": rng.randrange(config.axons),
                "enable": int(rng.random() < p_enable), "axon__data": model.data()}

    await lockstep(dut, model, stimulus, 3000)
    if p_event == 1.0:
        assert all(model.seen.values()), model.seen


@pytest.mark.cocotb
@bench.seeds(1)
@pytest.mark.parametrize("case", [
    "test_all", "test_deep_pipe", "test_learning_deep",
    pytest.param("test_learning", marks=pytest.mark.long)])
def test_axon_walker(case, seed):
    """With one and with two integrate stages; on tiles that learn rows are held back too."""
    from neurotile.hw.axon_walker import AxonWalker
    config = {**TEST_PRESETS, **LEARNING_PRESETS}[case]
    bench.run(AxonWalker(config), "axon_walker", __name__, seed=seed,
              environment={bench.CASE: case})
