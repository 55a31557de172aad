# SPDX-License-Identifier: Apache-2.0
"""Event mode of the fast engine: cycles by hand, and what a loaded tile offers."""

import os
import subprocess
import sys
from functools import partial
from typing import Any

import numba
import numpy as np
import pytest

from neurotile.models.golden import event_engine as golden
from neurotile.sim.event_engine import LoadedEventTile, run
from neurotile.sim.event_tile import advance_events
from neurotile.sim.jit import source_digest
from neurotile.spec import (
    EVENT_PRESETS,
    TEST_EVENT_PRESETS,
    EventConfig,
    EventProgram,
    Events,
    EventTrace,
    Switches,
    UserError,
)
from neurotile.spec.event_formats import (
    EventKind,
    calcium_rule_word,
    event_words,
    neuron_word,
    sdsp_synapse_word,
    state_word,
)
from neurotile.testbenches import bench_events
from neurotile.testbenches.event_equality import event_differences
from neurotile.testbenches.event_strategies import random_event_case
from neurotile.testbenches.strategies import Seeded

ODIN = EVENT_PRESETS["odin"]
TEST = TEST_EVENT_PRESETS["test_event"]
WIDE = TEST_EVENT_PRESETS["test_event_wide"]
(SPIKE, VIRTUAL, LEAK, SYNAPSE, TIME_ONE, TIME_ALL, BISTABILITY_ROW,
 BISTABILITY_ALL) = (int(kind) for kind in EventKind)


def program(config: EventConfig, *, v: Any = 0, weight: Any = 0, mapped: Any = 1,
            threshold: Any = 255, up: Any = 0, down: Any = 0, **switches: bool) -> EventProgram:
    """Neurons without calcium; every value is one or one per neuron, or per synapse (pre, post)."""
    words = {id.name.lower(): shape for id, shape in event_words(config).items()}

    def filled(name: str, **fields: Any) -> np.ndarray:
        word, rows, lanes = words[name]
        values = {field.name: 0 for field in word.fields} | fields
        packed = np.broadcast_to(word.pack(values).ravel(), rows * lanes)
        return packed.reshape(rows, lanes).copy()

    return EventProgram(config, {
        "synapse": filled("synapse", weight=weight, mapped=mapped), "sign": filled("sign"),
        "neuron": filled("neuron", threshold=threshold), "calcium_rule": filled("calcium_rule"),
        "state": filled("state", v=v, up=up, down=down)}, Switches(**switches))


def one(config: EventConfig, neuron: int, value: int, rest: int) -> np.ndarray:
    """``value`` for one neuron, ``rest`` for all others."""
    return np.where(np.arange(config.neurons) == neuron, value, rest)


def cycles(found: Any) -> list[int]:
    """Of an engine that has cycles."""
    return found.tolist()


def trace_of(tile: EventProgram, kinds: list[int], **fields: Any) -> EventTrace:
    return run(tile, Events.make(tile.config, kinds, **fields))


# ---- cycles, each computed by hand from docs/event_mode.md, section 5 ----

@pytest.mark.parametrize(("kind", "cost"), [
    (SPIKE, 1 + 32 + 5), (VIRTUAL, 1 + 1 + 5), (LEAK, 1 + 1 + 5), (SYNAPSE, 1 + 5),
    (TIME_ONE, 1 + 5), (TIME_ALL, 32 + 5), (BISTABILITY_ROW, 32 + 5), (BISTABILITY_ALL, 8192 + 5)])
def test_cycles_of_an_event_without_spikes(kind, cost):
    trace = trace_of(program(ODIN), [kind] * 3)
    assert cycles(trace.accepted) == [0, cost, 2 * cost] and trace.end == 3 * cost


@pytest.mark.parametrize(("neuron", "leaves", "more"), [(0, 6, 0), (247, 36, 0), (255, 37, 1)])
def test_a_spike_costs_a_cycle_only_in_the_last_group(neuron, leaves, more):
    # The pass starts in s = 1; group k is issued in s + 1 + k, its spike is in the FIFO 4 later.
    trace = trace_of(program(ODIN, v=one(ODIN, neuron, 255, 0)), [SPIKE])
    assert trace.spike_neuron.tolist() == [neuron] and cycles(trace.spike_cycle) == [leaves]
    assert trace.end == 38 + more


