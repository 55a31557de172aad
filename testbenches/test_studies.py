# SPDX-License-Identifier: Apache-2.0
"""The studies run, check themselves against golden, and write the same numbers every time."""

import csv
import runpy
import sys
from dataclasses import replace

import numpy as np
import pytest

from neurotile.memory_bits import queue_entry_bits
from neurotile.spec import UserError
from neurotile.spec.formats import axon_word
from neurotile.studies import common, delay_memory, mesh_size, multicast


def quick(study, folder, *more):
    """Rows of a study, run twice."""
    seen, name = [], study.__name__.rpartition(".")[2]
    for part in ("one", "two"):
        (folder / part).mkdir()
        assert study.main(["--quick", "--out", str(folder / part), *more]) == 0
        seen.append({p.name: p.read_bytes() for p in (folder / part).iterdir()})
    assert seen[0] == seen[1] and set(seen[0]) == {f"{name}.csv", f"{name}.png"}
    with open(folder / "one" / f"{name}.csv", newline="") as file:
        return [{key: _number(value) for key, value in row.items()}
                for row in csv.DictReader(file)]


def _number(text):
    try:
        return float(text)
    except ValueError:
        return text


def test_delay_memory(tmp_path):
    rows = quick(delay_memory, tmp_path)
    assert len(rows) == 9 and not any(row["drops"] for row in rows)
    for row in rows:
        assert (row["scdq_live_bits"] <= row["scdq_high_water_bits"] <= row["scdq_profiled_bits"]
                <= row["scdq_worst_case_bits"])
        assert row["live_entries"] < 0.9 * row["high_water"]
        assert row["high_water"] <= row["worst_entries"]
        assert row["ring_bits"] == 16 * row["levels"] * row["accumulator_bits"]
        assert row["scdq_live_bits"] == pytest.approx(
            16 * row["accumulator_bits"] + row["entry_bits"] * row["live_entries"], rel=1e-5)
    by_levels = [[row for row in rows if row["levels"] == n] for n in (1, 4, 16)]
    for mine in by_levels:
        assert mine[0]["live_entries"] < mine[1]["live_entries"] < mine[2]["live_entries"]
    # As many entries are fetched per step as sources fired times the steps that they stay.
    for row in rows[3:]:
        stays = row["worst_entries"] * row["activity"]
        assert 0.6 * stays < row["events_per_step"] < 1.4 * stays
    assert by_levels[2][0]["scdq_profiled_bits"] < by_levels[2][0]["ring_profiled_bits"]


def test_a_layer_has_the_same_weights_for_any_number_of_levels():
    setting = delay_memory.Setting(inputs=12, neurons=16, density=0.5)
    one, many = (delay_memory.layer(setting, levels) for levels in (1, 8))
    total = np.sum([e.weights for e in many.projections], axis=0)
    assert np.array_equal(total, one.projections[0].weights) and total.any()
    assert sum(np.count_nonzero(e.weights) for e in many.projections) == np.count_nonzero(total)
    assert [e.delay for e in many.projections] == list(range(8))
    setting = replace(setting, levels=(8,), activity=(0.1,), steps=30)
    tile = delay_memory.program_of(many, setting, "scdq").config.tile
    row, = delay_memory.measure(setting)
    assert row.entry_bits == queue_entry_bits(tile) == tile.axon_bits + 3
    assert row.scdq_axon_bits == tile.axons * axon_word(tile).width


def test_break_even():
    def row(levels, activity, scdq, ring):
        return replace(base, levels=levels, activity=activity, scdq_profiled_bits=scdq,
                       ring_bits=ring)

    base, = delay_memory.measure(delay_memory.Setting(
        inputs=8, neurons=16, density=1.0, steps=10, levels=(2,), activity=(0.5,)))
    rows = [row(2, 0.1, 10, 20), row(2, 0.3, 40, 20), row(4, 0.1, 10, 20), row(4, 0.3, 15, 20),
            row(8, 0.1, 30, 20), row(8, 0.3, 35, 20)]
    found = delay_memory.break_even(rows, "scdq_profiled_bits", "ring_bits")
    assert found == {2: pytest.approx(0.1 + 0.2 / 3), 4: None, 8: None}


