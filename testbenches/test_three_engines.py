# SPDX-License-Identifier: Apache-2.0
"""Golden model, fast engine and RTL agree on random networks; fast and RTL on random bits."""

import dataclasses
from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given

from neurotile.models.map import map_network
from neurotile.models.occupancy import mapping_report
from neurotile.sim.engine import run_tile
from neurotile.spec import (
    TEST_PRESETS,
    InputPort,
    IntegerNetwork,
    Population,
    Projection,
    Stimulus,
)
from neurotile.testbenches.equality import (
    case_differences,
    differences,
    raw_differences,
    tile_differences,
)
from neurotile.testbenches.seeds import batch_name, batches, examples
from neurotile.testbenches.strategies import (
    Case,
    RawCase,
    Seeded,
    cases,
    random_case,
    random_config,
    random_raw_case,
    raw_cases,
)

PRESETS = sorted(TEST_PRESETS)
HYPOTHESIS = examples(25)
DEEP = examples(300)


def check(case: Case, seed: object = "hypothesis") -> None:
    found, _ = case_differences(case)
    assert not found, f"seed {seed}: {case!r}\n" + "\n".join(found)


def check_raw(case: RawCase, seed: object = "hypothesis") -> None:
    found, _ = raw_differences(case)
    assert not found, f"seed {seed}: {case!r}\n" + "\n".join(found)


@pytest.mark.parametrize("seeds", batches(60), ids=batch_name)
@pytest.mark.parametrize("preset", PRESETS)
def test_networks(preset, seeds):
    for seed in seeds:
        check(random_case(Seeded(seed), TEST_PRESETS[preset]), seed)


@pytest.mark.parametrize("seeds", batches(30), ids=batch_name)
@pytest.mark.parametrize("preset", PRESETS)
def test_memory_contents(preset, seeds):
    for seed in seeds:
        check_raw(random_raw_case(Seeded(seed), TEST_PRESETS[preset]), seed)


@pytest.mark.parametrize(("source", "delay"), [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 3)])
def test_windows_of_relays(source, delay):
    """The first and last step of a sample count, also if the source of a relay starts late."""
    config = TEST_PRESETS["test_all"]
    most = np.array(config.state_limits[1])

    def neuron(name: str, threshold: npt.ArrayLike) -> Population:
        return Population(name, 1, "if", np.asarray(threshold))

    # a, b and c fire in every step, and "end" adds up what it gets.
    edges = [("a", "b", 0), ("b", "c", 0), ("c", "end", 0), (source, "end", delay)]
    network = IntegerNetwork(
        (InputPort("in", 1),),
        (neuron("a", -1), neuron("b", -1), neuron("c", -1), neuron("end", most)),
        tuple(Projection(a, b, np.array([[k + 1]], np.int32), d)
              for k, (a, b, d) in enumerate(edges)))
    program = map_network(network, config)
    assert mapping_report(program).relays > delay
    for steps in range(1, 9):
        stimulus = Stimulus.from_dense(np.ones((2, steps, 1)))
        for keep_state in (False, True):
            check(Case(program, stimulus, {"end": np.arange(1)}, keep_state), f"{steps} steps")


@pytest.mark.parametrize("preset", PRESETS)
def test_networks_that_shrink(preset):
    HYPOTHESIS(given(cases(TEST_PRESETS[preset]))(lambda case: check(case)))()


@pytest.mark.parametrize("preset", PRESETS)
def test_memory_contents_that_shrink(preset):
    HYPOTHESIS(given(raw_cases(TEST_PRESETS[preset]))(lambda case: check_raw(case)))()


@pytest.mark.long
@pytest.mark.parametrize("seeds", batches(900, first=60), ids=batch_name)
@pytest.mark.parametrize("preset", PRESETS)
def test_many_networks(preset, seeds):
    for seed in seeds:
        check(random_case(Seeded(seed), TEST_PRESETS[preset]), seed)
        check_raw(random_raw_case(Seeded(seed), TEST_PRESETS[preset]), seed)


