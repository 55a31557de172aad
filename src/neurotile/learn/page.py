# SPDX-License-Identifier: Apache-2.0
"""The report of a learning session: one HTML file that needs nothing beside it."""

from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from .. import __version__, report
from ..commands.text import count, percent
from ..report.figures import plot
from ..report.html import Markup, facts, section, table, tag
from ..report.learning import fields_figure, mosaic
from ..report.sections import confusion_table, figure, paragraph
from .images import SIDE
from .protocol import CLASSES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .session import Session

__all__ = ["render"]

_SHOWN_ROWS = 5
_COLUMNS = ("#2f6db5", "#d07a1f", "#2f9267", "#b0446c")


def render(session: "Session") -> str:
    """HTML text of the report."""
    found = session.metrics
    parts = [_header(session), _accuracy(session), _fields(session)]
    if session.lessons is not None:
        parts += [_weights(session), _calcium(session)]
    parts += [_numbers(session), tag("footer", (
        f"neurotile {__version__} · seed {found['seed']} · protocol "
        f"{found['protocol_digest'][:12]} · weights {found['weights_digest'][:12]} · result "
        f"{found['digest'][:12]}"))]
    style = (files(report) / "style.css").read_text(encoding="utf-8")
    return "".join([
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
        "<link rel=\"icon\" href=\"data:,\">\n", tag("title", f"{found['data']} learnt on a tile"),
        f"\n<style>\n{style}</style>\n</head>\n<body>\n", tag("main", Markup("\n".join(parts))),
        "\n</body>\n</html>\n"])


def _header(session: "Session") -> Markup:
    found = session.metrics
    times = found["protocol"]["presentations"]
    tiles = [("accuracy", percent(found["accuracy"], 2),
              f"{found['correct']:,} of {found['test_images']:,} test images"),
             ("output neurons", str(found["neurons"]), f"{256 * found['neurons']:,} synapses"),
             ("images taught", f"{found['images']:,}",
              "each once" if times == 1 else f"each {times} times")]
    if found["cycles_per_lesson"]:
        tiles.append(("cycles per lesson", f"{found['cycles_per_lesson']:,.0f}",
                      f"{found['events_per_lesson']:,.0f} events"))
    if found["cycles_per_answer"]:
        tiles.append(("cycles per answer", f"{found['cycles_per_answer']:,.0f}",
                      "to the first spike" if found["neurons"] == CLASSES else "whole ramp"))
    how = ("weights trained off-line" if session.lessons is None
           else "learnt by SDSP with a teacher")
    return tag("header", Markup(
        tag("h1", found["data"])
        + paragraph(f"{how} · tile odin · {found['engine']} engine")
        + tag("div", Markup("".join(
            tag("div", Markup(tag("span", name) + tag("b", value) + tag("small", note)),
                class_="tile") for name, value, note in tiles)), class_="tiles")))


def _accuracy(session: "Session") -> Markup:
    found, curve = session.metrics, session.curve
    rule = ("The answer is the class whose neuron fires first" if found["neurons"] == CLASSES else
            "The answer is the class whose neurons fire first, by the sum of their first spikes")
    parts = [paragraph(f"{count(found['correct'])} of {count(found['test_images'], 'test image')} "
                       f"right, {percent(found['accuracy'], 2)}. {rule}.")]
    if len(curve):
        def draw(axes: "Axes") -> None:
            axes.plot(curve[:, 0], 100 * curve[:, 1], color=_COLUMNS[0], marker="o", markersize=3)
            axes.set(xlabel="images presented", ylabel="right answers in %", ylim=(0, 100))

        parts.append(figure(plot("curve", draw), "Answers to training images that are never "
                            "taught, asked between lessons."))
    parts.append(Markup(confusion_table(np.array(found["confusion"]))))
    return section("accuracy", "Accuracy", *parts)


def _fields(session: "Session") -> Markup:
    parts = []
    shown = [("after", "After learning", session.weights)]
    if session.lessons is not None:
        shown.insert(0, ("before", "Before", session.before))
    for name, title, weights in shown:
        fields = weights.T[:_SHOWN_ROWS * CLASSES].reshape(-1, SIDE, SIDE).astype(np.float64)
        labels = {(SIDE + 1) * k + SIDE // 2: str(k) for k in range(CLASSES)}
        parts += [tag("h3", title), figure(
            fields_figure(f"fields-{name}", mosaic(fields, CLASSES), labels),
            "Weights from the 16 x 16 pixels; a column per class.")]
    more = session.weights.shape[1] // CLASSES - _SHOWN_ROWS
    if more > 0:
        parts.append(paragraph(f"{count(more, 'more row')} not shown.", class_="note"))
    return section("fields", "Receptive fields", *parts)


def _weights(session: "Session") -> Markup:
    assert session.lessons is not None
    history = session.lessons.history
    share = 100 * history.weights / history.weights.sum(axis=1, keepdims=True)

    def draw(axes: "Axes") -> None:
        from matplotlib import colormaps
        axes.stackplot(history.images, share.T, labels=[str(w) for w in range(8)],
                       colors=colormaps["magma"](np.linspace(0.08, 0.95, 8)))
        axes.set(xlabel="images presented", ylabel="synapses in %", ylim=(0, 100),
                 xlim=(0, history.images[-1]))
        handles, names = axes.get_legend_handles_labels()
        axes.legend(handles[::-1], names[::-1], loc="center left", bbox_to_anchor=(1, 0.5),
                    title="weight", fontsize=8)

    return section("weights", "Weights over time", figure(
        plot("weights", draw), "Share of the output neurons' synapses that has each weight."))


def _calcium(session: "Session") -> Markup:
    assert session.lessons is not None
    history = session.lessons.history
    total = np.maximum(history.calcium.sum(axis=2), 1)
    images = np.diff(history.images)

    def draw(axes: "Axes") -> None:
        for row, name, shade in ((1, "of the taught: potentiated", _COLUMNS[0]),
                                 (0, "of the others: depressed", _COLUMNS[1])):
            axes.plot(history.images[1:], 100 * history.calcium[1:, row, 1] / total[1:, row],
                      color=shade, label=name, linewidth=1.4)
        axes.set(xlabel="images presented", ylabel="neurons in %", ylim=(0, None))
        axes.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=2, fontsize=8)

    rows = [[name, *(f"{n / images.sum():.3f}" for n in history.calcium[:, row].sum(axis=0))]
            for row, name in ((1, "taught"), (0, "not taught"))]
    return section(
        "calcium", "Calcium", paragraph(
            "Calcium when synapses learn. A neuron that was not taught has 1 if the image made it "
            "fire, which was wrong: it is depressed. A taught neuron has 1 if only the teacher "
            "made it fire: it is potentiated; with 2 it had fired on its own and stays as it is."),
        figure(plot("calcium", draw), "Share of neurons with calcium 1, which learn."),
        table(["neurons per image", "calcium 0", "1", "2", "3 or more"], rows))


def _numbers(session: "Session") -> Markup:
    found = session.metrics
    pairs = [(key.replace("_", " "), value) for key, value in found["protocol"].items()
             if key != "name"]
    return section("protocol", "Protocol", paragraph(
        f"{found['protocol']['name']}; what the numbers mean: docs/learning.md."), facts(pairs))
