# SPDX-License-Identifier: Apache-2.0
"""SDSP in step mode on the fast engine, every rule with numbers computed by hand."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from neurotile.sim.engine import LoadedTile
from neurotile.spec import TEST_PRESETS, TileConfig, TileEvents, TileLearning, TileTrace, UserError
from neurotile.spec.codes import Model
from neurotile.spec.formats import calcium_word, memories

SMALL = TEST_PRESETS["test_all"].replace(name="learns", learning="sdsp", weight_bits=4)
MAPPED = 8
LEARN, UNMAPPED_LEARN, UNMAPPED_DELIVER = 1, 2, 4
PLASTIC, STATIC = {"plastic": 1}, {"plastic": 0}
# With calcium 0 and potentials around 0 flags are up, down or neither after every update.
UP: dict[str, Any] = {"enable": 1, "theta_mem": -1000, "theta3": 7}
DOWN: dict[str, Any] = {"enable": 1, "theta_mem": 1000, "theta2": 7}


class Hand:
    """A tile whose words are written by hand; all neurons have the same rule unless told."""

    def __init__(self, axons: list[dict[str, int]], synapse: npt.ArrayLike, *,
                 config: TileConfig = SMALL, group: dict[str, int] | None = None,
                 **rule: Any) -> None:
        self.config = config
        rule = {"threshold": 1000, **rule}
        self.words = {}
        for memory in memories(config):
            shape = (memory.rows, memory.lanes)
            fields = {f.name: np.zeros(shape, np.int64) for f in memory.word.fields}
            if memory.name == "axon":
                fields["last"][:] = 1
                for number, values in enumerate(axons):
                    for key, value in values.items():
                        fields[key][number] = value
            elif memory.name == "group":
                for key, value in {"model": Model.IF, **(group or {})}.items():
                    fields[key][:] = value
            for key in fields:
                key_of_rule = memory.name if key == "value" else key
                if key_of_rule in rule and memory.name not in ("axon", "group", "calcium"):
                    fields[key][:] = rule[key_of_rule]
            self.words[memory.name] = memory.word.pack(fields)
        rows = np.atleast_2d(np.asarray(synapse, np.uint64))
        self.words["synapse"][:len(rows), :rows.shape[1]] = rows

    def run(self, *runs: list[list[int]], switches: int = LEARN, length: int = 0,
            **registers: int) -> TileTrace:
        """Trace of runs, each a list of steps, each a list of axons; all synapses are logged."""
        steps = [step for run in runs for step in run]
        start = np.cumsum([0] + [len(step) for step in steps]).astype(np.int64)
        events = TileEvents(len(runs), len(runs[0]), start,
                            np.array([axon for step in steps for axon in step], np.int32))
        tile = LoadedTile(self.config, self.words, self.config.groups, length,
                          TileLearning(switches=switches, **registers))
        return tile.run(events, np.arange(self.config.neurons), log=np.arange(len(steps)))


def potentials(trace: TileTrace, neuron: int = 0) -> list[int]:
    return trace.membrane[:, :, neuron].ravel().tolist()


def synapse(trace: TileTrace, row: int = 0, lane: int = 0) -> list[int]:
    """Word of a synapse after each step."""
    assert trace.synapse_log is not None
    return trace.synapse_log[:, row, lane].tolist()


def calcium(trace: TileTrace, neuron: int = 0) -> dict[str, int]:
    fields = calcium_word().unpack(trace.final["calcium"])
    return {key: int(value[-1, neuron]) for key, value in fields.items()}


def calcium_by_step(tile: Hand, steps: list[list[int]]) -> list[int]:
    return [calcium(tile.run(steps[:n + 1]))["calcium"] for n in range(len(steps))]


@pytest.mark.parametrize(("rule", "words", "sums"), [
    (UP, [2, 5, 6], [2, 2 + 2 + 3 + 4, 11 + 5]), (DOWN, [2, 0, 0], [2, 2 + 2 + 1 + 0, 5]),
    ({}, [2, 2, 2], [2, 8, 10])], ids=["up", "down", "neither"])
def test_an_event_delivers_and_then_changes(rule, words, sums):
    # In step 0 no update has set flags yet. An axon that comes again finds what it left.
    trace = Hand([PLASTIC], MAPPED | 2, **rule).run([[0], [0, 0, 0], [0]])
    assert synapse(trace) == [MAPPED | w for w in words]
    assert potentials(trace) == sums
    assert trace.counters["synapse_writes"] == [5]


def test_weights_saturate_and_inhibitory_axons_subtract():
    axon = {**PLASTIC, "inhibitory": 1}
    trace = Hand([axon], MAPPED | 6, **UP).run([[0], [0], [0], [0]])
    assert synapse(trace) == [14, 15, 15, 15]
    assert potentials(trace) == [-6, -12, -19, -26]


def test_axons_that_share_a_row_find_each_other_s_changes():
    # Axon 1 is static and reads the row for another group, axon 2 changes it by that group's flags.
    axons = [PLASTIC, {"group": 1}, {"group": 1, **PLASTIC}]
    theta = np.full((8, 4), -1000)
    theta[1] = 1000
    tile = Hand(axons, MAPPED | 3, **{**UP, "theta_mem": theta, "theta2": 7})
    trace = tile.run([[], [0, 1, 2, 2, 1]])
    assert synapse(trace) == [11, MAPPED | 3 + 1 - 2]
    assert potentials(trace, 0) == [0, 3] and potentials(trace, 4) == [0, 4 + 4 + 3 + 2]


def test_flags_compare_the_potential_after_the_reset():
    # Lanes end at 4, 5 and, after firing from 10, at 0 (loaded) or 7 (subtracted).
    rule: Any = {"enable": 1, "theta_mem": 5, "theta2": 7, "theta3": 7,
            "bias": [4, 5, 10, 10], "threshold": [5, 5, 3, 3]}
    for soft_reset, changes in ((0, [-1, 1, -1, -1]), (1, [-1, 1, 1, 1])):
        tile = Hand([PLASTIC], [[MAPPED | 3] * 4], group={"soft_reset": soft_reset}, **rule)
        trace = tile.run([[], [0]])
        assert [synapse(trace, lane=k)[1] - 11 for k in range(4)] == changes


@pytest.mark.parametrize(("theta1", "bound", "changes"), [
    (0, 3, [0, 1, 1, 0, 0]), (1, 3, [0, 1, 1, 0, 0]), (2, 4, [0, 0, 1, 1, 0]),
    (3, 3, [0, 0, 0, 0, 0]), (5, 7, [0, 0, 0, 0, 0])])
def test_windows_of_calcium(theta1, bound, changes):
    # One spike per step: calcium is t + 1 after step t, and the event of step t + 1 obeys.
    common: Any = {"theta1": theta1, "bias": 10, "threshold": 3}
    steps = [[0]] * 5
    trace = Hand([PLASTIC], MAPPED, **common, **{**UP, "theta3": bound}).run(steps)
    assert np.diff(synapse(trace), prepend=MAPPED).tolist() == changes
    trace = Hand([PLASTIC], 15, **common, **{**DOWN, "theta2": bound}).run(steps)
    assert np.diff(synapse(trace), prepend=15).tolist() == [-c for c in changes]


@pytest.mark.parametrize(("leak", "spikes", "values"), [
    (0, [1] * 9, [1, 2, 3, 4, 5, 6, 7, 7, 7]),
    (3, [1, 1, 0, 0, 0, 0, 0, 0, 0], [1, 2, 1, 1, 1, 0, 0, 0, 0]),
    (3, [1, 1, 1, 1, 0, 0, 0, 0, 0], [1, 2, 2, 3, 3, 2, 2, 2, 1]),  # both in step 2: no change
    (1, [1, 1, 0, 1], [0, 0, 0, 0])])
def test_calcium_counts_spikes_and_leaks(leak, spikes, values):
    tile = Hand([STATIC], MAPPED | 7, enable=1, leak=leak, threshold=5)
    assert calcium_by_step(tile, [[0] if s else [] for s in spikes]) == values


def test_calcium_goes_on_without_learning_but_not_without_enable():
    steps: list[list[int]] = [[0], [0]]
    rule: Any = {"leak": 5, "threshold": 5, "theta3": 7, "theta_mem": -1000}
    on = Hand([PLASTIC], MAPPED | 7, enable=1, **rule).run(steps, switches=0)
    assert calcium(on) == {"calcium": 2, "leak_count": 2, "up": 1, "down": 0}
    assert on.counters["synapse_writes"] == [0]
    off = Hand([PLASTIC], MAPPED | 7, enable=0, **rule).run(steps)
    assert calcium(off) == {"calcium": 0, "leak_count": 0, "up": 0, "down": 0}
    assert off.counters["synapse_writes"] == [2]


def test_leak_count_wraps_at_its_five_bits():
    tile = Hand([STATIC], MAPPED | 7, enable=1, leak=31, threshold=5)
    assert calcium_by_step(tile, [[0]] + [[]] * 31)[-3:] == [1, 0, 0]  # in the 31st update


@pytest.mark.parametrize(("group", "seen"), [
    ({"model": Model.IF, "offset": 2}, (1, 1)), ({"model": Model.IDLE}, (0, 0)),
    ({"model": 7}, (0, 0)), ({"model": Model.LI}, (3, 1))])
def test_groups_without_update_keep_calcium_and_readouts_have_flags(group, seen):
    tile = Hand([STATIC], MAPPED | 7, group=group, leak=7, threshold=100, **UP)
    found = calcium(tile.run([[0], [0], [0]]))
    assert (found["leak_count"], found["up"], found["calcium"]) == (*seen, 0)


def test_flags_stay_while_a_group_is_inactive():
    # Groups are active in steps 0 and 1; synapses learn in steps 1 and 2.
    trace = Hand([PLASTIC], MAPPED, **UP).run([[0]] * 5, length=2, offset=1)
    assert synapse(trace) == [8, 9, 10, 10, 10]
    assert trace.counters["synapse_writes"] == [2]
    trace = Hand([PLASTIC], MAPPED, **UP).run([[0]] * 5, offset=2)
    assert synapse(trace) == [8, 8, 9, 10, 11]


@pytest.mark.parametrize(("switches", "words", "sums"), [
    (LEARN, [3, MAPPED | 4], [0, 6]), (LEARN | UNMAPPED_LEARN, [4, MAPPED | 4], [0, 6]),
    (LEARN | UNMAPPED_DELIVER, [3, MAPPED | 4], [6, 6]),
    (UNMAPPED_LEARN | UNMAPPED_DELIVER, [3, MAPPED | 3], [6, 6])])
def test_switches(switches, words, sums):
    trace = Hand([PLASTIC], [3, MAPPED | 3], **UP).run([[0], [0]], switches=switches)
    assert trace.synapse[0, :2].tolist() == words
    assert [potentials(trace, n)[1] for n in (0, 1)] == sums
    assert trace.counters["synapse_writes"] == [2 * (switches & LEARN)]


def test_static_axons_do_not_change_synapses():
    trace = Hand([STATIC, PLASTIC], MAPPED, **UP).run([[0], [0], [0, 1], [0]])
    assert synapse(trace) == [8, 8, 9, 9]
    assert trace.counters["synapse_writes"] == [1]


def test_bistability_drives_weights_apart():
    words = [[8, 9, 10, 11], [12, 13, 14, 15], [0, 3, 4, 6], [9, 9, 12, 12]]
    settled = [[8, 8, 9, 10], [13, 14, 15, 15], [0, 3, 4, 6], [9, 9, 12, 12]]
    trace = Hand([], words).run([[]], period=1, rows=3)
    assert trace.synapse[:4].tolist() == settled
    assert trace.counters["synapse_writes"] == [3]
    settled[2] = [0, 2, 5, 7]
    trace = Hand([], words).run([[]], period=1, rows=3, switches=LEARN | UNMAPPED_LEARN)
    assert trace.synapse[:4].tolist() == settled
    assert Hand([], words).run([[]], period=1, rows=3, switches=0).synapse[0, 3] == 11


@pytest.mark.parametrize(("registers", "words"), [
    ({"period": 0}, [12, 12, 12, 12, 12, 12]), ({"period": 2}, [12, 13, 13, 14, 14, 15]),
    ({"period": 2, "offset": 1}, [12, 12, 13, 13, 14, 14]),
    ({"period": 2, "length": 3}, [12, 13, 13, 13, 13, 13]),
    ({"period": 4, "switches": 0}, [12, 12, 12, 12, 12, 12])])
def test_bistability_counts_steps_in_which_synapses_learn(registers, words):
    assert synapse(Hand([], MAPPED | 4).run([[]] * 6, **registers)) == words


def test_registers_have_their_widths():
    words = [[MAPPED | 4]] * 2
    trace = Hand([], words).run([[]] * 4, offset=8 + 1, period=256 + 2, rows=256 + 1)
    assert synapse(trace) == [12, 12, 13, 13] and synapse(trace, row=1) == [12] * 4


def test_bistability_follows_the_events_of_its_step():
    # From 4 an event depresses to 3, and from there it goes down, not up.
    trace = Hand([PLASTIC], MAPPED | 4, **DOWN).run([[], [0], [0]], period=2)
    assert synapse(trace) == [12, 10, 9]


@pytest.mark.parametrize("stages", [1, 2])
@pytest.mark.parametrize("rows", [1, 5, 256])
def test_cycles_of_bistability(stages, rows):
    tile = Hand([PLASTIC], MAPPED, config=SMALL.replace(integrate_stages=stages))
    without = tile.run([[0], [], [0]], rows=rows).barrier[0]
    found = tile.run([[0], [], [0]], period=2, rows=rows).barrier[0]
    assert (found - without).tolist() == [0, 0, rows + stages + 1]


@pytest.mark.parametrize("stages", [1, 2])
def test_a_row_waits_for_its_pending_write(stages):
    config = SMALL.replace(integrate_stages=stages)
    axons = [{"row": 5}, {"row": 5, "group": 1}, {"row": 6, "group": 2}]
    trace = Hand(axons, 0, config=config).run([[0, 1]])
    # Accepted in cycles 0 and 1: issued in 3 and 4, but the second waits.
    assert trace.counters["hazard_stalls"] == [stages]
    assert trace.barrier.tolist() == [[4 + stages + stages + 1]]
    # With another between them only the second stage is in the way.
    trace = Hand(axons, 0, config=config).run([[0, 2, 1]])
    assert trace.counters["hazard_stalls"] == [stages - 1]
    assert trace.barrier.tolist() == [[5 + stages - 1 + stages + 1]]
    # The last row of a longer segment, and the second row of the next.
    axons = [{"row": 4, "count": 1}, {"row": 4, "group": 4, "count": 1}]
    trace = Hand(axons, 0, config=config).run([[0, 1]])
    assert trace.counters["hazard_stalls"] == [stages - 1]
    axons = [{"row": 4, "count": 1}, {"row": 4, "group": 4, "count": 1}, {"row": 5}]
    assert Hand(axons, 0, config=config).run([[0, 2]]).counters["hazard_stalls"] == [stages]
    axons[2] = {"row": 3, "group": 4, "count": 2}
    trace = Hand([{"row": 4}, axons[2]], 0, config=config).run([[0, 1]])
    assert trace.counters["hazard_stalls"] == [stages - 1]


def test_two_rows_come_round_within_a_segment():
    config = SMALL.replace(integrate_stages=2, synapse_words=2)
    tile = Hand([{**PLASTIC, "count": 4}], [[MAPPED | 1], [MAPPED | 4]], config=config, **UP)
    trace = tile.run([[0], [0]])
    assert trace.barrier[0, 0] == 9 + 3  # issued in cycles 3, 4, 6, 7, 9
    assert trace.counters["hazard_stalls"] == [4]
    assert [potentials(trace, 4 * g) for g in range(5)] == [
        [1, 1 + 1], [4, 4 + 4], [1, 1 + 2], [4, 4 + 5], [1, 1 + 3]]
    assert trace.synapse[:, 0].tolist() == [MAPPED | 4, MAPPED | 6]


def test_runs_hand_on_synapses_and_nothing_else():
    # Two learning steps per run: a counter of bistability that went on would act in the second.
    trace = Hand([PLASTIC], MAPPED, leak=9, **UP).run([[0], [0]], [[0], [0]], period=3)
    assert synapse(trace) == [8, 9, 9, 10]
    assert potentials(trace) == [0, 0, 1, 2]
    assert calcium(trace)["leak_count"] == 2
    assert trace.counters["synapse_writes"].tolist() == [2, 2]


def test_a_loaded_tile_keeps_its_synapses():
    hand = Hand([PLASTIC], MAPPED | 1, **UP)
    on = TileLearning(switches=LEARN)
    tile = LoadedTile(hand.config, hand.words, 8, 0, on)
    events = TileEvents(1, 3, np.arange(4), np.zeros(3, np.int32))
    assert [tile.run(events).synapse[0, 0] for _ in range(2)] == [11, 13]
    assert LoadedTile(hand.config, hand.words, 8, 0, on).run(events).synapse[0, 0] == 11
    words = tile.synapses()
    assert words[0, 0] == 13
    words[0, 0] = MAPPED | 5
    assert tile.synapses()[0, 0] == 13
    tile.load_synapses(words)
    tile.switch(None)
    assert tile.run(events).synapse[0, 0] == 13
    tile.switch(on)
    assert tile.run(events).synapse[0, 0] == 15
    assert tile.synapses()[0, 0] == 15 and hand.words["synapse"][0, 0] == 9


def test_wrong_synapses_are_named():
    hand = Hand([PLASTIC], 0)
    tile = LoadedTile(hand.config, hand.words, 8, 0)
    words = tile.synapses()
    with pytest.raises(UserError, match=r"learns: synapses must be integers of shape \(256, 4\)"):
        tile.load_synapses(words[1:])
    with pytest.raises(UserError, match="learns: a synapse must be a word of 4 bits"):
        tile.load_synapses(words + 16)
    fixed = TEST_PRESETS["test_all"]
    contents = {m.name: np.zeros((m.rows, m.lanes), np.uint64) for m in memories(fixed)}
    with pytest.raises(UserError, match="test_all: has learning = 'none', so that it has no"):
        LoadedTile(fixed, contents, 8, 0, TileLearning())
    with pytest.raises(UserError, match="test_all: has learning = 'none': its synapses are"):
        LoadedTile(fixed, contents, 8, 0).load_synapses(words)
    trace = LoadedTile(fixed, contents, 8, 0).run(
        TileEvents(1, 2, np.zeros(3, np.int64), np.zeros(0, np.int32)), log=np.array([0, 1]))
    assert trace.synapse_log is not None and trace.synapse_log.shape == (2, 256, 4)
