# SPDX-License-Identifier: Apache-2.0
"""PacketStage: RTL under Verilator against the rules of stages P and R, every output and cycle."""

import os
import random
from typing import Any

import pytest

cocotb = pytest.importorskip("cocotb", reason="needs the extra 'rtl'")

from neurotile.spec.mesh_config import (  # noqa: E402
    TEST_MESH_PRESETS,
    fanout_word,
    mesh_route_word,
    packet_word,
)
from neurotile.testbenches import bench  # noqa: E402
from neurotile.testbenches.agents import lockstep  # noqa: E402


class Model:
    """docs/mesh.md, section 3; also plays the two memories."""

    def __init__(self, config, rng):
        self.config, self.rng = config, rng
        self.fanout = [self.random(fanout_word(config)) for _ in range(config.tile.neurons)]
        self.routes = [self.random(mesh_route_word(config)) for _ in range(config.routes)]
        self.routes[config.routes // 2]["last"] = 1
        self.fanout[0] = {"first": config.routes - 1, "any": 1}
        self.routes[-1]["last"] = 0
        self.p: int | None = None
        self.r: Any = None  # neuron, route entry
        self.noise: Any = (0, 0)
        self.seen = {"no_packet": 0, "chain": 0, "wrap": 0, "host": 0, "back_to_back": 0}

    def random(self, word):
        found = {field.name: self.rng.randint(*field.limits) for field in word.fields}
        if "any" in found:
            found["any"] = int(self.rng.random() < 0.8)
        return found

    def data(self):
        """What the memories show in this cycle: anything while a stage is empty."""
        fanout = self.noise[0] if self.p is None else int(
            fanout_word(self.config).pack(self.fanout[self.p]))
        route = self.noise[1] if self.r is None else int(
            mesh_route_word(self.config).pack(self.routes[self.r[1]]))
        return {"fanout__data": fanout, "route__data": route}

    def now(self, *, o__ready):
        """Is the packet transferred, which route entry is presented, does P lose its spike."""
        transferred = self.r is not None and bool(o__ready)
        ends = transferred and self.routes[self.r[1]]["last"]
        if transferred and not ends:
            presented = (self.r[0], (self.r[1] + 1) % self.config.routes)
            return transferred, presented, self.p is not None and not self.fanout[self.p]["any"]
        if self.p is None:
            return transferred, None, False
        if not self.fanout[self.p]["any"]:
            return transferred, None, True
        if self.r is None or ends:
            return transferred, (self.p, self.fanout[self.p]["first"]), True
        return transferred, None, False

    def outputs(self, *, o__ready, i__valid, i__payload, x, y, **_):
        _, presented, leaves = self.now(o__ready=o__ready)
        ready = self.p is None or leaves
        packet = None
        if self.r is not None:
            fields = {k: v for k, v in self.routes[self.r[1]].items() if k != "last"}
            if fields["host"]:
                fields |= {"target": y << self.config.x_bits | x, "value": self.r[0]}
            packet = int(packet_word(self.config).pack(fields))
        return {"i__ready": int(ready), "fanout__en": int(ready and i__valid),
                "fanout__address": i__payload if ready and i__valid else None,
                "route__en": int(presented is not None),
                "route__address": presented[1] if presented else None,
                "o__valid": int(self.r is not None), "o__payload": packet,
                "idle": int(self.p is None and self.r is None)}

    def tick(self, *, o__ready, i__valid, i__payload, **_):
        transferred, presented, leaves = self.now(o__ready=o__ready)
        self.seen["no_packet"] += leaves and presented is None
        if presented:
            self.seen["host"] += self.routes[presented[1]]["host"]
            self.seen["chain"] += transferred and presented[0] == self.r[0]
            self.seen["wrap"] += transferred and presented[1] == 0 < self.r[1]
            self.seen["back_to_back"] += transferred and leaves
        if presented or transferred:
            self.r = presented
        if self.p is None or leaves:
            self.p = i__payload if i__valid else None
        self.noise = (self.rng.getrandbits(fanout_word(self.config).width),
                      self.rng.getrandbits(mesh_route_word(self.config).width))


@cocotb.test()
@cocotb.parametrize(p_spike=[0.1, 1.0], p_ready=[0.3, 1.0])
async def matches_model(dut, p_spike, p_ready):
    """Random chains; spikes and room in the router with and without pauses."""
    rng, config = random.Random(cocotb.RANDOM_SEED), TEST_MESH_PRESETS[os.environ[bench.CASE]]
    model = Model(config, rng)
    x, y = rng.randrange(config.cols), rng.randrange(config.rows)

    def stimulus():
        return {"i__valid": int(rng.random() < p_spike), "x": x, "y": y,
                "i__payload": rng.randrange(config.tile.neurons),
                "o__ready": int(rng.random() < p_ready), **model.data()}

    await lockstep(dut, model, stimulus, 2000)
    if p_spike == 1.0:
        assert all(model.seen.values()), model.seen


@pytest.mark.cocotb
@bench.seeds(1)
@pytest.mark.parametrize("case", ["test_mesh_2x2", "test_mesh_4x4"])
def test_packet_stage(case, seed):
    """With the delay of SCDQ in packets and trees as targets, and without."""
    from neurotile.hw.packet_stage import PacketStage
    bench.run(PacketStage(TEST_MESH_PRESETS[case]), "packet_stage", __name__, seed=seed,
              environment={bench.CASE: case})
