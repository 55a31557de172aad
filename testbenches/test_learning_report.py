# SPDX-License-Identifier: Apache-2.0
"""The report of a run that learns: weights over time, receptive fields, calcium."""

import re
from dataclasses import replace

import numpy as np
import pytest

from neurotile import pipeline
from neurotile.report import render
from neurotile.report.learning import mosaic
from neurotile.spec import (
    CalciumRule,
    InputPort,
    IntegerNetwork,
    Population,
    Projection,
    Sdsp,
    SdspSynapses,
)
from neurotile.testbenches.browser import open_page

RNG = np.random.default_rng(4)
SPIKES = (RNG.random((6, 10, 12)) < 0.4).astype(np.uint8)
LABELS = RNG.integers(0, 3, 6)


def network(*, calcium=True, mapped=True):
    rule = CalciumRule(theta_mem=5, theta1=0, theta2=7, theta3=7, leak=4) if calcium else None

    def plastic(source, target, targets, sources, inhibitory):
        inhibitory = np.full(sources, inhibitory)
        weights = RNG.integers(1, 8, (targets, sources)) * np.where(inhibitory, -1, 1)
        return Projection(source, target, weights.astype(np.int32), synapses=SdspSynapses(
            inhibitory, np.full((targets, sources), mapped)))

    return IntegerNetwork(
        (InputPort("image", 9), InputPort("line", 3)),
        (Population("out", 3, "if", np.array(20), calcium=rule),),
        (plastic("image", "out", 3, 9, False), plastic("line", "out", 3, 3, True)),
        weight_bits=4, learning=Sdsp(bistability=3))


@pytest.fixture(scope="module")
def result():
    return pipeline.run(network(), SPIKES, labels=LABELS, weights_every=4)


@pytest.fixture(scope="module")
def page(result):
    return render(result)


def text(page):
    plain = re.sub(r"<(style|script|title).*?</\1>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", plain))


def test_the_section_is_there_only_if_the_network_learns(page):
    assert '<section id="learning">' in page and 'href="#learning"' in page
    fixed = network(calcium=False)
    fixed = replace(fixed, learning=None, projections=tuple(
        replace(e, synapses=None) for e in fixed.projections))
    other = render(pipeline.run(fixed, SPIKES, engine="golden"))
    assert 'id="learning"' not in other and "#learning" not in other


def test_histograms_are_those_of_the_weights(result, page):
    for e in result.build.network.projections:
        for name, weights in (("before", e.weights), ("after", result.learnt[e.name])):
            row = " ".join(f"{int((np.abs(weights) == w).sum())}" for w in range(8))
            assert f" {name} {row} " in re.sub(" +", " ", text(page)), (e.name, name)
        changed = int((e.weights != result.learnt[e.name]).sum())
        assert f"{changed} of {e.weights.size} weights changed" in text(page)
        assert changed


def test_all_figures_are_drawn(page):
    for name in ("weights-0", "weights-1", "fields-0-before", "fields-0-after", "fields-1-before",
                 "fields-1-after", "calcium"):
        assert page.count(f'id="plot-{name}"') == 1
    words = text(page)
    assert "sources of image, as 3 x 3 images, of the 3 neurons of out" in words
    assert "sources of line, a row each" in words
    assert "counted through over all samples" in words


def test_the_golden_model_starts_where_the_run_did(page):
    """Later samples know what earlier ones taught; the check begins with the first."""
    assert "every spike is the same as in this run" in text(page)


def test_runs_without_log_or_rule_say_so():
    words = text(render(pipeline.run(network(calcium=False), SPIKES, engine="golden")))
    assert "--weights-every N draws them" in words
    assert "No population has a calcium rule" in words


def test_mosaic():
    canvas = mosaic(np.arange(12.0).reshape(3, 2, 2), 2)
    assert canvas.shape == (5, 5)
    assert canvas[:2, 3:].tolist() == [[4, 5], [6, 7]]
    assert canvas[3:, :2].tolist() == [[8, 9], [10, 11]]
    assert np.isnan(canvas[2]).all() and np.isnan(canvas[:, 2]).all()
    assert np.isnan(canvas[3:, 3:]).all()


def test_a_browser_shows_it(page, tmp_path):
    (tmp_path / "report.html").write_text(page, encoding="utf-8")
    opened = open_page(tmp_path / "report.html", tmp_path)
    assert not opened.console and 'data-ready="yes"' in opened.document


def test_same_run_same_page(result, page):
    again = pipeline.run(result.build, SPIKES, labels=LABELS, weights_every=4)
    assert render(again) == page