def test_spikes_of_all_neurons_leave_one_per_cycle_and_wait_for_credits():
    # s = 0: groups 0 to 7 take the 8 credits in 1 to 8. Group k's spikes leave in 5 + 8 k to
    # 12 + 8 k, so that its credit is back in 13 + 8 k: group 8 is issued in 13 after 4 cycles
    # without a credit, the 23 after it with 7 each.
    trace = trace_of(program(ODIN, threshold=0), [TIME_ALL])
    assert trace.spike_neuron.tolist() == list(range(256))
    assert cycles(trace.spike_cycle) == list(range(5, 261)) and trace.end == 262
    assert trace.counters["fifo_stalls"] == 4 + 23 * 7


def test_a_shallow_fifo_holds_back_groups_without_spikes():
    # 2 credits, back after 3 cycles: groups are issued in 1, 2, 4, 5, 7, 8, 10, 11.
    trace = trace_of(program(TEST), [TIME_ALL])
    assert trace.end == 11 + 2 + 1 + 1 and trace.counters["fifo_stalls"] == 3


def test_bistability_needs_no_credit():
    trace = trace_of(program(TEST), [BISTABILITY_ALL])
    assert trace.end == 256 + 4 and trace.counters["fifo_stalls"] == 0


def test_choices_when_all_events_are_presented_at_once():
    # Bistability waits until the scheduler is empty, all others go before its entries.
    trace = trace_of(program(ODIN), [LEAK, SPIKE, SYNAPSE, BISTABILITY_ROW, LEAK], wait=False)
    assert cycles(trace.accepted) == [0, 1, 2, 2 + 6 + 6 + 37, 51 + 37]
    assert trace.end == 51 + 37 + 1 + 6
    assert trace.counters["queue_high_water"] == 2


def test_a_full_scheduler_executes_its_head_first():
    # Two entries: full in 2, the pass of one group takes 6 cycles, then the third is accepted.
    trace = trace_of(program(WIDE), [LEAK] * 4, wait=False)
    assert cycles(trace.accepted) == [0, 1, 8, 15] and trace.end == 16 + 2 * 6
    assert trace.counters["queue_high_water"] == 2 and trace.counters["drops"] == 0


def test_spikes_enter_the_scheduler_or_are_dropped():
    # Q = 2: of 64 spikes two enter, and their passes give none.
    tile = program(WIDE, v=255, open_loop=False)
    trace = trace_of(tile, [TIME_ALL])
    assert trace.spike_neuron.tolist() == list(range(64))
    assert trace.counters["drops"] == 62 and trace.counters["passes"] == 3
    # Both are entries when the first pass gives a spike, which is dropped. The second one's head
    # stays an entry during its pass: of 63 spikes one enters.
    trace = trace_of(tile, [LEAK, SPIKE], wait=False)
    assert trace.counters["drops"] == 1 + 62 and trace.counters["passes"] == 3
    assert trace.spike_event.tolist() == [1] * 64


@pytest.mark.parametrize("open_loop", [True, False])
def test_the_output_lists_executed_spikes_with_source(open_loop):
    # All 32 fire at the time reference; 8 enter the scheduler. Each pass has 8 groups.
    tile = program(TEST, v=255, open_loop=open_loop, source=True)
    trace = trace_of(tile, [TIME_ALL, SPIKE], pre=[0, 9])
    queued = [] if open_loop else list(range(8))
    assert trace.spike_neuron.tolist() == [*queued, 9]
    assert trace.spike_event.tolist() == [*[0] * len(queued), 1]
    # Spikes leave from 4 on, the last of 32 in 35: the next choice is in 37. Passes take 15.
    assert cycles(trace.spike_cycle) == [*(37 + 15 * k for k in range(len(queued))),
                                          37 + 15 * len(queued) + 1]
    assert trace.counters["spikes"] == 32


# ---- rules ----

def test_sdsp_uses_the_flags_and_delivers_the_weight_from_before_the_event():
    up = np.arange(32) % 2
    tile = program(TEST, weight=5, up=up, down=1 - up, threshold=200)
    trace = trace_of(tile, [SPIKE], pre=3)
    weight = sdsp_synapse_word().unpack(trace.memories["synapse"])["weight"].reshape(32, 32)
    assert weight[3].tolist() == [4, 6] * 16 and (np.delete(weight, 3, 0) == 5).all()
    state = state_word().unpack(trace.memories["state"])
    assert (state["v"] == 5).all() and not state["up"].any() and not state["down"].any()


@pytest.mark.parametrize(("flags", "after"), [
    ({"up": 1}, [1, 2, 3, 4, 5, 6, 7, 7]), ({"down": 1}, [0, 0, 1, 2, 3, 4, 5, 6]),
    ({"up": 1, "down": 1}, [1, 2, 3, 4, 5, 6, 7, 7]), ({}, [0, 1, 2, 3, 4, 5, 6, 7])])
