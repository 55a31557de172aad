# SPDX-License-Identifier: Apache-2.0
"""Engine rtl in event mode: cycle costs, host access during a run, overflow, mistakes."""

import numpy as np
import pytest

from neurotile.hw.engine import event_engine
from neurotile.hw.engine.event_simulation import EventSimulation
from neurotile.models.golden import event_engine as golden
from neurotile.spec import (
    EVENT_PRESETS,
    TEST_EVENT_PRESETS,
    EventProgram,
    Events,
    Switches,
    UserError,
)
from neurotile.spec.event_formats import (
    EVENT_ID_VALUE,
    EventKind,
    EventRegister,
    neuron_word,
    sdsp_synapse_word,
    state_word,
)
from neurotile.spec.formats import memories
from neurotile.testbenches.event_strategies import random_event_case
from neurotile.testbenches.strategies import Seeded

ODIN = EVENT_PRESETS["odin"]
# More credits than stages: with fewer, a pass waits for its own groups.
SMALL = TEST_EVENT_PRESETS["test_event"].replace(name="test_event_4", spike_fifo_depth=4)
ONE_LANE = TEST_EVENT_PRESETS["test_event_one_lane"]
LIMIT = 100_000


def program(config, *, threshold=255, weight=0, v=0, **switches):
    """All synapses mapped and of one weight, all neurons alike, potentiation wherever SDSP acts."""
    rows = {m.name: (m.rows, m.lanes) for m in memories(config)}
    words = {name: np.zeros(shape, np.uint64) for name, shape in rows.items()}
    words["synapse"][:] = sdsp_synapse_word().pack({"weight": weight, "mapped": 1})
    words["neuron"][:] = neuron_word().pack(
        {"leak": 0, "leak_enable": 0, "threshold": threshold, "disable": 0})
    words["state"][:] = state_word().pack(
        {"v": v, "calcium": 0, "leak_count": 0, "up": 1, "down": 0})
    return EventProgram(config, words, Switches(**switches))


def traced(contents, events):
    """Trace on the RTL, with the cycles that it always has."""
    trace = event_engine.run(contents, events)
    assert trace.accepted is not None and trace.end is not None and trace.spike_cycle is not None
    return trace, trace.accepted, trace.end, trace.spike_cycle


def loaded(tile, contents):
    tile.clear()
    tile.load(contents.memories)
    tile.switch(contents.switches)
    return tile


def groups_of(kind, config):
    """Section 3."""
    return {EventKind.SPIKE: config.groups, EventKind.TIME_ALL: config.groups,
            EventKind.BISTABILITY_ROW: config.groups,
            EventKind.BISTABILITY_ALL: config.synapse_words}.get(kind, 1)


@pytest.mark.parametrize("config", [ODIN, ONE_LANE, SMALL], ids=lambda c: c.name)
def test_a_pass_without_spikes_costs_its_groups_and_a_constant(config):
    kinds = np.array([*EventKind, *reversed(EventKind)])
    events = Events.make(config, kinds, pre=1, post=config.neurons - 1, weight=3)
    trace, accepted, end, spikes = traced(program(config, learn_on_synapse=True), events)
    costs = np.diff([*accepted.tolist(), end])
    assert accepted[0] == 0 and spikes.size == 0
    assert costs.tolist() == [groups_of(kind, config) + config.stages + 2 + (kind <= EventKind.LEAK)
                              for kind in kinds]
    assert trace.counters["synapse_writes"] == 2 * (
        config.groups + 1 + config.groups + config.synapse_words)
    if config is ODIN:
        spike, everything = costs[0], costs[7]
        assert spike <= 32 + 6 and everything <= 8192 + 6, (spike, everything)


@pytest.mark.parametrize("fires", [0, 1, 2, 11, 31, 32])
@pytest.mark.parametrize("open_loop", [True, False])
def test_each_spike_adds_at_most_one_cycle(fires, open_loop):
    # Neurons 0 … fires - 1 are at their threshold; the spikes of a closed loop find weights 0.
    contents = program(SMALL, threshold=7, v=6, weight=1, open_loop=open_loop, learn=False)
    fields = state_word().unpack(contents.memories["state"])
    fields["v"] = (np.arange(SMALL.neurons).reshape(fields["v"].shape) < fires) * 6
    contents.memories["state"] = state_word().pack(fields)
    synapse = sdsp_synapse_word().unpack(contents.memories["synapse"])
    synapse["weight"][SMALL.groups:] = 0  # only neuron 0 has weights
    contents.memories["synapse"] = sdsp_synapse_word().pack(synapse)
    trace, _, end, spikes = traced(contents, Events.make(SMALL, EventKind.SPIKE, pre=0))
    kept = 0 if open_loop else min(fires, SMALL.queue_depth - 1)
    silent = SMALL.groups + SMALL.event_cycles
    # A spike of neuron 0 in a closed loop delivers its weights once more; no neuron fires again.
    assert (1 + kept) * silent + 1 <= end <= (1 + kept) * silent + 1 + fires
    assert trace.spike_neuron.tolist() == list(range(fires))
    assert np.diff(spikes).min(initial=1) >= 1
    assert trace.counters["drops"] == (0 if open_loop else fires - kept)
    assert trace.counters["queue_high_water"] == 1 + kept


