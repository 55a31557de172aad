# SPDX-License-Identifier: Apache-2.0
"""Barrier: RTL under Verilator against docs/mesh.md, section 2, every output, every cycle."""

import os
import random

import pytest

cocotb = pytest.importorskip("cocotb", reason="needs the extra 'rtl'")

from neurotile.testbenches import bench  # noqa: E402
from neurotile.testbenches.agents import lockstep  # noqa: E402
from neurotile.testbenches.noc_cases import network  # noqa: E402

CASES = {f"stages{stages}": network(2, 3, 2, stages=stages) for stages in (1, 2, 3, 4, 8)}


class Model:
    """The definition: sample c is quiet; the barrier comes B cycles after the first quiet one."""

    def __init__(self, config):
        self.config, self.cycle, self.packets = config, 0, 0
        self.held, self.quiet = False, None
        self.fired = 0

    def outputs(self, **_):
        fires = self.quiet is not None and self.cycle == self.quiet + self.config.barrier_stages
        return {"fire": int(fires), "end_ready": int(not self.held)}

    def tick(self, *, end_valid, **ports):
        tiles = range(self.config.tiles)
        born, gone = (sum(ports[f"{n}__{t}"] for t in tiles) for n in ("born", "gone"))
        fires = self.outputs()["fire"]
        if fires:
            self.quiet, self.held = None, False
            self.fired += 1
        else:
            if self.quiet is None and self.held and not self.packets and not born and all(
                    ports[f"idle__{t}"] for t in tiles):
                self.quiet = self.cycle
            self.held |= bool(end_valid)
        self.packets += born - gone
        self.cycle += 1


@cocotb.test()
@cocotb.parametrize(p_idle=[0.9, 0.99], p_born=[0.02, 0.3])
async def matches_model(dut, p_idle, p_born):
    """Any idle bits and packets, also such as no tile shows; no more than the FIFOs hold."""
    rng, config = random.Random(cocotb.RANDOM_SEED), CASES[os.environ[bench.CASE]]
    model = Model(config)
    tiles = range(config.tiles)

    def stimulus():
        ports = {"end_valid": int(rng.random() < 0.3)}
        left = model.packets
        for tile in tiles:
            ports[f"idle__{tile}"] = int(rng.random() < p_idle)
            born = rng.randrange(8) if left < 12 and rng.random() < p_born / 6 else 0
            gone = min(rng.randrange(14), left) if rng.random() < 0.5 else 0
            left -= gone
            ports |= {f"born__{tile}": born, f"gone__{tile}": gone}
        return ports

    await lockstep(dut, model, stimulus, 2000)
    assert model.fired > 5


@pytest.mark.cocotb
@bench.seeds(1)
@pytest.mark.parametrize("case", CASES)
def test_barrier(case, seed):
    """Every way in which the stages share the sum."""
    from neurotile.hw.barrier import Barrier
    bench.run(Barrier(CASES[case]), "mesh_barrier", __name__, seed=seed,
              environment={bench.CASE: case})
