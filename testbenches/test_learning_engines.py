# SPDX-License-Identifier: Apache-2.0
"""Fast engine and RTL agree on random memory contents of tiles that learn, in every cycle."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given

from neurotile.sim.engine import run_tile
from neurotile.spec import TileLearning
from neurotile.testbenches.equality import raw_differences
from neurotile.testbenches.learning_cases import LEARNING_PRESETS
from neurotile.testbenches.seeds import batch_name, batches, examples
from neurotile.testbenches.strategies import (
    RawCase,
    Seeded,
    random_config,
    random_raw_case,
    raw_cases,
)

# Rows come round within a segment only where there are no more than these.
TWO_ROWS = LEARNING_PRESETS["test_learning"].replace(
    name="learning_two_rows", neurons=8, lanes=1, synapse_words=2, integrate_stages=2,
    update_stages=1, queue_depth=4, spike_fifo_depth=2)
CONFIGS = {**LEARNING_PRESETS, TWO_ROWS.name: TWO_ROWS}
PRESETS = sorted(CONFIGS)
HYPOTHESIS = examples(25)


def check(case: RawCase, seed: object = "hypothesis") -> None:
    found, _ = raw_differences(case)
    assert not found, f"seed {seed}: {case!r}\n" + "\n".join(found)


@pytest.mark.parametrize("seeds", batches(100, size=20), ids=batch_name)
@pytest.mark.parametrize("preset", PRESETS)
def test_memory_contents(preset, seeds):
    for seed in seeds:
        check(random_raw_case(Seeded(seed), CONFIGS[preset]), seed)


@pytest.mark.parametrize("preset", PRESETS)
def test_memory_contents_that_shrink(preset):
    HYPOTHESIS(given(raw_cases(CONFIGS[preset]))(lambda case: check(case)))()


@pytest.mark.long
@pytest.mark.parametrize("seeds", batches(2000, first=100, size=20), ids=batch_name)
@pytest.mark.parametrize("preset", PRESETS)
def test_many_memory_contents(preset, seeds):
    for seed in seeds:
        check(random_raw_case(Seeded(seed), CONFIGS[preset]), seed)


@pytest.mark.long
@pytest.mark.parametrize("structure", range(12))
def test_random_structures(structure):
    config = random_config(Seeded(structure), f"learning{structure}", learning="sdsp")
    for seed in range(40):
        check(random_raw_case(Seeded(seed), config), seed)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_cases_reach_what_can_go_wrong(preset):
    """Else agreement would mean little: the seeded cases of the first test, on the fast engine."""
    reached: Counter[str] = Counter()
    for seed in range(100):
        case = random_raw_case(Seeded(seed), CONFIGS[preset])
        assert case.learning is not None
        arguments = (case.config, case.contents, case.groups, case.length, case.events,
                     case.recorded)
        trace = run_tile(*arguments, learning=case.learning, log=case.log)
        unsettled = run_tile(*arguments, learning=TileLearning(case.learning.switches,
                                                               case.learning.offset))
        change = unsettled.synapse - case.contents["synapse"].astype(np.int64)
        calcium = trace.final["calcium"]
        reached.update(key for key, value in {
            "potentiation": change > 0, "depression": change < 0,
            "bistability": trace.synapse != unsettled.synapse,
            "calcium": calcium & 7, "leak": calcium >> 3 & 31, "up": calcium >> 8 & 1,
            "down": calcium >> 9 & 1, "writes": trace.counters["synapse_writes"],
            "no writes": trace.counters["synapse_writes"] == 0,
            "hazards": trace.counters["hazard_stalls"],
            "several runs": case.events.runs > 1,
            "log": case.log is not None and case.log.size,
        }.items() if np.any(value))
    assert len(reached) == 12 and min(reached.values()) >= 8, reached
