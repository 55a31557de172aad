# SPDX-License-Identifier: Apache-2.0
"""GroupSequencer: RTL under Verilator against issue and window rules, every output, every cycle."""

import random

import pytest

cocotb = pytest.importorskip("cocotb", reason="needs the extra 'rtl'")

from neurotile.spec import TEST_PRESETS  # noqa: E402
from neurotile.spec.formats import group_word  # noqa: E402
from neurotile.testbenches import bench  # noqa: E402
from neurotile.testbenches.agents import lockstep  # noqa: E402


class Model:
    """Sections 4 and 6: groups in order while there are credits; also plays the group memory."""

    def __init__(self, config, rng):
        self.config, self.rng, self.word = config, rng, group_word(config)
        self.memory = [{k: int(v) for k, v in
                        self.word.unpack(rng.getrandbits(self.word.width)).items()}
                       for _ in range(config.groups)]
        self.next = 0
        self.selected = self.control = None
        self.noise = 0
        self.activity = set()

    def data(self):
        """What the group memory shows."""
        return self.noise if self.selected is None else int(
            self.word.pack(self.memory[self.selected]))

    def remain(self, inputs):
        return bool(inputs["updating"] and self.next <= inputs["groups"])

    def outputs(self, **inputs):
        remain, group = self.remain(inputs), self.selected
        wanted = {
            "issue": int(remain and inputs["credit"]),
            "stall": int(remain and not inputs["credit"]),
            "group__en": int(remain and inputs["credit"]),
            "group__address": self.next if remain and inputs["credit"] else None,
            "select__valid": int(group is not None), "select__group": group,
            "select__parameters": None,
            "idle": int(not remain and group is None and self.control is None)}
        if group is not None:
            wanted["select__parameters"] = (self.memory[group]["set"] if self.config.shared
                                            else group)
        if self.control is not None:
            wanted["control"] = self.control
        return wanted

    def tick(self, **inputs):
        self.control = None
        if self.selected is not None:
            word, t, length = self.memory[self.selected], inputs["step"], inputs["length"]
            active = t >= word["offset"] and (length == 0 or t < word["offset"] + length)
            self.activity.add((active, t < word["offset"]))
            value = position = 0
            for width, part in ((1, 1), (1, active), (self.config.group_bits, self.selected),
                                (3, word["model"]), (1, word["soft_reset"]),
                                (self.config.shift_bits, word["shift"])):
                value |= int(part) << position
                position += width
            self.control = value
        issued = self.remain(inputs) and inputs["credit"]
        self.selected = self.next if issued else None
        self.next = 0 if not inputs["updating"] else self.next + bool(issued)
        self.noise = self.rng.getrandbits(self.word.width)


@cocotb.test()
@cocotb.parametrize(p_credit=[0.3, 1.0])
async def matches_model(dut, p_credit):
    """Updates of random numbers of groups in random steps."""
    rng, config = random.Random(cocotb.RANDOM_SEED), bench.config_of_case()
    model = Model(config, rng)
    held: dict[str, int] = {}

    def stimulus():
        done = model.outputs(**held, credit=1)["idle"] if held else 1
        if held.get("updating") and done and rng.random() < 0.3:
            held["updating"] = 0
        elif not held.get("updating"):
            top = 2 ** config.step_bits - 1
            held.update(updating=1 if held else 0, groups=rng.randrange(config.groups),
                        step=rng.choice([rng.randrange(6), rng.randrange(top), top]),
                        length=rng.choice([0, 1, rng.randrange(8), top]))
        return {**held, "credit": int(rng.random() < p_credit), "group__data": model.data()}

    await lockstep(dut, model, stimulus, 3000)
    assert model.activity == {(True, False), (False, True), (False, False)}


@pytest.mark.cocotb
@bench.seeds(1)
@pytest.mark.parametrize("case", ["test_two_lanes"])
def test_group_sequencer(case, seed):
    """Shared parameters; the tile's test has own ones too."""
    from neurotile.hw.group_sequencer import GroupSequencer
    bench.run(GroupSequencer(TEST_PRESETS[case]), "group_sequencer", __name__, seed=seed,
              environment={bench.CASE: case})
