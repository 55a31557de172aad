# SPDX-License-Identifier: Apache-2.0
"""The command line: what it writes, what it prints, and how it refuses."""

import functools
import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest

from neurotile import bench, pipeline
from neurotile.spec import PRESETS, TEST_PRESETS, TileConfig
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


@pytest.fixture
def place(tmp_path):
    return make_workplace(tmp_path)


@pytest.fixture
def cli(monkeypatch, capsys):
    return lambda *arguments: call(monkeypatch, capsys, *arguments)


def run(cli, place, *more, engine="golden", out="out", report=False):
    return cli("run", place.model, "--input", place.spikes, "--engine", engine,
               *([] if report else ["--no-report"]), *more, "--out", place.folder / out)


def arrays(path):
    with np.load(path, allow_pickle=False) as held:
        return {key: held[key] for key in held.files}


# --- what a run writes ---------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["golden", "fast"])
def test_run_writes_what_the_issue_promises(cli, place, engine):
    done = run(cli, place, engine=engine, report=True)
    assert done.code == 0, done.err
    out = place.folder / "out"
    assert {p.name for p in out.iterdir()} == {"run.json", "metrics.json", "report.html",
                                               "trace.npz", "cycles.npz", "memories.npz"}
    trace = arrays(out / "trace.npz")
    assert {k: (v.dtype.str, v.shape) for k, v in trace.items()} == {
        "hidden.lif": ("|u1", (SAMPLES, STEPS, HIDDEN)), "out": ("|u1", (SAMPLES, STEPS, CLASSES))}
    memories = arrays(out / "memories.npz")
    assert memories["hidden.lif.v"].shape == (SAMPLES, HIDDEN)
    assert memories["input->hidden.lif.w"].shape == (HIDDEN, INPUTS)
    assert memories["digest"].shape == (SAMPLES,) and memories["digest"].dtype == np.dtype("U64")
    metrics = json.loads((out / "metrics.json").read_text())
    assert set(metrics) >= {"accuracy", "steps", "cycles", "syn_events", "spikes", "engine",
                            "digest"}
    assert metrics["steps"] == SAMPLES * STEPS and metrics["engine"] == engine
    assert metrics["spikes"] == sum(int(v.sum()) for v in trace.values())
    cycles = arrays(out / "cycles.npz")
    if engine == "golden":
        assert metrics["cycles"] is None and cycles == {}
    else:
        assert metrics["cycles"] == (cycles["barrier"][:, -1] + 1).sum()
        assert cycles["counter.spikes"].shape == (SAMPLES,)


def test_engines_give_the_same_digest(cli, place):
    found = set()
    for engine in ("golden", "fast"):
        assert run(cli, place, engine=engine, out=engine).code == 0
        found.add(json.loads((place.folder / engine / "metrics.json").read_text())["digest"])
    assert len(found) == 1
    done = cli("compare", place.folder / "golden", place.folder / "fast")
    assert done.code == 0 and "equal         spikes: hidden.lif, out" in done.out


def test_rtl_and_fast_agree_in_everything(cli, place):
    tile = place.folder / "tile.toml"
    tile.write_text(TEST_PRESETS["test_all"].to_toml())
    for engine in ("fast", "rtl"):
        done = run(cli, place, "--config", tile, "--record", "hidden.lif", engine=engine,
                   out=engine)
        assert done.code == 0, done.err
    done = cli("compare", place.folder / "fast", place.folder / "rtl")
    assert done.code == 0 and "not compared" not in done.out
    for part in ("potentials: hidden.lif.v", "step cycles", "spike cycles", "counters: drops"):
        assert f"equal         {part}" in done.out


def test_accuracy_is_the_share_of_most_spikes(cli, place):
    run(cli, place)
    out = arrays(place.folder / "out" / "trace.npz")["out"]
    answer = [int(np.flatnonzero(n == n.max())[0]) for n in out.sum(axis=1, dtype=int)]
    labels = arrays(place.spikes)["labels"]
    metrics = json.loads((place.folder / "out" / "metrics.json").read_text())
    assert metrics["accuracy"] == np.mean(answer == labels)
    assert np.array(metrics["confusion"]).sum() == SAMPLES


def test_synaptic_events_are_spikes_times_synapses(cli, place):
    run(cli, place)
    trace = arrays(place.folder / "out" / "trace.npz")
    memories = arrays(place.folder / "out" / "memories.npz")
    spikes = arrays(place.spikes)["spikes"]
    fan = {k: (memories[k] != 0).sum(axis=0) for k in memories if k.endswith(".w")}
    expected = (spikes.sum(axis=(0, 1)) @ fan["input->hidden.lif.w"]
                + trace["hidden.lif"].sum(axis=(0, 1)) @ fan["hidden.lif->out.w"])
    metrics = json.loads((place.folder / "out" / "metrics.json").read_text())
    assert metrics["syn_events"] == expected


