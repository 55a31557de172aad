# SPDX-License-Identifier: Apache-2.0
"""The report of a run on a mesh: true to the counters and the time line, alive in a browser."""

import re
from dataclasses import replace

import numpy as np
import pytest

from neurotile import pipeline
from neurotile.compare import compare
from neurotile.mesh_options import MeshOptions
from neurotile.report import render
from neurotile.report.mesh_run import mesh_data
from neurotile.report.mesh_shapes import ramp
from neurotile.report.mesh_times import mesh_times
from neurotile.testbenches.browser import open_page
from neurotile.testbenches.cli_cases import INPUTS, SAMPLES, STEPS, small_graph
from neurotile.testbenches.test_compare import change
from neurotile.testbenches.test_report import Reader, unpack

SPIKES = (np.random.default_rng(7).random((SAMPLES, STEPS, INPUTS)) < 0.4).astype(np.uint8)
OPTIONS = MeshOptions(shape=(2, 2), spread=True)


def run_it(engine="fast", **options):
    made = pipeline.build(pipeline.load(small_graph()), mesh=OPTIONS)
    return pipeline.run(made, SPIKES, engine=engine, **options)


@pytest.fixture(scope="module")
def result():
    return run_it()


@pytest.fixture(scope="module")
def page(result):
    return render(result)


def times_of(result):
    found = mesh_times(result.trace.tile.mesh)
    assert found is not None
    return found


def as_rtl(result):
    """The same run as the rtl engine tells it: without a time line."""
    tile = result.trace.tile
    return replace(result, trace=replace(result.trace, engine="rtl", tile=replace(
        tile, mesh=replace(tile.mesh, timeline=None))))


def test_times_add_up_to_the_steps(result):
    mesh, times = result.trace.tile.mesh, times_of(result)
    total = times.update + times.integrate + times.wait
    assert (total == np.diff(mesh.barrier, axis=1, prepend=-1)[..., None]).all()
    assert (times.update[:, 0] == 0).all() and (times.update[:, 1:] > 0).all()
    assert times.integrate.min() >= 0
    # Nobody waits less than the slowest tile, which waits for the stages of the barrier.
    stages = result.build.config.barrier_stages
    assert (times.slowest("wait") == times.wait.min(axis=2)).all()
    assert times.wait.min() > stages - 1
    assert times.share_last.sum() == pytest.approx(1) and times.busy.max() <= 1
    assert mesh_times(as_rtl(result).trace.tile.mesh) is None


def test_numbers_of_the_page(result, page):
    mesh, text = result.trace.tile.mesh, Reader(page).text
    steps = mesh.barrier.size
    times = times_of(result)
    tile = int(times.share_last.argmax())
    assert (f"Tile {tile} (column {tile % 2}, row {tile // 2}" in text
            and f"is last to be idle in {100 * times.share_last[tile]:.1f} % of the steps" in text)
    for port in ("east", "south", "west", "north"):
        for number in range(4):
            sent = mesh.counters[port][:, number].sum() / steps
            x, y = number % 2, number // 2
            dx, dy = {"north": (0, -1), "east": (1, 0), "south": (0, 1), "west": (-1, 0)}[port]
            if x + dx > 1 or not 0 <= y + dy <= 1:
                assert sent == 0
                continue
            there = "host" if x + dx < 0 else f"column {x + dx}, row {y + dy}"
            shown = f"{sent:,.0f}" if sent == round(sent) else f"{sent:.3g}"
            assert f"column {x}, row {y} → {there}\n{shown} packets per tile step" in page
    inputs = re.findall(r"host → column 0, row \d\n([\d.]+) packets", page)
    assert sum(map(float, inputs)) > 0 and len(inputs) == 2


def test_sections_with_and_without_a_time_line(result, page):
    assert Reader(page).sections == [
        "network", "accuracy", "spikes", "potentials", "cycles", "mesh", "memory", "quantisation",
        "energy"]
    assert 'id="plot-hops"' in page and 'id="plot-queue"' in page and 'id="plot-split"' in page
    rtl = render(as_rtl(result))
    text = Reader(rtl).text
    assert "The rtl engine does not tell when tiles are idle" in text
    assert "reads most synapse words" in text and "last to be idle" not in text
    assert 'id="plot-hops"' in rtl and 'id="plot-queue"' not in rtl and 'id="mesh-data"' not in rtl
    golden = Reader(render(run_it("golden")))
    assert "golden engine knows no packets" in golden.text and "mesh" in golden.sections
    tile = render(pipeline.run(pipeline.load(small_graph()), SPIKES))
    assert 'href="#mesh"' not in tile and "mesh-run" not in tile


