# SPDX-License-Identifier: Apache-2.0
"""Recorded runs of ODIN replayed: equal where they are right, located where something is wrong."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from neurotile.odin_example import example_trace
from neurotile.odin_replay import engine_run, replay
from neurotile.odin_trace import OdinTrace, load_trace
from neurotile.spec import UserError
from neurotile.testbenches.cli_cases import call

TRACES = Path(os.environ.get("NEUROTILE_SHARED", Path(__file__).resolve().parents[1].parent
                             / "shared")) / "data" / "odin_traces"
NEEDS_TRACES = pytest.mark.skipif(not TRACES.exists(), reason=f"{TRACES} is not there")
SHORT = ["p03_spike_mapped", "p04_spike_prop_unmapped", "p05_spike_upd_unmapped", "p07_bistability",
         "p11_inhibitory", "p12_closed_loop", "p13_fifo_overflow", "p15_edge_params",
         "p16_fifo_overflow_out", "p06_tref_leak"]
MANY_EVENTS = ["p01_syn_events", "p02_syn_events_unmapped", "p08_virtual", "p09_sdsp_long",
               "p10_sdsp_long_upd"]
# Cycles of an event without spikes: docs/event_mode.md, section 5, with G = 32 and c_p = 5.
CYCLES = {"SPIKE": 38, "VIRTUAL": 7, "LEAK": 7, "SYNAPSE": 6, "TIME_ONE": 6, "TIME_ALL": 37,
          "BISTABILITY_ROW": 37, "BISTABILITY_ALL": 8197}
ODIN_CYCLES = {"SPIKE": 513, "VIRTUAL": 3, "LEAK": 3, "SYNAPSE": 2, "TIME_ONE": 2, "TIME_ALL": 512,
               "BISTABILITY_ROW": 64, "BISTABILITY_ALL": 16384}


@pytest.fixture
def cli(monkeypatch, capsys):
    return lambda *arguments: call(monkeypatch, capsys, "odin-replay", *arguments)


@pytest.fixture(scope="module")
def example():
    """Members of a trace of our own; tests change copies."""
    return example_trace()


def write(path, arrays, **changes):
    """Trace file in which some members are changed, or with None left out."""
    held = {k: v for k, v in {**arrays, **changes}.items() if v is not None}
    np.savez(path, **held)
    return path


def meta(arrays, **changes):
    """Member `meta` with changes; None leaves one out."""
    held = {**json.loads(str(arrays["meta"])), **changes}
    return np.array(json.dumps({k: v for k, v in held.items() if v is not None}))


# --- all recorded runs ---------------------------------------------------------------------------


def check(name, engine):
    trace = load_trace(TRACES / f"{name}.npz")
    found = replay(trace, engine=engine)
    assert found.checks.first_difference() is None
    arrays, n = trace.arrays, len(trace.events.words)
    expected = {"spikes": len(arrays["spk_ev"]), "flags": n, "dumps": 3 * len(arrays["dump_ev"]),
                "neuron checksums": n, "synapse checksums": n, "flag checksums": n}
    if "nd_ev" in arrays:
        expected["changed neuron words"] = len(arrays["nd_ev"])
        expected["changed synapse words"] = len(arrays["sd_ev"])
    assert {k: (t.checked, t.mismatches) for k, t in found.checks.tallies.items()} == {
        k: (count, 0) for k, count in expected.items()}
    for kind, cycles in found.cycles_by_kind().items():
        assert cycles == (CYCLES[kind], ODIN_CYCLES[kind]), kind
    assert (found.cycles is None) == (engine == "golden")
    return found


@NEEDS_TRACES
@pytest.mark.parametrize("name", SHORT + MANY_EVENTS)
@pytest.mark.parametrize("engine", ["golden", "fast"])
def test_recorded_run(name, engine):
    check(name, engine)


@NEEDS_TRACES
@pytest.mark.parametrize("name", [
    *SHORT, *(pytest.param(name, marks=pytest.mark.long) for name in MANY_EVENTS)])
def test_recorded_run_on_rtl_takes_the_cycles_of_fast(name):
    found = check(name, "rtl")
    ours, theirs = found.found, engine_run("fast")(found.trace.program, found.trace.events)
    assert ours is not None and (ours.end, ours.counters) == (theirs.end, theirs.counters)
    for part in ("accepted", "spike_event", "spike_neuron", "spike_cycle"):
        np.testing.assert_array_equal(getattr(ours, part), getattr(theirs, part), part)
    for memory in ("synapse", "state"):
        np.testing.assert_array_equal(ours.memories[memory], theirs.memories[memory], memory)


@NEEDS_TRACES
def test_dropped_spikes_are_counted():
    found = {engine: check("p13_fifo_overflow", engine).to_dict() for engine in ("golden", "fast")}
    for part in found.values():
        # Each of the 60 events and 1,229 of its 6,440 spikes were executed.
        assert part["drops"] == 5211 and part["synaptic_operations"] == 1289 * 256


@NEEDS_TRACES
def test_izhikevich_neurons_are_refused(cli):
    done = cli(TRACES / "p14_izh.npz")
    assert done.code == 2 and "p14_izh: not supported: 256 of 256 neurons" in done.err
    assert len(done.err.splitlines()) == 1 and done.out == ""
    done = cli(TRACES / "p13_fifo_overflow.npz", TRACES / "p14_izh.npz")
    assert done.code == 2 and "not supported" in done.err
    assert "1 trace replayed, 0 with mismatches, 1 refused" in done.out


@NEEDS_TRACES
@pytest.mark.parametrize("engine", ["golden", "fast"])
def test_synapses_of_izhikevich_neurons(cli, engine):
    done = cli(TRACES / "p14_izh.npz", "--synapses-only", "--engine", engine, "--json")
    found = json.loads(done.out)
    assert done.code == 0 and found["mismatches"] == 0 and found["synapses_only"]
    assert found["checks"]["changed synapse words"]["checked"] == 4208
    assert found["checks"]["synapse checksums"]["checked"] == 300


# --- the command ---------------------------------------------------------------------------------


def test_example_is_equal_and_told(cli):
    done = cli("--example", "--engine", "golden")
    assert done.code == 0 and done.err == ""
    for part in ("example: 120 events", "62,233 synaptic operations, 200 output spikes, 6 spikes",
                 "120 synapse checksums", "0 mismatches"):
        assert part in done.out, part
    done = cli("--example", "--json", "--speed")
    found = json.loads(done.out)
    assert done.code == 0 and found["mismatches"] == 0 and found["engine"] == "fast"
    assert found["cycles"] > 0 and found["cycles_by_kind"]["SPIKE"]["tile"] == 38
    assert found["synaptic_operations_per_cpu_s"] > 0


def test_example_has_every_kind_of_event(example):
    trace = OdinTrace.from_arrays(example, where="example")
    assert len(replay(trace, engine="golden").kinds) == 8


def test_open_loop_synapses_only(example):
    trace = OdinTrace.from_arrays(example_trace(3, open_loop=1, update_unmapped=1), where="x")
    found = replay(trace, engine="golden", synapses_only=True)
    assert found.checks.mismatches == 0 and found.checks.tallies["synapse checksums"].checked == 120
    wrong = trace.arrays["flags"]
    wrong ^= 0xFF
    assert replay(trace, engine="golden", synapses_only=True).checks.mismatches > 50
    closed = OdinTrace.from_arrays(example, where="x")
    with pytest.raises(UserError, match="--synapses-only needs an open-loop trace"):
        replay(closed, engine="golden", synapses_only=True)


# --- planted mismatches --------------------------------------------------------------------------


def planted(example, key, index, change):
    array = example[key].copy()
    array[index] = change(array[index])
    return {**example, key: array}


@pytest.mark.parametrize(("key", "index", "change", "sort", "says"), [
    ("spk_addr", 30, lambda x: x ^ 1, "spikes", ", expected neuron "),
    ("crc", (50, 0), lambda x: x ^ 4, "neuron checksums", ", expected 0x"),
    ("crc", (50, 1), lambda x: x ^ 4, "synapse checksums", ", expected 0x"),
    ("crc", (50, 2), lambda x: x ^ 4, "flag checksums", ", expected 0x"),
    ("flags", (60, 5), lambda x: x ^ 2, "flags", "flags: neuron 41: up "),
    ("flags", (60, 37), lambda x: x ^ 2, "flags", "flags: neuron 41: down "),
    ("nd_hi", 500, lambda x: x ^ np.uint64(1 << 6), "changed neuron words", ": v "),
    ("nd_hi", 500, lambda x: x ^ np.uint64(1 << 30), "changed neuron words", "do not change"),
    ("sd_val", 500, lambda x: x ^ 8 << 12, "changed synapse words", "mapped "),
    ("dump_neur", (0, 9, 1), lambda x: x ^ np.uint64(1 << 14), "dumps", "neuron 9: calcium "),
    ("dump_neur", (0, 9, 0), lambda x: x ^ np.uint64(2), "dumps", "neuron memory: neuron 9: bits"),
    ("dump_syn", (0, 33), lambda x: x ^ 1 << 4, "dumps", "word 33, synapse 1 to 9: weight "),
    ("dump_flags", (0, 0), lambda x: x ^ 1, "dumps", "flags: neuron 0: up ")])
def test_a_planted_difference_is_located(cli, example, tmp_path, key, index, change, sort, says):
    arrays = planted(example, key, index, change)
    event = {"spikes": arrays["spk_ev"][30], "changed neuron words": arrays["nd_ev"][500],
             "changed synapse words": arrays["sd_ev"][500], "dumps": 119}.get(
                 sort, index if isinstance(index, int) else index[0])
    path = write(tmp_path / "wrong.npz", arrays)
    done = cli(path, "--engine", "golden", "--json")
    found = json.loads(done.out)
    assert done.code == 1 and found["mismatches"] == 1
    assert found["checks"][sort]["mismatches"] == 1
    first = found["first_difference"]
    assert (first["event"], first["what"]) == (event, sort)
    assert any(says in line for line in first["lines"]), first["lines"]
    done = cli(path, "--engine", "golden")
    assert done.code == 1 and f"1 MISMATCHES: 1 {sort}" in done.out
    assert f"{sort}, event {event}: {first['kind']}" in done.out


@pytest.mark.parametrize("add", [False, True])
def test_a_missing_or_additional_spike_shifts_no_other(example, add):
    at = int(np.flatnonzero(np.diff(example["spk_ev"]) > 0)[3])  # the last one of its event
    change = (lambda x: np.insert(x, at, x[at])) if add else (lambda x: np.delete(x, at))
    arrays = {**example, **{k: change(example[k]) for k in ("spk_ev", "spk_addr")}}
    found = replay(OdinTrace.from_arrays(arrays, where="x"), engine="golden")
    assert found.checks.tallies["spikes"].mismatches == found.checks.mismatches == 1
    event, what, lines = found.checks.first_difference() or (-1, "", [])
    assert (event, what) == (example["spk_ev"][at], "spikes")
    assert (": none, expected neuron " if add else ", expected none") in lines[0]


def test_wrong_behaviour_is_found_where_it_begins(example):
    # Another initial weight: the row is first read at some event, and shows at once in the sum.
    arrays = planted(example, "syn0", 40, lambda x: x ^ 1)
    found = replay(OdinTrace.from_arrays(arrays, where="x"), engine="golden")
    assert found.checks.tallies["synapse checksums"].first == 0
    assert found.checks.tallies["synapse checksums"].mismatches == 120
    _, _, lines = found.checks.first_difference() or (-1, "", [])
    assert any("word 40, synapse 1 to 64: weight" in line for line in lines), lines


def test_an_engine_that_hides_events_is_found(example, monkeypatch):
    def forgetful(program, events, *, observe, progress):
        return golden(program, events, progress=progress,
                      observe=lambda k, memories: k == 7 or observe(k, memories))

    golden = engine_run("golden")
    monkeypatch.setattr("neurotile.odin_replay.engine_run", lambda engine: forgetful)
    with pytest.raises(RuntimeError, match="engine golden showed 119 of 120 events"):
        replay(OdinTrace.from_arrays(example, where="x"), engine="golden")


# --- wrong input ---------------------------------------------------------------------------------


def without(key):
    return lambda a: {key: None}


@pytest.mark.parametrize(("change", "says"), [
    (without("meta"), "not an ODIN trace: it has no 'meta'"),
    (without("crc"), "not a complete ODIN trace: it has no 'crc'"),
    (without("nd_hi"), "it has no 'nd_hi'"),
    (lambda a: {"meta": np.array("{")}, "'meta' is not JSON"),
    (lambda a: {"meta": np.array("[" * 5000)}, "'meta' is not JSON"),
    (lambda a: {"meta": np.array("[1]")}, "must be a JSON object, not list"),
    (lambda a: {"meta": np.zeros(3)}, "'meta' must be one string of JSON, not float64 (3,)"),
    (lambda a: {"meta": meta(a, format=2)}, "format 2; this version reads format 1"),
    (lambda a: {"meta": meta(a, format=None)}, "'meta' has no 'format'"),
    (lambda a: {"meta": meta(a, format=True)}, "format True; this version reads format 1"),
    (lambda a: {"meta": meta(a, name=7)}, "'name' in 'meta' must be a text, not 7"),
    (lambda a: {key: a[key][:0] for key in ("dump_ev", "dump_neur", "dump_syn", "dump_flags")},
     "'dump_ev' must end with the last event"),
    (lambda a: {"meta": meta(a, config=None)}, "'meta' has no 'config'"),
    (lambda a: {"meta": meta(a, config=[1])}, "'config' in 'meta' must be a JSON object"),
    (lambda a: {"meta": meta(a, config={})}, "here: no 'open_loop'"),
    (lambda a: {"meta": meta(a, model="AdEx")}, "'model' must be 'LIF' or 'IZH', not 'AdEx'"),
    (lambda a: {"meta": meta(a, n_events=119)}, "meta promises 119 events, the file has 120"),
    (lambda a: {"neur0": a["neur0"][:255]}, "must be uint64 (256, 2); it is uint64 (255, 2)"),
    (lambda a: {"syn0": a["syn0"].astype(np.int64)}, "'syn0' must be uint32 (8192,); it is int64"),
    (lambda a: {"flags": a["flags"][1:]},
     "'flags' must be uint8 (120, 64), as 'events' has 120; it is uint8 (119, 64)"),
    (lambda a: {"spk_addr": a["spk_addr"][1:]},
     "'spk_addr' must be uint8 (200,), as 'spk_ev' has 200; it is uint8 (199,)"),
    (lambda a: {"events": a["events"].reshape(2, 60)}, "'events' must be uint32 (2,)"),
    (lambda a: {"events": np.append(a["events"][1:], 1 << 17).astype(np.uint32)},
     "event 119 has the code 0x20000, which ODIN does not define"),
    (lambda a: {"spk_ev": a["spk_ev"] + np.uint32(200)}, "'spk_ev' must ascend within 0..119"),
    (lambda a: {"sd_ev": a["sd_ev"][::-1]}, "'sd_ev' must ascend"),
    (lambda a: {"sd_addr": a["sd_addr"] | np.uint16(8192)}, "'sd_addr' must be in 0..8191"),
    (lambda a: {"syn_sign": a["syn_sign"] + np.uint8(1)}, "'syn_sign' must hold 0 and 1, not 2"),
    (lambda a: {"neur0": a["neur0"] & ~np.array([1, 0], np.uint64)}, "not supported: 256 of 256")])
def test_a_wrong_trace_is_one_line(cli, example, tmp_path, change, says):
    path = write(tmp_path / "wrong.npz", example, **change(example))
    done = cli(path, "--engine", "golden")
    assert done.code == 2 and done.out == ""
    line, = done.err.splitlines()
    assert line.startswith("neurotile: ") and says in line, line
    assert str(path) in line or "not supported" in line


def test_files_that_are_no_traces(cli, example, tmp_path):
    path = write(tmp_path / "cut.npz", example)
    path.write_bytes(path.read_bytes()[:5000])
    np.save(tmp_path / "array.npy", np.zeros(3))
    (tmp_path / "text.npz").write_text("events")
    for name, says in (("gone.npz", "there is no such file"), ("cut.npz", "not a readable .npz"),
                       ("text.npz", "not a readable .npz"), ("array.npy", "holds a single array"),
                       ("", "is a folder")):
        done = cli(tmp_path / name)
        assert done.code == 2 and done.out == "" and len(done.err.splitlines()) == 1
        assert says in done.err


def test_arguments_that_make_no_sense(cli, example, tmp_path):
    assert "needs a TRACE.npz, or --example" in cli().err
    path = write(tmp_path / "trace.npz", example)
    done = cli(path, "--example")
    assert done.code == 2 and "not both" in done.err
    assert cli(path, "--engine", "odin").code == 2
