# SPDX-License-Identifier: Apache-2.0
"""``neurotile map``: what it writes and prints, and how it refuses."""

import json
import re
import struct

import numpy as np
import pytest

from neurotile import pipeline
from neurotile.mapped import Mapped
from neurotile.mesh_options import MeshOptions
from neurotile.models.mesh.report import mesh_report
from neurotile.models.mesh.traffic import mesh_traffic
from neurotile.report.mesh_page import render_map
from neurotile.spec import MESH_PRESETS, PRESETS, MeshConfig, configuration_from_toml
from neurotile.testbenches.browser import open_page
from neurotile.testbenches.cli_cases import (
    INPUTS,
    SAMPLES,
    STEPS,
    call,
    make_workplace,
    small_graph,
    write_spikes,
)
from neurotile.testbenches.test_report import Reader

FILES = {"map.json", "map.png", "map.html", "mesh.toml"}
NUMBERS = [f"neurons{'':>9}", "axon entries", "synapse words", "route entries"]


@pytest.fixture
def place(tmp_path):
    return make_workplace(tmp_path)


@pytest.fixture
def cli(monkeypatch, capsys):
    return lambda *arguments: call(monkeypatch, capsys, *arguments)


def run_map(cli, place, *more, out="map"):
    return cli("map", place.model, *more, "--out", place.folder / out)


def mapped_it():
    """What ``--mesh 2x2 --spread`` makes of the small network."""
    return Mapped(pipeline.build(pipeline.load(small_graph()),
                                 mesh=MeshOptions(shape=(2, 2), spread=True)), {})


def read(folder):
    return json.loads((folder / "map.json").read_text())


# --- what it writes ------------------------------------------------------------------------------


def test_folder(cli, place):
    done = run_map(cli, place, "--mesh", "2x2", "--spread")
    assert done.code == 0, done.err
    out = place.folder / "map"
    assert {p.name for p in out.iterdir()} == FILES
    program, held = mapped_it().program, read(out)
    use, traffic = mesh_report(program), mesh_traffic(program)
    assert held["made_by"] == "neurotile map" and held["program"] == program.digest
    assert held["config"] == program.config.to_dict() and held["options"]["spread"]
    assert [t["populations"] for t in held["tiles"]] == [t.populations for t in use.tiles]
    assert [t["neurons"]["used"] for t in held["tiles"]] == [t.neurons.used for t in use.tiles]
    assert [t["queue_bound"] for t in held["tiles"]] == traffic.queue.tolist()
    for port, name in enumerate(("north", "east", "south", "west", "local")):
        assert held["traffic"]["links"][name] == traffic.links[:, port].tolist()
    assert held["traffic"]["hops"] == traffic.hops.tolist()
    assert held["traffic"]["rates"] == "every source in every step"
    assert held["queue"] == {"bound": int(traffic.queue.max()),
                             "depth": program.tile.queue_depth, "can_overflow": False}
    assert held["drain"] == program.drain == 1
    stored = held["stored"]
    assert stored["synapses_per_weight"] == stored["synapses"] / stored["weights_not_0"]
    total = sum(memory["bits"] for memory in held["memories"])
    assert f"{total / 1024:,.4g} kb in all 4 tiles" in done.out
    kind, size = (out / "map.png").read_bytes()[:8], (out / "map.png").stat().st_size
    width, height = struct.unpack(">II", (out / "map.png").read_bytes()[16:24])
    assert kind == b"\x89PNG\r\n\x1a\n" and size > 10_000 and width > 800 and height > 400


def test_same_arguments_same_bytes(cli, place):
    for name in ("one", "two"):
        assert run_map(cli, place, "--mesh", "2x2", out=name).code == 0
    for name in FILES:
        assert (place.folder / "one" / name).read_bytes() == (
            place.folder / "two" / name).read_bytes(), name


@pytest.mark.parametrize("options", [
    ("--mesh", "2x2", "--spread"), ("--mesh", "auto", "--routing", "multicast"),
    ("--mesh", "1x2", "--weight-bits", "4", "--no-share")])
