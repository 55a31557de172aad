# SPDX-License-Identifier: Apache-2.0
"""`neurotile run --learn`: what it writes, what it quantises, and how it refuses."""

import json
import re
import tomllib
from pathlib import Path

import nir
import numpy as np
import pytest

from neurotile import pipeline
from neurotile.models.learning_plan import LearningPlan
from neurotile.spec import PRESETS, Program, TileConfig, UserError, any_preset
from neurotile.testbenches.cli_cases import (
    HIDDEN,
    INPUTS,
    SAMPLES,
    STEPS,
    call,
    make_workplace,
    small_graph,
)

NAME = "input->hidden.lif"
GOOD = """
[learning]
bistability = 4

[[projection]]
name = "input -> hidden.lif"

[population."hidden.lif"]
theta_mem = 0.5
theta1 = 1
theta2 = 3
theta3 = [6, 6, 6, 6, 6, 7, 7, 7, 7, 7]
leak = 3
"""


def taught_graph(**changes):
    weight = np.abs(np.random.default_rng(0).normal(0.4, 1, (HIDDEN, INPUTS))) * 8
    weight[:, 2] *= -1
    return small_graph(fc1=nir.Affine(weight=weight, bias=np.zeros(HIDDEN)), **changes)


@pytest.fixture
def place(tmp_path):
    found = make_workplace(tmp_path, taught_graph())
    (tmp_path / "learn.toml").write_text(GOOD)
    return found


@pytest.fixture
def cli(monkeypatch, capsys):
    return lambda *arguments: call(monkeypatch, capsys, *arguments)


def run(cli, place, *more, engine="golden", out="out"):
    return cli("run", place.model, "--input", place.spikes, "--engine", engine, "--learn",
               place.folder / "learn.toml", *more, "--out", place.folder / out)


def arrays(path):
    with np.load(path, allow_pickle=False) as held:
        return {key: held[key] for key in held.files}


