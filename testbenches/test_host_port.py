# SPDX-License-Identifier: Apache-2.0
"""HostPort: RTL under Verilator against the rules for requests and answers, every cycle."""

import random
from typing import Any

import pytest

cocotb = pytest.importorskip("cocotb", reason="needs the extra 'rtl'")

from neurotile.spec import TEST_PRESETS  # noqa: E402
from neurotile.spec.formats import host_request_word, memories  # noqa: E402
from neurotile.testbenches import bench  # noqa: E402
from neurotile.testbenches.agents import lockstep  # noqa: E402

WORD = host_request_word()


class Model:
    """Section 8: in order, memories only in HOLD; an answer follows its read by three cycles."""

    def __init__(self, config):
        self.targets = {0: "registers", **{int(m.id): m.name for m in memories(config)}}
        self.waiting: Any = None
        self.answer: Any = None
        self.reading: Any = None
        self.shown: Any = None
        self.seen = set()

    def executes(self, inputs):
        word = self.waiting
        if word is None or not (inputs["hold"] or word["memory"] == 0):
            return False
        free = self.answer is None or inputs["response__ready"]
        room = self.reading is None and self.shown is None and free
        return bool(word["write"] or room)

    def outputs(self, **inputs):
        executes, word = self.executes(inputs), self.waiting
        wanted = {"request__ready": int(word is None or executes),
                  "response__valid": int(self.answer is not None),
                  "response__payload": self.answer}
        for code, name in self.targets.items():
            mine = executes and word["memory"] == code
            wanted[f"{name}__own"] = inputs["hold"]
            wanted[f"{name}__write"] = int(bool(mine and word["write"]))
            wanted[f"{name}__read"] = int(bool(mine and not word["write"]))
            wanted[f"{name}__index"] = word["index"] if mine else None
            wanted[f"{name}__data"] = word["data"] if mine else None
        return wanted

    def tick(self, **inputs):
        executes, word = self.executes(inputs), self.waiting
        if inputs["response__ready"]:
            self.answer = None
        if self.shown is not None:
            name = self.targets.get(self.shown)
            self.answer = inputs[f"{name}__answer"] if name else 0
        self.shown = self.reading
        self.reading = word["memory"] if executes and not word["write"] else None
        if executes:
            self.seen.add((word["memory"], word["write"]))
        if executes or word is None:
            self.waiting = None
            if inputs["request__valid"]:
                fields = WORD.unpack(inputs["request__payload"])
                self.waiting = {key: int(value) for key, value in fields.items()}


@cocotb.test()
@cocotb.parametrize(p_request=[0.3, 1.0], p_take=[0.3, 1.0], p_hold=[0.3, 1.0])
async def matches_model(dut, p_request, p_take, p_hold):
    """Random requests to every memory id; the tile leaves HOLD now and then."""
    rng, config = random.Random(cocotb.RANDOM_SEED), bench.config_of_case()
    model = Model(config)

    def stimulus():
        return {"request__valid": int(rng.random() < p_request),
                "request__payload": rng.getrandbits(WORD.width),
                "response__ready": int(rng.random() < p_take), "hold": int(rng.random() < p_hold),
                **{f"{name}__answer": rng.getrandbits(32) for name in model.targets.values()}}

    await lockstep(dut, model, stimulus, 1000)
    if p_request == p_take == p_hold == 1.0:
        assert model.seen == {(code, write) for code in range(16) for write in range(2)}


@pytest.mark.cocotb
@bench.seeds(1)
@pytest.mark.parametrize("case", ["test_wide_lanes"])
def test_host_port(case, seed):
    """A tile in which ``decay`` and ``current`` are missing."""
    from neurotile.hw.host_port import HostPort
    bench.run(HostPort(TEST_PRESETS[case]), "host_port", __name__, seed=seed,
              environment={bench.CASE: case})