def test_time_line_of_the_page_is_that_of_the_run(result):
    line, barrier = result.trace.tile.mesh.timeline, result.trace.tile.mesh.barrier
    data = mesh_data(result, [1, 3])
    assert [run["name"] for run in data["runs"]] == ["sample 1", "sample 3"]
    for number, run in zip((1, 3), data["runs"], strict=True):
        assert np.array_equal(unpack(run["barrier"], "<f8"), barrier[number])
        for name in ("idle", "updated"):
            assert np.array_equal(unpack(run[name], "<f8").reshape(-1, 4),
                                  getattr(line, name)[number])
    kept = run_it(keep_state=True)
    assert [run["name"] for run in mesh_data(kept, [0, 1])["runs"]] == ["all samples"]
    assert "all samples" in render(kept)


def test_dropped_and_lost_packets_are_told(result):
    tile = result.trace.tile
    lost = replace(tile.mesh, lost=tile.mesh.lost + [3, 0, 0, 0, 0])
    page = render(replace(result, trace=replace(result.trace, tile=replace(tile, mesh=lost))))
    assert "3 packets got lost or were dropped for parity." in Reader(page).text


def test_colours_go_from_cool_to_hot():
    assert ramp(0) == ramp(-1) == "#cdd8e4" and ramp(0.5) == "#f0a430" and ramp(2) == "#aa1626"


WALK = """<script>
addEventListener("load", () => {
  const at = (id) => document.getElementById(id), told = [];
  told.push(at("mesh-times").dataset.drawn, at("mesh-step").options.length);
  at("mesh-run").value = 2;
  at("mesh-run").dispatchEvent(new Event("change"));
  const box = at("mesh-times").getBoundingClientRect();
  const place = { clientX: box.right - 14, clientY: box.top + 6, bubbles: true };
  at("mesh-times").dispatchEvent(new MouseEvent("mousemove", place));
  told.push(at("mesh-hint").textContent);
  at("mesh-times").dispatchEvent(new MouseEvent("click", place));
  told.push(at("mesh-step").value, at("mesh-hint").textContent, at("mesh-times").dataset.drawn);
  document.querySelector("svg.mesh .tile title").parentElement.dispatchEvent(
    new MouseEvent("mouseover", { bubbles: true }));
  told.push(at("numbers").textContent.split("\\n")[0]);
  document.body.dataset.walked = told.join("|");
});
</script></body>"""


def test_time_line_in_a_browser(result, page, tmp_path):
    file = tmp_path / "report.html"
    file.write_text(page.replace("</body>", WALK), encoding="utf-8")
    opened = open_page(file, tmp_path)
    assert opened.console == [] and 'data-mesh="ready"' in opened.document
    match = re.search(r'data-walked="(.*?)"', opened.document)
    assert match
    drawn, options, hint, step, alone, few, numbers = match[1].split("|")
    times = times_of(result)
    parts = (times.update, times.integrate, times.wait)
    steps = times.last.shape[1]
    assert int(drawn) == sum(int((part[0] > 0).sum()) for part in parts)
    assert int(options) == steps + 1 and int(step) == steps - 1
    update, integrate, wait = (part[2, -1, 0] for part in parts)
    assert hint == (f"tile 0, step {steps - 1}: updates and sends for {update}, integrates for "
                    f"{integrate}, waits for the barrier for {wait} cycles")
    total = update + integrate + wait
    assert alone == (f"step {steps - 1}: {total} cycles; tile {times.last[2, -1]} is last to be "
                     "idle")
    assert int(few) == sum(int((part[2, -1] > 0).sum()) for part in parts)
    assert numbers == "tile 0 (column 0, row 0)"


# --- counters of the tiles in the run directory --------------------------------------------------


def test_counters_of_tiles_are_saved_and_compared(result, tmp_path):
    for name in ("one", "two"):
        result.save(tmp_path / name, report=False)
    mesh = result.trace.tile.mesh
    with np.load(tmp_path / "one" / "cycles.npz") as held:
        for name, value in mesh.counters.items():
            assert np.array_equal(held[f"tiles.{name}"], value) and value.shape == (SAMPLES, 4)
            total = value.max(axis=1) if name == "queue_high_water" else value.sum(axis=1)
            assert np.array_equal(held[f"counter.{name}"], total)
    equal = compare(tmp_path / "one", tmp_path / "two")
    text = "\n".join(equal.lines())
    assert equal.same and not equal.skipped and "counters of the tiles: drops" in text
    change(tmp_path / "two", "cycles.npz", "tiles.east", (2, 1))
    found = compare(tmp_path / "one", tmp_path / "two")
    assert len(found.differences) == 1
    told = "\n".join(found.differences[0].lines())
    assert "counter east of a tile: 1 of 20 values differ" in told
    assert "first at end of run 2, tile 1: A has" in told