def test_engines_learn_the_same(cli, place):
    digests = set()
    for engine in ("golden", "fast"):
        done = run(cli, place, "--weights-every", 5, "--no-report", engine=engine, out=engine)
        assert done.code == 0, done.err
        assert "learning  input->hidden.lif (60 mapped synapses), bistability every 4" in done.out
        assert "tile      preset learning (the smallest that fits)" in done.out
        assert "weights larger" in done.out
        digests.add(json.loads((place.folder / engine / "metrics.json").read_text())["digest"])
        memories = arrays(place.folder / engine / "memories.npz")
        assert memories[f"{NAME}.log"].shape == (SAMPLES * STEPS // 5, HIDDEN, INPUTS)
        assert np.array_equal(memories[f"{NAME}.log"][-1], memories[f"{NAME}.learnt"])
        assert memories["hidden.lif.calcium"].max() > 0
        assert (memories[f"{NAME}.learnt"][:, 2] <= 0).all()
    assert len(digests) == 1
    values = json.loads((place.folder / "fast" / "run.json").read_text())
    assert values["learning"] == {
        "rule": {"learn": True, "update_unmapped": False, "propagate_unmapped": False,
                 "bistability": 4}, "plastic": [NAME]}
    done = cli("compare", place.folder / "golden", place.folder / "fast")
    assert done.code == 0 and f"equal         weight log: {NAME}.log" in done.out
    memories[f"{NAME}.log"][3, 1, 2] += 1
    np.savez(place.folder / "fast" / "memories.npz", **memories)
    done = cli("compare", place.folder / "golden", place.folder / "fast")
    assert done.code == 1 and "entry 3 of the log, target 1, source 2" in done.out


def test_rtl_learns_the_same(cli, place):
    tile = place.folder / "tile.toml"
    tile.write_text(PRESETS["learning"].replace(
        name="small", axons=64, neurons=32, synapse_words=64, queue_depth=32).to_toml())
    for engine in ("fast", "rtl"):
        done = run(cli, place, "--weights-every", 3, "--no-report", "--config", tile,
                   engine=engine, out=engine)
        assert done.code == 0, done.err
    done = cli("compare", place.folder / "fast", place.folder / "rtl")
    assert done.code == 0 and "not compared" not in done.out
    assert "counters: " in done.out and "synapse_writes" in done.out


def test_without_learning_nothing_changes(cli, place):
    (place.folder / "learn.toml").write_text(GOOD.replace("[learning]", "[learning]\nlearn=false"))
    assert run(cli, place, "--no-report").code == 0
    memories = arrays(place.folder / "out" / "memories.npz")
    assert np.array_equal(memories[f"{NAME}.learnt"], memories[f"{NAME}.w"])


def test_quantised_values():
    """Weights are -7..7 of the largest, which the file may raise; theta_mem is rounded up."""
    plan = LearningPlan.from_dict({
        "projection": [{"name": NAME, "mapped": "nonzero"}],
        "population": {"hidden.lif": {"theta_mem": 0.25, "theta1": 0, "theta2": 1, "theta3": 2,
                                      "largest_weight": 4.0}}}, where="plan")
    source = pipeline.load(taught_graph())
    made = pipeline.build(source, learning=plan)
    unscaled = pipeline.build(source, learning=LearningPlan("p", plan.rule, plan.projections))
    e, p = made.network.projections[0], made.network.population_names["hidden.lif"]
    real = next(r.weights for r in source.projections if r.name == NAME)
    assert np.abs(unscaled.network.projections[0].weights).max() == 7
    assert np.array_equal(e.weights, np.rint(real * 7 / 4))
    assert e.synapses is not None and np.array_equal(e.synapses.mapped, e.weights != 0)
    assert e.synapses.inhibitory.tolist() == [False, False, True, False, False, False]
    assert p.calcium is not None
    theta = int(np.asarray(p.calcium.theta_mem))
    assert theta - 1 < 0.25 * made.network.scales["hidden.lif"] <= theta
    assert isinstance(made.config, TileConfig) and made.config.learns
    assert made.network.weight_bits == 4


def test_build_and_options_in_python(tmp_path):
    (tmp_path / "learn.toml").write_text(GOOD)
    made = pipeline.build(taught_graph_file(tmp_path), learning=tmp_path / "learn.toml")
    with pytest.raises(UserError, match="weight_bits must be 4 in a network that learns, not 8"):
        pipeline.build(taught_graph_file(tmp_path), learning=tmp_path / "learn.toml",
                       weight_bits=8)
    with pytest.raises(UserError, match="learning are fixed: the network is in integers"):
        pipeline.build(made.network, learning=tmp_path / "learn.toml")


def taught_graph_file(folder):
    return make_workplace(folder, taught_graph()).model


@pytest.mark.parametrize(("old", "new", "says"), [
    ("[learning]", "[lerning]", ("unknown key 'lerning'", "learning, projection, population")),
    ("bistability = 4", "bistable = 4", ("[learning]: unknown key 'bistable'", "learn, ")),
    ("bistability = 4", "bistability = 65536", ("bistability", "0..65535", "65536")),
    ("bistability = 4", "learn = 1", ("[learning]: learn must be true or false, not 1",)),
    ("[[projection]]", "[projection]", ("at least one [[projection]]",)),
    ('name = "input -> hidden.lif"', "", ("must have a name", "None")),
    ("input -> hidden", "inptu -> hidden", ("no projection 'inptu->hidden.lif'", "did you mean",
                                            f"there are {NAME}, hidden.lif->out")),
    ('hidden.lif"\n', 'hidden.lif"\nmapped = "some"\n', (f"[[projection]] '{NAME}': mapped must",
                                                         '"nonzero"', "'some'")),
    ('hidden.lif"\n', 'hidden.lif"\nsign = 1\n', ("unknown key 'sign'",)),
    ('hidden.lif"\n', 'hidden.lif"\ninhibitory = 2\n', ("inhibitory must be a list", "2")),
    ('hidden.lif"\n', 'hidden.lif"\ninhibitory = [6]\n', ("inhibitory", "0..5", "6")),
    ('hidden.lif"\n', 'hidden.lif"\ninhibitory = [1]\n', ("source 1 has weights of the other sign",
                                                         NAME, "-7..0 (inhibitory)")),
    ('hidden.lif"\n', 'hidden.lif"\n[[projection]]\nname = "input->hidden.lif"\n', ("twice",)),
    ("input -> hidden.lif", "hidden.lif -> out", ("source 0 has weights of both signs",)),
    ('[population."hidden.lif"]', "[population.gone]", ("no population 'gone'", "hidden.lif, out")),
    ("theta_mem = 0.5\n", "", ("[population.hidden.lif]: missing key 'theta_mem'",)),
    ("theta_mem = 0.5", 'theta_mem = "x"', ("theta_mem must be numbers, not 'x'",)),
    ("theta_mem = 0.5", "theta_mem = inf", ("theta_mem must be numbers, not inf",)),
    ("theta_mem = 0.5", "theta_mem = 1e6", ("theta_mem must be in -", "16 bits", "100000")),
    ("theta1 = 1", "theta1 = 8", ("hidden.lif]: theta1 must be an integer in 0..7, not 8",)),
    ("theta1 = 1", "theta1 = 0.5", ("theta1", "0..7", "0.5")),
    ("theta2 = 3", "theta2 = []", ("theta2 must be one value or a list, not []",)),
    ("[6, 6,", "[6,", ("theta3 must be one value or a list of 10, one per neuron, not of 9",)),
    ("leak = 3", "leak = 32", ("leak", "0..31", "32")),
    ("leak = 3", "enable = 0", ("enable must be true or false, not 0",)),
    ("leak = 3", "largest_weight = 0", ("largest_weight must be a number above 0, not 0",)),
    ("leak = 3", "leek = 3", ("unknown key 'leek'", "theta_mem, theta1")),
    ("[learning]", "[learning", ("not a TOML file",)),
    ('[population."hidden.lif"]\n', "[pop]\n", ("unknown key 'pop'",))])
def test_wrong_learning_files(cli, place, old, new, says):
    assert old in GOOD
    (place.folder / "learn.toml").write_text(GOOD.replace(old, new))
    done = run(cli, place)
    assert done.code == 2 and not (place.folder / "out").exists()
    line, = done.err.splitlines()
    assert line.startswith("neurotile: ") and "learn.toml" in line
    for part in says:
        assert part in line, line


def test_wrong_options(cli, place):
    def refused(*arguments):
        done = run(cli, place, *arguments)
        assert done.code == 2 and not (place.folder / "out").exists()
        return done.err

    assert "weight_bits must be 4 in a network that learns, not 8" in refused("--weight-bits", 8)
    assert ("learns, the tile cannot (learning); preset 'learning' has it"
            in refused("--preset", "wide", "--engine", "fast"))
    assert "Invalid value for '--weights-every'" in refused("--weights-every", -1)
    (place.folder / "learn.toml").unlink()
    assert "learn.toml: there is no such file" in refused()
    done = cli("run", place.model, "--input", place.spikes, "--out", place.folder / "out",
               "--weights-every", 2)
    assert done.code == 2 and "--weights-every needs --learn LEARN.toml" in done.err


def test_preset_learning_is_shown_and_exported(cli, tmp_path):
    assert "\nlearning " in cli("presets").out
    text = cli("presets", "--toml", "learning").out
    (tmp_path / "tile.toml").write_text(text)
    assert 'learning = "sdsp"' in text
    assert type(PRESETS["learning"]).from_toml(tmp_path / "tile.toml") == any_preset("learning")
    done = cli("rtl", "--preset", "learning", "--out", tmp_path / "rtl")
    assert done.code == 0, done.err
    inventory = json.loads((tmp_path / "rtl" / "inventory.json").read_text())
    names = {site["instance"] + "." + site["name"] for site in inventory["sites"]}
    assert any("calcium" in name for name in names)


def test_info_and_export_of_a_network_that_learns(cli, place):
    learn = place.folder / "learn.toml"
    done = cli("info", place.model, "--learn", learn)
    assert done.code == 0 and "learning  input->hidden.lif (60 mapped" in done.out
    assert "yes, preset learning" in done.out
    out = place.folder / "rtl"
    done = cli("rtl", place.model, "--learn", learn, "--out", out)
    assert done.code == 0, done.err
    assert {"theta_mem.hex", "calcium_rule.hex"} <= {p.name for p in (out / "memory").iterdir()}
    made = pipeline.build(place.model, learning=learn)
    assert isinstance(made.program, Program)
    row = (out / "memory" / "theta_mem.hex").read_text().split()[0]
    assert int(row, 16) & 0xFFFF == made.program.memories["theta_mem"][0, 0]
    learn.write_text(GOOD.replace("theta1 = 1", "theta1 = 9"))
    for command in (("info", place.model), ("rtl", place.model, "--out", place.folder / "other")):
        done = cli(*command, "--learn", learn)
        assert done.code == 2 and "theta1 must be an integer in 0..7, not 9" in done.err
    assert "--learn need a MODEL.nir" in cli("rtl", "--learn", learn, "--out", out).err


def test_the_file_in_the_documentation_is_right():
    page = (Path(__file__).resolve().parents[1] / "docs" / "cli.md").read_text()
    text, = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    plan = LearningPlan.from_dict(tomllib.loads(text), where="docs")
    assert plan.projections == {"input->lif1": {"mapped": "all", "inhibitory": [3, 4]}}
    assert plan.rule.bistability == 10 and plan.populations["lif1"]["theta3"] == 6
