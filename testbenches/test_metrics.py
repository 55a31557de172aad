# SPDX-License-Identifier: Apache-2.0
"""Metrics, energy estimate and weights read back, against values worked out by hand."""

import numpy as np
import pytest

from neurotile import energy, metrics, pipeline
from neurotile.chunks import portion, select
from neurotile.spec import (
    PRESETS,
    InputPort,
    IntegerNetwork,
    Population,
    Program,
    Projection,
    Stimulus,
    UserError,
)
from neurotile.weights import network_weights, projection_keys, stored_weights


def chain(*delays, weights=((3, 0), (-2, 5))):
    """Two inputs, two IF neurons with threshold 2; one projection per delay."""
    return IntegerNetwork(
        (InputPort("in", 2),), (Population("n", 2, "if", np.array(2)),),
        tuple(Projection("in", "n", np.array(weights, np.int32), d) for d in delays))


def spikes_of(*samples):
    return Stimulus.from_dense(np.array(samples))


BOTH = [[1, 1], [0, 0], [1, 0]]


def test_synaptic_events_are_counted_where_they_arrive():
    # Line 0 reaches two neurons, line 1 one (its weight 0 is no synapse): 3 + 2 events.
    stimulus = spikes_of(BOTH)
    for delays, expected in (((0,), 5), ((1,), 3), ((2,), 3), ((3,), 0), ((0, 1), 8)):
        made = chain(*delays)
        trace = pipeline.run(made, stimulus, engine="golden").trace
        assert metrics.synaptic_events(made, stimulus, trace) == expected
    # With kept state the last step of a sample reaches into the next one.
    stimulus = spikes_of(BOTH, BOTH)
    made = chain(1)
    trace = pipeline.run(made, stimulus, engine="golden", keep_state=True).trace
    assert metrics.synaptic_events(made, stimulus, trace) == 5 + 3


def test_ties_go_to_the_lowest_index():
    made = chain(0, weights=((3, 3), (3, 3)))
    result = pipeline.run(made, np.ones((1, 4, 2)), engine="golden", labels=[0])
    assert result.spikes["n"].sum(axis=1).tolist() == [[4, 4]]
    assert result.accuracy == 1.0


def test_confusion_has_labels_in_rows():
    found = metrics.confusion(np.array([0, 0, 2, 1]), np.array([0, 2, 2, 0]), 3)
    assert found.tolist() == [[1, 0, 1], [1, 0, 0], [0, 0, 1]]


def test_output_is_what_drives_no_other():
    rng = np.random.default_rng(0)
    w = rng.integers(-5, 5, (3, 3)).astype(np.int32)
    populations = tuple(Population(name, 3, "if", np.array(9)) for name in ("c", "b", "a"))
    made = IntegerNetwork((InputPort("in", 3),), populations, (
        Projection("in", "a", w), Projection("a", "c", w), Projection("c", "b", w),
        Projection("b", "b", w, 1)))
    assert metrics.output_population(made).name == "b"
    assert metrics.output_population(made, ["c", "a"]).name == "a"


def test_labels_beyond_the_output_are_refused():
    with pytest.raises(UserError, match=r"labels must be in 0\.\.1.*found 2"):
        pipeline.run(chain(0), np.ones((1, 2, 2)), labels=[2], engine="golden")


def test_cycles_and_lanes():
    result = pipeline.run(chain(0), np.array([BOTH, BOTH]), engine="fast")
    tile, found = result.trace.tile, result.metrics
    assert tile is not None
    assert found["cycles"] == int((tile.barrier[:, -1] + 1).sum())
    assert metrics.cycles_per_step(tile).sum(axis=1).tolist() == (tile.barrier[:, -1] + 1).tolist()
    # Each of the 3 events of a sample reads one word of 8 lanes.
    assert found["counters"]["synapse_reads"] == 6 and found["syn_events"] == 10
    assert found["lane_utilisation"] == pytest.approx(10 / 48)


