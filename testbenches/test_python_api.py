# SPDX-License-Identifier: Apache-2.0
"""The Python examples of docs/python_api.md run as they stand."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import neurotile
from neurotile.spec import InputPort, IntegerNetwork, Population, Projection, UserError
from neurotile.testbenches.cli_cases import make_workplace

PAGE = Path(__file__).resolve().parents[1] / "docs" / "python_api.md"


@pytest.mark.filterwarnings("error")
def test_examples_of_the_page(tmp_path, monkeypatch):
    place = make_workplace(tmp_path)
    place.model.rename(tmp_path / "model.nir")
    monkeypatch.chdir(tmp_path)
    with np.load(place.spikes) as held:
        names = {"spikes": held["spikes"], "labels": held["labels"]}
    first, second, *others = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(others) == 4
    assert len(first.strip().splitlines()) == 3
    exec(first, names)
    exec(second.replace("lif1", "hidden.lif"), names)
    result = names["result"]
    for example in others:
        exec(example, names)
    assert (tmp_path / "out" / "first" / "report.html").exists()
    assert 0 <= result.accuracy <= 1


def test_all_names_are_there():
    for name in neurotile.__all__:
        assert getattr(neurotile, name) is not None and name in dir(neurotile)
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        neurotile.lod  # noqa: B018


def test_importing_the_package_is_light():
    code = ("import sys, neurotile\n"
            "print({'numpy', 'numba', 'amaranth', 'nir', 'matplotlib'} & set(sys.modules))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


def test_bits_of_an_integer_network_are_fixed():
    made = neurotile.IntegerNetwork(
        (), (neurotile.Population("n", 1, "if", np.array(1)),), ())
    with pytest.raises(neurotile.UserError, match="in integers"):
        neurotile.build(made, weight_bits=4)


def test_what_does_not_learn_has_no_switches():
    made = neurotile.build(neurotile.IntegerNetwork(
        (), (neurotile.Population("n", 1, "if", np.array(1)),), ()))
    with pytest.raises(UserError, match="does not learn, so there is nothing to switch"):
        made.switched(learn=False)


@pytest.mark.parametrize(("options", "says"), [
    ({"engine": "slow"}, "golden, fast, rtl"), ({"weight_bits": 17}, "1..16"),
    ({"state_bits": 7}, "8..32"), ({"config": "gone"}, "unknown preset")])
def test_wrong_options_are_refused(tmp_path, options, says):
    place = make_workplace(tmp_path)
    with np.load(place.spikes) as held, pytest.raises(neurotile.UserError, match=says):
        neurotile.run(place.model, held["spikes"], **options)


@pytest.mark.parametrize("engine", ["golden", "fast", "rtl"])
@pytest.mark.parametrize(("record", "says"), [
    ({"gone": [0]}, "record: there is no population 'gone'; there are hidden.lif, out$"),
    ({"out": [0, 3]}, "record: 'out' has neurons 0..2, not 3$"),
    ({"out": [-1]}, "record: 'out' has neurons 0..2, not -1$"),
    ({"out": 1}, "must be given as a list of integers$"),
    ({"out": [0.5]}, "must be given as a list of integers$")])
def test_a_wrong_record_is_refused_before_the_engine_runs(monkeypatch, tmp_path, engine, record,
                                                          says):
    place = make_workplace(tmp_path)
    monkeypatch.setattr("neurotile.pipeline._run", lambda *_: pytest.fail("the engine ran"))
    with np.load(place.spikes) as held, pytest.raises(UserError, match=says):
        neurotile.run(place.model, held["spikes"], engine=engine, record=record)


@pytest.mark.parametrize("engine", ["golden", "fast"])
def test_two_nodes_for_one_key_are_refused_before_the_engine_runs(monkeypatch, engine):
    one = np.ones((1, 1), np.int32)
    made = IntegerNetwork(
        (InputPort("in", 1),),
        (Population("a.v", 1, "if", np.array(5)), Population("a", 1, "if", np.array(5))),
        (Projection("in", "a.v", one), Projection("in", "a", one)))
    spikes = np.ones((3, 1))
    record = {"a": np.array([0])}
    assert set(neurotile.run(made, spikes, engine=engine).spikes) == {"a", "a.v"}
    monkeypatch.setattr("neurotile.pipeline._run", lambda *_: pytest.fail("the engine ran"))
    with pytest.raises(UserError, match="a node is called 'a.v', which is the key of the pot"):
        neurotile.run(made, spikes, engine=engine, record=record)
    readout = replace(made, populations=(
        made.populations[0], Population("a", 1, "li", np.array(0), decay_v=np.array(4000))))
    with pytest.raises(UserError, match="rename it in the file"):
        neurotile.run(readout, spikes, engine=engine)
