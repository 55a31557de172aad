# SPDX-License-Identifier: Apache-2.0
"""CalciumLane: RTL under Verilator against section 9, every output, every cycle."""

import os
import random
from typing import Any

import pytest

cocotb = pytest.importorskip("cocotb", reason="needs the extra 'rtl'")

from neurotile.spec.formats import calcium_word, step_calcium_rule_word  # noqa: E402
from neurotile.testbenches import bench  # noqa: E402
from neurotile.testbenches.agents import lockstep  # noqa: E402
from neurotile.testbenches.learning_cases import LEARNING_PRESETS  # noqa: E402
from neurotile.testbenches.tile_model import update_calcium  # noqa: E402

STAGES = {f"stages_{u}": LEARNING_PRESETS["test_learning"].replace(update_stages=u)
          for u in (2, 4)}


class Model:
    """A group per cycle at most; spike and potential come in its last stage."""

    def __init__(self, config):
        self.config = config
        self.stages: list[Any] = [None] * (config.update_stages - 1)

    def last(self, inputs):
        """What entered update_stages - 1 cycles ago."""
        return [inputs, *self.stages][self.config.update_stages - 1]

    def outputs(self, **inputs):
        group = self.last(inputs if inputs["control"] & 1 else None)
        if group is None:
            return {"word_next": None}
        rule = {k: int(v) for k, v in step_calcium_rule_word().unpack(group["rule"]).items()}
        word = {k: int(v) for k, v in calcium_word().unpack(group["word"]).items()}
        wanted = update_calcium(rule, 1, word, inputs["high"], bool(inputs["spike"]))
        return {"word_next": int(calcium_word().pack(wanted))}

    def tick(self, **inputs):
        self.stages = [inputs if inputs["control"] & 1 else None, *self.stages[:-1]]


@cocotb.test()
@cocotb.parametrize(p_valid=[0.4, 1.0])
async def matches_model(dut, p_valid):
    """Any words; leaks now and then."""
    rng, config = random.Random(cocotb.RANDOM_SEED), STAGES[os.environ[bench.CASE]]
    model = Model(config)
    widths = len(dut.control)
    valid = [False] * config.update_stages

    def stimulus():
        valid.insert(0, rng.random() < p_valid)
        valid.pop()
        width = widths // config.update_stages
        control = sum((rng.getrandbits(width) & ~1 | valid[n]) << width * n
                      for n in range(config.update_stages))
        rule = {f.name: rng.randint(*f.limits) for f in step_calcium_rule_word().fields}
        word = {f.name: rng.randint(*f.limits) for f in calcium_word().fields}
        rule["enable"] = int(rng.random() < 0.8)
        rule["theta1"] = rng.choice([0, 1, rule["theta1"]])
        if rng.random() < 0.4:
            word["leak_count"] = (rule["leak"] - 1) % 32
        return {"control": control, "word": int(calcium_word().pack(word)),
                "rule": int(step_calcium_rule_word().pack(rule)), "high": rng.randrange(2),
                "spike": rng.randrange(2)}

    await lockstep(dut, model, stimulus, 4000)


@pytest.mark.cocotb
@bench.seeds(1)
@pytest.mark.parametrize("case", [pytest.param("stages_2", marks=pytest.mark.long), "stages_4"])
def test_calcium(case, seed):
    """With stages between the calcium and the potential; with one there is no clock."""
    from neurotile.hw.calcium import CalciumLane
    bench.run(CalciumLane(STAGES[case]), "calcium", __name__, seed=seed,
              environment={bench.CASE: case})
