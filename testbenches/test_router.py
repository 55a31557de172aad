# SPDX-License-Identifier: Apache-2.0
"""Router: RTL under Verilator against docs/mesh.md, section 1, every output, every cycle."""

import os
import random
from typing import Any

import pytest

cocotb = pytest.importorskip("cocotb", reason="needs the extra 'rtl'")

from cocotb.triggers import FallingEdge  # noqa: E402

from neurotile.spec.mesh_config import packet_word, tree_word  # noqa: E402
from neurotile.testbenches import bench  # noqa: E402
from neurotile.testbenches.agents import check, drive, reset, settle  # noqa: E402
from neurotile.testbenches.noc_cases import network  # noqa: E402

CASES = {"unicast": network(3, 3, 2, parity=True),
         "multicast": network(2, 3, 4, multicast=True, parity=True)}
NORTH, EAST, SOUTH, WEST, LOCAL, SINK = range(6)


class Model:
    """One router; packets are words, flits have the parity bit above them."""

    def __init__(self, config, x, y, trees):
        self.config, self.x, self.y, self.trees = config, x, y, trees
        self.word = packet_word(config)
        self.fifos: list[Any] = [[] for _ in range(5)]
        self.sent_to: list[Any] = [set() for _ in range(5)]
        self.pointer = [0] * 6
        self.edge = {NORTH: y == 0, EAST: x == config.cols - 1, SOUTH: y == config.rows - 1}

    def flit(self, packet):
        return packet | (packet.bit_count() & 1) << self.word.width

    def fields(self, flit):
        return {key: int(value) for key, value in self.word.unpack(flit).items()}

    def outputs_of(self, flit):
        fields = self.fields(flit)
        if fields["host"]:
            return {WEST}
        if self.config.multicast:
            mask = self.trees[fields["target"] % self.config.trees][0]
            ways = {port for port in range(5) if mask >> port & 1}
        else:
            to_x = fields["target"] % (1 << self.config.x_bits)
            to_y = fields["target"] >> self.config.x_bits
            ways = {EAST if to_x > self.x else WEST if to_x < self.x else
                    SOUTH if to_y > self.y else NORTH if to_y < self.y else LOCAL}
        if self.x == 0 and WEST in ways:
            ways = ways - {WEST} | {SINK}
        return ways

    def cycle(self, arriving, ready):
        """Outputs of a cycle in which ``arriving`` (flit or None) are offered; then its end."""
        heads: list[Any] = [fifo[0] if fifo else None for fifo in self.fifos]
        full = [len(fifo) == self.config.router_depth for fifo in self.fifos]
        ways = [self.outputs_of(head) if head is not None else set() for head in heads]
        left = [way - done for way, done in zip(ways, self.sent_to, strict=True)]
        out: dict[str, Any] = {}
        born = lost = wrong = gone = sent = 0
        granted: list[Any] = [set() for _ in range(5)]
        for output in range(6):
            inputs = [(self.pointer[output] + k) % 5 for k in range(5)]
            first: Any = next((i for i in inputs if output in left[i]), None)
            if output < 4:
                off = self.edge.get(output, False)
                bad = first is not None and self.x == 0 and output == WEST and \
                    heads[first].bit_count() & 1
                offers = first is not None and not off and not bad
                out[f"o__{output}__valid"] = int(offers)
                out[f"o__{output}__payload"] = heads[first] if offers else None
            if output == LOCAL:
                out["local_o__valid"], out["local_o__payload"] = 0, None
            if first is None:
                continue
            if output < 4 and not off and not ready[output]:
                if output == WEST and self.x == 0:
                    self.pointer[output] = first
                continue
            self.pointer[output] = (first + 1) % 5
            granted[first].add(output)
            if output == SINK or output < 3 and off:
                lost += 1
            elif output < 4:
                sent |= 1 << output
                if output == WEST and self.x == 0:
                    wrong += bad
                    gone += not bad
            elif heads[first].bit_count() & 1:
                wrong += 1
            else:
                gone += 1
                out["local_o__valid"] = 1
                packet = heads[first] & (1 << self.word.width) - 1
                if self.config.multicast:
                    fields = self.fields(packet)
                    axon = self.trees[fields["target"] % self.config.trees][1]
                    fields["value"] = (fields["value"] + axon) % self.config.tile.axons
                    packet = int(self.word.pack(fields))
                out["local_o__payload"] = packet
        for port in range(5):
            if heads[port] is None:
                continue
            lost += not ways[port]
            born += len(granted[port])
            self.sent_to[port] |= granted[port]
            if self.sent_to[port] == ways[port]:
                born -= bool(granted[port])
                self.fifos[port].pop(0)
                self.sent_to[port] = set()
        for port, flit in enumerate(arriving):
            if flit is not None and not full[port]:
                if flit.bit_count() & 1:
                    wrong += 1
                else:
                    self.fifos[port].append(flit)
                    born += port == LOCAL or port == WEST and self.x == 0
        return out | {
            **{f"i__{port}__ready": int(not full[port]) for port in range(4)},
            "local_i__ready": int(not full[LOCAL]), "born": born, "lost": lost,
            "parity_errors": wrong, "gone": gone + lost + wrong, "sent": sent,
            "empty": int(not any(head is not None for head in heads))}


