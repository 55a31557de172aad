# SPDX-License-Identifier: Apache-2.0
"""Engine rtl: harness time, pausing, time-outs, host access, build and cache."""

import dataclasses
import threading
import time

import numpy as np
import pytest

from neurotile.hw.engine import TimedOut, build, run_tile, step_limit
from neurotile.hw.engine.engine import load_requests
from neurotile.hw.engine.row_writes import whole_row_writes
from neurotile.hw.engine.simulation import Simulation, reads
from neurotile.hw.export import tile_verilog
from neurotile.spec import TEST_PRESETS, TileEvents, UserError, preset
from neurotile.spec.formats import axon_word, memories
from neurotile.testbenches.equality import tile_differences
from neurotile.testbenches.strategies import RawCase, Seeded, random_raw_case

NO_EVENTS = np.zeros(0, np.int32)


def run_raw(case: RawCase, recorded):
    return run_tile(case.config, case.contents, case.groups, case.length, case.events, recorded)


def empty(config):
    return {m.name: np.zeros((m.rows, m.lanes), np.uint64) for m in memories(config)}


def silent(runs, steps):
    return TileEvents(runs, steps, np.zeros(runs * steps + 1, np.int64), NO_EVENTS)


@pytest.mark.parametrize("name", sorted(TEST_PRESETS))
def test_pausing_costs_no_cycles(name):
    spikes, full = 0, False
    for seed in range(8):
        case = random_raw_case(Seeded(seed), TEST_PRESETS[name])
        flowing = run_raw(case, ())
        paused = run_raw(case, range(0, case.config.neurons, 3))
        assert paused.membrane.shape[2] > 0
        paused = dataclasses.replace(paused, membrane=flowing.membrane)
        assert not tile_differences(flowing, paused), f"seed {seed}"
        spikes += flowing.spike_run.size
        full |= bool((flowing.counters["queue_high_water"] == case.config.queue_depth).any())
    assert spikes
    # With a full queue at the boundary, `ready` does not show the first cycle of a step.
    assert full or name != "test_wide_lanes"


def test_cycle_0_is_the_first_of_integrate():
    # docs/semantics.md, section 6: END_OF_STEP is accepted in cycle p, the barrier fires in p + 1,
    # the next step starts G + c_u cycles after that.
    config = preset("test_all")
    found = run_tile(config, empty(config), 3, 0, silent(2, 4))
    period = 1 + 3 + config.update_cycles
    assert found.barrier.tolist() == 2 * [[1 + k * period for k in range(4)]]
    assert found.counters["updates"].tolist() == [12, 12]


def test_an_endless_axon_times_out():
    config = preset("test_all")
    contents = empty(config)
    events = TileEvents(2, 3, np.array([0, 0, 0, 0, 0, 1, 1]), np.array([5], np.int32))
    with pytest.raises(TimedOut, match="time-out: step 1 of run 1") as caught:
        run_tile(config, contents, 1, 0, events)
    assert (caught.value.run, caught.value.step) == (1, 1)
    contents["axon"][5] = axon_word(config).pack({"row": 0, "group": 0, "count": 0, "last": 1})
    run_tile(config, contents, 1, 0, events)


def test_the_limit_holds_for_the_longest_chain():
    # One segment of all is the last, every event passes all of them, and groups repeat at once.
    config = preset("test_one_lane")
    contents = empty(config)
    word = axon_word(config)
    contents["axon"][:] = word.pack({"row": 0, "group": 3, "count": 0, "last": 0})
    contents["axon"][7] = word.pack({"row": 0, "group": 3, "count": 0, "last": 1})
    axons = np.arange(config.axons, dtype=np.int32)
    events = TileEvents(1, 1, np.array([0, axons.size]), axons)
    found = run_tile(config, contents, config.groups, 0, events)
    limit = step_limit(config, contents["axon"], events)
    assert limit / 8 < found.barrier[0, 0] < limit


def test_memories_read_back_as_written():
    for config in TEST_PRESETS.values():
        rng = np.random.default_rng(1)
        contents = {m.name: rng.integers(0, 1 << m.word.width, (m.rows, m.lanes), np.uint64)
                    for m in memories(config)}
        with Simulation(config) as tile:
            tile.host(load_requests(config, contents, groups=1, length=0))
            for memory in memories(config):
                words = tile.host(reads(memory.id, np.arange(memory.rows * memory.lanes)))
                expected = contents[memory.name].reshape(-1).astype(np.int64)
                field = memory.word.fields[0]
                if field.signed:
                    expected = np.where(expected >> field.width - 1, expected - (1 << field.width),
                                        expected)
                assert np.array_equal(words.view(np.int32), expected.astype(np.int32)), memory.name


