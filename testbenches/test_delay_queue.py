# SPDX-License-Identifier: Apache-2.0
"""DelayQueue: RTL under Verilator against two deques, every output, every cycle."""

import os
import random
from collections import deque

import pytest

cocotb = pytest.importorskip("cocotb", reason="needs the extra 'rtl'")

from neurotile.spec.mesh_config import TEST_MESH_PRESETS  # noqa: E402
from neurotile.testbenches import bench  # noqa: E402
from neurotile.testbenches.agents import lockstep  # noqa: E402


class Model:
    """docs/mesh.md, section 4; entries are (axon, wait)."""

    def __init__(self, tile):
        self.tile, self.depth = tile, tile.queue_depth
        self.pre: deque[tuple[int, int]] = deque()
        self.post: deque[tuple[int, int]] = deque()
        self.seen = {"pre_full": 0}
        if tile.delay == "scdq":
            self.seen |= {"waits": 0, "held_back": 0, "post_full": 0, "swapped": 0, "both": 0}

    def entry(self, word):
        return word & self.tile.axons - 1, word >> self.tile.axon_bits

    def now(self, *, o__ready, again_valid=0, again=0):
        """Is the head popped, and what is pushed into POST."""
        if again_valid and self.pre and self.pre[0][1] > 0:
            return False, self.entry(again)
        popped = bool(self.pre and o__ready)
        if again_valid:
            return popped, self.entry(again)
        if popped and self.pre[0][1] > 0:
            return True, (self.pre[0][0], self.pre[0][1] - 1)
        return popped, None

    def outputs(self, *, i_valid, i, clear, swap=0, **inputs):
        popped, onward = self.now(**inputs)
        offered = bool(self.pre) and self.pre[0][1] == 0
        found = {"o__valid": int(offered), "o__payload": self.pre[0][0] if offered else None,
                 "pop": int(popped), "level": len(self.pre),
                 "drop": int(bool(i_valid) and len(self.pre) == self.depth)}
        if self.tile.delay == "scdq":
            found |= {"level_post": len(self.post), "drop_again": int(
                onward is not None and len(self.post) == self.depth)}
        return found

    def tick(self, *, i_valid, i, clear, swap=0, **inputs):
        popped, onward = self.now(**inputs)
        room, room_post = (len(queue) < self.depth for queue in (self.pre, self.post))
        self.seen["pre_full"] += bool(i_valid) and not room
        if self.tile.delay == "scdq":
            waits = bool(self.pre) and self.pre[0][1] > 0
            self.seen["waits"] += popped and waits
            self.seen["held_back"] += bool(waits and inputs["o__ready"] and not popped)
            self.seen["post_full"] += onward is not None and not room_post
            self.seen["both"] += onward is not None and not room_post and i_valid and not room
            self.seen["swapped"] += swap
        if popped:
            self.pre.popleft()
        if i_valid and room:
            self.pre.append(self.entry(i))
        if onward is not None and room_post:
            self.post.append(onward)
        if swap:
            self.pre, self.post = self.post, self.pre
        if clear:
            self.pre.clear()
            self.post.clear()


@cocotb.test()
@cocotb.parametrize(p_push=[0.3, 0.9], p_pop=[0.2, 1.0])
async def matches_model(dut, p_push, p_pop):
    """Arrivals, fetching and requeueing at any time, also in a cycle with a swap or a CLEAR."""
    rng = random.Random(cocotb.RANDOM_SEED)
    tile = TEST_MESH_PRESETS[os.environ[bench.CASE]].tile
    model, bits = Model(tile), tile.axon_bits + (tile.delay == "scdq") * tile.delay_bits

    def word():
        # Both: entries without and entries with a wait.
        return rng.getrandbits(bits) & (tile.axons - 1 if rng.random() < 0.4 else -1)

    def stimulus():
        inputs = {"i_valid": int(rng.random() < p_push), "i": word(),
                  "o__ready": int(rng.random() < p_pop), "clear": int(rng.random() < 0.002)}
        if tile.delay == "scdq":
            inputs |= {"again_valid": int(rng.random() < 0.3), "again": word(),
                       "swap": int(rng.random() < 0.02)}
        return inputs

    await lockstep(dut, model, stimulus, 3000)
    if (p_push, p_pop) == (0.9, 0.2):
        assert all(model.seen.values()), model.seen


@pytest.mark.cocotb
@bench.seeds(1)
@pytest.mark.parametrize("case", ["test_mesh_2x2", "test_mesh_4x4"])
def test_delay_queue(case, seed):
    """PRE and POST of 8 entries each, and one queue."""
    from neurotile.hw.delay_queue import DelayQueue
    bench.run(DelayQueue(TEST_MESH_PRESETS[case].tile), "delay_queue", __name__, seed=seed,
              environment={bench.CASE: case})