@pytest.mark.long
@pytest.mark.parametrize("preset", PRESETS)
def test_many_networks_that_shrink(preset):
    DEEP(given(cases(TEST_PRESETS[preset]))(lambda case: check(case)))()
    DEEP(given(raw_cases(TEST_PRESETS[preset]))(lambda case: check_raw(case)))()


@pytest.mark.long
@pytest.mark.parametrize("structure", range(24))
def test_random_structures(structure):
    config = random_config(Seeded(structure), f"structure{structure}")
    for seed in range(30):
        check(random_case(Seeded(seed), config), seed)
        check_raw(random_raw_case(Seeded(seed), config), seed)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_cases_reach_what_can_go_wrong(preset):
    """Else agreement would mean little: the seeded cases of the tests above, on the fast engine."""
    config = TEST_PRESETS[preset]
    reached: Counter[str] = Counter()
    for seed in range(60):
        case = random_case(Seeded(seed), config)
        found, trace = case_differences(case, with_rtl=False)
        assert not found
        assert trace.tile is not None
        counters = {key: int(value.sum()) for key, value in trace.tile.counters.items()}
        reached.update(key for key, value in counters.items() if value)
        reached.update(p.model for p in case.network.populations
                       if not p.spikes or trace.spikes[p.name].any())
        reached.update(p.reset for p in case.network.populations
                       if p.spikes and trace.spikes[p.name].any())
        report = mapping_report(case.program)
        reached.update(key for key, value in {
            "relays": report.relays, "offsets": report.drain, "keep_state": case.keep_state,
            "several samples": case.stimulus.samples > 1,
            "saturation": any((np.abs(v) >= config.state_limits[1]).any()
                              for v in trace.states.values()),
            "segments": report.axons.used > len(case.program.input_axon) + report.own_spikes,
            "dropless": not counters["drops"],
            "loop": any(e.source == e.target for e in case.network.projections),
        }.items() if value)
    wanted = {*config.models, "zero", "subtract", "events", "synapse_reads", "hazard_stalls",
              "updates", "spikes", "queue_high_water", "keep_state", "several samples",
              "saturation", "dropless", "relays", "offsets", "loop", "segments"}
    if config.queue_depth < config.neurons // 2:
        wanted.add("drops")
    if config.spike_fifo_depth <= 2:
        wanted.add("fifo_stalls")
    assert wanted <= set(reached), sorted(wanted - set(reached))


@pytest.mark.parametrize("preset", PRESETS)
def test_the_memory_contents_are_lively(preset):
    """Most groups are in their windows: else agreement on random bits says nothing of updates."""
    active = most = 0
    for seed in range(30):
        case = random_raw_case(Seeded(seed), TEST_PRESETS[preset])
        trace = run_tile(case.config, case.contents, case.groups, case.length, case.events,
                         case.recorded)
        active += int(trace.counters["updates"].sum())
        most += case.groups * case.events.steps * case.events.runs
    assert active > 0.2 * most, f"{active} of {most} updates"


def test_a_difference_is_found():
    """The comparison itself: a changed value in any field of either trace is named."""
    case = random_case(Seeded(1), TEST_PRESETS["test_all"])
    _, trace = case_differences(case, with_rtl=False)
    assert trace.tile is not None and len(trace.tile.spike_cycle) and trace.potentials
    assert differences(trace, trace) == tile_differences(trace.tile, trace.tile) == []
    for kind in ("spikes", "potentials", "states"):
        arrays = getattr(trace, kind)
        key = next(key for key, value in arrays.items() if value.size)
        different: Any = {kind: {**arrays, key: arrays[key] ^ 1}}
        changed = dataclasses.replace(trace, **different)
        assert f"{kind}[{key!r}]: " in "".join(differences(trace, changed))
    for field in dataclasses.fields(trace.tile):
        value = getattr(trace.tile, field.name)
        if isinstance(value, dict):
            different = {field.name: {}}
        else:
            different = {field.name: np.zeros(1) if value is None else value + 1}
        changed_tile = dataclasses.replace(trace.tile, **different)
        assert tile_differences(trace.tile, changed_tile)[0].startswith(field.name)