def test_multicast(tmp_path):
    rows = quick(multicast, tmp_path)
    assert [row["routing"] for row in rows] == ["unicast", "multicast"] * 3
    for one, other in zip(rows[::2], rows[1::2], strict=True):
        assert other["sent"] <= one["sent"] and one["tree_bits"] == 0 < other["tree_bits"]
        assert other["received"] == one["received"] and one["tiles_used"] == other["tiles_used"]
        assert one["drops"] == one["lost"] == other["drops"] == other["lost"] == 0
    # With one destination each a tree is a way; with four, copies share links.
    assert rows[0]["links"] == rows[1]["links"] and rows[0]["tiles_reached"] == 1
    assert rows[3]["links"] < rows[2]["links"] and rows[3]["sent"] < rows[2]["sent"]
    assert rows[2]["tiles_reached"] == 4
    assert rows[3]["route_bits"] < rows[2]["route_bits"]


def test_a_convolution_is_one():
    rng = np.random.default_rng(0)
    matrix = multicast._convolution(rng, (2, 4), 3, 2).reshape(3, 2, 2, 2, 4, 4)
    kernel = matrix[:, 1, 1, :, 1:4, 1:4]  # of a place that no border cuts
    image = rng.integers(0, 2, (2, 4, 4))
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1)))
    for c, y, x in np.ndindex(3, 2, 2):
        there = padded[:, 2 * y:2 * y + 3, 2 * x:2 * x + 3]
        assert (matrix[c, y, x] * image).sum() == (kernel[c] * there).sum()


def test_mesh_size(tmp_path):
    rows = quick(mesh_size, tmp_path)
    assert len(rows) == 2 * 3 * 3
    for row in rows:
        parts = sum(row[part] for part in ("update", "integrate", "wait", "barrier"))
        assert parts == pytest.approx(row["cycles"], rel=1e-4)
        assert row["tiles_used"] == row["rows"] * row["cols"] and row["barrier"] >= 2
        assert row["wait"] > 0 and row["update"] <= row["slowest_update"]
        assert abs(row["measured"] - row["activity"]) < 0.3 * row["activity"]
    for a in range(0, 18, 3):  # reading is divided over the tiles
        mine = rows[a:a + 3]
        assert mine[0]["busiest_integrate"] > mine[1]["busiest_integrate"] \
            > mine[2]["busiest_integrate"]
        assert mine[0]["links"] <= mine[1]["links"] <= mine[2]["links"]
    for one, other in zip(rows[0:3] + rows[9:12], rows[3:6] + rows[12:15], strict=True):
        assert (one["variant"], other["variant"]) == ("unicast", "multicast")
        assert other["sent"] <= one["sent"]


def test_what_differs_from_golden_stops_a_study():
    network, stimulus = mesh_size.layers(replace(mesh_size.Setting(), width=16, depth=1, fan_out=2,
                                                 steps=8), 0.3)
    wanted = common.reference(network, stimulus)
    common.check_equal(wanted, wanted)
    changed = {name: 1 - spikes for name, spikes in wanted.spikes.items()}
    with pytest.raises(AssertionError, match="differ in the spikes of layer1"):
        common.check_equal(replace(wanted, spikes=changed), wanted)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        common.arguments("", given=["--out", str(tmp_path / "gone")])


@pytest.mark.parametrize("name", ["delay_memory", "mesh_size", "multicast"])
def test_a_mistake_is_one_line(name, tmp_path, monkeypatch, capsys):
    gone = str(tmp_path / "gone")
    monkeypatch.setattr(sys, "argv", [name, "--out", gone])
    monkeypatch.delitem(sys.modules, f"neurotile.studies.{name}")
    with pytest.raises(SystemExit) as caught:
        runpy.run_module(f"neurotile.studies.{name}", run_name="__main__")
    assert caught.value.code == 2
    assert capsys.readouterr().err == f"neurotile: {gone}: there is no such folder (--out)\n"


def test_tiles_of_all_sizes_of_mesh_can_be_made():
    setting = mesh_size.Setting()
    for rows, cols in setting.shapes:
        tile = mesh_size.tile_of(setting, (rows, cols))
        assert tile.neurons * rows * cols >= setting.width * setting.depth