@pytest.mark.parametrize("kind", [SPIKE, SYNAPSE])
def test_weights_saturate(flags, after, kind):
    weight = np.arange(32 * 32) % 8
    tile = program(TEST, weight=weight, learn_on_synapse=True, **flags)
    trace = trace_of(tile, [kind] if kind == SPIKE else [kind] * 32, pre=0, post=np.arange(32)
                     if kind == SYNAPSE else 0)
    found = sdsp_synapse_word().unpack(trace.memories["synapse"])["weight"].ravel()
    assert found[:8].tolist() == after and (found[32:] == weight[32:]).all()


def test_counts_of_learning_switched_off():
    kinds = [SPIKE, SYNAPSE, BISTABILITY_ROW, TIME_ALL, VIRTUAL]
    on = trace_of(program(TEST, learn_on_synapse=True), kinds).counters
    assert (on["synapse_reads"], on["synapse_writes"], on["updates"]) == (17, 17, 18)
    off = trace_of(program(TEST), kinds).counters
    assert (off["synapse_reads"], off["synapse_writes"]) == (17, 16)
    none = trace_of(program(TEST, up=1, weight=4, learn=False), kinds)
    assert (none.counters["synapse_reads"], none.counters["synapse_writes"]) == (17, 0)
    assert (none.memories["synapse"] == 12).all() and none.end == trace_of(program(TEST), kinds).end


# ---- a loaded tile ----

def test_lists_one_after_the_other_are_one_list():
    case = random_event_case(Seeded(7), TEST)
    kinds = np.arange(60) % 8
    events = Events.make(TEST, kinds, pre=np.arange(60) % 5, post=np.arange(60) % 7, weight=7)
    whole, tile = run(case.program, events), LoadedEventTile(case.program)
    parts = [tile.process(Events(events.words[k:k + 20])) for k in range(0, 60, 20)]
    assert np.concatenate([p.spike_neuron for p in parts]).tolist() == whole.spike_neuron.tolist()
    assert len(whole.spike_neuron) and sum(p.end for p in parts) == whole.end
    assert tile.counters() == whole.counters
    for name, words in tile.memories().items():
        np.testing.assert_array_equal(words, whole.memories[name])
    tile.reset()
    again = tile.process(events)
    assert cycles(again.spike_cycle) == cycles(whole.spike_cycle)
    assert tile.counters() == whole.counters


def test_weights_and_states_are_read_and_written_in_place():
    tile = LoadedEventTile(program(TEST, weight=3, mapped=0, v=9, up=1))
    assert tile.synapse.shape == (32, 32) and (tile.synapse == 3).all()
    assert tile.neurons["v"].tolist() == [9] * 32 and tile.neurons["up"].all()
    tile.synapse[4, 6] = 8 | 5
    tile.neurons["v"][:] = 100
    tile.process(Events.make(TEST, [SPIKE], pre=4))
    assert tile.neurons["v"].tolist() == one(TEST, 6, 105, 100).tolist()
    assert tile.synapse[4, 6] == 8 | 6 and (tile.synapse[4, :6] == 3).all()
    words = tile.memories()
    assert words["synapse"][4 * 8 + 1].tolist() == [3, 3, 14, 3]
    assert state_word().unpack(words["state"])["v"].ravel().tolist() == tile.neurons["v"].tolist()
    tile.clear()
    assert not any(array.any() for array in tile.neurons.values())
    assert not any(tile.counters().values()) and tile.synapse[4, 6] == 8 | 6


def test_memories_and_switches_change_between_lists():
    tile = LoadedEventTile(program(TEST, weight=3, up=1))
    tile.switch(Switches(learn=False))
    tile.process(Events.make(TEST, [SPIKE]))
    assert (tile.synapse == 8 | 3).all()
    neuron = neuron_word().pack({"leak": 0, "leak_enable": 0, "disable": 0,
                                 "threshold": np.where(np.arange(32) < 2, 0, 255)})
    tile.load({"neuron": neuron.reshape(8, 4)})
    assert tile.process(Events.make(TEST, [TIME_ALL])).spike_neuron.tolist() == [0, 1]
    with pytest.raises(UserError, match="memory neuron must hold 8 x 4"):
        tile.load({"neuron": neuron})
    tile.reset()
    assert not tile.process(Events.make(TEST, [TIME_ALL])).spike_neuron.size


