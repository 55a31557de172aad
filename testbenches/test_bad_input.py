# SPDX-License-Identifier: Apache-2.0
"""Every mistake of a user gives one clear line, exit code 2, no traceback and nothing written."""

import subprocess
import sys

import h5py
import nir
import numpy as np
import pytest

from neurotile.hw.export_files import EXPORT, export_dir
from neurotile.spec import EVENT_PRESETS, PRESETS, preset
from neurotile.spec.folders import check_folder
from neurotile.testbenches.cli_cases import (
    CLASSES,
    HIDDEN,
    INPUTS,
    SAMPLES,
    STEPS,
    call,
    make_workplace,
    small_graph,
    write_spikes,
)
from neurotile.testbenches.nir_cases import edit, lif


@pytest.fixture
def place(tmp_path):
    return make_workplace(tmp_path)


@pytest.fixture
def refused(monkeypatch, capsys, place):
    """Run with these arguments on top; check that it is refused, and how."""
    def check(*more, says, command=None, keeps=()):
        before = {p: p.read_bytes() if p.is_file() else None for p in place.folder.rglob("*")}
        out = place.folder / "out"
        arguments = command or ["run", place.model, "--input", place.spikes, "--out", out,
                                "--engine", "golden", "--no-report", *more]
        done = call(monkeypatch, capsys, *arguments)
        assert done.code == 2, done
        line, = done.err.splitlines()
        assert line.startswith("neurotile: ") and "Traceback" not in line
        for part in [says] if isinstance(says, str) else says:
            assert part in line, line
        after = {p: p.read_bytes() if p.is_file() else None for p in place.folder.rglob("*")}
        assert after == before
    return check


# --- files ---------------------------------------------------------------------------------------


def test_missing_model(refused, place):
    place.model.unlink()
    refused(says=("small.nir", "no such file"))


