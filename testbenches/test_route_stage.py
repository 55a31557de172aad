# SPDX-License-Identifier: Apache-2.0
"""RouteStage: RTL under Verilator against the rules for spikes, every output, every cycle."""

import random
from typing import Any

import pytest

cocotb = pytest.importorskip("cocotb", reason="needs the extra 'rtl'")

from neurotile.spec import TEST_PRESETS  # noqa: E402
from neurotile.spec.formats import route_word  # noqa: E402
from neurotile.testbenches import bench  # noqa: E402
from neurotile.testbenches.agents import lockstep  # noqa: E402


class Model:
    """Section 6, spikes and end of step; also plays the route memory."""

    def __init__(self, config, rng):
        self.config, self.rng = config, rng
        self.word = route_word(config)
        self.memory = [self.word.unpack(rng.getrandbits(self.word.width))
                       for _ in range(config.neurons)]
        self.held: Any = None
        self.noise = 0

    def data(self):
        """What the route memory shows: the word of the held spike, else anything."""
        return self.noise if self.held is None else int(self.word.pack(self.memory[self.held]))

    def leaves(self, o__ready):
        return self.held is not None and (not self.memory[self.held]["output"] or bool(o__ready))

    def outputs(self, *, i__valid, i__payload, o__ready, finish, route__data):
        route: Any = self.memory[self.held] if self.held is not None else None
        offers = bool(route and route["output"])
        leaves = self.leaves(o__ready)
        ready = self.held is None or leaves
        enters = ready and i__valid
        local = bool(leaves and route and route["local"])
        payload = (self.held if offers else 1 << self.config.neuron_bits if finish else None)
        return {"i__ready": int(ready), "route__en": int(bool(enters)),
                "route__address": i__payload if enters else None,
                "o__valid": int(offers or bool(finish)), "o__payload": payload,
                "spike_valid": int(local), "spike_axon": int(route["axon"]) if local else None,
                "finished": int(bool(finish and o__ready)), "idle": int(self.held is None)}

    def tick(self, *, i__valid, i__payload, o__ready, finish, route__data):
        if self.held is None or self.leaves(o__ready):
            self.held = i__payload if i__valid else None
        self.noise = self.rng.getrandbits(self.word.width)


@cocotb.test()
@cocotb.parametrize(p_spike=[0.4, 1.0], p_take=[0.3, 1.0])
async def matches_model(dut, p_spike, p_take):
    """Random routes; END_OF_STEP only while no spike is held."""
    rng, config = random.Random(cocotb.RANDOM_SEED), bench.config_of_case()
    model = Model(config, rng)

    def stimulus():
        spike = rng.random() < p_spike
        return {"i__valid": int(spike), "i__payload": rng.randrange(config.neurons),
                "o__ready": int(rng.random() < p_take), "route__data": model.data(),
                "finish": int(model.held is None and not spike and rng.random() < 0.5)}

    await lockstep(dut, model, stimulus, 2000)


@pytest.mark.cocotb
@bench.seeds(1)
@pytest.mark.parametrize("case", ["test_all"])
def test_route_stage(case, seed):
    """Spikes with every combination of flags, with and without back-pressure."""
    from neurotile.hw.route_stage import RouteStage
    bench.run(RouteStage(TEST_PRESETS[case]), "route_stage", __name__, seed=seed,
              environment={bench.CASE: case})