def test_the_log_grows_and_progress_is_called(monkeypatch):
    monkeypatch.setattr("neurotile.sim.event_engine._ROOM", 1)
    monkeypatch.setattr("neurotile.sim.event_engine._FIRST_CHOICES", 64)
    tile, seen = program(WIDE, threshold=0), []
    events = Events.make(WIDE, [TIME_ALL] * 300)
    trace = run(tile, events, progress=lambda done, total: seen.append((done, total)))
    assert trace.spike_neuron.tolist() == list(range(64)) * 300
    assert trace.spike_event.tolist() == np.repeat(np.arange(300), 64).tolist()
    assert len(seen) > 1 and seen == sorted(seen) and seen[-1] == (300, 300)


def test_observers_see_every_event():
    tile, seen = program(TEST, weight=1, threshold=255), []
    run(tile, Events.make(TEST, [SPIKE] * 5), observe=lambda k, memories: seen.append(
        (k, state_word().unpack(memories["state"])["v"].ravel()[0])))
    assert seen == [(k, k + 1) for k in range(5)]
    with pytest.raises(UserError, match="only events with wait=True can be observed"):
        run(tile, Events.make(TEST, [SPIKE], wait=False), observe=lambda k, memories: None)


@pytest.mark.parametrize("wait", [True, False])
def test_no_events_take_no_time(wait):
    trace = run(program(TEST), Events(np.zeros(0, np.uint64), wait), observe=None)
    assert trace.end == 0 and cycles(trace.accepted) == [] and not any(trace.counters.values())


def test_a_loop_that_never_ends_is_an_error():
    tile = program(TEST, threshold=0, open_loop=False)
    with pytest.raises(UserError, match="test_event: event 1: after 99 passes 7 spikes are in"):
        run(tile, Events.make(TEST, [BISTABILITY_ROW, SPIKE]), pass_limit=99)


def test_calcium_counter_beyond_its_period_runs_through_31():
    tile = program(TEST)
    rule = {field.name: 0 for field in calcium_rule_word().fields} | {"enable": 1, "leak": 3}
    state = {field.name: 0 for field in state_word().fields} | {"leak_count": 5, "calcium": 4}
    tile.memories["calcium_rule"][:] = calcium_rule_word().pack(rule)
    tile.memories["state"][:] = state_word().pack(state)
    seen = []
    run(tile, Events.make(TEST, [TIME_ALL] * 32), observe=lambda k, memories: seen.append(
        tuple(int(state_word().unpack(memories["state"])[name][0, 0])
              for name in ("leak_count", "calcium"))))
    assert seen[:27] == [*((count, 4) for count in range(6, 32)), (0, 4)]
    assert seen[27:] == [(1, 4), (2, 4), (0, 3), (1, 3), (2, 3)]


# ---- compilation ----

def test_the_cache_knows_every_source():
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        pytest.skip("nothing is compiled")
    cells = [cell.cell_contents for cell in advance_events.py_func.__closure__]
    assert cells == [source_digest()]


def test_without_compilation_the_result_is_the_same():
    code = """
import numba
from neurotile.testbenches.test_event_fast_engine import agree, TEST_EVENT_PRESETS
assert numba.config.DISABLE_JIT
for name, config in TEST_EVENT_PRESETS.items():
    for seed in range(3):
        agree(seed, config)
"""
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONWARNINGS": "error"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr


def agree(seed: int, config: EventConfig) -> None:
    """Golden and fast engine agree on a random case."""
    case = random_event_case(Seeded(seed), config)
    events = Events(case.events.words)
    found = event_differences(golden.run(case.program, events), run(case.program, events))
    assert not found, found


# ---- the speed's measurement ----

def test_the_measurement(monkeypatch, capsys):
    quick = partial(bench_events.measure_events, runs=2, cpu_seconds=0)
    monkeypatch.setattr(bench_events, "measure_events", quick)
    monkeypatch.setattr(bench_events, "random_run", partial(bench_events.random_run, events=110))
    assert bench_events.main([]) == 0
    out = capsys.readouterr().out
    assert "110 events" in out and "(exact)" in out and "0.03 M synaptic operations" in out


def test_operations_count_executed_spikes():
    tile = program(WIDE, v=255, open_loop=False)
    events = Events.make(WIDE, [TIME_ALL, SPIKE, SYNAPSE, LEAK])
    speed = bench_events.measure_events(tile, events, runs=1, cpu_seconds=0)
    assert speed.operations == (1 + 2) * 64 + 1 and speed.weights_changed == 0


def test_a_file_that_is_no_trace_is_named(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        bench_events.main([str(tmp_path / "none.npz")])
    assert stopped.value.code == 2 and "there is no such file" in capsys.readouterr().err
