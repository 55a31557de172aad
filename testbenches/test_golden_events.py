# SPDX-License-Identifier: Apache-2.0
"""Golden event engine against values worked out by hand from docs/event_mode.md."""

import numpy as np
import pytest

from neurotile.models.golden.event_engine import run
from neurotile.spec import TEST_EVENT_PRESETS, EventProgram, Events, Switches, UserError
from neurotile.spec.event_formats import EventKind as K
from neurotile.spec.event_formats import (
    EventMemoryId,
    calcium_rule_word,
    event_words,
    neuron_word,
    sdsp_synapse_word,
    state_word,
)

CONFIG = TEST_EVENT_PRESETS["test_event_one_lane"]  # 8 neurons, 4 entries
N = CONFIG.neurons
ANY = np.arange(N)
# A neuron that never fires by itself, with calcium and flags at work.
QUIET = {"leak": 3, "leak_enable": 1, "threshold": 200, "disable": 0}
RULE = {"enable": 1, "theta_mem": 10, "theta1": 1, "theta2": 3, "theta3": 5, "leak": 0}
STATE = {"v": 0, "calcium": 0, "leak_count": 0, "up": 0, "down": 0}


def program(*, neuron=None, rule=None, state=None, weight=0, mapped=1, sign=0, config=CONFIG,
            **switches):
    """Program whose fields are one value, or one per neuron or synapse (pre, post)."""
    n = config.neurons

    def words(layout, id, fields, shape):
        values = {k: np.broadcast_to(v, shape).reshape(-1) for k, v in fields.items()}
        _, rows, lanes = event_words(config)[id]
        return layout.pack(values).reshape(rows, lanes)

    memories = {
        "synapse": words(sdsp_synapse_word(), EventMemoryId.SYNAPSE,
                         {"weight": weight, "mapped": mapped}, (n, n)),
        "sign": np.broadcast_to(np.uint64(sign), (n, 1)),
        "neuron": words(neuron_word(), EventMemoryId.NEURON, {**QUIET, **(neuron or {})}, n),
        "calcium_rule": words(calcium_rule_word(), EventMemoryId.CALCIUM_RULE,
                              {**RULE, **(rule or {})}, n),
        "state": words(state_word(), EventMemoryId.STATE, {**STATE, **(state or {})}, n)}
    return EventProgram(config, memories, Switches(**switches))


def after(made, *events, **options):
    """Trace, fields of the states and weights (pre, post) after these (kind, fields)."""
    words = [Events.make(made.config, kind, **fields).words for kind, fields in events]
    trace = run(made, Events(np.concatenate(words)), **options)
    states = state_word().unpack(trace.memories["state"].reshape(-1))
    weights = sdsp_synapse_word().unpack(trace.memories["synapse"])["weight"]
    return trace, states, weights.reshape(made.config.neurons, -1)


def test_delivery_saturates_at_both_ends():
    v = [0, 3, 7, 250, 255, 5, 0, 1]
    up, down = (after(program(neuron={"threshold": 255, "disable": 1}, rule={"enable": 0},
                              state={"v": v}, weight=6, sign=sign), (K.SPIKE, {"pre": 2}))
                for sign in (0, 1))
    # 250 + 6 and 255 + 6 are 255, which is at the threshold: reset.
    assert up[1]["v"].tolist() == [6, 9, 13, 0, 0, 11, 6, 7]
    assert down[1]["v"].tolist() == [0, 0, 1, 244, 249, 0, 0, 0]
    assert len(up[0].spike_neuron) == 0 and up[0].counters["spikes"] == 0  # disabled


@pytest.mark.parametrize(("propagate", "expected"), [(False, [0, 5] * 4), (True, [5] * 8)])
def test_unmapped_synapses_deliver_only_if_told(propagate, expected):
    made = program(weight=5, mapped=ANY % 2, propagate_unmapped=propagate)
    assert after(made, (K.SPIKE, {"pre": 0}))[1]["v"].tolist() == expected


