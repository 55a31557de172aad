# SPDX-License-Identifier: Apache-2.0
"""neurotile sweep: every point is the run that it says, and mistakes are refused."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from neurotile import pipeline
from neurotile.hw.export import tile_netlist
from neurotile.hw.mesh_tile import MeshTile
from neurotile.hw.netlist import make_netlist
from neurotile.hw.router import Router
from neurotile.memory_bits import memory_bits
from neurotile.mesh_options import MeshOptions
from neurotile.spec import PRESETS, TEST_MESH_PRESETS, MeshConfig, Stimulus, preset
from neurotile.spec.mesh_config import mesh_memories, packet_word
from neurotile.sweep import picture, table
from neurotile.sweep.plan import read_plan
from neurotile.sweep.point import Row
from neurotile.testbenches.cli_cases import call, make_workplace

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def place(tmp_path):
    return make_workplace(tmp_path)


@pytest.fixture
def cli(monkeypatch, capsys):
    return lambda *arguments: call(monkeypatch, capsys, *arguments)


def write(place, vary, sweep="", name="sweep.toml"):
    file = place.folder / name
    file.write_text(f'[sweep]\nmodel = "small.nir"\ninput = "spikes.npz"\n{sweep}\n'
                    f"[vary]\n{vary}\n")
    return file


def rows(folder):
    with open(folder / "sweep.csv", newline="") as file:
        return list(csv.DictReader(file))


def sweep(cli, place, vary, settings="", *more, out="out"):
    folder = place.folder / out
    done = cli("sweep", write(place, vary, settings), "--out", folder, "--workers", 1, *more)
    assert done.code == 0, done.err
    return rows(folder)


# --- what a point is -----------------------------------------------------------------------------


def test_points_are_the_runs_they_say(cli, place):
    found = sweep(cli, place, "weight_bits = [3, 8]\nlanes = [4, 16]\nstate_bits = 12")
    assert [(r["weight_bits"], r["lanes"], r["state_bits"]) for r in found] == [
        ("3", "4", "12"), ("3", "16", "12"), ("8", "4", "12"), ("8", "16", "12")]
    stimulus = Stimulus.from_file(place.spikes)
    for row in found:
        result = pipeline.run(pipeline.build(
            place.model, config=PRESETS["default"].replace(lanes=int(row["lanes"])),
            weight_bits=int(row["weight_bits"]), state_bits=12), stimulus)
        metrics = result.metrics
        assert row["status"] == "ok" and float(row["accuracy"]) == pytest.approx(result.accuracy)
        assert float(row["cycles_per_sample"]) == metrics["cycles"] / stimulus.samples
        assert float(row["cycles_per_step"]) == pytest.approx(metrics["cycles_per_step"]["mean"])
        assert float(row["pj_per_sample"]) == pytest.approx(metrics["energy"]["pj_per_sample"])
        config = result.build.config
        assert config is not None
        assert int(row["memory_bits"]) == sum(memory_bits(config).values())
        assert (row["drops"], row["tiles"], row["tiles_used"]) == ("0", "1", "1")
        assert int(row["queue_high_water"]) == metrics["counters"]["queue_high_water"]
    assert {p.name for p in (place.folder / "out").iterdir()} == {"sweep.json", "sweep.csv",
                                                                 "sweep.png"}
    assert json.loads((place.folder / "out" / "sweep.json").read_text())["points"] == 4


def test_chosen_meshes(cli, place):
    found = sweep(cli, place, 'mesh = ["1x2", "2x2"]\nrouting = ["unicast", "multicast"]\n'
                              "spread = true\nneurons = 16")
    for row, shape in zip(found, ((1, 2), (1, 2), (2, 2), (2, 2)), strict=True):
        made = pipeline.build(
            place.model, mesh=MeshOptions(shape=shape, routing=row["routing"], spread=True),
            config=pipeline.MESH_PRESETS["mesh_4x4"].tile.replace(neurons=16),
            profile=Stimulus.from_file(place.spikes))
        cycles = pipeline.run(made, Stimulus.from_file(place.spikes)).metrics["cycles"]
        assert float(row["cycles_per_sample"]) * 5 == cycles
        assert int(row["tiles"]) == shape[0] * shape[1] and row["tiles_used"] != "0"
    assert found[0]["memory_bits"] != found[2]["memory_bits"]


def test_a_given_mesh_takes_keys_of_mesh_tile_and_mapper(cli, place):
    found = sweep(cli, place, "router_depth = [2, 8]\nqueue_depth = 64\nshare = false",
                  'preset = "mesh_4x4"')
    assert [r["status"] for r in found] == ["ok", "ok"]
    assert [r["set.queue_depth"] for r in found] == [r["queue_depth"] for r in found] == ["64"] * 2
    assert int(found[0]["memory_bits"]) < int(found[1]["memory_bits"])


def test_what_does_not_fit_is_a_row(cli, place):
    found = sweep(cli, place, "neurons = [8, 256]\nlanes = [4, 8]")
    assert [r["status"] for r in found] == ["refused", "refused", "ok", "ok"]
    assert "neurons" in found[0]["reason"] and "2 * lanes" in found[1]["reason"]
    assert found[0]["pareto"] == found[0]["accuracy"] == ""


def test_drops_are_said_and_beat_nothing(cli, place):
    full, roomy = sweep(cli, place, "queue_depth = [2, 64]", 'preset = "mesh_4x4"')
    assert full["status"] == "dropped" and int(full["drops"]) > 0 and full["pareto"] == ""
    assert roomy["status"] == "ok" and roomy["drops"] == "0" and roomy["pareto"] == "true"
    assert 2 == int(full["queue_high_water"]) < int(roomy["queue_high_water"])


def test_zip_pairs_values(cli, place):
    found = sweep(cli, place, "lanes = [4, 8, 16]\nsynapse_words = [512, 256, 128]\nneurons = 64",
                  'mode = "zip"')
    assert [(r["lanes"], r["synapse_words"], r["neurons"]) for r in found] == [
        ("4", "512", "64"), ("8", "256", "64"), ("16", "128", "64")]


def test_accumulators_that_are_given_stay(cli, place):
    grown, kept = (sweep(cli, place, text, out=text[:3]) for text in (
        "weight_bits = [8, 16]", "weight_bits = [8, 16]\nacc_bits = 20"))
    weights = 8192 * 8 * 8
    assert int(kept[1]["memory_bits"]) - int(kept[0]["memory_bits"]) == weights
    assert int(grown[1]["memory_bits"]) - int(grown[0]["memory_bits"]) == weights + 256 * 8


# --- the same every time -------------------------------------------------------------------------


def test_workers_change_nothing_and_a_folder_is_replaced(cli, place):
    file = write(place, "lanes = [4, 8, 2]\nqueue_depth = [32, 16]")
    seen = []
    for workers, out in ((1, "out"), (2, "two"), (1, "out")):
        assert cli("sweep", file, "--out", place.folder / out, "--workers", workers).code == 0
        seen.append({p.name: p.read_bytes() for p in (place.folder / out).iterdir()})
    assert seen[0] == seen[1] == seen[2]


def test_no_result_depends_on_the_points_before(cli, place):
    forth = sweep(cli, place, "lanes = [4, 8]\nweight_bits = [4, 8]", out="a")
    back = sweep(cli, place, "lanes = [8, 4]\nweight_bits = [8, 4]", out="b")
    for a, b in zip(forth, back[::-1], strict=True):
        assert {k: v for k, v in a.items() if k != "point"} == {
            k: v for k, v in b.items() if k != "point"}


# --- memory --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["test_all", "test_two_lanes", "test_one_lane"])
def test_bits_are_those_of_the_verilog(name):
    inventory = tile_netlist(preset(name)).sites
    assert sum(memory_bits(preset(name)).values()) == sum(
        s.bits for s in inventory if s.kind == "memory")


@pytest.mark.parametrize("name", ["test_mesh_1x1", "test_mesh_1x3", "test_mesh_2x2"])
def test_bits_are_those_of_the_mesh(name):
    config = TEST_MESH_PRESETS[name]
    found = memory_bits(config)
    tile, router = (make_netlist(part(config), "top").sites for part in (MeshTile, Router))
    trees = [m for m in mesh_memories(config) if m.name == "tree"]  # these lie in the router
    assert (sum(s.bits for s in tile if s.kind == "memory") + sum(m.bits for m in trees)
            ) * config.tiles == sum(found.values()) - found["router"]
    packet = packet_word(config).width + config.link_parity
    waiting = sum(s.bits for s in router if s.width == packet and "level" not in s.name)
    assert waiting * config.tiles == found["router"]


# --- Pareto --------------------------------------------------------------------------------------


def test_pareto():
    cost = np.array([[1, 5], [2, 2], [5, 1], [2, 3], [np.nan, 0], [2, 2], [5, 5]])
    assert table.pareto(cost).tolist() == [True, True, True, False, False, True, False]


def test_accuracy_counts_upwards_and_only_results_count():
    found = [Row("ok", 0.9, 10.0, 1.0, 5, 7.0), Row("ok", 0.8, 10.0, 1.0, 5, 7.0),
             Row("ok", 0.8, 9.0, 1.0, 5, 7.0), Row("dropped", 1.0, 1.0, 1.0, 1, 1.0),
             Row("refused")]
    assert table.pareto_rows(found).tolist() == [True, False, True, False, False]


def test_pictures_of_few_points(place, tmp_path):
    plan = read_plan(write(place, "lanes = [4, 8]"))
    for number, found in enumerate(([Row("refused")] * 2, [Row("ok", None, 1.0, 1.0, 5, 7.0)] * 2,
                                    [Row("ok", 0.0, 1.0, 1.0, 5, 7.0), Row("refused")])):
        picture.write_picture(plan, found, tmp_path / f"{number}.png")
        assert (tmp_path / f"{number}.png").read_bytes().startswith(b"\x89PNG")


# --- mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("vary", "settings", "says"), [
    ("lains = [4]", "", "unknown key 'lains'; of a tile, known are axons,"),
    ("rows = [2, 4]", "", "unknown key 'rows'"),
    ("queue_depth = [8]", 'mesh = "auto"', "of a mesh that is chosen, known are mesh, routing"),
    ("lanes = [4, 5]", "", "lanes must be a power of two in 1..16, not 5"),
    ("lanes = [4, true]", "", "lanes must be a power of two in 1..16, not True"),
    ("weight_bits = [0]", "", "weight_bits must be an integer in 1..16, not 0"),
    ('parameters = ["own"]', "", "parameters must be 'neuron' or 'shared', not 'own'"),
    ('mesh = ["4x4", "17x1"]', "", "mesh must be 'auto' or a size"),
    ('neurons = [64, 128]', 'mesh = "4"', "[sweep]: mesh must be 'auto' or a size"),
    ('mesh = ["4x4"]\nmargin = [0.5]', "", "margin must be a number in 1..16, not 0.5"),
    ('routing = ["broadcast"]', 'preset = "mesh_4x4"', "routing must be 'unicast' or 'multicast'"),
    ('queue = ["profiled"]\nqueue_depth = 8', 'preset = "mesh_4x4"', "queue_depth has no meaning"),
    ('mesh = ["4x4"]', 'preset = "mesh_4x4"', "is a mesh already"),
    ('mesh = ["4x4"]', 'mesh = "auto"', "mesh is in [sweep] as well"),
    ("lanes = []", "", "lanes has no values"),
    ("", "", "has no list of values"),
    ("lanes = 4", "", "has no list of values"),
    ("lanes = [4, 8, 4]", "", "lanes has the value 4 twice"),
    ("lanes = [1, 2, 4, 8, 16]\nweight_bits = [" + ", ".join(map(str, range(1, 17))) + "]\n"
     "state_bits = [" + ", ".join(map(str, range(8, 33))) + "]\nstep_bits = [16, 17, 18, 19, 20, "
     "21]", "", "makes 12,000 points, 10,000 are the most"),
    ("lanes = [4, 8]\nneurons = [64]", 'mode = "zip"', "lanes has 2 values, neurons has 1"),
    ("lanes = [4]", 'mode = "all"', "mode must be 'grid' or 'zip'"),
    ("lanes = [4]", "samples = 0", "samples must be 1 or more"),
    ("lanes = [4]", "sample = 3", "[sweep]: unknown key 'sample'; known are model, input"),
    ("lanes = [4]", "preset = 3", "preset must be a text, not 3"),
    ("lanes = [4]", 'preset = "defult"', "did you mean 'default'"),
    ("lanes = [4]", 'preset = "default"\nconfig = "x.toml"', "exclude each other"),
    ("lanes = [4]\n[more]\na = 1", "", "unknown key 'more'"),
])
def test_wrong_files(cli, place, vary, settings, says):
    done = cli("sweep", write(place, vary, settings), "--out", place.folder / "out")
    assert done.code == 2 and says in done.err and done.err.count("\n") == 1, done.err
    assert not (place.folder / "out").exists()


@pytest.mark.parametrize(("text", "says"), [
    ("[sweep]\nmodel = 'zoo:digits'", "needs a table [vary]"),
    ("[sweep]\n[vary]\nlanes = [4]", "missing key 'model'"),
    ("[sweep]\nmodel = 'small.nir'\n[vary]\nlanes = [4]", "missing key 'input'"),
    ("[sweep]\nmodel = 'zoo:digit'\n[vary]\nlanes = [4]", "there are zoo:digits, zoo:mnist16"),
    ("[sweep]\nmodel = 'zoo:mnist16'\n[vary]\nlanes = [4]", "test sets zoo:digits and"),
    ("[sweep]\nmodel = 'small.nir'\ninput = 'zoo:digits'\n[vary]\nlanes = [4]", "has 6"),
    ("[sweep]\nmodel = 'gone.nir'\ninput = 'spikes.npz'\n[vary]\nlanes = [4]", "gone.nir"),
    ("[sweep]\nmodel = 'small.nir'\ninput = 'gone.npz'\n[vary]\nlanes = [4]", "gone.npz"),
    ("[sweep", "not a TOML file"),
])
def test_wrong_sources(cli, place, text, says):
    file = place.folder / "sweep.toml"
    file.write_text(text)
    done = cli("sweep", file, "--out", place.folder / "out")
    assert done.code == 2 and says in done.err, done.err
    assert not (place.folder / "out").exists()


def test_other_folders_are_kept(cli, place):
    done = cli("sweep", write(place, "lanes = [4, 8]"), "--out", place.folder)
    assert done.code == 2 and "holds" in done.err and done.out == ""  # before the work
    assert place.model.exists()


def test_the_example_is_a_plan():
    plan = read_plan(ROOT / "examples" / "sweep_digits.toml")
    assert len(plan.points) == 96 and plan.stimulus().samples == 454
    assert not isinstance(plan.base, MeshConfig)
