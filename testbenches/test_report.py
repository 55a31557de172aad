# SPDX-License-Identifier: Apache-2.0
"""The report: complete, self-contained, true to the run, and alive in a browser."""

import base64
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from neurotile import pipeline
from neurotile.metrics import predictions
from neurotile.report import render
from neurotile.report.html import tag
from neurotile.spec import InputPort, IntegerNetwork, Population, Projection
from neurotile.testbenches.browser import open_page
from neurotile.testbenches.cli_cases import (
    CLASSES,
    HIDDEN,
    INPUTS,
    SAMPLES,
    STEPS,
    small_graph,
)

SECTIONS = ["network", "accuracy", "spikes", "potentials", "cycles", "memory", "quantisation",
            "energy"]
RNG = np.random.default_rng(7)
SPIKES = (RNG.random((SAMPLES, STEPS, INPUTS)) < 0.4).astype(np.uint8)
LABELS = RNG.integers(0, CLASSES, SAMPLES)


class Reader(HTMLParser):
    """Sections, plain text, and whatever would load something."""

    def __init__(self, text):
        super().__init__()
        self.sections, self.loads, self.text, self.stack = [], [], "", []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == "section":
            self.sections.append(values["id"])
        self.loads += [value for key, value in attrs if key in ("src", "href", "xlink:href", "data",
                       "action", "srcset") and not (value or "").startswith(("#", "data:"))]
        if tag not in ("meta", "link", "br", "use", "path", "rect", "circle", "line", "image"):
            self.stack.append(tag)

    def handle_endtag(self, tag):
        if tag in self.stack:
            while self.stack.pop() != tag:
                pass

    def handle_data(self, data):
        if not {"script", "style"} & set(self.stack):
            self.text += data


def result(engine="fast", *, readout=False, labels=LABELS, **options):
    made = pipeline.load(small_graph(readout=readout))
    return pipeline.run(made, SPIKES, labels=labels, engine=engine, **options)


@pytest.fixture(scope="module")
def page():
    return render(result())


def data(text):
    match = re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.DOTALL)
    assert match
    return json.loads(match[1])


def unpack(text, dtype):
    return np.frombuffer(base64.b64decode(text), dtype)


def test_all_sections_are_there_and_nothing_is_loaded(page):
    read = Reader(page)
    assert read.sections == SECTIONS and read.loads == []
    style = "".join(re.findall(r"<style.*?</style>", page, re.DOTALL))
    assert "url(" not in style.replace("url(#", "") and "@import" not in style
    assert "fetch(" not in page and "XMLHttpRequest" not in page and "import(" not in page


def test_the_numbers_are_those_of_the_run(page):
    found = result().metrics
    text = Reader(page).text
    for value in (f"{found['cycles']:,}", f"{found['syn_events']:,}", f"{found['spikes']:,}",
                  f"{found['counters']['synapse_reads']:,}", f"{100 * found['accuracy']:.2f} %",
                  f"{100 * found['lane_utilisation']:.1f} %", "golden model ran these samples",
                  "every spike is the same", "A model, not a measurement",
                  "Cycles of a sample are counted from its first cycle to the barrier of its last"):
        assert value in text, value
    assert re.search(r'title="They are counted[^"]+come on top."><span>cycles per sample<', page)


def test_the_raster_holds_the_spikes_of_the_run(page):
    trace, held = result().trace, data(page)
    assert [node["name"] for node in held["nodes"]] == ["input", "hidden.lif", "out"]
    for node, raster in zip(held["nodes"], (SPIKES, trace.spikes["hidden.lif"],
                                            trace.spikes["out"]), strict=True):
        for k, sample in enumerate(held["samples"]):
            step, neuron = node["spikes"][k]
            drawn = np.zeros_like(raster[0])
            drawn[unpack(step, "<u2"), unpack(neuron, "<u4")] = 1
            assert np.array_equal(drawn, raster[sample["number"]])


def test_potentials_are_those_of_the_golden_model_or_of_the_engine(page):
    full = pipeline.run(pipeline.load(small_graph()), SPIKES, engine="golden",
                        record={"hidden.lif": np.arange(HIDDEN)})
    recorded = data(render(result(record={"hidden.lif": np.array([2, 5])})))
    for held, source, neurons in ((data(page), "golden model", list(range(HIDDEN))),
                                  (recorded, "fast engine", [2, 5])):
        node = held["traced"][0]
        assert (node["name"], node["source"], node["neurons"]) == ("hidden.lif", source, neurons)
        for k, sample in enumerate(held["samples"]):
            values = unpack(node["values"][k], "<i4").reshape(STEPS, -1)
            expected = full.trace.potentials["hidden.lif"][sample["number"]][:, neurons]
            assert np.array_equal(values, expected)


def test_same_run_same_page(page):
    assert render(result()) == page


@pytest.mark.parametrize(("options", "says"), [
    ({"engine": "golden"}, "golden engine knows no cycles"),
    ({"labels": None}, "has no labels"),
    ({"readout": True}, "largest sum of potentials of node out"),
    ({"readout": True, "engine": "golden", "labels": None}, "golden model's own"),
    ({"keep_state": True}, "every spike is the same")])
def test_every_kind_of_run_has_a_report(options, says):
    read = Reader(render(result(**options)))
    assert read.sections == SECTIONS and says in read.text