def test_a_stream_of_events_is_taken_as_fast_as_the_scheduler_allows():
    contents = program(SMALL)
    count = 3 * SMALL.queue_depth
    trace, accepted, _, _ = traced(
        contents, Events.make(SMALL, np.full(count, EventKind.SPIKE), wait=False))
    period = SMALL.groups + SMALL.event_cycles
    q = SMALL.queue_depth
    # The scheduler fills in cycles 0 … Q - 1; then a pass, and the next event.
    assert accepted.tolist() == [*range(q), *(
        q + period * k + k - 1 for k in range(1, count - q + 1))]
    assert trace.counters["queue_high_water"] == q and trace.counters["drops"] == 0


def test_weights_are_read_and_written_during_a_run():
    contents = program(SMALL, weight=2)
    with EventSimulation(SMALL) as tile:
        loaded(tile, contents)
        assert tile.read_register(EventRegister.ID) == EVENT_ID_VALUE
        events = Events.make(SMALL, [EventKind.SPIKE, EventKind.SPIKE], pre=[3, 3])
        first = tile.process(events, limit=LIMIT)
        words = tile.read("synapse")
        assert (words == tile.peek("synapse")).all() and (tile.read("state")
                                                          == tile.peek("state")).all()
        grown = sdsp_synapse_word().pack({"weight": 3, "mapped": 1})  # flags are 0 after an update
        row = slice(3 * SMALL.groups, 4 * SMALL.groups)
        assert (words[row] == grown).all() and (np.delete(words, range(row.start, row.stop), 0)
                                                == contents.memories["synapse"][0, 0]).all()
        words[row] = sdsp_synapse_word().pack({"weight": 7, "mapped": 1})
        tile.load({"synapse": words})
        again = tile.process(Events.make(SMALL, EventKind.SPIKE, pre=3), limit=LIMIT)
        assert again.accepted.tolist() == [0] and first.end == 2 * again.end
        v = state_word().unpack(tile.read("state"))["v"]
        assert (v == 2 + 3 + 7).all()
        assert tile.counters()["events"] == 3  # they go on from list to list
        tile.clear()
        assert not tile.peek("state").any() and (tile.peek("synapse") == words).all()
        assert set(tile.counters().values()) == {0}


def test_overflow_is_seen_until_clear():
    contents = program(SMALL, threshold=1, v=1, open_loop=False, learn=False)
    with EventSimulation(SMALL) as tile:
        loaded(tile, contents)
        assert tile.read_register(EventRegister.STATUS) == 0
        # Every neuron fires at the time reference; afterwards v = 0 and weights are 0.
        tile.process(Events.make(SMALL, EventKind.TIME_ALL), limit=LIMIT)
        assert tile.counters()["drops"] == SMALL.neurons - SMALL.queue_depth
        assert tile.read_register(EventRegister.STATUS) == 4
        assert tile.read_register(EventRegister.LEVEL) == 0
        tile.clear()
        assert tile.read_register(EventRegister.STATUS) == 0


def test_observer_sees_what_the_host_would_read():
    case = next(case for case in (random_event_case(Seeded(seed), SMALL) for seed in range(99))
                if case.events.wait and case.events.words.size > 5)
    def collected(run):
        seen, done = [], []

        def observe(k, words):
            seen.append((k, {key: value.tobytes() for key, value in words.items()}))

        trace = run(case.program, case.events, observe=observe,
                    progress=lambda *numbers: done.append(numbers))
        last = {key: value.tobytes() for key, value in trace.memories.items()}
        assert seen[-1] == (case.events.words.size - 1, last)
        assert done[-1] == (case.events.words.size,) * 2
        return seen

    assert collected(event_engine.run) == collected(golden.run)


def test_no_events_take_no_time():
    nothing = Events(np.zeros(0, np.uint64))
    _, accepted, end, spikes = traced(program(SMALL), nothing)
    assert end == 0 and accepted.size == spikes.size == 0


def test_endless_loops_and_wrong_requests_are_refused():
    # Threshold 0 fires at every update: the closed loop never ends.
    contents = program(SMALL, threshold=0, open_loop=False)
    with pytest.raises(UserError, match="event 0: the tile is still busy after 5000 cycles"):
        event_engine.run(contents, Events.make(SMALL, EventKind.SPIKE), limit=5000)
    with EventSimulation(SMALL) as tile:
        loaded(tile, contents)
        with pytest.raises(UserError, match="event 0"):
            tile.process(Events.make(SMALL, EventKind.SPIKE), limit=500)
        # The loop rests with RUN = 0, and CLEAR empties the scheduler.
        assert tile.read_register(EventRegister.LEVEL) > 1
        tile.clear()
        assert tile.read_register(EventRegister.LEVEL) == 0
        assert tile.process(Events(np.zeros(0, np.uint64)), limit=500).end == 0
    stream = Events.make(SMALL, EventKind.SPIKE, wait=False)
    with pytest.raises(UserError, match="only events with wait=True can be observed"):
        event_engine.run(contents, stream, observe=lambda k, words: None)

    def fails(k, words):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        event_engine.run(program(SMALL), Events.make(SMALL, EventKind.SPIKE), observe=fails)
