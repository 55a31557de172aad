# SPDX-License-Identifier: Apache-2.0
"""Several delays between one pair of nodes: the golden model, the mapper, and all engines."""

import dataclasses
import re

import nir
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import neurotile
from neurotile.compare import compare
from neurotile.models import golden
from neurotile.models.map import map_network
from neurotile.models.occupancy import mapping_report
from neurotile.report.drawings import network_drawing
from neurotile.rundir import read, write_npz
from neurotile.spec import (
    MODELS,
    TEST_PRESETS,
    InputPort,
    IntegerNetwork,
    Population,
    Projection,
    Stimulus,
    UserError,
    projection_names,
)
from neurotile.testbenches.cli_cases import HIDDEN, INPUTS, call, make_workplace, small_graph
from neurotile.testbenches.delay_model import NetworkModel
from neurotile.testbenches.equality import case_differences, differences
from neurotile.testbenches.seeds import examples
from neurotile.testbenches.small_networks import matrix, network
from neurotile.testbenches.strategies import Case, Choices, Drawn

SILENT = ("li", "cubali")
SMALL = TEST_PRESETS["test_all"]


# Golden model

def random_network(choices: Choices) -> IntegerNetwork:
    """Up to four small populations with up to three delays between each pair."""
    rng = choices.numbers()
    inputs = tuple(InputPort(f"i{k}", choices.integer(1, 3))
                   for k in range(choices.integer(1, 2)))
    populations = []
    for number in range(choices.integer(1, 4)):
        size, model = choices.integer(1, 3), choices.pick(sorted(MODELS))
        most = 1 if model in ("if", "sublif") else 4200
        populations.append(Population(
            f"p{number}", size, model, rng.integers(1, 60, size), rng.integers(-20, 20, size),
            rng.integers(-3, 6, size), rng.integers(0, most, size), rng.integers(0, most, size),
            choices.integer(0, 2), choices.pick(["zero", "subtract"])))
    projections = []
    sources: list[tuple[int, InputPort | Population]] = [(-1, port) for port in inputs]
    for number, target in enumerate(populations):
        for k, source in [*sources, *enumerate(populations)]:
            if isinstance(source, Population) and source.model in SILENT:
                continue
            for _ in range(choices.integer(1 if k == -1 else 0, 3)):
                delay = choices.pick([0, 1, 2, 3, 7, 62, 63, 200])
                weights = rng.integers(-40, 60, (target.size, source.size), np.int32)
                projections.append(Projection(
                    source.name, target.name, weights * (rng.random(weights.shape) < 0.7),
                    delay if k < number else max(delay, 1)))
    order = rng.permutation(len(projections))
    return IntegerNetwork(inputs, tuple(populations), tuple(projections[k] for k in order),
                          state_bits=choices.pick([16, 9]))


@examples(150)
@given(st.data())
def test_golden_equals_single_synapses(data):
    choices = Drawn(data.draw)
    made = random_network(choices)
    samples, steps = choices.integer(1, 3), choices.pick([1, 5, 30, 70])
    density = choices.pick([0.1, 0.4, 1.0])
    dense = (choices.numbers().random((samples, steps, made.input_size)) < density).astype(np.uint8)
    keep_state = bool(choices.integer(0, 1))
    record = {p.name: np.arange(p.size) for p in made.populations}
    trace = golden.run(made, Stimulus.from_dense(dense), record=record, keep_state=keep_state)
    model = NetworkModel(made)
    for sample in range(samples):
        if not keep_state:
            model = NetworkModel(made)
        for t in range(steps):
            model.step(np.flatnonzero(dense[sample, t]).tolist())
            for p in made.populations:
                where = f"{p.name}, sample {sample}, step {t}"
                assert trace.potentials[p.name][sample, t].tolist() == [
                    model.v[p.name, j] for j in range(p.size)], where
                if p.spikes:
                    assert trace.spikes[p.name][sample, t].tolist() == [
                        model.spikes[p.name, j] for j in range(p.size)], where
    for p in made.populations:
        if p.has_current:
            assert trace.states[f"{p.name}.i"][-1].tolist() == [
                model.i[p.name, j] for j in range(p.size)]


def test_the_generator_makes_what_the_test_is_about():
    # Of these networks many must have several delays of one pair, loops, and spikes that arrive.
    twofold = loops = arrived = late = 0

    @examples(50)
    @given(st.data())
    def look(data):
        nonlocal twofold, loops, arrived, late
        made = random_network(Drawn(data.draw))
        names = projection_names(made.projections)
        twofold += any("@" in name for name in names)
        loops += any(e.source == e.target for e in made.projections)
        dense = np.ones((1, 70, made.input_size))
        short = dataclasses.replace(made, projections=tuple(
            e for e in made.projections if e.delay < 62))
        with_all, without = (golden.run(n, Stimulus.from_dense(dense)).states
                             for n in (made, short))
        late += any(e.delay in (62, 63) for e in made.projections)
        arrived += any((with_all[key] != without[key]).any() for key in with_all)

    look()
    assert min(twofold, loops, late) > 15 and arrived > 10


