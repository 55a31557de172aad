# SPDX-License-Identifier: Apache-2.0
"""`neurotile compare` finds what differs, names where, and compares nothing that cannot be."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from neurotile import pipeline, rundir
from neurotile.compare import compare
from neurotile.spec import (
    PRESETS,
    InputPort,
    IntegerNetwork,
    Population,
    Projection,
    Stimulus,
    UserError,
)

SAMPLES, STEPS, INPUTS = 3, 10, 5


def network(**changes):
    rng = np.random.default_rng(1)
    populations = (Population("a.lif", 7, "lif", np.array(60), decay_v=np.array(3500)),
                   Population("b", 3, "li", np.array(0), decay_v=np.array(4000)))
    projections = (
        Projection("in", "a.lif", rng.integers(-40, 100, (7, INPUTS)).astype(np.int32)),
        Projection("a.lif", "a.lif", rng.integers(-30, 20, (7, 7)).astype(np.int32), 1),
        Projection("a.lif", "b", rng.integers(-100, 100, (3, 7)).astype(np.int32)))
    return IntegerNetwork((InputPort("in", INPUTS),), populations, projections, **changes)


def stimulus(seed=2):
    return Stimulus.from_dense(np.random.default_rng(seed).random((SAMPLES, STEPS, INPUTS)) < 0.4)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The same job on the golden model and on the fast engine."""
    folder = tmp_path_factory.mktemp("runs")
    for engine in ("golden", "fast"):
        result = pipeline.run(network(), stimulus(), engine=engine,
                              record={"a.lif": np.array([1, 4])})
        assert result.spikes["a.lif"].any()
        result.save(folder / engine, report=False)
    return folder


@pytest.fixture
def copies(runs, tmp_path):
    """Two copies of the run of the fast engine, of which a test may change the second."""
    for name in ("one", "two"):
        shutil.copytree(runs / "fast", tmp_path / name)
    return tmp_path / "one", tmp_path / "two"


def change(folder, file, key, index, by=1):
    with np.load(folder / file) as held:
        arrays = {name: held[name] for name in held.files}
    arrays[key][index] += by
    rundir.write_npz(folder / file, arrays)


def test_equal_runs(copies):
    result = compare(*copies)
    text = "\n".join(result.lines())
    assert result.same and not result.skipped
    for part in ("spikes: a.lif (210 values)", "potentials: a.lif.v, b.v", "final states: a.lif.v",
                 "final weights: a.lif->a.lif.w", "digests: samples (3 values)",
                 "step cycles", "spike cycles", "counters: drops"):
        assert part in text


def test_golden_and_fast_agree_and_it_says_what_golden_lacks(runs):
    result = compare(runs / "golden", runs / "fast")
    assert result.same
    assert result.skipped == ["cycles and counters: the golden engine (A) has none"]


@pytest.mark.parametrize(("file", "key", "index", "says"), [
    ("trace.npz", "a.lif", (1, 4, 2), "node a.lif, sample 1, step 4, neuron 2: A has"),
    ("trace.npz", "b.v", (2, 0, 1), "node b, sample 2, step 0, neuron 1: A has"),
    ("trace.npz", "a.lif.v", (0, 3, 1), "node a.lif, sample 0, step 3, neuron 4: A has"),
    ("memories.npz", "a.lif.v", (2, 6), "node a.lif, end of run 2, neuron 6: A has"),
    ("memories.npz", "in->a.lif.w", (3, 1), "projection in->a.lif, target 3, source 1: A has"),
    ("cycles.npz", "barrier", (1, 5), "run 1, tile step 5: A has"),
    ("cycles.npz", "spike_cycle", 3, "spike number 3: run 0"),
    ("cycles.npz", "counter.events", 2, "end of run 2: A has")])
def test_one_changed_value_is_found_and_placed(copies, file, key, index, says):
    one, two = copies
    change(two, file, key, index)
    result = compare(one, two)
    assert not result.same and len(result.differences) == 1
    difference = result.differences[0]
    assert says in "\n".join(difference.lines())
    assert difference.count == 1 and difference.values[1] == int(difference.values[0]) + 1


def test_context_shows_both_sides_around_the_first_difference(copies):
    one, two = copies
    change(two, "trace.npz", "a.lif", (1, 4, 2))
    change(two, "trace.npz", "a.lif", (2, 1, 0))
    with np.load(one / "trace.npz") as held:
        steps = held["a.lif"][1, 0:9, 2]
    text = "\n".join(compare(one, two).lines())
    row = " ".join(f"{v:>6}" for v in steps)
    assert "2 of 210 values differ" in text
    assert "neuron 2 in steps 0..8" in text and f"    A {row}\n" in text
    assert "2 of 3 samples differ somewhere" in text