def test_every_update_compares_with_the_threshold():
    # A time reference, weight 0, or inhibition: neurons above their threshold fire at any.
    for kind, fields in ((K.TIME_ALL, {}), (K.SPIKE, {"pre": 0})):
        trace, states, _ = after(program(state={"v": 210}, sign=1), (kind, fields))
        assert trace.spike_neuron.tolist() == list(range(8)) and (states["v"] == 0).all()
    trace, states, _ = after(program(neuron={"threshold": 0}),
                             (K.VIRTUAL, {"post": 3, "weight": 0, "inhibitory": 1}))
    assert trace.spike_neuron.tolist() == [3] and trace.spike_event.tolist() == [0]


def test_virtual_events_are_for_one_neuron():
    made = program(state={"v": 4}, weight=7)
    _, states, weights = after(made, (K.VIRTUAL, {"post": 1, "weight": 6}),
                               (K.VIRTUAL, {"post": 2, "weight": 6, "inhibitory": 1}))
    assert states["v"].tolist() == [4, 10, 0, 4, 4, 4, 4, 4] and (weights == 7).all()


def test_time_references_leak():
    made = program(state={"v": [2, 3, 9, 9, 9, 9, 9, 9]}, neuron={"leak_enable": [1, 1, 1, 0] * 2})
    assert after(made, (K.TIME_ALL, {}))[1]["v"].tolist() == [0, 0, 6, 9, 6, 6, 6, 9]
    for kind in (K.TIME_ONE, K.LEAK):
        assert after(made, (kind, {"post": 4}))[1]["v"].tolist() == [2, 3, 9, 9, 6, 9, 9, 9]


def test_calcium_leaks_every_so_many_time_references():
    made = program(rule={"leak": [3, 1, 0, 3, 3, 3, 3, 3], "enable": [1, 1, 1, 0, 1, 1, 1, 1]},
                   state={"calcium": [4, 4, 4, 4, 0, 4, 4, 4],
                          "leak_count": [0, 0, 9, 9, 2, 2, 3, 31]})
    _, states, _ = after(made, (K.TIME_ALL, {}))
    # Neuron 6 missed 2 and first runs through 31; neuron 7 wraps there.
    assert states["leak_count"].tolist() == [1, 0, 9, 9, 0, 0, 4, 0]
    assert states["calcium"].tolist() == [4, 3, 4, 4, 0, 3, 4, 4]
    _, states, _ = after(made, *[(K.TIME_ALL, {})] * 3)
    assert states["leak_count"].tolist() == [0, 0, 9, 9, 2, 2, 6, 2]
    assert states["calcium"].tolist() == [3, 1, 4, 4, 0, 3, 4, 4]


def test_a_spike_raises_calcium_unless_it_leaks_at_once():
    made = program(neuron={"threshold": 0}, rule={"leak": [0, 1, 0, 0, 1, 1, 2, 0],
                                                  "enable": [1, 1, 1, 0, 1, 0, 1, 1]},
                   state={"calcium": [0, 3, 7, 3, 0, 3, 3, 6]})
    _, states, _ = after(made, (K.TIME_ALL, {}))
    assert states["calcium"].tolist() == [1, 3, 7, 3, 0, 3, 4, 7]


def test_flags_are_those_of_the_new_state():
    # theta_mem 10, theta1 1, theta2 3, theta3 5; nobody fires.
    state = {"v": [9, 10, 9, 10, 9, 10, 10, 8], "calcium": [0, 0, 1, 4, 3, 5, 1, 2],
             "up": 1, "down": 1}
    _, states, _ = after(program(state=state), (K.SPIKE, {"pre": 0}))
    assert states["up"].tolist() == [0, 0, 0, 1, 0, 0, 1, 0]
    assert states["down"].tolist() == [0, 0, 1, 0, 0, 0, 0, 1]
    # After a spike: v = 0 and the raised calcium count.
    made = program(neuron={"threshold": 9}, state=state)
    _, states, _ = after(made, (K.SPIKE, {"pre": 0}))
    assert not states["up"].any()
    assert states["down"].tolist() == [1, 1, 1, 0, 0, 0, 1, 1]
    _, states, _ = after(program(state=state, rule={"enable": 0}), (K.SPIKE, {"pre": 0}))
    assert not states["up"].any() and not states["down"].any()


