# SPDX-License-Identifier: Apache-2.0
"""Golden model, fast engine and RTL agree on random networks that learn, weights included."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given

from neurotile.models.occupancy import mapping_report
from neurotile.testbenches.equality import case_differences, differences
from neurotile.testbenches.learning_cases import LEARNING_PRESETS
from neurotile.testbenches.learning_networks import (
    learning_cases,
    plastic,
    random_learning_case,
)
from neurotile.testbenches.seeds import batch_name, batches, examples
from neurotile.testbenches.strategies import Case, Seeded

PRESETS = sorted(LEARNING_PRESETS)
HYPOTHESIS = examples(15)


def check(case: Case, seed: object = "hypothesis") -> None:
    found, _ = case_differences(case)
    assert not found, f"seed {seed}: {case!r}\n" + "\n".join(found)


@pytest.mark.parametrize("seeds", batches(60, size=20), ids=batch_name)
@pytest.mark.parametrize("preset", PRESETS)
def test_networks(preset, seeds):
    for seed in seeds:
        check(random_learning_case(Seeded(seed), LEARNING_PRESETS[preset]), seed)


@pytest.mark.parametrize("preset", PRESETS)
def test_networks_that_shrink(preset):
    HYPOTHESIS(given(learning_cases(LEARNING_PRESETS[preset]))(lambda case: check(case)))()


@pytest.mark.long
@pytest.mark.parametrize("seeds", batches(1000, first=60, size=20), ids=batch_name)
@pytest.mark.parametrize("preset", PRESETS)
def test_many_networks(preset, seeds):
    for seed in seeds:
        check(random_learning_case(Seeded(seed), LEARNING_PRESETS[preset]), seed)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_cases_reach_what_can_go_wrong(preset):
    """Else agreement would mean little: the seeded cases of the first test, on the fast engine."""
    config = LEARNING_PRESETS[preset]
    reached: Counter[str] = Counter()
    for seed in range(60):
        case = random_learning_case(Seeded(seed), config)
        found, trace = case_differences(case, with_rtl=False)
        assert not found
        learnt, rule = plastic(case.network), case.network.learning
        assert trace.tile is not None and rule is not None
        change = [np.abs(trace.weights[e.name]) - np.abs(e.weights) for e in learnt]
        mapped = [e.synapses.mapped for e in learnt if e.synapses is not None]
        unmapped = any((~m).any() for m in mapped)
        ports = {port.name for port in case.network.inputs}
        reached.update(key for key, value in {
            "potentiation": any((c > 0).any() for c in change),
            "depression": any((c < 0).any() for c in change),
            "unmapped change": any((c[~m] != 0).any() for c, m in zip(change, mapped, strict=True)),
            "unmapped delivers": rule.propagate_unmapped and unmapped,
            "no learning": not rule.learn,
            "bistability": rule.bistability and trace.tile.counters["synapse_writes"].any(),
            "without bistability": not rule.bistability,
            "inhibitory": any(e.synapses and e.synapses.inhibitory.any() for e in learnt),
            "from neurons": any(e.source not in ports for e in learnt),
            "recurrent": any(e.source == e.target for e in learnt),
            "several": len(learnt) > 1,
            "fixed as well": len(learnt) < len(case.network.projections),
            "late": case.program.learning and case.program.learning.offset,
            "delays": any(e.delay for e in learnt),
            "relays": mapping_report(case.program).relays,
            "calcium": any(v.any() for k, v in trace.states.items() if k.endswith(".calcium")),
            "log": case.weights_every and any(len(v) > 1 for v in trace.weight_log.values()),
            "keep_state": case.keep_state,
            "several samples": case.stimulus.samples > 1,
            "dropless": not trace.tile.counters["drops"].any(),
        }.items() if value)
    assert len(reached) == 20 and min(reached.values()) >= 3, reached
    assert reached["dropless"] == 60


def test_a_difference_in_weights_is_found():
    case = random_learning_case(Seeded(2), LEARNING_PRESETS["test_learning"])
    _, trace = case_differences(case, with_rtl=False)
    trace.weights[plastic(case.network)[0].name][0, 0] ^= 1
    _, other = case_differences(case, with_rtl=False)
    assert "weights[" in "".join(differences(trace, other))
