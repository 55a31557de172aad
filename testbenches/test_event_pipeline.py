# SPDX-License-Identifier: Apache-2.0
"""EventPipeline and Sdsp: RTL against the rules of docs/event_mode.md, section 4, as scalars."""

import itertools
import os
import random
from collections import Counter
from typing import Any

import pytest

cocotb = pytest.importorskip("cocotb", reason="needs the extra 'rtl'")

from neurotile.spec import TEST_EVENT_PRESETS  # noqa: E402
from neurotile.spec.event_formats import sdsp_synapse_word, switches_word  # noqa: E402
from neurotile.spec.formats import memories  # noqa: E402
from neurotile.testbenches import bench  # noqa: E402
from neurotile.testbenches.agents import lockstep  # noqa: E402

CHANGED = ("synapse", "state")
EDGES = {1: (0, 1), 3: (0, 1, 6, 7), 5: (0, 1, 30, 31), 7: (0, 1, 127),
         8: (0, 1, 7, 8, 127, 128, 247, 248, 254, 255)}


def new_weight(w, m, *, enable, unmapped, bistable, up, down):
    """Section 4, synapse."""
    if not enable or not (m or unmapped):
        return w
    if bistable:
        return min(w + 1, 7) if w >= 4 else max(w - 1, 0)
    return min(w + 1, 7) if up else max(w - 1, 0) if down else w


def update(event, switches, words):
    """Section 4 for a lane that takes part: new synapse, new state, spike."""
    synapse, neuron, rule, s = (dict(words[k]) for k in
                                ("synapse", "neuron", "calcium_rule", "state"))
    synapse["weight"] = new_weight(
        synapse["weight"], synapse["mapped"], enable=event["writes"],
        unmapped=switches["update_unmapped"], bistable=event["bistable"], up=s["up"],
        down=s["down"])
    if event["bistable"]:
        return synapse, s, 0
    if event["time"]:
        v = max(s["v"] - neuron["leak"], 0) if neuron["leak_enable"] else s["v"]
    else:
        x, inhibitory = event["weight"], event["inhibitory"]
        if event["reads"]:
            delivers = words["synapse"]["mapped"] or switches["propagate_unmapped"]
            x, inhibitory = words["synapse"]["weight"] if delivers else 0, words["sign"]
        v = max(s["v"] - x, 0) if inhibitory else min(s["v"] + x, 255)
    spike = v >= neuron["threshold"]
    v = 0 if spike else v
    leaks = False
    if event["time"] and rule["enable"] and rule["leak"]:
        leaks = s["leak_count"] == rule["leak"] - 1
        s["leak_count"] = 0 if leaks else (s["leak_count"] + 1) % 32
    ca = s["calcium"]
    if rule["enable"] and spike and not leaks:
        ca = min(ca + 1, 7)
    elif rule["enable"] and leaks and not spike:
        ca = max(ca - 1, 0)
    high = v >= rule["theta_mem"]
    s |= {"v": v, "calcium": ca,
          "up": int(rule["enable"] and high and rule["theta1"] <= ca < rule["theta3"]),
          "down": int(rule["enable"] and not high and rule["theta1"] <= ca < rule["theta2"])}
    return synapse, s, int(spike and not neuron["disable"])


class Model:
    """Data of a group are at the inputs in the cycle after its issue; results U - 1 cycles on."""

    def __init__(self, config):
        self.config = config
        self.words = {memory.name: memory for memory in memories(config)}
        self.stages: list[Any] = [None] * config.stages  # (row, words or None)
        self.seen: Counter[str] = Counter()

    def unpacked(self, inputs, name, lane):
        word, row = self.words[name].word, inputs[f"{name}_read__data"]
        bits = row >> lane * word.width & (1 << word.width) - 1
        if name == "sign":
            return bits
        return {k: int(v) for k, v in word.unpack(bits).items()}

    def results(self, inputs, fields, switches, post):
        """Rows of synapses and states, and the mask, for the data at the inputs."""
        rows: dict[str, int] = dict.fromkeys((*CHANGED, "mask"), 0)
        for lane in range(self.config.lanes):
            words = {name: self.unpacked(inputs, name, 0 if name == "sign" else lane)
                     for name in self.words}
            new = words["synapse"], words["state"], 0
            if not fields["one"] or post % self.config.lanes == lane:
                new = update(fields, switches, words)
            for name, value in zip(CHANGED, new, strict=False):
                word = self.words[name].word
                rows[name] |= int(word.pack(value)) << lane * word.width
            rows["mask"] |= new[2] << lane
            for name in ("up", "down"):
                self.seen[name] += new[1][name]
            self.seen["spikes"] += new[2]
            self.seen["weights"] += new[0] != words["synapse"]
        return rows

    def outputs(self, **inputs):
        fields = event_fields(self.config, inputs["event"])
        switches = {k: int(v) for k, v in switches_word().unpack(inputs["switches"]).items()}
        if self.stages[0] is not None and self.stages[0][1] is None:
            rows = self.results(inputs, fields, switches, fields["post"])
            self.stages[0] = (self.stages[0][0], rows)
        group = inputs["row"] % self.config.groups
        wanted: dict[str, int | None] = {"idle": int(all(stage is None for stage in self.stages))}
        for name in self.words:
            reads = name not in ("synapse", "sign") or fields["reads"]
            wanted[f"{name}_read__en"] = int(inputs["issue"] and reads)
            address = {"synapse": inputs["row"], "sign": fields["pre"]}.get(name, group)
            wanted[f"{name}_read__address"] = address if inputs["issue"] and reads else None
        row, rows = self.stages[-1] or (-1, dict[str, int]())
        updates = row >= 0 and not fields["bistable"]
        writes = row >= 0 and fields["writes"]
        wanted |= {"spikes_valid": int(updates), "state_write__en": int(updates),
                   "synapse_write__en": int(writes)}
        if updates:
            wanted |= {"state_write__address": row % self.config.groups,
                       "state_write__data": rows["state"],
                       "spikes": row % self.config.groups | rows["mask"] << self.config.group_bits}
        if writes:
            wanted |= {"synapse_write__address": row, "synapse_write__data": rows["synapse"]}
        return wanted

    def tick(self, *, issue, row, **_):
        self.stages = [(row, None) if issue else None, *self.stages[:-1]]