def test_differences_come_in_the_order_of_time(copies):
    one, two = copies
    change(two, "trace.npz", "a.lif", (2, 0, 0))
    change(two, "trace.npz", "b.v", (0, 7, 0))
    change(two, "memories.npz", "b.v", (0, 0))
    lines = [line for line in compare(one, two).lines() if line.startswith("DIFFERENT")]
    assert [line.split()[1].rstrip(":") for line in lines] == ["b.v", "final", "a.lif"]


def test_missing_spike_is_found(copies):
    one, two = copies
    with np.load(two / "cycles.npz") as held:
        arrays = {name: held[name] for name in held.files}
    for key in ("spike_run", "spike_step", "spike_neuron", "spike_cycle"):
        arrays[key] = arrays[key][:-1]
    rundir.write_npz(two / "cycles.npz", arrays)
    difference, = compare(one, two).differences
    assert difference.count == 1 and difference.values[1] == -1


@pytest.mark.parametrize(("file", "key", "says"), [
    ("trace.npz", "a.lif", "a.lif in trace.npz: only A has it"),
    ("trace.npz", "a.lif.v", "potentials of 2 neurons of a.lif: recorded in one run only"),
    ("memories.npz", "digest", "digest in memories.npz: only A has it"),
    ("memories.npz", "b.v", "b.v in memories.npz: only A has it"),
    ("cycles.npz", "barrier", "barrier in cycles.npz: only A has it"),
    ("cycles.npz", "spike_cycle", "spike_cycle in cycles.npz: only A has it"),
    ("cycles.npz", "counter.drops", "counter.drops in cycles.npz: only A has it")])
def test_what_one_run_lacks_is_named(copies, file, key, says):
    one, two = copies
    with np.load(two / file) as held:
        rundir.write_npz(two / file, {name: held[name] for name in held.files if name != key})
    result = compare(one, two)
    assert result.same and result.skipped == [says]
    assert compare(two, one).skipped == [says.replace("only A", "only B")]


def test_another_digest_of_a_sample_is_found(copies):
    one, two = copies
    with np.load(two / "memories.npz") as held:
        arrays = {name: held[name] for name in held.files}
    arrays["digest"][1] = "0" * 64
    rundir.write_npz(two / "memories.npz", arrays)
    difference, = compare(one, two).differences
    assert (difference.what, difference.place, difference.count) == ("digests", "sample 1", 1)
    assert difference.values[1] == "000000000000"


def test_neurons_recorded_once_only_are_named(runs, tmp_path):
    result = pipeline.run(network(), stimulus(), engine="golden",
                          record={"a.lif": np.array([4, 5])})
    result.save(tmp_path / "other", report=False)
    found = compare(runs / "golden", tmp_path / "other")
    assert found.same
    assert "potentials of 2 neurons of a.lif: recorded in one run only" in found.skipped
    # The neuron that both have is in different columns; a difference there is seen.
    change(tmp_path / "other", "trace.npz", "a.lif.v", (0, 0, 0))
    assert "neuron 4" in compare(runs / "golden", tmp_path / "other").differences[0].place


def refused(a, b, says):
    with pytest.raises(UserError, match=says):
        compare(a, b)


def other(tmp_path, made, given, **options):
    return pipeline.run(made, given, engine="golden", **options).save(tmp_path / "other",
                                                                      report=False)


def test_other_stimulus_is_refused(runs, tmp_path):
    refused(runs / "golden", other(tmp_path, network(), stimulus(3)), "different stimuli")


def test_other_formats_are_refused(runs, tmp_path):
    made = other(tmp_path, network(weight_bits=9), stimulus())
    refused(runs / "golden", made, "different quantisations: weight_bits is 8 and 9")


def test_other_network_is_refused(runs, tmp_path):
    made = network()
    made = replace(made, populations=(replace(made.populations[0], threshold=np.array(61)),
                                      made.populations[1]))
    refused(runs / "golden", other(tmp_path, made, stimulus()), "different networks")


def test_kept_state_is_refused(runs, tmp_path):
    refused(runs / "golden", other(tmp_path, network(), stimulus(), keep_state=True),
            "--keep-state")


def test_other_tile_leaves_the_cycles_out(runs, tmp_path):
    config = PRESETS["default"].replace(name="slow", update_stages=4)
    result = pipeline.run(network(), stimulus(), engine="fast", config=config)
    found = compare(runs / "fast", result.save(tmp_path / "other", report=False))
    assert found.same
    assert any("not the same (default and slow)" in line for line in found.skipped)


def test_damaged_description_is_refused(copies):
    one, two = copies
    values = json.loads((two / "run.json").read_text())
    (two / "run.json").write_text(json.dumps({**values, "made_by": "someone"}))
    refused(one, two, "no run directory")