def test_energy_by_hand():
    config = PRESETS["default"]
    counters = {"events": 10, "synapse_reads": 100, "updates": 20, "spikes": 5}
    rows = {a.memory: a for a in energy.accesses(config, counters, group_issues=30)}
    assert (rows["synapse"].reads, rows["synapse"].writes, rows["synapse"].bits) == (100, 0, 64)
    assert (rows["accumulator"].reads, rows["accumulator"].writes) == (120, 120)
    assert (rows["membrane"].reads, rows["membrane"].writes, rows["membrane"].bits) == (20, 20, 128)
    assert (rows["group"].reads, rows["route"].reads, rows["axon"].reads) == (30, 5, 10)
    found = energy.estimate(config, counters, group_issues=30, samples=2, syn_events=50)
    by_name = {row["memory"]: row["pj"] for row in found["memories"]}
    # 100 words of 64 bits at 180 fJ; 20 words of 128 bits at 180 + 220 fJ; SRAM both.
    assert by_name["synapse"] == pytest.approx(1152.0)
    assert by_name["membrane"] == pytest.approx(1024.0)
    # 352 bits of group memory count as a register file of 1 kb: 30 words of 11 bits at 12 fJ.
    assert by_name["group"] == pytest.approx(3.96)
    assert found["total_pj"] == pytest.approx(sum(by_name.values()))
    assert found["pj_per_sample"] * 2 == pytest.approx(found["pj_per_syn_event"] * 50)


@pytest.mark.parametrize(("bits", "name"), [
    (256, "register file 256 b"), (257, "register file 1 kb"), (1025, "SRAM 256 kb")])
def test_memories_count_as_the_smallest_that_holds_them(bits, name):
    assert energy.technology(bits).name == name


def skipping_network():
    """Delays that need relays, two ports, two projections between the same nodes."""
    rng = np.random.default_rng(4)

    def w(targets, sources):
        return rng.integers(-100, 100, (targets, sources)).astype(np.int32)

    return IntegerNetwork(
        (InputPort("x", 5), InputPort("y", 3)),
        tuple(Population(name, size, "lif", np.array(90), decay_v=np.array(3900))
              for name, size in (("a", 9), ("b", 4), ("c", 11))),
        (Projection("x", "a", w(9, 5)), Projection("y", "b", w(4, 3), 2),
         Projection("a", "b", w(4, 9)), Projection("a", "c", w(11, 9), 3),
         Projection("b", "c", w(11, 4)), Projection("b", "c", w(11, 4), 1),
         Projection("c", "c", w(11, 11), 1)), name="skipping")


def test_weights_are_read_back_through_routes_and_relays():
    made = pipeline.build(skipping_network())
    assert isinstance(made.program, Program)
    synapse = made.program.memories["synapse"].astype(np.int64)
    held, given = stored_weights(made.program, synapse), network_weights(made.network)
    assert projection_keys(made.network)[4:6] == ["b->c@0", "b->c@1"]
    assert held.keys() == given.keys()
    for key in given:
        assert np.array_equal(held[key], given[key]), key


def test_a_flipped_weight_is_read_back_as_such():
    made = pipeline.build(chain(0))
    assert isinstance(made.program, Program)
    synapse = made.program.memories["synapse"].astype(np.int64)
    row, lane = np.argwhere(synapse == 5)[0]
    synapse[row, lane] ^= 0x80
    assert stored_weights(made.program, synapse)["in->n"].tolist() == [[3, 0], [-2, 5 - 128]]


def test_parts_of_a_stimulus():
    dense = np.random.default_rng(1).random((6, 5, 4)) < 0.3
    whole = Stimulus.from_dense(dense, labels=range(6))
    assert np.array_equal(portion(whole, 2, 5).dense(), dense[2:5])
    part = select(whole, [4, 1], 3)
    assert np.array_equal(part.dense(), dense[[4, 1], :3])
    assert part.labels is not None and part.labels.tolist() == [4, 1]