@pytest.mark.parametrize("keep_state", [False, True])
def test_delays_beyond_the_run_and_across_samples(keep_state):
    # Spikes of step 0; the effects come at once, 3 steps later (in the next sample), and never.
    made = network([Population("n", 1, "li", np.array(0), decay_v=np.array(4096))],
                   [("in", "n", 0), ("in", "n", 3), ("in", "n", 1 << 24)])
    spikes = np.zeros((2, 2, 1))
    spikes[:, 0] = 1
    trace = golden.run(made, Stimulus.from_dense(spikes), keep_state=keep_state)
    # Kept: 1 of step 0, 1 of step 2, and in step 3 the one that step 0 sent.
    assert trace.potentials["n"][:, 0, 0].tolist() == [1, 2 if keep_state else 1]
    assert trace.potentials["n"][:, 1, 0].tolist() == [1, 3 if keep_state else 1]


# Tiles

def several_delays() -> IntegerNetwork:
    """Both from an input and between neurons, and a loop: three delays each."""
    rng = np.random.default_rng(11)

    def w(targets, sources):
        return rng.integers(-60, 100, (targets, sources)) * (rng.random((targets, sources)) < 0.8)

    def neurons(name, size):
        return Population(name, size, "lif", np.array(70), decay_v=np.array(3500))

    return IntegerNetwork(
        (InputPort("x", 3),),
        (neurons("a", 3), neurons("b", 2), Population("c", 2, "li", np.array(0),
                                                      decay_v=np.array(3000))),
        (*(Projection("x", "a", w(3, 3), d) for d in (0, 2, 5)),
         *(Projection("a", "b", w(2, 3), d) for d in (0, 1, 3)),
         *(Projection("b", "b", w(2, 2), d) for d in (1, 2)),
         *(Projection("b", "c", w(2, 2), d) for d in (0, 1, 2))), name="several")


def stimulus(inputs=3, samples=3, steps=15, seed=5):
    return Stimulus.from_dense(
        np.random.default_rng(seed).random((samples, steps, inputs)) < 0.4)


def test_tiles_of_one_bit_take_delays_by_source():
    # Every source has one delay, so no word holds a 0; delays by target do not work out.
    signs = np.where(np.random.default_rng(4).random((8, 3)) < 0.6, 1, -1)
    late = np.array([0, 3, 1])
    made = network([("n", 8)], [("in", "n", d, signs * (late == d)) for d in (0, 1, 3)], lines=3,
                   weight_bits=1)
    spikes = stimulus()
    one, other = (neurotile.run(made, spikes, engine=engine).trace for engine in ("golden", "fast"))
    assert one.spikes["n"].any() and differences(one, other) == []
    made = network([("n", 8)], [("in", "n", d, signs * (np.arange(8)[:, None] % 2 == d))
                                for d in (0, 1)], lines=3, weight_bits=1)
    with pytest.raises(UserError, match="from 'in' to 'n' has a weight 0 between others"):
        neurotile.build(made)


@pytest.mark.parametrize("keep_state", [False, True])
def test_all_engines_agree(keep_state):
    program = map_network(several_delays(), SMALL)
    assert mapping_report(program).relays > 0
    case = Case(program, stimulus(), {"a": np.arange(3), "b": np.arange(2)}, keep_state)
    found, trace = case_differences(case)
    assert found == []
    assert all(trace.spikes[name].any() for name in "ab")
    # Every delay counts: without any one of them the run is another.
    for left_out in several_delays().projections:
        made = several_delays()
        made = dataclasses.replace(made, projections=tuple(
            e for e in made.projections
            if (e.source, e.target, e.delay) != (left_out.source, left_out.target, left_out.delay)))
        other = golden.run(made, case.stimulus, keep_state=keep_state)
        assert not all(np.array_equal(other.potentials["c"], trace.potentials["c"])
                       and np.array_equal(other.spikes[n], trace.spikes[n]) for n in "ab")


def test_long_delays_on_a_tile():
    made = network([("a", 2), ("b", 3)], [("in", "a", 0), ("in", "a", 63), ("a", "b", 1),
                                          ("a", "b", 30), ("b", "b", 20), ("b", "b", 1, matrix(
                                              3, 3, -2))], lines=2)
    spikes = stimulus(inputs=2, steps=100)
    wanted, found = (neurotile.run(made, spikes, engine=engine).trace
                     for engine in ("golden", "fast"))
    assert wanted.spikes["b"].any() and differences(wanted, found) == []