def test_mesh_toml_is_read_back(cli, place, options):
    assert run_map(cli, place, *options).code == 0
    out, first = place.folder / "map", read(place.folder / "map")
    again = [o for o in options if o in ("--spread", "--no-share")]
    assert run_map(cli, place, "--config", out / "mesh.toml", *again, out="again").code == 0
    second = read(place.folder / "again")
    assert isinstance(configuration_from_toml(out / "mesh.toml"), MeshConfig)
    assert first["program"] == second["program"] and first["config"] == second["config"]
    assert (out / "mesh.toml").read_bytes() == (
        place.folder / "again" / "mesh.toml").read_bytes()
    done = cli("run", place.model, "--input", place.spikes, "--config", out / "mesh.toml", *again,
               "--no-report", "--out", place.folder / "run")
    assert done.code == 0, done.err
    ran = json.loads((place.folder / "run" / "run.json").read_text())
    assert ran["program"] == first["program"]


def test_input_gives_rates(cli, place):
    run_map(cli, place, "--mesh", "2x2", "--spread", out="full")
    done = run_map(cli, place, "--mesh", "2x2", "--spread", "--input", place.spikes)
    assert done.code == 0 and "(rates of a profile run)" in done.out
    held, full = read(place.folder / "map"), read(place.folder / "full")
    assert held["traffic"]["rates"] == "profile"
    with np.load(place.spikes) as spikes:
        lines = spikes["spikes"].sum() / (SAMPLES * STEPS)
    per_line = np.diff(mapped_it().program.input_start)
    assert (per_line == per_line[0]).all()  # every line reaches as many tiles
    assert sum(held["traffic"]["entering"]) == pytest.approx(lines * per_line[0])
    assert sum(full["traffic"]["entering"]) == INPUTS * per_line[0]
    assert sum(held["traffic"]["hops"]) < sum(full["traffic"]["hops"])


def test_queues_by_profile(cli, place):
    done = run_map(cli, place, "--queue", "profiled", "--margin", "4", "--input", place.spikes,
                   "--preset", "mesh_4x4")
    assert done.code == 0, done.err
    wide = read(place.folder / "map")
    assert run_map(cli, place, "--queue", "profiled", "--margin", "1", "--input", place.spikes,
                   "--preset", "mesh_4x4", out="tight").code == 0
    tight = read(place.folder / "tight")
    assert wide["queue"]["depth"] == 4 * tight["queue"]["depth"] and wide["options"]["margin"] == 4
    assert tight["queue"]["can_overflow"] == (
        tight["queue"]["depth"] < tight["queue"]["bound"])


def test_preset_of_a_mesh_and_of_a_tile(cli, place):
    assert run_map(cli, place, "--preset", "mesh_4x4").code == 0
    held = read(place.folder / "map")
    assert held["config"] == MESH_PRESETS["mesh_4x4"].to_dict()
    assert held["options"]["queue"] == "fixed" and held["options"]["shape"] == [4, 4]
    assert run_map(cli, place, "--preset", "default", "--mesh", "2x1").code == 0
    held = read(place.folder / "map")
    assert (held["config"]["rows"], held["config"]["cols"]) == (2, 1)
    assert held["config"]["tile"]["axons"] == PRESETS["default"].axons


# --- what it prints ------------------------------------------------------------------------------


def test_what_is_printed(cli, place):
    done = run_map(cli, place, "--mesh", "2x2", "--spread")
    held = read(place.folder / "map")
    for name in NUMBERS:
        assert f"  {name}" in done.out
    worst, queue = held["traffic"]["worst"], held["queue"]
    for text in (f"worst link: tile {worst['tile']} {worst['link']}, {worst['packets']:.0f} packet",
                 f"after {held['traffic']['mean_hops']:.2f} hops on average (if every source is",
                 f"at most {queue['bound']:,} entries can be in use",
                 f"queue_depth is {queue['depth']:,}: no stimulus can overflow them",
                 f"{held['stored']['synapses_per_weight']:.2f} synapses per weight",
                 f"{100 * held['stored']['share_of_memory']:.1f} % of the synapse memory",
                 "the answer is complete 1 step after the last input"):
        assert text in done.out, text
    for memory in held["memories"]:
        size = rf"{memory['words']:,} x +{memory['word']} b per tile"
        assert re.search(rf"^  {memory['name']} +{size}", done.out, re.MULTILINE)
    for key in held["keys"]:
        assert re.search(rf"^  {key['key']} {key['value']:,} -> {key['tried']:,} +"
                         rf"[{'+' if key['change'] > 0 else '-'}]", done.out, re.MULTILINE)


def test_queues_that_could_overflow_are_told(cli, place):
    small = MESH_PRESETS["mesh_4x4"]
    toml = place.folder / "small.toml"
    toml.write_text(small.replace(tile=small.tile.replace(queue_depth=4)).to_toml())
    done = run_map(cli, place, "--config", toml)
    assert done.code == 0 and "a busy stimulus could overflow them" in done.out
    assert read(place.folder / "map")["queue"]["can_overflow"]
    assert "A busy stimulus could overflow a queue" in (
        place.folder / "map" / "map.html").read_text()