def test_readout_is_written_as_potentials(cli, tmp_path):
    place = make_workplace(tmp_path, small_graph(readout=True))
    assert run(cli, place).code == 0
    trace = arrays(tmp_path / "out" / "trace.npz")
    assert set(trace) == {"hidden.lif", "out.v"}
    assert trace["out.v"].shape == (SAMPLES, STEPS, CLASSES)
    assert trace["out.v"].dtype == arrays(tmp_path / "out" / "memories.npz")["out.v"].dtype == "i4"
    answer = trace["out.v"].sum(axis=1).argmax(axis=1)
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["accuracy"] == np.mean(answer == arrays(place.spikes)["labels"])


def test_two_dimensional_input_without_labels(cli, place):
    write_spikes(place.spikes, np.ones((STEPS, INPUTS)))
    assert run(cli, place).code == 0
    metrics = json.loads((place.folder / "out" / "metrics.json").read_text())
    assert "accuracy" not in metrics and metrics["samples"] == 1


def test_options_reach_the_run(cli, place):
    done = run(cli, place, "--weight-bits", 5, "--state-bits", 20, "--samples", 2, "--keep-state",
               "--reset", "subtract", "--reset", "out=zero", "--dt", 0.002,
               "--record", "hidden.lif:0,4-6", "--preset", "wide")
    assert done.code == 0, done.err
    values = json.loads((place.folder / "out" / "run.json").read_text())
    assert (values["weight_bits"], values["state_bits"]) == (5, 20)
    assert (values["samples"], values["keep_state"], values["dt"]) == (2, True, 0.002)
    assert values["record"]["hidden.lif"] == [0, 4, 5, 6]
    assert [p["reset"] for p in values["populations"]] == ["subtract", "zero"]
    config = values["config"]
    assert (config["name"], config["weight_bits"], config["state_bits"]) == ("wide", 8, 20)
    assert "preset wide with state_bits 20" in done.out


def test_narrow_weights_are_stored_in_the_next_width(cli, place):
    done = run(cli, place, "--preset", "default", "--weight-bits", 3)
    assert "preset default with weight_bits 4" in done.out
    done = run(cli, place, "--preset", "default", "--weight-bits", 16)
    assert "weight_bits 16, acc_bits 28" in done.out


def test_config_file_is_the_tile(cli, place):
    path = place.folder / "tile.toml"
    path.write_text(PRESETS["default"].replace(name="mine", lanes=4).to_toml())
    assert run(cli, place, "--config", path, engine="fast").code == 0
    values = json.loads((place.folder / "out" / "run.json").read_text())
    assert values["config"] == TileConfig.from_toml(path).to_dict()


def test_smallest_preset_is_chosen_and_printed(cli, place):
    assert "preset default (the smallest that fits)" in run(cli, place).out


def test_golden_runs_what_fits_no_tile(cli, tmp_path):
    place = make_workplace(tmp_path, small_graph(**big_layer(600)))
    done = run(cli, place, report=True)
    assert done.code == 0 and "not mapped" in done.out


def test_first_numbers_come_before_the_end(cli, place):
    rng = np.random.default_rng(0)
    write_spikes(place.spikes, rng.integers(0, 2, (40, STEPS, INPUTS)),
                 labels=rng.integers(0, CLASSES, 40))
    done = run(cli, place)
    assert done.out.index("32 of 40 samples: accuracy") < done.out.index("40 samples, 320 steps")
    # Portions change nothing.
    whole = pipeline.run(pipeline.load(place.model), arrays(place.spikes)["spikes"],
                         labels=arrays(place.spikes)["labels"], engine="golden")
    metrics = json.loads((place.folder / "out" / "metrics.json").read_text())
    assert metrics["digest"] == whole.metrics["digest"]


def test_portions_of_the_fast_engine_change_nothing(place):
    spikes = np.random.default_rng(0).integers(0, 2, (70, STEPS, INPUTS))
    made = pipeline.build(place.model)
    whole = pipeline.run(made, spikes)
    parts = pipeline.run(made, spikes, progress=lambda done, trace: None)
    assert parts.metrics | {"seconds": 0} == whole.metrics | {"seconds": 0}
    for key in ("barrier", "spike_run", "spike_step", "spike_neuron", "spike_cycle", "membrane"):
        assert np.array_equal(getattr(parts.trace.tile, key), getattr(whole.trace.tile, key))


