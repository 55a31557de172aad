# SPDX-License-Identifier: Apache-2.0
"""MeshPort: RTL under Verilator against docs/mesh.md, section 5: where requests go, and answers."""

import os
import random
from collections import Counter
from typing import Any

import pytest

cocotb = pytest.importorskip("cocotb", reason="needs the extra 'rtl'")

from cocotb.triggers import FallingEdge  # noqa: E402

from neurotile.spec import TEST_MESH_PRESETS  # noqa: E402
from neurotile.spec.mesh_config import mesh_request_word  # noqa: E402
from neurotile.testbenches import bench  # noqa: E402
from neurotile.testbenches.agents import drive, reset, settle  # noqa: E402

WORD = mesh_request_word()
OF_MESH, REGISTERS = 31, 0


class Monitor:
    """The order of requests and answers, without cycles; stubs of the tiles and the registers."""

    def __init__(self, config, rng):
        self.tiles, self.rng = config.tiles, rng
        self.taken: list[Any] = []    # requests that the port took and that have had no effect
        self.answers: list[Any] = []  # what the host has still to get
        self.tile: Any = None         # tile that is going to answer, and what
        self.registers: Any = None    # answer of the registers in the next cycle
        self.seen: Counter[str] = Counter()

    def effect(self, held):
        """The oldest request takes effect in this cycle; returns it."""
        # Writes to tiles that are not there leave no trace.
        while self.taken[0]["write"] and self.kind(self.taken[0]) == "none":
            self.taken.pop(0)
        request = self.taken.pop(0)
        assert self.tile is None, "the answer before is not there yet"
        if request["memory"] not in (OF_MESH, REGISTERS):
            assert held, "a memory is accessed in a mesh that is not held"
        self.seen[f"{self.kind(request)} {'write' if request['write'] else 'read'}"] += 1
        return request

    def kind(self, request):
        if request["memory"] == OF_MESH:
            return "mesh"
        return "tile" if request["tile"] < self.tiles else "none"

    def reached_tile(self, number, payload, held):
        request = self.effect(held)
        assert self.kind(request) == "tile"
        assert (request["tile"], int(WORD.pack(request))) == (number, payload)
        if not request["write"]:
            self.tile = (number, self.rng.getrandbits(32))
            self.answers.append(self.tile[1])

    def reached_registers(self, write, index, data, held):
        request = self.effect(held)
        assert bool(request["write"]) == write
        if self.kind(request) == "none":
            self.answers.append(0)
            # No register has another index than those of the table.
            self.registers = 0 if index not in (*range(6), 8, 16, 17) else 1
            return
        assert self.kind(request) == "mesh" and index == request["index"]
        if write:
            assert data == request["data"]
        else:
            self.registers = self.rng.getrandbits(32)
            self.answers.append(self.registers)


@cocotb.test()
@cocotb.parametrize(p_request=[0.3, 1.0], p_take=[0.3, 1.0], p_held=[0.2, 0.9])
async def order_and_places(dut, p_request, p_take, p_held):
    """Random requests; tiles answer late, the host takes answers late, the mesh runs at times."""
    rng, config = random.Random(cocotb.RANDOM_SEED), TEST_MESH_PRESETS[os.environ[bench.CASE]]
    tiles = range(config.tiles)
    monitor, sent, got = Monitor(config, rng), 0, 0
    waits: Any = None
    inputs = {"request__valid": 0, "request__payload": 0, "response__ready": 0, "held": 0,
              "registers__answer": 0,
              **{f"tile_request__{k}__ready": 0 for k in tiles},
              **{f"tile_response__{k}__{n}": 0 for k in tiles for n in ("valid", "payload")}}
    await reset(dut, **inputs)
    held_answer = None
    for _ in range(3000):
        if waits is None and rng.random() < p_request:
            fields = {"data": rng.getrandbits(32), "index": rng.getrandbits(18),
                      "memory": rng.choice([OF_MESH, REGISTERS, rng.randrange(32)]),
                      "tile": rng.choice([*tiles, rng.randrange(256)]), "write": rng.randrange(2)}
            waits = fields
        answering: Any = None
        if monitor.tile and rng.random() < 0.4:
            answering, monitor.tile = monitor.tile, None
        inputs = {"request__valid": int(waits is not None),
                  "request__payload": int(WORD.pack(waits)) if waits else rng.getrandbits(61),
                  "response__ready": int(rng.random() < p_take),
                  "held": int(rng.random() < p_held),
                  "registers__answer": rng.getrandbits(32) if monitor.registers is None
                  else monitor.registers}
        for k in tiles:
            mine = answering is not None and answering[0] == k
            inputs |= {f"tile_request__{k}__ready": int(rng.random() < 0.7),
                       f"tile_response__{k}__valid": int(mine),
                       f"tile_response__{k}__payload": answering[1] if mine
                       else rng.getrandbits(32)}
        monitor.registers = None
        drive(dut, inputs)
        await settle()

        def show(name):
            return int(getattr(dut, name).value)

        if show("response__valid"):
            answer = show("response__payload")
            assert held_answer in (None, answer), "an answer changes while it waits"
            assert answer == monitor.answers[0]
            held_answer = answer
            if inputs["response__ready"]:
                monitor.answers.pop(0)
                held_answer, got = None, got + 1
        else:
            assert held_answer is None, "an answer is taken back"
        busy = [k for k in tiles if show(f"tile_request__{k}__valid")]
        write, read = show("registers__write"), show("registers__read")
        assert len(busy) + write + read <= 1
        for k in busy:
            payload = show(f"tile_request__{k}__payload")
            # What is on offer and not taken has no effect, but it must already be in its place.
            assert WORD.unpack(payload)["tile"] == k
            if inputs[f"tile_request__{k}__ready"]:
                monitor.reached_tile(k, payload, inputs["held"])
        if write or read:
            assert show("registers__own") == inputs["held"]
            monitor.reached_registers(bool(write), show("registers__index"),
                                      show("registers__data"), inputs["held"])
        if waits and show("request__ready"):
            monitor.taken.append(waits)
            waits, sent = None, sent + 1
        elif waits and not inputs["held"] and not monitor.answers:
            monitor.seen["waits"] += 1
        await FallingEdge(dut.clk)
    # One request in the port, one answer of a tile, one that waits for the host.
    assert len(monitor.answers) <= 2
    assert sum(not r["write"] or monitor.kind(r) != "none" for r in monitor.taken) <= 1
    assert sent > 100 and got > 40
    kinds = {"mesh read", "mesh write", "tile read", "tile write", "none read", "waits"}
    assert kinds <= set(monitor.seen), monitor.seen


@pytest.mark.cocotb
@bench.seeds(1)
@pytest.mark.parametrize("case", ["test_mesh_1x1", "test_mesh_1x3"])
def test_mesh_port(case, seed):
    """One tile, and three, which no power of two is."""
    from neurotile.hw.mesh_port import MeshPort
    bench.run(MeshPort(TEST_MESH_PRESETS[case]), "mesh_port", __name__, seed=seed,
              environment={bench.CASE: case})