def test_info_prints_the_rows_of_a_mesh(cli, place):
    done = cli("info", place.model, "--mesh", "2x2", "--spread")
    run_map(cli, place, "--mesh", "2x2", "--spread")
    held = read(place.folder / "map")
    assert done.code == 0 and "yes, mesh_2x2" in done.out
    for label, name in (("neurons", "neurons"), ("axon entries", "axons"),
                        ("synapse words", "synapse_words"), ("route entries", "routes")):
        used, room = (sum(t[name][key] for t in held["tiles"] if t["neurons"]["used"])
                      for key in ("used", "available"))
        assert re.search(rf"^  {label} +{used:,} of +{room:,} +{100 * used / room:.1f} %$",
                         done.out, re.MULTILINE)
    assert "the answer is complete 1 step after the last input" in done.out


def test_presets_list_meshes(cli):
    done = cli("presets")
    assert re.search(r"^mesh_4x4 +4 x 4 +256 +1024 +131,072 x 8 b +17\.\d+ Mb  unicast$", done.out,
                     re.MULTILINE)
    assert cli("presets", "--toml", "mesh_4x4").out == MESH_PRESETS["mesh_4x4"].to_toml()


# --- the page ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page():
    return render_map(mapped_it())


def test_page_is_complete_and_loads_nothing(page):
    read = Reader(page)
    assert read.sections == ["mesh", "tiles", "traffic", "queues", "memory"] and read.loads == []
    assert "fetch(" not in page and "@import" not in page
    # 4 tiles, 2 host ports with 2 ways each, 4 ways between tiles in two directions.
    assert page.count('class="point tile"') == 4 and page.count('class="point host"') == 2
    assert page.count('class="point link"') == 2 * 2 + 2 * 4


def test_names_are_text(tmp_path):
    made = pipeline.load(small_graph())
    build = pipeline.build(made, mesh="1x1")
    names = {"hidden.lif": "</script><b>$x$&", "out": "o" * 60}
    network = build.network
    renamed = network.__class__(
        network.inputs,
        tuple(p.__class__(**{**p.__dict__, "name": names[p.name]}) for p in network.populations),
        tuple(e.__class__(names.get(e.source, e.source), names[e.target], e.weights, e.delay)
              for e in network.projections), name="<i>a$b")
    mapped = Mapped(pipeline.build(renamed, mesh="1x1"), {})
    page = render_map(mapped)
    assert "<b>$x" not in page and "<i>a" not in page and "</script><b>$x$&" in Reader(page).text
    mapped.save(tmp_path / "map")  # $ is no formula in the picture


WALK = """<script>
addEventListener("load", () => {
  const numbers = document.getElementById("numbers"), told = [];
  for (const kind of ["tile", "link", "host"]) {
    document.querySelector(".point." + kind).dispatchEvent(
      new MouseEvent("mouseover", { bubbles: true }));
    told.push(numbers.textContent.split("\\n").join("; "));
  }
  document.querySelector("svg.mesh").dispatchEvent(new MouseEvent("mouseleave"));
  document.body.dataset.walked = [...told, numbers.textContent].join("|");
});
</script></body>"""