LEARNERS = {"up": [1, 1, 0, 0, 0, 0, 1, 0], "down": [0, 0, 1, 1, 0, 0, 1, 1]}


def test_sdsp_uses_old_flags_and_old_weights():
    weight = np.zeros((N, N), int)
    weight[2] = [3, 7, 3, 0, 3, 7, 3, 3]
    made = program(weight=weight, state=LEARNERS)
    _, states, weights = after(made, (K.SPIKE, {"pre": 2}))
    assert weights[2].tolist() == [4, 7, 2, 0, 3, 7, 4, 2] and not np.delete(weights, 2, 0).any()
    assert states["v"].tolist() == weight[2].tolist()
    # The flags of this pass (calcium 0: none) rule the next one.
    assert after(made, *[(K.SPIKE, {"pre": 2})] * 2)[2][2].tolist() == weights[2].tolist()


@pytest.mark.parametrize(("switches", "mapped", "changes"), [
    ({}, 1, True), ({}, 0, False), ({"update_unmapped": True}, 0, True),
    ({"learn": False}, 1, False), ({"propagate_unmapped": True}, 0, False)])
def test_which_synapses_learn(switches, mapped, changes):
    made = program(weight=3, mapped=mapped, state=LEARNERS, **switches)
    for events, new in ((((K.SPIKE, {"pre": 5}),), [4, 4, 2, 2, 3, 3, 4, 2]),
                        (((K.BISTABILITY_ROW, {"pre": 5}),), [2] * 8)):
        trace, _, weights = after(made, *events)
        assert weights[5].tolist() == (new if changes else [3] * 8)
        assert trace.counters["synapse_writes"] == (0 if "learn" in switches else 8)
        assert trace.counters["synapse_reads"] == 8


def test_single_synapse_events():
    for learns in (False, True):
        made = program(weight=3, state=LEARNERS, sign=ANY[:, np.newaxis] % 2,
                       learn_on_synapse=learns)
        trace, states, weights = after(made, (K.SYNAPSE, {"pre": 4, "post": 0}),
                                       (K.SYNAPSE, {"pre": 4, "post": 2}))
        assert states["v"].tolist() == [3, 0, 3, 0, 0, 0, 0, 0]
        assert weights[4].tolist() == ([4, 3, 2, 3, 3, 3, 3, 3] if learns else [3] * 8)
        assert trace.counters["synapse_writes"] == (2 if learns else 0)


def test_bistability_goes_to_the_nearer_end():
    made = program(weight=np.tile(ANY, (N, 1)))
    expected = [0, 0, 1, 2, 5, 6, 7, 7]
    trace, states, weights = after(made, (K.BISTABILITY_ALL, {}))
    assert (weights == expected).all() and trace.counters["updates"] == 0
    assert trace.counters["synapse_reads"] == trace.counters["synapse_writes"] == 64
    _, _, weights = after(made, (K.BISTABILITY_ROW, {"pre": 3}))
    assert weights[3].tolist() == expected and weights[2].tolist() == list(range(8))


def chain(**changes):
    """Spike of n excites neuron n + 1 beyond its threshold, the last nobody."""
    return program(**{"weight": np.eye(N, k=1, dtype=int) * 7, "neuron": {"threshold": 7},
                      "open_loop": False, "learn": False, **changes})


