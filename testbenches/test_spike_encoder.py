# SPDX-License-Identifier: Apache-2.0
"""SpikeEncoder: RTL under Verilator against sorted spikes, every output, every cycle."""

import random

import pytest

cocotb = pytest.importorskip("cocotb", reason="needs the extra 'rtl'")

from neurotile.spec import TEST_PRESETS  # noqa: E402
from neurotile.testbenches import bench  # noqa: E402
from neurotile.testbenches.agents import lockstep  # noqa: E402


class Model:
    """Section 6, spikes: one per cycle, ascending; the group leaves with its last spike."""

    def __init__(self, config):
        self.config = config
        self.left = None

    def spikes(self, payload):
        """Neurons of the offered group that are still to be sent."""
        group = payload & self.config.groups - 1
        mask = payload >> self.config.group_bits
        neurons = [group * self.config.lanes + lane for lane in range(self.config.lanes)
                   if mask >> lane & 1]
        return neurons if self.left is None else neurons[-self.left:]

    def outputs(self, *, i__valid, i__payload, o__ready):
        spikes = self.spikes(i__payload) if i__valid else []
        return {"o__valid": int(i__valid), "o__payload": spikes[0] if spikes else None,
                "i__ready": int(o__ready and len(spikes) == 1) if i__valid else None}

    def tick(self, *, i__valid, i__payload, o__ready):
        if i__valid and o__ready:
            self.left = len(self.spikes(i__payload)) - 1 or None


@cocotb.test()
@cocotb.parametrize(p_group=[0.4, 1.0], p_take=[0.3, 1.0])
async def matches_model(dut, p_group, p_take):
    """Random masks with at least one spike, held until taken."""
    rng, config = random.Random(cocotb.RANDOM_SEED), bench.config_of_case()
    model, offer = Model(config), {"i__valid": 0, "i__payload": 0}
    taken = False

    def stimulus():
        nonlocal taken
        if taken or not offer["i__valid"]:
            mask = rng.randrange(1, 1 << config.lanes)
            if rng.random() < 0.3:
                mask = rng.choice([1, 1 << config.lanes - 1, (1 << config.lanes) - 1])
            offer["i__valid"] = int(rng.random() < p_group)
            offer["i__payload"] = rng.randrange(config.groups) | mask << config.group_bits
        inputs = {**offer, "o__ready": int(rng.random() < p_take)}
        taken = bool(model.outputs(**inputs)["i__ready"])
        return inputs

    await lockstep(dut, model, stimulus, 2000)


@pytest.mark.cocotb
@bench.seeds(1)
@pytest.mark.parametrize("case", ["test_wide_lanes"])
def test_spike_encoder(case, seed):
    """Sixteen lanes; with one there is no clock, and the tile's test covers it."""
    from neurotile.hw.spike_encoder import SpikeEncoder
    bench.run(SpikeEncoder(TEST_PRESETS[case]), "spike_encoder", __name__, seed=seed,
              environment={bench.CASE: case})
