# SPDX-License-Identifier: Apache-2.0
"""EventController: RTL under Verilator against phases and choice, every output, every cycle.

All phases and all transitions between them are reached in every run, which the test asserts.
"""

import os
import random
from collections import Counter, deque

import pytest

cocotb = pytest.importorskip("cocotb", reason="needs the extra 'rtl'")

from neurotile.spec import TEST_EVENT_PRESETS  # noqa: E402
from neurotile.spec.event_formats import (  # noqa: E402
    EventKind,
    EventPhase,
    event_word,
    queue_entry_word,
    switches_word,
)
from neurotile.testbenches import bench  # noqa: E402
from neurotile.testbenches.agents import lockstep  # noqa: E402

HOLD, CLEAR, FREE, PASS = EventPhase
TRANSITIONS = {(HOLD, HOLD), (HOLD, CLEAR), (HOLD, FREE), (CLEAR, CLEAR), (CLEAR, HOLD),
               (FREE, FREE), (FREE, HOLD), (FREE, PASS), (PASS, PASS), (PASS, FREE), (PASS, HOLD)}
# Section 3: kind -> flags of the pass.
FLAGS = {
    EventKind.SPIKE: {"reads", "sdsp"}, EventKind.VIRTUAL: {"one"},
    EventKind.LEAK: {"one", "time"}, EventKind.SYNAPSE: {"one", "reads"},
    EventKind.TIME_ONE: {"one", "time"}, EventKind.TIME_ALL: {"time"},
    EventKind.BISTABILITY_ROW: {"bistable", "reads"},
    EventKind.BISTABILITY_ALL: {"bistable", "reads", "every"}}


class Model:
    """docs/event_mode.md, sections 3 and 5; the scheduler is in here, so that its head is stable.

    An offered listing stays on offer: a transfer of a stream that has begun cannot be withdrawn.
    """

    def __init__(self, config, rng):
        self.config, self.rng = config, rng
        self.input, self.entry = event_word(config), queue_entry_word(config)
        self.phase, self.row = HOLD, 0
        self.entries: deque[int] = deque()
        self.scheduled = self.offered = False
        self.event = 0
        self.seen: set[tuple[EventPhase, EventPhase]] = set()
        self.counts: Counter[str] = Counter()

    def full(self):
        return len(self.entries) == self.config.queue_depth

    def head(self):
        return {k: int(v) for k, v in self.entry.unpack(self.entries[0]).items()}

    def choice(self, inputs):
        kind = self.input.unpack(inputs["i__payload"])["kind"]
        if self.phase != FREE or not (inputs["run"] or self.offered):
            return None
        if self.offered or self.full():
            return "head"
        if inputs["i__valid"] and kind < EventKind.BISTABILITY_ROW:
            return "input"
        if self.entries:
            return "head"
        return "input" if inputs["i__valid"] else None

    def lists(self, inputs):
        source = switches_word().unpack(inputs["switches"])["source"]
        return bool(self.choice(inputs) == "head" and source and self.head()["kind"] in (0, 3))

    def starts(self, inputs):
        kind = self.input.unpack(inputs["i__payload"])["kind"]
        if self.choice(inputs) == "head":
            return not self.lists(inputs) or bool(inputs["listing__ready"])
        return bool(self.choice(inputs) == "input" and kind > EventKind.LEAK)

    def outputs(self, **inputs):
        phase, event = self.phase, self.input.unpack(inputs["i__payload"])
        appends = self.choice(inputs) == "input" and event["kind"] <= EventKind.LEAK
        neuron = event["pre" if event["kind"] == EventKind.SPIKE else "post"]
        entry = self.entry.pack({"neuron": neuron, "weight": event["weight"],
                                 "inhibitory": event["inhibitory"], "kind": event["kind"] & 3})
        return {
            "phase": int(phase), "clearing": int(phase == CLEAR), "passing": int(phase == PASS),
            "hold": int(phase == HOLD and not inputs["run"]),
            "idle": int(phase == FREE and not self.entries),
            "clear_row": self.row if phase == CLEAR else None,
            "i__ready": int(self.choice(inputs) == "input"),
            "append__valid": int(appends), "append__payload": int(entry) if appends else None,
            "head__ready": int(phase == PASS and self.scheduled and inputs["finished"]),
            "listing__valid": int(self.lists(inputs)),
            "listing__payload": self.head()["neuron"] if self.lists(inputs) else None,
            "start": int(self.starts(inputs)),
            "event": self.event if phase == PASS else None}

    def tick(self, **inputs):
        before, choice = self.phase, self.choice(inputs)
        wanted = self.outputs(**inputs)
        if wanted["append__valid"]:
            self.entries.append(wanted["append__payload"])
        if before == HOLD:
            self.phase = CLEAR if inputs["clear"] else FREE if inputs["run"] else HOLD
            self.row = 0
        elif before == CLEAR:
            self.row += 1
            self.entries.clear()
            self.phase = HOLD if self.row == self.config.groups else CLEAR
        elif before == FREE:
            self.counts["full"] += choice == "head" and self.full() and inputs["i__valid"]
            self.counts["listing held"] += self.offered
            self.counts["held without RUN"] += self.offered and not inputs["run"]
            self.offered = bool(wanted["listing__valid"]) and not inputs["listing__ready"]
            if wanted["start"]:
                self.phase, self.scheduled = PASS, choice == "head"
                self.event = self.passed(inputs, choice)
            elif not inputs["run"] and choice is None:
                self.phase = HOLD
        else:
            if wanted["head__ready"]:
                self.entries.popleft()
            elif self.rng.random() < 0.3 and not self.full():  # a spike
                self.entries.append(int(self.entry.pack({
                    "neuron": self.rng.randrange(self.config.neurons), "weight": 0,
                    "inhibitory": 0, "kind": 0})))
            if inputs["finished"]:
                self.phase = FREE if inputs["run"] else HOLD
        self.seen.add((before, self.phase))

    def passed(self, inputs, choice):
        if choice == "head":
            event = self.head()
            event["kind"] %= 3
            event["pre"] = event["post"] = event["neuron"]
        else:
            event = {k: int(v) for k, v in self.input.unpack(inputs["i__payload"]).items()}
        switches = switches_word().unpack(inputs["switches"])
        kind = EventKind(event["kind"])
        flags = set(FLAGS[kind])
        if switches["learn"] and (flags & {"sdsp", "bistable"} or (
                kind == EventKind.SYNAPSE and switches["learn_on_synapse"])):
            flags.add("writes")
        word, place = 0, 0
        for name, width in (("pre", self.config.neuron_bits), ("post", self.config.neuron_bits),
                            ("weight", 3), ("inhibitory", 1)):
            word |= event[name] << place
            place += width
        for name in ("one", "every", "time", "bistable", "reads", "writes"):
            word |= (name in flags) << place
            place += 1
        return word


