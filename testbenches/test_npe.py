# SPDX-License-Identifier: Apache-2.0
"""Npe: RTL under Verilator against the equations of a neuron, every output, every cycle."""

import random
from collections import Counter
from typing import Any

import pytest

cocotb = pytest.importorskip("cocotb", reason="needs the extra 'rtl'")

from neurotile.spec import TEST_PRESETS  # noqa: E402
from neurotile.spec.codes import Model as Code  # noqa: E402
from neurotile.spec.formats import memories  # noqa: E402
from neurotile.testbenches import bench  # noqa: E402
from neurotile.testbenches.agents import lockstep, signed  # noqa: E402
from neurotile.testbenches.tile_model import update_neuron  # noqa: E402

STATES = ("membrane", "current", "accumulator")


class Model:
    """Sections 2, 3 and 6: events or updates enter, writes leave; also plays the memories."""

    def __init__(self, config, rng):
        self.config, self.rng = config, rng
        self.memories = {m.name: m for m in memories(config)
                         if m.name in (*STATES, "threshold", "v_reset", "bias", "decay")}
        self.rows = {name: [self.row(name) for _ in range(m.rows)]
                     for name, m in self.memories.items()}
        self.cycle = 0
        self.shown = {name: self.row(name) for name in self.memories}
        self.added = {}      # cycle of the write: (group, new accumulators)
        self.updates = {}    # cycle of the write: (control, rows as read)
        self.selected = None
        self.fired: Counter[int] = Counter()

    def row(self, name):
        """Random row, with extreme and equal values now and then."""
        memory = self.memories[name]
        width = memory.word.width
        pick = self.rng.choice([lambda: self.rng.getrandbits(width),
                                lambda: self.rng.randrange(60) % (1 << width),
                                lambda: self.rng.choice([1 << width - 1, (1 << width - 1) - 1])])
        return [pick() for _ in range(memory.lanes)]

    def stimulus(self, event, update):
        """Inputs of a cycle: maybe an event, maybe an update, and what the memories show."""
        config, rng = self.config, self.rng
        pending = [group for cycle, (group, _) in self.added.items() if cycle >= self.cycle]
        group = rng.randrange(config.groups)
        event = event and group not in pending
        row = rng.randrange(config.parameter_sets) if config.shared else group
        control = {"valid": int(self.selected is not None),
                   "active": rng.randrange(4) > 0, "group": (self.selected or (0, 0))[0],
                   "model": rng.randrange(8), "soft_reset": rng.randrange(2),
                   "shift": rng.randrange(1 << config.shift_bits)}
        widths = {"valid": 1, "active": 1, "group": config.group_bits, "model": 3, "soft_reset": 1,
                  "shift": config.shift_bits}
        word = 0
        for name in reversed(widths):
            word = word << widths[name] | int(control[name])
        lane = max(config.weight_bits, 2)
        weights = [rng.getrandbits(lane) for _ in range(config.lanes)]
        inputs = {"event": int(event), "event_group": group,
                  "weights": sum(w << lane * n for n, w in enumerate(weights)),
                  "select__valid": int(update and not event and not pending
                                       and (self.selected or (None,))[0] != group
                                       and group not in [c["group"] for c, _ in
                                                         self.updates.values()]),
                  "select__group": group, "select__parameters": row, "control": word}
        for name, memory in self.memories.items():
            inputs[f"{name}_read__data"] = sum(
                word << memory.word.width * n for n, word in enumerate(self.shown[name]))
        self.control, self.weights = control, [signed(w, lane) for w in weights]
        return inputs

    def now(self):
        """Writes at the end of this cycle: (accumulator group, row), update result."""
        last = self.updates.get(self.cycle)
        if self.control["valid"] and self.config.update_stages == 1:
            last = (self.control, dict(self.shown))
        return last

    def outputs(self, **inputs):
        config = self.config
        wanted: dict[str, Any] = {}
        reads = inputs["event"] or inputs["select__valid"]
        wanted["accumulator_read__en"] = int(reads)
        wanted["accumulator_read__address"] = inputs["event_group"] if reads else None
        for name in self.memories:
            if name != "accumulator":
                shared = name not in STATES
                wanted[f"{name}_read__en"] = inputs["select__valid"]
                wanted[f"{name}_read__address"] = inputs[
                    "select__parameters" if shared else "select__group"] \
                    if inputs["select__valid"] else None
        write: Any = None
        result = self.now()
        if self.cycle in self.added:
            group, old = self.added[self.cycle]
            write = group, [(signed(a, config.acc_bits) + w) % (1 << config.acc_bits)
                            for a, w in zip(old or self.shown["accumulator"],
                                            self.late_weights if old else self.weights,
                                            strict=True)]
        mask = 0
        states: dict[str, Any] = {"membrane": None, "current": None}
        if result and result[0]["active"]:
            control, rows = result
            write = control["group"], [0] * config.lanes
            new = [self.update(control, rows, lane) for lane in range(config.lanes)]
            built = [Code[name.upper()] for name in config.models]
            if control["model"] in built:
                states["membrane"] = [v % (1 << config.state_bits) for v, _, _ in new]
                if Code(control["model"]) in (Code.CUBALIF, Code.CUBALI):
                    states["current"] = [i % (1 << config.state_bits) for _, i, _ in new]
            mask = sum(int(fires) << lane for lane, (_, _, fires) in enumerate(new))
            self.fired[control["model"]] += bool(mask)
        wanted["spikes_valid"] = int(result is not None)
        if result:
            wanted["spikes"] = result[0]["group"] | mask << config.group_bits
        wanted["idle"] = int(not self.updates and not self.control["valid"])
        for name, values in (("accumulator", write and write[1]), *states.items()):
            if name in self.memories:
                width = self.memories[name].word.width
                wanted[f"{name}_write__en"] = int(values is not None)
                if values is not None:
                    wanted[f"{name}_write__data"] = sum(v << width * n
                                                        for n, v in enumerate(values))
                    wanted[f"{name}_write__address"] = (write[0] if name == "accumulator"
                                                        else result[0]["group"])
        return wanted

    def update(self, control, rows, lane):
        """Section 2 for one lane."""
        config, neuron = self.config, {"current": 0}
        for name in self.memories:
            own = 0 if config.shared and name not in STATES else lane
            values = self.memories[name].word.unpack(rows[name][own])
            for key, value in values.items():
                neuron[f"decay_{key}" if name == "decay" else name] = int(value)
        return update_neuron(config, control, neuron)

    def tick(self, **inputs):
        config = self.config
        self.updates.pop(self.cycle, None)
        self.added.pop(self.cycle, None)
        if config.integrate_stages == 2 and self.cycle + 1 in self.added:
            self.added[self.cycle + 1] = (self.added[self.cycle + 1][0],
                                          list(self.shown["accumulator"]))
            self.late_weights = self.weights
        if self.control["valid"] and config.update_stages > 1:
            self.updates[self.cycle + config.update_stages - 1] = (self.control, dict(self.shown))
        if inputs["event"]:
            self.added[self.cycle + config.integrate_stages] = (inputs["event_group"], None)
        self.selected = ((inputs["select__group"],) if inputs["select__valid"] else None)
        self.shown = {name: self.row(name) for name in self.memories}
        self.cycle += 1


@cocotb.test()
@cocotb.parametrize(busy=[0.3, 1.0], updating=[False, True])
async def matches_model(dut, busy, updating):
    """Events, or updates of random neurons; the memories show random words."""
    rng, config = random.Random(cocotb.RANDOM_SEED), bench.config_of_case()
    model = Model(config, rng)

    def stimulus():
        go = rng.random() < busy
        return model.stimulus(event=go and not updating, update=go and updating)

    await lockstep(dut, model, stimulus, 1500)
    if updating:
        spiking = {Code[name.upper()] for name in config.models if name not in ("li", "cubali")}
        assert {code for code, count in model.fired.items() if count} == spiking


@pytest.mark.cocotb
@bench.seeds(1)
@pytest.mark.parametrize("case", [
    "test_all", "test_one_lane",
    *(pytest.param(name, marks=pytest.mark.long)
      for name in ("test_two_lanes", "test_deep_pipe", "test_wide_lanes", "test_readout"))])
def test_npe(case, seed):
    """Each number of stages, shared and own parameters, one-bit weights, one lane."""
    from neurotile.hw.npe import Npe
    bench.run(Npe(TEST_PRESETS[case]), "npe", __name__, seed=seed,
              environment={bench.CASE: case})