def integer_network(inputs, hidden, *, name="a"):
    rng = np.random.default_rng(3)
    return IntegerNetwork(
        (InputPort("in", inputs),),
        (Population(name, hidden, "if", np.array(300)), Population("end", 2, "li", np.array(0))),
        (Projection("in", name, rng.integers(-50, 100, (hidden, inputs)).astype(np.int32)),
         Projection(name, name, rng.integers(-50, 50, (hidden, hidden)).astype(np.int32), 1),
         Projection(name, "end", rng.integers(-50, 50, (2, hidden)).astype(np.int32))))


def test_names_from_the_file_are_text():
    name = "</script><script>document.title='bad'</script><b>&\"'"
    text = render(pipeline.run(integer_network(4, 3, name=name), np.ones((5, 4)), engine="golden"))
    assert "<script>document" not in text and "<b>&\"" not in text
    assert name in Reader(text).text
    assert data(text)["nodes"][1]["name"] == name


def test_long_runs_are_cut_and_say_so():
    spikes = np.random.default_rng(1).random((3000, 100)) < 0.6
    text = render(pipeline.run(integer_network(100, 50), spikes, engine="golden"))
    steps = data(text)["steps"]
    assert 100 < steps < 3000 and f"The first {steps:,} steps of 1 sample" in Reader(text).text
    assert len(text) < 3_000_000


def test_wrong_samples_are_among_those_shown():
    spikes = np.random.default_rng(1).random((200, 6, INPUTS)) < 0.5
    made = pipeline.build(pipeline.load(small_graph()))
    answers = predictions(made.output, pipeline.run(made, spikes, engine="golden").trace)
    labels = np.where(np.arange(200) < 150, answers, (answers + 1) % CLASSES)
    shown = data(render(pipeline.run(made, spikes, engine="golden", labels=labels)))["samples"]
    assert [s["number"] for s in shown] == [*range(16), *range(150, 158)]


def test_a_run_that_differs_from_the_golden_model_says_so():
    made = result()
    made.trace.spikes["out"][1, 2, 0] ^= 1
    assert "DIFFERS from this run in 1 spike." in Reader(render(made)).text


def test_markup_escapes():
    assert tag("p", "<&>", title='"') == '<p title="&quot;">&lt;&amp;&gt;</p>'


def test_in_a_browser(page, tmp_path):
    (tmp_path / "report.html").write_text(page, encoding="utf-8")
    shot = tmp_path / "report.png"
    opened = open_page(tmp_path / "report.html", tmp_path, f"--screenshot={shot}")
    assert opened.console == []
    assert 'data-ready="yes"' in opened.document
    held = data(page)
    first = sum(len(unpack(node["spikes"][0][0], "<u2")) for node in held["nodes"])
    assert f'data-drawn="{first}"' in opened.document
    assert 'data-traces="3"' in opened.document
    assert opened.document.count("<option") == len(held["samples"]) + len(held["traced"])
    for name in ("plot-activity", "plot-cycles", *SECTIONS):
        assert f'id="{name}"' in opened.document
    # A blank page packs into a few kilobytes.
    assert shot.stat().st_size > 30_000


WALK = """<script>
addEventListener("load", () => {
  const at = (id) => document.getElementById(id), box = at("raster").getBoundingClientRect();
  at("next").click();
  at("node").value = 1;
  at("node").dispatchEvent(new Event("change"));
  at("neurons").firstChild.click();
  const place = { clientX: box.left + box.width - 20, clientY: box.top + 10, bubbles: true };
  at("raster").dispatchEvent(new MouseEvent("mousemove", place));
  document.body.dataset.walked = [at("sample").value, at("hint").textContent,
    at("membrane").firstChild.dataset.traces, at("verdict").textContent].join("|");
  at("raster").dispatchEvent(new MouseEvent("click",
    { clientX: place.clientX, clientY: box.bottom - 40, bubbles: true }));
  document.body.dataset.clicked = at("node").value + at("membrane").firstChild.dataset.traces;
});
</script></body>"""


def test_controls_in_a_browser(page, tmp_path):
    file = tmp_path / "report.html"
    file.write_text(page.replace("</body>", WALK), encoding="utf-8")
    opened = open_page(file, tmp_path)
    assert opened.console == []
    match = re.search(r'data-walked="(.*?)" data-clicked="(.*?)"', opened.document)
    assert match
    sample, hint, traces, verdict = match[1].split("|")
    held = data(page)
    number = sum(1 for n in unpack(held["nodes"][0]["spikes"][1][1], "<u4") if n == 0)
    last = SPIKES[held["samples"][1]["number"], STEPS - 1, 0]
    assert sample == "1"
    assert hint == (f"input, neuron 0, step {STEPS - 1}: {'spike' if last else 'no spike'}; "
                    f"{number} in this sample")
    # Three neurons were on; one was taken away, or added, by the click on the first chip.
    assert traces == ("2" if 0 in held["traced"][1]["first"] else "4")
    assert verdict.startswith(f"answer {held['samples'][1]['predicted']}")
    assert match[2] == "11"


def test_the_browser_test_sees_errors(page, tmp_path):
    broken = page.replace('"use strict";', '"use strict"; nothing();')
    (tmp_path / "report.html").write_text(broken, encoding="utf-8")
    opened = open_page(tmp_path / "report.html", tmp_path)
    assert any("nothing is not defined" in line for line in opened.console)
    assert 'data-ready="yes"' not in opened.document