def test_truncated_model(refused, place):
    data = place.model.read_bytes()
    place.model.write_bytes(data[:len(data) // 2])
    refused(says=("small.nir", "not a readable NIR file"))


def test_model_that_is_no_nir_file(refused, place):
    place.model.write_text("weights")
    refused(says=("small.nir", "not a readable NIR file"))


def test_hdf5_file_of_something_else(refused, place):
    with h5py.File(place.model, "w") as file:
        file["image"] = np.zeros(3)
    refused(says=("small.nir", "not a NIR file"))


def test_missing_spikes(refused, place):
    place.spikes.unlink()
    refused(says=("spikes.npz", "no such file"))


def test_truncated_spikes(refused, place):
    data = place.spikes.read_bytes()
    place.spikes.write_bytes(data[:len(data) // 2])
    refused(says=("spikes.npz", "not a readable .npz file"))


# --- spikes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("spikes", "says"), [
    (np.zeros(4), "(4,)"),
    (np.zeros((2, 2, 2, 2)), "(2, 2, 2, 2)"),
    (np.zeros((SAMPLES, STEPS, INPUTS + 1)), ("7 inputs", "6")),
    (np.zeros((0, STEPS, INPUTS)), "empty"),
    (np.full((STEPS, INPUTS), "x"), "dtype"),
    (np.zeros((STEPS, INPUTS), complex), "dtype"),
    (np.full((STEPS, INPUTS), 2), "only 0 and 1"),
    (np.full((STEPS, INPUTS), np.nan), "only 0 and 1")])
def test_wrong_shape_type_or_value(refused, place, spikes, says):
    write_spikes(place.spikes, spikes)
    refused(says=says)


def test_pickled_spikes_are_not_unpickled(refused, place):
    write_spikes(place.spikes, np.array([[None, 1]], object))
    refused(says="spikes.npz")


def test_other_key(refused, place):
    np.savez(place.spikes, events=np.zeros((STEPS, INPUTS)))
    refused(says=("no array 'spikes'", "events"))


@pytest.mark.parametrize(("labels", "says"), [
    (np.zeros(SAMPLES + 1, int), "5 integers"),
    (np.zeros(SAMPLES), "integers"),
    (np.full(SAMPLES, CLASSES), ("0..2", "'out'", "found 3")),
    (np.full(SAMPLES, -1), "found -1")])
def test_labels_that_do_not_fit(refused, place, labels, says):
    write_spikes(place.spikes, np.zeros((SAMPLES, STEPS, INPUTS)), labels=labels)
    refused(says=says)


# --- networks ------------------------------------------------------------------------------------


def test_nan_in_the_weights(refused, place):
    weight = np.zeros((HIDDEN, INPUTS))
    weight[2, 3] = np.nan
    edit(place.model, "nodes/fc1/weight", weight)
    refused(says="fc1")


def test_unsupported_node(refused, place):
    nir.write(place.model, small_graph(fc2=nir.Conv1d(
        input_shape=HIDDEN, weight=np.ones((1, 1, 3)), stride=1, padding=0, dilation=1, groups=1,
        bias=np.zeros(1))))
    refused(says=("fc2", "Conv1d", "CubaLIF"))


def test_network_too_large(refused, place):
    rng = np.random.default_rng(0)
    nir.write(place.model, small_graph(
        **{"fc1": nir.Affine(weight=rng.normal(0, 1, (600, INPUTS)), bias=np.zeros(600)),
           "hidden.lif": lif(600), "fc2": nir.Linear(weight=rng.normal(0, 1, (CLASSES, 600)))}))
    refused("--engine", "fast", says=("needs", "neurons"))
    refused("--preset", "default", says=("default", "needs", "256"))


def test_missing_length_of_a_step(refused, place):
    made = small_graph()
    made.metadata = {}
    nir.write(place.model, made)
    refused(says="--dt")


# --- options -------------------------------------------------------------------------------------


def test_unknown_preset(refused):
    refused("--preset", "defualt", says=("'defualt'", "did you mean 'default'"))


@pytest.mark.parametrize(("text", "says"), [
    ("lanes = [", "not a TOML file"),
    ("\x00", "not a TOML file"),
    ("axons = 256\n", "missing key"),
    (PRESETS["default"].to_toml() + "speed = 3\n", "unknown key 'speed'"),
    (PRESETS["default"].to_toml().replace("lanes = 8", "lanes = 7"), "power of two in 1..16")])
def test_wrong_tile_file(refused, place, text, says):
    path = place.folder / "tile.toml"
    path.write_text(text)
    refused("--config", path, says=says)


def test_missing_tile_file(refused, place):
    refused("--config", place.folder / "gone.toml", says=("gone.toml", "no such file"))


def test_tile_in_event_mode(refused, place):
    says = ("odin", "event mode", "not a network")
    refused("--preset", "odin", says=says)
    tile = place.folder / "odin.toml"
    tile.write_text(EVENT_PRESETS["odin"].to_toml())
    refused("--config", tile, says=says)
    refused(says=says, command=["rtl", place.model, "--preset", "odin", "--out",
                                place.folder / "rtl"])


def test_preset_and_config_together(refused, place):
    refused("--preset", "default", "--config", "tile.toml", says="exclude each other")


@pytest.mark.parametrize(("option", "says"), [
    ("gone=zero", ("gone", "hidden.lif")), ("sometimes", "sometimes"), ("=zero", "--reset")])
def test_wrong_reset(refused, option, says):
    refused("--reset", option, says=says)


@pytest.mark.parametrize(("option", "says"), [
    ("gone", ("'gone'", "hidden.lif, out")), ("gone:1", "'gone'"), ("out:3", "0..2"),
    ("out:x", "0,4,8-11"), ("out:2-1", "0,4,8-11")])
def test_wrong_record(refused, option, says):
    refused("--record", option, says=says)


def test_dt_that_is_no_length(refused):
    refused("--dt", "0", says="--dt")


# --- the directory to write ----------------------------------------------------------------------


def test_foreign_directory(refused, place):
    out = place.folder / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("x")
    refused(says=("out", "holds other files"))


def test_run_into_the_directory_of_its_input(refused, monkeypatch, capsys, place):
    out = place.folder / "out"
    assert call(monkeypatch, capsys, "run", place.model, "--input", place.spikes, "--out", out,
                "--engine", "golden").code == 0
    place.spikes.rename(out / "trace.npz")
    model, spikes = place.model, out / "trace.npz"
    refused(command=["run", model, "--input", spikes, "--out", out],
            says=("trace.npz", "which is read"))
    model.rename(out / "model.nir")
    refused(command=["run", out / "model.nir", "--input", place.spikes, "--out", out],
            says=("model.nir", "which is read"))
    refused(command=["rtl", out / "model.nir", "--out", out], says=("model.nir", "which is read"))


def test_file_in_place_of_the_directory(refused, place):
    (place.folder / "out").write_text("x")
    refused(says=("out", "is a file"))


def test_error_while_writing_keeps_the_older_run(monkeypatch, capsys, place):
    arguments = ["run", place.model, "--input", place.spikes, "--engine", "golden",
                 "--out", place.folder / "out"]
    assert call(monkeypatch, capsys, *arguments).code == 0
    before = {p.name: p.read_bytes() for p in (place.folder / "out").iterdir()}

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("neurotile.report.render", fail)
    done = call(monkeypatch, capsys, *arguments)
    assert done.code == 2 and "No space left on device" in done.err
    assert len(done.err.splitlines()) == 1
    assert {p.name: p.read_bytes() for p in (place.folder / "out").iterdir()} == before
    assert sorted(p.name for p in place.folder.iterdir()) == ["out", "small.nir", "spikes.npz"]


# --- other commands, and the real process --------------------------------------------------------


def test_compare_of_what_is_no_run(refused, place):
    refused(command=["compare", place.folder, place.folder], says="no run directory")
    refused(command=["compare", place.folder / "gone", place.folder], says="no such directory")


def test_info_of_a_missing_file(refused, place):
    refused(command=["info", place.folder / "gone.nir"], says="no such file")


def test_rtl_into_a_foreign_directory(refused, place):
    (place.folder / "out").mkdir()
    (place.folder / "out" / "thesis.tex").write_text("x")
    refused(command=["rtl", "--out", place.folder / "out"], says="holds other files")
    for text in ("{}", '{"made_by": "me"}', '{"bits": {"ff": 1}, "sites": []}', "[" * 100_000):
        (place.folder / "out" / "inventory.json").write_text(text)
        refused(command=["rtl", "--out", place.folder / "out"], says="holds other files")
    (place.folder / "out").rename(place.folder / "rtl")
    refused(command=["demo", "--out", place.folder], says="holds other files")


def test_rtl_into_an_export_with_other_files(refused, place):
    out = place.folder / "out"
    export_dir(preset("test_one_lane"), out)
    for name in ("tile_tb", "tile_tb.vcd"):  # from the commands that it tells
        (out / name).touch()
    check_folder(out, EXPORT)
    (out / "synthesis.tcl").touch()
    refused(command=["rtl", "--out", out], says="synthesis.tcl is not from `neurotile rtl`")


def test_rtl_with_options_of_a_network_that_is_not_there(refused, place):
    refused(command=["rtl", "--weight-bits", "4", "--out", place.folder / "out"],
            says="need a MODEL.nir")


def test_bench_of_something_else(refused, place):
    refused(command=["bench", place.folder / "gone.npz"], says="no such file")
    refused(command=["bench", place.spikes], says="not a workload")


def test_unknown_option_exits_with_2(monkeypatch, capsys, place):
    done = call(monkeypatch, capsys, "run", place.model, "--speed", "3")
    assert done.code == 2 and "No such option: --speed" in done.err


def test_as_a_process(place):
    done = subprocess.run(
        [sys.executable, "-m", "neurotile.cli", "run", "gone.nir", "--input", str(place.spikes),
         "--out", str(place.folder / "out")], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "neurotile: gone.nir: there is no such file\n"