def test_spikes_come_back_through_the_scheduler():
    trace, _, _ = after(chain(), (K.SPIKE, {"pre": 4}), (K.SPIKE, {"pre": 6}))
    assert trace.spike_neuron.tolist() == [5, 6, 7, 7]
    assert trace.spike_event.tolist() == [0, 0, 0, 1]
    assert trace.counters == {
        "events": 2, "passes": 6, "synapse_reads": 48, "synapse_writes": 0, "updates": 48,
        "spikes": 4, "drops": 0, "queue_high_water": 2}
    trace, _, _ = after(chain(open_loop=True), (K.SPIKE, {"pre": 4}))
    assert trace.spike_neuron.tolist() == [5] and trace.counters["queue_high_water"] == 1


def test_the_source_may_be_the_scheduler():
    trace, _, _ = after(chain(source=True), (K.SPIKE, {"pre": 4}),
                        (K.VIRTUAL, {"post": 6, "weight": 7}), (K.SYNAPSE, {"pre": 2, "post": 3}))
    # The neurons 5, 6, 7; 6, 7; 3, 4, 5, 6, 7 fired; what was executed are these spike events.
    assert trace.spike_neuron.tolist() == [4, 5, 6, 7, 6, 7, 3, 4, 5, 6, 7]
    assert trace.spike_event.tolist() == [0] * 4 + [1] * 2 + [2] * 5
    assert trace.counters["spikes"] == 10


def test_a_full_scheduler_drops_but_sends():
    # All eight fire at once. The head takes one of the four entries in the pass of a SPIKE; a time
    # reference is in no entry.
    weight = np.zeros((N, N), int)
    weight[7] = 7
    trace, _, _ = after(chain(weight=weight, neuron={"threshold": 5}), (K.SPIKE, {"pre": 7}))
    assert trace.spike_neuron.tolist() == list(range(8))
    assert (trace.counters["drops"], trace.counters["passes"]) == (5, 4)
    trace, _, _ = after(chain(weight=0, neuron={"threshold": 5}, state={"v": 9}),
                        (K.TIME_ALL, {}))
    assert (trace.counters["drops"], trace.counters["passes"]) == (4, 5)
    assert trace.counters["queue_high_water"] == 4 and len(trace.spike_neuron) == 8


def test_activity_without_end_is_an_error():
    ring = program(weight=np.roll(np.eye(N, dtype=int), 1, 1) * 7, neuron={"threshold": 7},
                   open_loop=False, learn=False)
    with pytest.raises(UserError, match=r"^event 1: not at its end after 30 passes"):
        after(ring, (K.TIME_ALL, {}), (K.SPIKE, {"pre": 0}), pass_limit=30)


def test_groups_are_counted_and_lanes_change_nothing():
    weight, found = np.random.default_rng(2).integers(0, 8, (N, N)), []
    for config in (CONFIG, CONFIG.replace(name="four", lanes=4)):
        made = program(config=config, weight=weight, neuron={"threshold": 20}, open_loop=False,
                       learn_on_synapse=True)
        found.append(after(made, (K.SPIKE, {"pre": 0}), (K.SPIKE, {"pre": 3}), (K.TIME_ALL, {}),
                           (K.SYNAPSE, {"pre": 1, "post": 7}), (K.BISTABILITY_ROW, {"pre": 1})))
    (one, states, weights), (four, same_states, same_weights) = found
    assert one.spike_neuron.tolist() == four.spike_neuron.tolist()
    np.testing.assert_array_equal(states["v"], same_states["v"])
    np.testing.assert_array_equal(weights, same_weights)
    assert (one.counters["updates"] - 1) == 4 * (four.counters["updates"] - 1)


def test_observer_progress_and_the_wait_that_is_needed():
    seen, done = [], []
    made = program(weight=1)
    after(made, *[(K.SPIKE, {"pre": 0})] * 3,
          observe=lambda k, m: seen.append((k, int(m["state"][0, 0]), m["synapse"].shape)),
          progress=lambda a, b: done.append((a, b)))
    assert seen == [(0, 1, (64, 1)), (1, 2, (64, 1)), (2, 3, (64, 1))]
    assert done == [(1, 3), (2, 3), (3, 3)]
    with pytest.raises(UserError, match="wait for the one before"):
        run(made, Events(np.zeros(1, np.uint64), wait=False))