@cocotb.test()
@cocotb.parametrize(place=["middle", "corner", "east"], p_ready=[0.3, 1.0], hot=[False, True])
async def matches_model(dut, place, p_ready, hot):
    """Random packets, some with wrong parity; uniform, or most of them to one output."""
    rng, config = random.Random(cocotb.RANDOM_SEED), CASES[os.environ[bench.CASE]]
    x, y = {"middle": (1, 1), "corner": (0, 0), "east": (config.cols - 1, 1)}[place]
    trees = [(rng.choice([0, 1, 2, 16, 31, rng.randrange(32)]), rng.randrange(64))
             for _ in range(config.trees)]
    model = Model(config, x, y, trees)
    quiet = {"x": x, "y": y, "local_i__valid": 0, **{f"i__{p}__valid": 0 for p in range(4)},
             **{f"o__{p}__ready": 0 for p in range(4)}}
    host = ("own", "write", "read", "index", "data")
    await reset(dut, **quiet, **({f"tree__{n}": 0 for n in host} if config.multicast else {}))
    if config.multicast:
        for index, (ports, axon) in enumerate(trees):
            data = int(tree_word(config).pack({"ports": ports, "axon": axon}))
            drive(dut, {"tree__own": 1, "tree__write": 1, "tree__index": index,
                        "tree__data": data})
            await FallingEdge(dut.clk)
        drive(dut, {"tree__own": 0, "tree__write": 0})
    seen: set[str] = set()
    offered: list[Any] = [None] * 5
    for number in range(2500):
        for port in range(5):
            # What was offered stays until it is taken.
            if offered[port] is None and rng.random() < (0.9 if hot else 0.4):
                packet = rng.getrandbits(model.word.width)
                if hot and rng.random() < 0.7:
                    packet = 1 << model.word.offset("host")
                offered[port] = model.flit(packet) if port == LOCAL or rng.random() < 0.9 else \
                    model.flit(packet) ^ 1 << rng.randrange(model.word.width + 1)
        ready = [int(rng.random() < p_ready) for _ in range(4)]
        drive(dut, {f"o__{port}__ready": value for port, value in enumerate(ready)})
        for port in range(4):
            drive(dut, {f"i__{port}__valid": int(offered[port] is not None),
                        f"i__{port}__payload": offered[port] or 0})
        local = offered[LOCAL]
        drive(dut, {"local_i__valid": int(local is not None),
                    "local_i__payload": (local or 0) & (1 << model.word.width) - 1})
        await settle()
        wanted = model.cycle(offered, ready)
        check(dut, wanted, f"cycle {number}")
        seen |= {name for name in ("lost", "parity_errors", "born", "gone") if wanted[name]}
        seen |= {"full"} if not wanted["i__0__ready"] else set()
        offered = [None if wanted[f"i__{port}__ready" if port < 4 else "local_i__ready"] else flit
                   for port, flit in enumerate(offered)]
        await FallingEdge(dut.clk)
    assert seen >= {"parity_errors", "born", "gone", "full"}, seen


@pytest.mark.cocotb
@bench.seeds(1)
@pytest.mark.parametrize("case", CASES)
def test_router(case, seed):
    """In the middle, at the host port and at an edge, with back-pressure."""
    from neurotile.hw.router import Router
    bench.run(Router(CASES[case]), "router", __name__, seed=seed,
              environment={bench.CASE: case})