def event_fields(config, event):
    """Fields of a pass; the bits are those of hw.layouts.event_pass."""
    fields, n = {}, config.neuron_bits
    for name, width in (("pre", n), ("post", n), ("weight", 3), ("inhibitory", 1), ("one", 1),
                        ("every", 1), ("time", 1), ("bistable", 1), ("reads", 1), ("writes", 1)):
        fields[name] = event & (1 << width) - 1
        event >>= width
    return fields


@cocotb.test()
@cocotb.parametrize(p_issue=[0.4, 1.0])
async def matches_model(dut, p_issue):
    """Passes of random length and kind; words of random bits and of edges."""
    rng, config = random.Random(cocotb.RANDOM_SEED), TEST_EVENT_PRESETS[os.environ[bench.CASE]]
    model = Model(config)
    left = 0
    held = {"event": 0, "switches": 0}

    def word(memory):
        value, place = 0, 0
        for field in memory.word.fields:
            bits = rng.choice(EDGES[field.width]) if rng.random() < 0.6 else rng.getrandbits(
                field.width)
            value |= bits << place
            place += field.width
        return value

    def stimulus():
        nonlocal left
        if left == 0 and all(stage is None for stage in model.stages):
            left = rng.randint(1, 6)
            n = config.neuron_bits
            one, every, writes = (rng.getrandbits(1) for _ in range(3))
            time, bistable, reads = rng.choice([(0, 0, 1), (0, 0, 1), (0, 0, 0), (1, 0, 0),
                                                (0, 1, 1)])
            flags = [one, every, time, bistable, reads, writes and reads]
            held["event"] = rng.getrandbits(2 * n + 4) | sum(
                bit << 2 * n + 4 + k for k, bit in enumerate(flags))
            held["switches"] = rng.getrandbits(switches_word().width)
        issue = int(left > 0 and rng.random() < p_issue)
        left -= issue
        data = {}
        for memory in memories(config):
            data[f"{memory.name}_read__data"] = sum(
                word(memory) << lane * memory.word.width for lane in range(memory.lanes))
        return {**held, "issue": issue, "row": rng.randrange(config.synapse_words), **data}

    await lockstep(dut, model, stimulus, 30_000 // (config.lanes + 8))
    assert all(model.seen[name] > 50 for name in ("up", "down", "spikes", "weights")), model.seen


@pytest.mark.cocotb
@bench.seeds(1)
@pytest.mark.parametrize("case", sorted(TEST_EVENT_PRESETS))
def test_event_pipeline(case, seed):
    """One, two and three stages."""
    from neurotile.hw.event_pipeline import EventPipeline
    bench.run(EventPipeline(TEST_EVENT_PRESETS[case]), "event_pipeline", __name__, seed=seed,
              environment={bench.CASE: case})


def test_sdsp_in_all_cases():
    simulator = pytest.importorskip("amaranth.sim", reason="needs the extra 'rtl'")
    from neurotile.hw.sdsp import Sdsp
    rule, word = Sdsp(), sdsp_synapse_word()
    wrong = []

    async def process(ctx):
        inputs = ("enable", "update_unmapped", "bistable", "up", "down")
        for w, m, *bits in itertools.product(range(8), *[(0, 1)] * 6):
            given = dict(zip(inputs, bits, strict=True))
            ctx.set(rule.word.as_value(), int(word.pack({"weight": w, "mapped": m})))
            for name, value in given.items():
                ctx.set(getattr(rule, name), value)
            found = word.unpack(ctx.get(rule.changed.as_value()))
            given["unmapped"] = given.pop("update_unmapped")
            if (found["weight"], found["mapped"]) != (new_weight(w, m, **given), m):
                wrong.append((w, m, given, found))

    run = simulator.Simulator(rule)
    run.add_testbench(process)
    run.run()
    assert not wrong, wrong[:3]
