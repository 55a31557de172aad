# SPDX-License-Identifier: Apache-2.0
"""Golden, fast engine and RTL agree in event mode on random tiles and events, with learning."""

import dataclasses
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from neurotile.spec import EVENT_COUNTERS, EVENT_PRESETS, TEST_EVENT_PRESETS
from neurotile.spec.event_formats import EventKind, sdsp_synapse_word, state_word
from neurotile.testbenches.event_equality import (
    event_case_differences,
    event_differences,
    observed_differences,
)
from neurotile.testbenches.event_strategies import (
    EventCase,
    event_cases,
    random_event_case,
    random_event_config,
)
from neurotile.testbenches.seeds import batch_name, batches, examples
from neurotile.testbenches.strategies import Seeded

SMALL = sorted(TEST_EVENT_PRESETS)
ODIN = EVENT_PRESETS["odin"]
HYPOTHESIS = examples(25)
DEEP = examples(300)


def check(case: EventCase, seed: object = "hypothesis") -> None:
    found, _ = event_case_differences(case)
    assert not found, f"seed {seed}: {case!r}\n" + "\n".join(found)


@pytest.mark.parametrize("seeds", batches(60), ids=batch_name)
@pytest.mark.parametrize("preset", SMALL)
def test_small_tiles(preset, seeds):
    for seed in seeds:
        check(random_event_case(Seeded(seed), TEST_EVENT_PRESETS[preset]), seed)


@pytest.mark.parametrize("seeds", batches(30), ids=batch_name)
def test_odin(seeds):
    for seed in seeds:
        check(random_event_case(Seeded(seed), ODIN), seed)


@pytest.mark.parametrize("preset", SMALL)
def test_cases_that_shrink(preset):
    HYPOTHESIS(given(event_cases(TEST_EVENT_PRESETS[preset]))(lambda case: check(case)))()


@pytest.mark.parametrize("preset", SMALL)
def test_memories_after_every_event(preset):
    for seed in range(4):
        case = random_event_case(Seeded(seed), TEST_EVENT_PRESETS[preset])
        found = observed_differences(case)
        assert not found, f"seed {seed}: {case!r}\n" + "\n".join(found)


@pytest.mark.long
@pytest.mark.parametrize("seeds", batches(900, first=60), ids=batch_name)
@pytest.mark.parametrize("preset", SMALL)
def test_many_cases(preset, seeds):
    for seed in seeds:
        check(random_event_case(Seeded(seed), TEST_EVENT_PRESETS[preset]), seed)


@pytest.mark.long
@pytest.mark.parametrize("seeds", batches(200, first=30), ids=batch_name)
def test_many_cases_on_odin(seeds):
    for seed in seeds:
        check(random_event_case(Seeded(seed), ODIN), seed)


@pytest.mark.long
@pytest.mark.parametrize("preset", SMALL)
def test_many_cases_that_shrink(preset):
    DEEP(given(event_cases(TEST_EVENT_PRESETS[preset]))(lambda case: check(case)))()


@pytest.mark.long
@pytest.mark.parametrize("structure", range(16))
def test_random_structures(structure):
    config = random_event_config(Seeded(structure), f"structure{structure}")
    for seed in range(30):
        check(random_event_case(Seeded(seed), config), seed)


@pytest.mark.parametrize("preset", [*SMALL, "odin"])
def test_the_cases_reach_what_can_go_wrong(preset):
    """Else agreement would mean little: the seeded cases of the tests above, on golden and fast."""
    config = {**TEST_EVENT_PRESETS, "odin": ODIN}[preset]
    reached: Counter[str] = Counter()
    for seed in range(30 if preset == "odin" else 60):
        case = random_event_case(Seeded(seed), config)
        found, trace = event_case_differences(case, with_rtl=False)
        assert not found
        switches, start = case.program.switches, case.program.memories
        kinds = case.events.fields(config)["kind"]
        state = state_word().unpack(trace.memories["state"])
        before = state_word().unpack(start["state"])
        weight = sdsp_synapse_word().unpack(trace.memories["synapse"])["weight"]
        change = weight - sdsp_synapse_word().unpack(start["synapse"])["weight"]
        quiet = (kinds < EventKind.BISTABILITY_ROW).all()
        own = trace.counters["passes"] > len(kinds)
        reached.update(key for key, value in trace.counters.items() if value)
        reached.update(f"{key} {int(value)}" for key, value in vars(switches).items())
        reached.update(EventKind(kind).name for kind in kinds)
        reached.update(key for key, value in {
            "wait": case.events.wait, "stream": not case.events.wait,
            "potentiation": quiet and (change > 0).any(),
            "depression": quiet and (change < 0).any(),
            "weights stay": len(kinds) and not switches.learn and not change.any(),
            "up": (state["up"] > before["up"]).any(),
            "down": (state["down"] > before["down"]).any(),
            "calcium rises": (state["calcium"] > before["calcium"]).any(),
            "calcium falls": (state["calcium"] < before["calcium"]).any(),
            "leak count": (state["leak_count"] != before["leak_count"]).any(),
            "closed loop": own and not switches.source,
            "closed loop, source": own and switches.source,
            "closed loop, stream": own and not case.events.wait,
            "drops, stream": trace.counters["drops"] and not case.events.wait,
            "full": trace.counters["queue_high_water"] == config.queue_depth,
        }.items() if value)
    wanted = {*EVENT_COUNTERS, *(kind.name for kind in EventKind), "wait", "stream",
              "potentiation", "depression", "weights stay", "up", "down", "calcium rises",
              "calcium falls", "leak count", "closed loop", "closed loop, source",
              "closed loop, stream", "drops, stream", "full",
              *(f"{field.name} {value}" for value in (0, 1)
                for field in dataclasses.fields(case.program.switches))}
    if config.spike_fifo_depth >= config.groups // 2:
        wanted.remove("fifo_stalls")
    assert wanted <= set(reached), sorted(wanted - set(reached))


def test_a_difference_is_found():
    """The comparison itself: a changed value in any field of either trace is named."""
    case = random_event_case(Seeded(1), TEST_EVENT_PRESETS["test_event"])
    found, trace = event_case_differences(case, with_rtl=False)
    assert not found and len(trace.spike_neuron)
    assert event_differences(trace, trace) == []
    for field in dataclasses.fields(trace):
        value = getattr(trace, field.name)
        if field.name == "engine":
            continue
        different: Any = value + 1 if not isinstance(value, dict) else {
            key: np.add(part, 1) for key, part in value.items()}
        changed = dataclasses.replace(trace, **{field.name: different})
        assert event_differences(trace, changed)[0].startswith(f"fast, fast: {field.name}")