def test_pointing_in_a_browser(page, tmp_path):
    file, shot = tmp_path / "map.html", tmp_path / "map.png"
    file.write_text(page.replace("</body>", WALK), encoding="utf-8")
    opened = open_page(file, tmp_path, f"--screenshot={shot}")
    assert opened.console == [] and 'data-mesh="ready"' in opened.document
    match = re.search(r'data-walked="(.*?)"', opened.document)
    assert match
    tile, link, host, none = match[1].split("|")
    assert tile.startswith("tile 0 (column 0, row 0); ") and "axon entries" in tile
    assert link.startswith("host → column 0, row 0; ") and link.endswith("packets per step")
    assert host.startswith("host port of row 0; sends ") and none.startswith("Point at a tile")
    assert shot.stat().st_size > 30_000


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(("options", "says"), [
    (("--mesh", "4"), "a mesh is given as auto or as ROWSxCOLS, like 4x4, not '4'"),
    (("--mesh", "0x4"), "a mesh has 1..16 rows and columns, not 0 x 4"),
    (("--mesh", "4x17"), "a mesh has 1..16 rows and columns, not 4 x 17"),
    (("--mesh", "auto", "--routing", "both"), "routing must be one of unicast, multicast"),
    (("--mesh", "auto", "--delay", "none"), "delay must be one of scdq, ring, not 'none'"),
    (("--mesh", "auto", "--queue", "deep"), "queue must be one of worst_case, profiled, fixed"),
    (("--mesh", "2x2", "--preset", "up5k", "--queue", "fixed"),
     "--queue fixed: only with a mesh by --preset or --config"),
    (("--mesh", "2x2", "--preset", "learning"), "the tiles of a mesh do not learn"),
    (("--mesh", "auto", "--margin", "2"), "--margin: only with --queue profiled"),
    (("--mesh", "auto", "--queue", "profiled", "--margin", "0.5"),
     "margin must be in 1..16, not 0.5"),
    (("--mesh", "auto", "--queue", "profiled", "--margin", "nan"), "margin must be in 1..16"),
    (("--mesh", "auto", "--queue", "profiled"), "need a stimulus to profile (--input SPIKES.npz)"),
    (("--mesh", "auto", "--spread"), "spread needs the size of the mesh"),
    (("--spread",), "--spread: only with a mesh"),
    (("--preset", "wide", "--no-share"), "--no-share: only with a mesh"),
    (("--preset", "mesh_4x4", "--mesh", "2x2"), "--mesh: mesh_4x4 is a mesh already"),
    (("--preset", "mesh_4x4", "--routing", "multicast"),
     "--routing: the mesh given by --preset or --config has one"),
    (("--preset", "mesh_4x4", "--delay", "ring"), "--delay: the mesh given by"),
    (("--preset", "mesh_5x5"), "unknown preset 'mesh_5x5'; did you mean 'mesh_4x4'?"),
    (("--preset", "odin"), "tile odin is in event mode"),
    (("--preset", "mesh_4x4", "--config", "a.toml"), "--preset and --config exclude each other"),
    (("--config", "none.toml"), "none.toml: there is no such file"),
    (("--input", "none.npz"), "none.npz"),
    (("--reset", "none"), "none"),
    (("--dt", "-1"), "dt"),
    (("--mesh", "1x1", "--preset", "up5k"), 'parameters = "neuron" would do'),
    (("--mesh", "1x1", "--preset", "wide"), "memory synapse of a tile has 524288 words; on a mesh"),
])
def test_refused_with_a_line(cli, place, options, says):
    done = run_map(cli, place, *options)
    assert done.code == 2 and done.out.count("Traceback") == 0
    assert says in done.err and len(done.err.splitlines()) == 1, done.err
    assert not (place.folder / "map").exists()


@pytest.mark.parametrize("options", [("--weight-bits", "17"), ("--state-bits", "7"),
                                     ("--margin", "much"), ("--unknown",)])
def test_options_that_the_parser_refuses(cli, place, options):
    done = run_map(cli, place, *options)
    assert done.code == 2 and options[0] in done.err and not (place.folder / "map").exists()


def test_spikes_that_do_not_fit(cli, place):
    wrong = write_spikes(place.folder / "wrong.npz", np.zeros((2, 3, INPUTS + 1), np.uint8))
    done = run_map(cli, place, "--input", wrong)
    assert done.code == 2 and f"{INPUTS + 1} inputs" in done.err
    assert not (place.folder / "map").exists()


def test_a_network_that_does_not_fit_leaves_nothing(cli, place):
    mesh = MESH_PRESETS["mesh_4x4"]
    toml = place.folder / "narrow.toml"
    toml.write_text(mesh.replace(tile=mesh.tile.replace(axons=4)).to_toml())
    done = run_map(cli, place, "--config", toml)
    assert done.code == 2 and "(axons); axons = " in done.err
    assert not (place.folder / "map").exists()


def test_folders_of_others_are_kept(cli, place):
    out = place.folder / "map"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    done = run_map(cli, place)
    assert done.code == 2 and "was not made by `neurotile map`" in done.err
    (out / "mine.txt").unlink()
    assert run_map(cli, place).code == 0 and run_map(cli, place).code == 0  # its own is replaced
    (out / "mine.txt").write_text("mine")
    done = run_map(cli, place)
    assert done.code == 2 and "mine.txt is not from `neurotile map`" in done.err
    done = cli("map", place.model, "--config", out / "mesh.toml", "--out", out)
    assert done.code == 2 and "which is read" in done.err
