# SPDX-License-Identifier: Apache-2.0
"""Tile: RTL under Verilator against :mod:`tile_model`, every output, every cycle."""

import random

import pytest

cocotb = pytest.importorskip("cocotb", reason="needs the extra 'rtl'")

from cocotb.triggers import FallingEdge  # noqa: E402

from neurotile.spec import TEST_PRESETS, TileConfig, TileLearning  # noqa: E402
from neurotile.spec.codes import ID_VALUE, VERSION_VALUE, Phase, Register  # noqa: E402
from neurotile.spec.formats import Memory, MemoryId  # noqa: E402
from neurotile.testbenches import bench, phase_coverage  # noqa: E402
from neurotile.testbenches.agents import Host, check, drive, reset, settle  # noqa: E402
from neurotile.testbenches.learning_cases import LEARNING_PRESETS  # noqa: E402
from neurotile.testbenches.tile_model import TileModel  # noqa: E402

STATES = ("membrane", "current", "accumulator", "calcium")
LEARNING = {"row alone", *(f"{kind} {by}" for kind in ("event", "bistable") for by in ("-1", "+1"))}


def random_word(rng: random.Random, memory: Memory, config: TileConfig, wild: bool) -> int:
    """Content of one word: any bit pattern, or (not ``wild``) one that gives lively runs."""
    fields = {}
    for item in memory.word.fields:
        low, high = item.limits
        fields[item.name] = rng.randint(low, high)
        if not wild and item.signed and memory.name != "synapse":
            fields[item.name] = rng.randint(max(low, -40), min(high, 60))
    if memory.name == "axon":
        fields["last"] = int(rng.random() < 0.7)
        if rng.random() < 0.7:
            fields["count"] = rng.randint(0, min(2, config.groups - 1))
        if config.learns and rng.random() < 0.5:
            fields["row"] = rng.randrange(2)
    if memory.name == "group" and not wild:
        fields["offset"] = rng.randint(0, min(3, memory.word.field("offset").limits[1]))
    if memory.name == "calcium_rule" and not wild:
        fields |= {"enable": int(rng.random() < 0.9), "theta1": rng.randint(0, 2),
                   "leak": rng.randint(0, 4)}
    return int(memory.word.pack(fields))


async def load(host: Host, model: TileModel, rng: random.Random, wild: bool) -> None:
    """Random contents for every memory, states included."""
    for memory in model.formats.values():
        for row in range(memory.rows):
            for lane in range(memory.lanes):
                word = random_word(rng, memory, model.config, wild)
                model.load(memory.name, row, lane, word)
                await host.write(memory.id, row * memory.lanes + lane, word)
    # An axon without an end would be a run without an end.
    *_, last = range(model.config.axons)
    word = model.words["axon"][last][0] | 1 << model.formats["axon"].word.offset("last")
    model.load("axon", last, 0, word)
    await host.write(MemoryId.AXON, last, word)


async def set_learning(host: Host, model: TileModel, rng: random.Random) -> None:
    """Random registers of learning, with which synapses mostly learn."""
    model.learning = TileLearning(
        switches=rng.randrange(8) | int(rng.random() < 0.8), offset=rng.choice([0, 0, 1, 2]),
        period=rng.choice([0, 1, 1, 2, 3]), rows=rng.randint(1, model.config.synapse_words))
    for register, value in ((Register.SWITCHES, model.learning.switches),
                            (Register.LEARN_OFFSET, model.learning.offset),
                            (Register.BISTABILITY_PERIOD, model.learning.period),
                            (Register.BISTABILITY_ROWS, model.learning.rows - 1)):
        await host.write(MemoryId.REGISTERS, register, value)