def test_run_directories_keep_the_weights_apart(tmp_path):
    made = neurotile.build(several_delays(), config=SMALL)
    for engine in ("golden", "fast", "rtl"):
        neurotile.run(made, stimulus(), engine=engine).save(tmp_path / engine, report=False)
    held = [read(tmp_path / engine).memories for engine in ("golden", "fast", "rtl")]
    names = projection_names(made.network.projections)
    assert names[:3] == ["x->a@0", "x->a@2", "x->a@5"] and len(set(names)) == len(names)
    for name, e in zip(names, made.network.projections, strict=True):
        for memories in held:
            np.testing.assert_array_equal(memories[f"{name}.w"], e.weights)
    for other in ("fast", "rtl"):
        assert compare(tmp_path / "golden", tmp_path / other).same
    write_npz(tmp_path / "fast" / "memories.npz",
              held[1] | {"x->a@2.w": held[1]["x->a@2.w"] + 1})
    different = compare(tmp_path / "fast", tmp_path / "rtl")
    assert len(different.differences) == 1 and "x->a@2" in different.differences[0].what


def test_commands_run_and_compare_a_file_with_delays(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(2)
    made = small_graph()
    made.nodes |= {"late": nir.Delay(1e-3 * np.arange(INPUTS) % 4e-3),
                   "back": nir.Delay(np.array([2e-3])),
                   "more": nir.Linear(rng.normal(0, 8, (HIDDEN, INPUTS))),
                   "loop": nir.Linear(rng.normal(0, 4, (HIDDEN, HIDDEN)))}
    made.edges += [("input", "late"), ("late", "more"), ("more", "hidden.lif"),
                   ("hidden.lif", "back"), ("back", "loop"), ("loop", "hidden.lif")]
    place = make_workplace(tmp_path, made)
    for engine in ("golden", "fast"):
        done = call(monkeypatch, capsys, "run", place.model, "--input", place.spikes, "--engine",
                    engine, "--reset", "zero", "--out", tmp_path / engine)
        assert done.code == 0, done.err
    assert call(monkeypatch, capsys, "compare", tmp_path / "golden", tmp_path / "fast").code == 0
    report = (tmp_path / "fast" / "report.html").read_text()
    assert {f"input-&gt;hidden.lif@{d}" for d in range(4)} <= set(
        re.findall(r"input-&gt;hidden.lif@\d", report))
    assert re.search(r"hidden.lif → hidden.lif: \d+ synapses, 3 steps late<", report)
    assert {"input->hidden.lif@0.w", "input->hidden.lif@3.w", "hidden.lif->hidden.lif.w"} <= set(
        read(tmp_path / "fast").memories)


def test_names_that_cannot_be_told_apart_are_refused():
    made = network([("b", 1), ("b@3", 2)],
                   [("in", "b", 0), ("in", "b", 3), ("in", "b@3", 0)])
    with pytest.raises(UserError, match=r"^two projections are called 'in->b@3', to 'b' and to "
                                        r"'b@3'; rename a node in the file$"):
        neurotile.run(made, np.ones((3, 1)))
    neurotile.run(network([("b", 1), ("b@3", 2)], [("in", "b", 0), ("in", "b@3", 0)]),
                  np.ones((3, 1)))


def test_the_same_delay_twice_is_the_sum():
    made = network([("a", 1)], [("in", "a", 1), ("in", "a", 1, matrix(1, 1, 2)), ("in", "a", 0)])
    results = [neurotile.run(made, np.ones((3, 1)), engine=engine) for engine in ("golden", "fast")]
    for result in results:
        assert {key: int(w[0, 0]) for key, w in result.weights.items()} == {
            "in->a@1": 3, "in->a@0": 1}
    assert differences(results[0].trace, results[1].trace) == []
    with pytest.raises(UserError, match="there is more than one projection 'in->a@1'"):
        made.with_weights({"in->a@1": np.ones((1, 1), np.int64)})


# Report

def test_the_drawing_has_one_arrow_for_all_delays_of_a_pair():
    drawing = str(network_drawing(several_delays()))
    assert drawing.count("marker-end") == 4
    entries = dict.fromkeys(("xa", "ab", "bb", "bc"), 0)
    for e in several_delays().projections:
        entries[e.source + e.target] += int(np.count_nonzero(e.weights))
    for pair, late in (("xa", "0 to 5 steps late"), ("ab", "0 to 3 steps late"),
                       ("bb", "1 to 2 steps late"), ("bc", "0 to 2 steps late")):
        assert f"{pair[0]} → {pair[1]}: {entries[pair]} synapses, {late}" in drawing
