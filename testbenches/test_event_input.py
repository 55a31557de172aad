# SPDX-License-Identifier: Apache-2.0
"""EventInput: RTL under Verilator against the host stream rules, every output, every cycle."""

import random

import pytest

cocotb = pytest.importorskip("cocotb", reason="needs the extra 'rtl'")

from neurotile.spec import TEST_PRESETS  # noqa: E402
from neurotile.testbenches import bench  # noqa: E402
from neurotile.testbenches.agents import lockstep  # noqa: E402


class Model:
    """Section 6, host stream: ready whatever the payload, until END_OF_STEP was taken."""

    def __init__(self, config):
        self.config = config
        self.taken = False

    def ready(self, inputs):
        return bool(inputs["integrating"] and not self.taken and inputs["o__ready"])

    def outputs(self, **inputs):
        end = inputs["i__payload"] >> self.config.axon_bits
        offers = inputs["i__valid"] and not end and inputs["integrating"] and not self.taken
        return {"i__ready": int(self.ready(inputs)), "end_of_step": int(self.taken),
                "o__valid": int(bool(offers)),
                "o__payload": inputs["i__payload"] if offers else None}

    def tick(self, **inputs):
        end = inputs["i__payload"] >> self.config.axon_bits
        if self.ready(inputs) and inputs["i__valid"] and end:
            self.taken = True
        if inputs["barrier"]:
            self.taken = False


@cocotb.test()
@cocotb.parametrize(p_event=[0.4, 1.0], p_room=[0.4, 1.0])
async def matches_model(dut, p_event, p_room):
    """Events and END_OF_STEP; the barrier comes some cycles after it."""
    rng, config = random.Random(cocotb.RANDOM_SEED), bench.config_of_case()
    model = Model(config)

    def stimulus():
        return {"i__valid": int(rng.random() < p_event),
                "i__payload": rng.randrange(config.axons)
                | (rng.random() < 0.2) << config.axon_bits,
                "o__ready": int(rng.random() < p_room), "integrating": int(rng.random() < 0.9),
                "barrier": int(model.taken and rng.random() < 0.2)}

    await lockstep(dut, model, stimulus, 1500)


@pytest.mark.cocotb
@bench.seeds(1)
@pytest.mark.parametrize("case", ["test_all"])
def test_event_input(case, seed):
    """With and without a full queue."""
    from neurotile.hw.event_input import EventInput
    bench.run(EventInput(TEST_PRESETS[case]), "event_input", __name__, seed=seed,
              environment={bench.CASE: case})