async def follow(dut, model: TileModel, rng: random.Random, p_send: float, p_take: float,
                 phases: set[tuple[str, str]]) -> None:
    """One run, compared in every cycle until HOLD."""
    left, sending, payload = rng.randrange(12), False, 0
    for _ in range(200_000):
        if not sending:
            sending = rng.random() < p_send
            payload = rng.randrange(model.config.axons)
            if left == 0:
                payload |= 1 << model.config.axon_bits
        inputs = {"i__valid": int(sending), "i__payload": payload,
                  "o__ready": int(rng.random() < p_take)}
        drive(dut, inputs)
        await settle()
        where = f"cycle {model.now}, step {model.step}, {model.phase.name}"
        check(dut, model.outputs(), where)
        before, accepted = model.phase, sending and model.outputs()["i__ready"]
        model.tick(**inputs)
        if accepted:
            left = rng.randrange(12) if left == 0 else left - 1
            sending = False
        await FallingEdge(dut.clk)
        phase = Phase(int(dut.controller.phase.value))
        phases.add((before.name, phase.name))
        assert phase == model.phase, f"after {where}: {phase.name}, not {model.phase.name}"
        if phase == Phase.HOLD:
            dut.i__valid.value = 0
            return
    raise AssertionError("the run does not end")


async def clear(dut, host: Host, model: TileModel, phases: set[tuple[str, str]]) -> None:
    """CLEAR, which takes one cycle per row."""
    await host.write(MemoryId.REGISTERS, Register.CLEAR, 0)
    seen = [Phase(int(dut.controller.phase.value))]
    while len(seen) < 3 or seen[-1] != Phase.HOLD:
        await FallingEdge(dut.clk)
        seen.append(Phase(int(dut.controller.phase.value)))
    assert seen.count(Phase.CLEAR) == model.config.groups
    phases |= {(a.name, b.name) for a, b in zip(seen, seen[1:], strict=False)}
    model.clear()


@cocotb.test()
@cocotb.parametrize(p_send=[0.3, 1.0], p_take=[0.4, 1.0])
async def matches_model(dut, p_send, p_take):
    """Random programs and events; outputs in every cycle, memories and counters after each run."""
    rng = random.Random(cocotb.RANDOM_SEED)
    config = bench.config_of_case()
    model, host = TileModel(config), Host(dut, rng, 0.1)
    phases: set[tuple[str, str]] = set()
    await reset(dut, i__valid=0, o__ready=0, request__valid=0, response__ready=0)

    for run in range(6):
        if run % 3 == 0:
            await load(host, model, rng, wild=run == 0)
        if run % 3 != 1:
            await clear(dut, host, model, phases)
            for memory in model.formats.values():
                if memory.name in STATES and rng.random() < 0.5:
                    for index in range(memory.rows * memory.lanes):
                        word = rng.getrandbits(memory.word.width)
                        model.load(memory.name, *divmod(index, memory.lanes), word)
                        await host.write(memory.id, index, word)
        model.groups = rng.randint(1, config.groups)
        model.length = rng.choice([0, 2, rng.getrandbits(config.step_bits)])
        model.run = rng.randint(1, 5)
        if config.learns:
            await set_learning(host, model, rng)
        for register, value in ((Register.GROUPS, model.groups - 1),
                                (Register.LENGTH, model.length), (Register.RUN, model.run)):
            await host.write(MemoryId.REGISTERS, register, value)
        while int(dut.controller.phase.value) != Phase.INTEGRATE:
            await FallingEdge(dut.clk)
        phases.add(("HOLD", "INTEGRATE"))
        model.phase = Phase.INTEGRATE
        await follow(dut, model, rng, p_send, p_take, phases)

        for name in config.counters:
            got = await host.read(MemoryId.REGISTERS, Register[name.upper()])
            assert got == model.counters[name], f"run {run}: {name}"
        status = await host.read(MemoryId.REGISTERS, Register.STATUS)
        assert status == (4 if model.counters["drops"] else 0)
        assert await host.read(MemoryId.REGISTERS, Register.STEP) == model.step
        for memory in model.formats.values():
            if memory.name in STATES or run == 5 or config.learns and memory.name == "synapse":
                for index in range(memory.rows * memory.lanes):
                    row, lane = divmod(index, memory.lanes)
                    want = model.words[memory.name][row][lane]
                    if memory.word.fields[0].signed:
                        want = model.value(memory.name, row, lane)["value"] % 2 ** 32
                    got = await host.read(memory.id, index)
                    assert got == want, f"run {run}: {memory.name}[{row}][{lane}]"
    phase_coverage.note(phases)
    if config.learns and p_send == 1.0:
        assert set(model.seen) >= LEARNING and all(model.seen.values()), model.seen