@cocotb.test()
@cocotb.parametrize(p_input=[0.3, 0.9], p_ready=[0.3, 1.0])
async def matches_model(dut, p_input, p_ready):
    """Events come and go, the output waits, the host writes RUN, CLEAR and, in HOLD, SWITCHES."""
    rng, config = random.Random(cocotb.RANDOM_SEED), TEST_EVENT_PRESETS[os.environ[bench.CASE]]
    model = Model(config, rng)
    held = {"run": 0, "switches": 0, "i__valid": 0, "i__payload": 0}

    def stimulus():
        if rng.random() < (0.02 if held["run"] else 0.3):
            held["run"] ^= 1
        if model.phase == HOLD and not held["run"]:
            held["switches"] = rng.getrandbits(switches_word().width)
        if not held["i__valid"] and rng.random() < p_input:
            held["i__valid"], held["i__payload"] = 1, rng.getrandbits(model.input.width)
        head = model.entries[0] if model.entries else rng.getrandbits(model.entry.width)
        inputs = {**held, "clear": int(rng.random() < 0.1), "full": int(model.full()),
                  "head__valid": int(bool(model.entries)), "head__payload": head,
                  "append__ready": int(not model.full()),
                  "listing__ready": int(rng.random() < p_ready),
                  "finished": int(rng.random() < 0.3)}
        if model.choice(inputs) == "input":
            held["i__valid"] = 0
        return inputs

    await lockstep(dut, model, stimulus, 4000)
    assert model.seen == TRANSITIONS
    assert model.counts["full"], "an input never met a full scheduler"
    if p_ready < 1:
        assert model.counts["held without RUN"], model.counts


@pytest.mark.cocotb
@bench.seeds(1)
@pytest.mark.parametrize("case", ["test_event_one_lane"])
def test_event_controller(case, seed):
    """Four entries, so that the scheduler is full often."""
    from neurotile.hw.event_controller import EventController
    bench.run(EventController(TEST_EVENT_PRESETS[case]), "event_controller", __name__, seed=seed,
              environment={bench.CASE: case})