def test_lost_spikes_are_written_and_make_the_exit_code_1(cli, tmp_path):
    # Every hidden neuron fires in every step: 10 spikes meet a queue of 2.
    place = make_workplace(tmp_path)
    write_spikes(place.spikes, np.ones((2, STEPS, INPUTS)))
    config = tmp_path / "tile.toml"
    config.write_text(PRESETS["default"].replace(name="tight", queue_depth=2).to_toml())
    done = run(cli, place, "--config", config, engine="fast", report=True)
    assert done.code == 1
    assert "met a full event queue" in done.err and len(done.err.splitlines()) == 1
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["counters"]["drops"] > 0
    assert (tmp_path / "out" / "report.html").exists()


# --- compare, info, presets, help ----------------------------------------------------------------


def test_compare_shows_the_first_difference_and_exits_with_1(cli, place):
    for out, bits in (("a", 8), ("b", 8)):
        run(cli, place, "--weight-bits", bits, out=out)
    path = place.folder / "b" / "trace.npz"
    held = arrays(path)
    held["out"][2, 3, 1] ^= 1
    np.savez(path, **held)
    done = cli("compare", place.folder / "a", place.folder / "b")
    assert done.code == 1 and "node out, sample 2, step 3, neuron 1" in done.out


def test_info_says_what_it_contains_needs_and_whether_it_fits(cli, place):
    done = cli("info", place.model)
    assert done.code == 0
    for part in ("hidden.lif", "Affine", "6 inputs, 13 neurons", "yes, preset default", "13 of"):
        assert part in done.out, part


def test_info_says_what_the_step_and_the_reset_rules_are(cli, place, tmp_path):
    assert "\nstep      1 ms\n" in cli("info", place.model).out
    assert "\nstep      1 ms (--dt)\n" in cli("info", place.model, "--dt", "0.001").out
    given = cli("info", place.model, "--dt", "0.002", "--reset", "zero").out
    assert "\nstep      2 ms (--dt; the file says 1 ms)\n" in given
    assert "\nreset  " not in given and "reset rule" not in given
    bare = small_graph()
    bare.metadata.clear()
    path = make_workplace(tmp_path, bare).model
    assert "\nstep      not in the file\n" in cli("info", path).out
    some = cli("info", path, "--dt", "0.001", "--reset", "out=zero").out
    assert "\nstep      1 ms (--dt)\n" in some
    assert "\nreset     not in the file for hidden.lif: " in some
    assert "the file does not give the reset rule of hidden.lif: taken as zero" in some


def test_info_of_a_network_that_fits_nothing(cli, tmp_path):
    place = make_workplace(tmp_path, small_graph(**big_layer(600)))
    done = cli("info", place.model)
    assert done.code == 0 and "fits      no: " in done.out


def test_presets_are_listed_and_printed_as_toml(cli, tmp_path):
    done = cli("presets")
    assert all(name in done.out for name in PRESETS)
    path = tmp_path / "tile.toml"
    path.write_text(cli("presets", "--toml", "wide").out)
    assert TileConfig.from_toml(path) == PRESETS["wide"]


@pytest.mark.parametrize("command", ["run", "compare", "rtl", "info", "bench", "presets", "demo",
                                     "odin-replay", "learn"])
def test_every_command_has_help_with_an_example(cli, command):
    done = cli(command, "--help")
    assert done.code == 0 and f"Example\n    neurotile {command}" in done.out