@cocotb.test()
async def is_used_while_it_runs(dut):
    """Reads in every phase, a memory write that waits for HOLD, RUN = 0, RUN during CLEAR."""
    config, registers = bench.config_of_case(), MemoryId.REGISTERS
    host = Host(dut, random.Random(cocotb.RANDOM_SEED))
    await reset(dut, i__valid=0, o__ready=0, request__valid=0, response__ready=0)
    await host.write(registers, Register.CLEAR, 0)
    await host.write(registers, Register.RUN, 5)
    assert await host.read(registers, Register.STATUS) == Phase.CLEAR
    assert await host.read(registers, Register.RUN) == 5

    async def update() -> None:
        """END_OF_STEP in, and on to UPDATE, in which the tile waits for its output."""
        drive(dut, {"i__valid": 1, "i__payload": 1 << config.axon_bits})
        while int(dut.controller.phase.value) != Phase.UPDATE:
            await FallingEdge(dut.clk)
        drive(dut, {"i__valid": 0})

    async def leave() -> Phase:
        """END_OF_STEP out; the phase after it."""
        drive(dut, {"o__ready": 1})
        while (phase := Phase(int(dut.controller.phase.value))) == Phase.UPDATE:
            await FallingEdge(dut.clk)
        drive(dut, {"o__ready": 0})
        return phase

    while int(dut.controller.phase.value) != Phase.INTEGRATE:
        await FallingEdge(dut.clk)
    for step in range(3):
        assert await host.read(registers, Register.STATUS) == Phase.INTEGRATE
        await update()
        assert await host.read(registers, Register.STATUS) == Phase.UPDATE
        assert await host.read(registers, Register.STEP) == step
        assert await host.read(registers, Register.RUN) == 5 - step
        if step < 2:
            assert await leave() == Phase.INTEGRATE

    # Both in the third step: RUN = 0 acts at its end, and the write waits for that.
    await host.write(registers, Register.RUN, 0)
    await host.write(MemoryId.THRESHOLD, 1, 42)
    for _ in range(20):
        await FallingEdge(dut.clk)
        assert int(dut.controller.phase.value) == Phase.UPDATE
        assert not int(dut.request__ready.value), "the write does not wait"
    assert await leave() == Phase.HOLD
    assert await host.read(MemoryId.THRESHOLD, 1) == 42
    for register, want in ((Register.STATUS, 0), (Register.RUN, 0), (Register.STEP, 3)):
        assert await host.read(registers, register) == want


@cocotb.test()
async def identifies_itself(dut):
    """ID, VERSION and DIGEST; what does not exist reads 0 and ignores writes."""
    config = bench.config_of_case()
    host = Host(dut, random.Random(cocotb.RANDOM_SEED))
    await reset(dut, i__valid=0, o__ready=0, request__valid=0, response__ready=0)
    for index, want in ((Register.ID, ID_VALUE), (Register.VERSION, VERSION_VALUE),
                        (Register.DIGEST, int(config.digest[:8], 16)), (13, 0), (1 << 20, 0)):
        await host.write(MemoryId.REGISTERS, index, 0xFFFF_FFFF)
        assert await host.read(MemoryId.REGISTERS, index) == want
    for memory in (15,) if config.learns else (12, 15):
        await host.write(memory, 0, 1)
        assert await host.read(memory, 0) == 0


TRANSITIONS = {("HOLD", "CLEAR"), ("CLEAR", "HOLD"), ("HOLD", "INTEGRATE"),
               ("INTEGRATE", "UPDATE"), ("UPDATE", "INTEGRATE"), ("UPDATE", "HOLD")}


@pytest.mark.cocotb
@bench.seeds(1)
@pytest.mark.parametrize("case", [
    name if name in ("test_one_lane", "test_two_lanes", "test_learning_deep") else
    pytest.param(name, marks=pytest.mark.long) for name in (*TEST_PRESETS, *LEARNING_PRESETS)])
def test_tile(case, seed, record_property):
    """Each test preset; every phase and every transition of the controller is reached."""
    from neurotile.hw.tile import Tile
    config = {**TEST_PRESETS, **LEARNING_PRESETS}[case]
    folder = bench.run(Tile(config), "tile", __name__, seed=seed, environment={bench.CASE: case})
    seen = phase_coverage.report(folder, f"tile {case}", TRANSITIONS, record_property)
    assert {(a, b) for a, b in seen if a != b} == TRANSITIONS