def test_progress_is_reported_and_can_stop_a_run():
    config = preset("test_all")
    events, seen = silent(400, 200), []
    run_tile(config, empty(config), 8, 0, events, progress=lambda *now: seen.append(now))
    total = 400 * 200
    assert seen[-1] == (total, total) and 0 < seen[0][0] < total and seen == sorted(seen)

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_tile(config, empty(config), 8, 0, events, progress=stop)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"groups": 9}, r"groups must be in 1\.\.8, not 9"),
        ({"contents": {"axon": np.zeros((64, 1), np.uint64)}}, r"memory 'synapse' must have shape"),
        ({"events": TileEvents(1, 1, np.array([0, 1]), np.array([64], np.int32))},
         r"axons must be in 0\.\.63"),
    ],
)
def test_wrong_arguments_are_refused(change, says):
    config = preset("test_all")
    given = {"contents": empty(config), "groups": 1, "length": 0, "events": silent(1, 1), **change}
    with pytest.raises(UserError, match=says):
        run_tile(config, **given)


def test_a_missing_compiler_is_named(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(UserError, match=r"no-such-compiler.*apt-get install g\+\+"):
        build.library_of(preset("test_all"))
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install '\.\[rtl\]' in the clone"):
        build.library_of(preset("test_all"))


def test_the_cache_must_be_writable(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("NEUROTILE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(UserError, match="set NEUROTILE_CACHE"):
        build.library_of(preset("test_all"))


def test_the_same_text_is_built_once(monkeypatch, tmp_path):
    monkeypatch.setenv("NEUROTILE_CACHE", str(tmp_path))
    built = []

    def compiled(scratch, sources, options, defines):
        time.sleep(0.1)
        built.append(sources["tile.v"])
        (scratch / "tile.so").touch()

    monkeypatch.setattr(build, "_compile", compiled)
    config, found = preset("test_all"), []
    threads = [threading.Thread(target=lambda: found.append(build.build_library(config, "one")))
               for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert built == ["one"] and len(set(found)) == 1 and found[0].exists()
    assert build.build_library(config, "two") != found[0]
    assert build.build_library(config, "one", control="public") != found[0]
    assert built == ["one", "two", "one"]


def test_a_failed_build_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("NEUROTILE_CACHE", str(tmp_path))
    with pytest.raises(RuntimeError, match="Verilator failed"):
        build.build_library(preset("test_all"), "module tile(; endmodule")
    assert [p for p in tmp_path.rglob("*") if p.is_file() and p.suffix != ".lock"] == []


LANE_WRITES = """\
  reg [5:0] \\a.b  [3:0];
  always @(posedge clk) begin
    if (en[0])
      \\a.b [row][2:0] <= data[2:0];
    if (\\en$1 [1])
      \\a.b [row][5:3] <= \\data$1 [5:3];
  end
"""
ROW_WRITE = """\
  reg [5:0] \\a.b  [3:0];
  always @(posedge clk)
    if ((en[0]) || (\\en$1 [1]))
      \\a.b [row] <= {(\\en$1 [1]) ? \\data$1 [5:3] : \\a.b [row][5:3], \
(en[0]) ? data[2:0] : \\a.b [row][2:0]};
"""


def test_the_lanes_of_a_memory_are_written_at_once():
    assert whole_row_writes(LANE_WRITES) == ROW_WRITE
    for change in (("[5:0]", "[6:0]"), ("[5:3] <=", "[5:4] <="), ("[row][5:3]", "[1][5:3]"),
                   ("\\a.b [row][2:0]", "c[row][2:0]"), ("[2:0] <=", "[0] <=")):
        other = LANE_WRITES.replace(*change)
        assert other != LANE_WRITES and whole_row_writes(other) == other


def test_the_engine_does_what_the_exported_text_does(monkeypatch):
    config = preset("test_all")
    text = tile_verilog(config)
    lane_write = "if (write__en[3])\n"
    assert text.count(lane_write) >= 8 and lane_write not in whole_row_writes(text)
    usual = build.build_library(config, text)
    monkeypatch.setattr(build, "whole_row_writes", lambda verilog: verilog)
    plain = build.build_library(config, text)
    assert plain != usual
    for seed in range(8):
        case = random_raw_case(Seeded(seed), config)
        arguments = (config, case.contents, case.groups, case.length, case.events)
        assert not tile_differences(run_tile(*arguments, library=usual),
                                    run_tile(*arguments, library=plain)), f"seed {seed}"