def test_help_loads_nothing_heavy():
    code = ("import sys, neurotile.cli as c\nsys.argv = ['neurotile', '--help']\n"
            "try: c.main()\nexcept SystemExit: pass\n"
            "print({'numba', 'amaranth', 'matplotlib', 'nir', 'h5py'} & set(sys.modules))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.endswith("set()\n"), done.stdout + done.stderr


def big_layer(size):
    import nir

    from neurotile.testbenches.nir_cases import lif
    rng = np.random.default_rng(0)
    return {"fc1": nir.Affine(weight=rng.normal(0, 1, (size, INPUTS)), bias=np.zeros(size)),
            "hidden.lif": lif(size),
            "fc2": nir.Linear(weight=rng.normal(0, 1, (CLASSES, size)))}


# --- rtl, bench, demo ----------------------------------------------------------------------------


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_rtl_writes_the_tile_and_the_same_bytes_again(cli, place):
    tile = place.folder / "tile.toml"
    tile.write_text(TEST_PRESETS["test_all"].to_toml())
    for out in ("one", "two"):
        done = cli("rtl", place.model, "--config", tile, "--out", place.folder / out)
        assert done.code == 0, done.err
    one = files(place.folder / "one")
    assert one == files(place.folder / "two")
    assert {"tile.v", "tile_tb.v", "inventory.json", "memory/synapse.hex"} <= set(one)
    for name in ("tile.v", "tile_tb.v", "inventory.json"):
        assert f"{place.folder / 'two' / name}\n" in done.out


def test_rtl_of_a_tile_that_counts_few_steps(cli, place):
    tile = place.folder / "tile.toml"
    tile.write_text(TEST_PRESETS["test_all"].replace(step_bits=4, offset_bits=3).to_toml())
    done = cli("rtl", place.model, "--config", tile, "--out", place.folder / "rtl")
    assert done.code == 0, done.err
    program = pipeline.build(place.model, config=TileConfig.from_toml(tile)).program
    barriers = (place.folder / "rtl" / "vectors" / "barrier.hex").read_text().split()
    assert program is not None and program.drain > 0
    assert len(barriers) - 1 == 2 * 15  # one word more, two samples


def test_rtl_of_a_tile_in_event_mode(cli, tmp_path):
    (tmp_path / "tile.toml").write_text(cli("presets", "--toml", "test_event").out)
    for arguments in (("--preset", "test_event"), ("--config", tmp_path / "tile.toml")):
        done = cli("rtl", *arguments, "--out", tmp_path / "rtl")
        assert done.code == 0 and "tile      test_event" in done.out
        assert " idle;" in (tmp_path / "rtl" / "tile.v").read_text()


def test_rtl_without_a_network(cli, tmp_path):
    done = cli("rtl", "--preset", "test_one_lane", "--out", tmp_path / "rtl")
    assert done.code == 0 and "tile      test_one_lane" in done.out
    assert "module tile" in (tmp_path / "rtl" / "tile.v").read_text()
    assert not (tmp_path / "rtl" / "memory").exists()


def test_bench_prints_one_line_of_json(cli, tmp_path, monkeypatch):
    made = functools.partial(bench.bench, runs=2, cpu_seconds=0.0)
    monkeypatch.setattr("neurotile.commands.bench.bench", made)
    done = cli("bench", workload(tmp_path / "work.npz"), "--json")
    line, = done.out.splitlines()
    found = json.loads(line)
    assert set(found) >= {"syn_events", "seconds", "cpu_seconds", "syn_events_per_cpu_s", "steps",
                          "cycles", "golden_match", "peak_rss_mb"}
    assert done.code == 0 and found["golden_match"] is True
    done = cli("bench", workload(tmp_path / "work.npz"))
    assert "equal to the golden raster" in done.out


def test_bench_of_wrong_spikes_exits_with_1(cli, tmp_path, monkeypatch):
    made = functools.partial(bench.bench, runs=2, cpu_seconds=0.0)
    monkeypatch.setattr("neurotile.commands.bench.bench", made)
    done = cli("bench", workload(tmp_path / "work.npz", golden_sha256="0" * 64))
    assert done.code == 1 and "DIFFERENT" in done.out


def workload(path, **changes):
    """Two lines into two neurons that are connected in a ring; worked out by hand.

    Line 0 spikes in steps 0 and 2. Neuron 0 fires in step 0 (5 - 1 >= 4), so neuron 1 in step 1
    (6 - 1 >= 4), which holds neuron 0 back in step 2 (5 - 2 - 1 < 4).
    """
    raster = np.array([[1, 0], [0, 1], [0, 0]], np.uint8)
    bench.save_workload(path, {
        "name": "ring", "n_in": 2, "n": 2, "T": 3, "leak": 1, "threshold": 4,
        "in_step": np.array([0, 2]), "in_line": np.array([0, 0]), "in_pre": np.array([0]),
        "in_post": np.array([0]), "in_w": np.array([5]), "pre": np.array([0, 1]),
        "post": np.array([1, 0]), "w": np.array([6, -2]), "group": np.zeros(2, int),
        "golden_sha256": hashlib.sha256(raster.tobytes()).hexdigest(), "n_syn_events": 4,
        **changes})
    return path


def test_demo_does_it_all(cli, tmp_path):
    done = cli("demo", "--out", tmp_path / "demo")
    assert done.code == 0, done.err
    report = tmp_path / "demo" / "run" / "report.html"
    assert done.out.splitlines()[-1] == f"report    {report}" and report.exists()
    assert (tmp_path / "demo" / "rtl" / "tile.v").exists()
    metrics = json.loads((tmp_path / "demo" / "run" / "metrics.json").read_text())
    assert metrics["accuracy"] >= 0.95 and metrics["counters"]["drops"] == 0
    assert cli("demo", "--out", tmp_path / "demo").code == 0


# --- Ctrl-C --------------------------------------------------------------------------------------


def test_interrupt_exits_with_130_and_leaves_nothing(cli, place, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("neurotile.save.write_npz", stop)
    done = run(cli, place)
    assert done.code == 130
    assert sorted(p.name for p in place.folder.iterdir()) == ["small.nir", "spikes.npz"]
