# SPDX-License-Identifier: Apache-2.0
"""Puts the report together."""

import json
from importlib.resources import files
from typing import TYPE_CHECKING

from .. import __version__
from ..commands.text import count, network_line, percent, quantity
from ..spec import MeshConfig, MeshProgram
from .floating import check_with_float
from .html import Markup, section, tag
from .learning import learning_section
from .mesh_run import mesh_section
from .sections import (
    CYCLES,
    accuracy_section,
    cycles_section,
    energy_section,
    memory_section,
    network_section,
    paragraph,
    quantisation_section,
)
from .shown import Shown, choose, page_data

if TYPE_CHECKING:
    from ..pipeline import Result

__all__ = ["render"]

_CONTENTS = (("network", "Network"), ("accuracy", "Accuracy"), ("learning", "Learning"),
             ("spikes", "Spikes"), ("potentials", "Potentials"), ("cycles", "Cycles"),
             ("mesh", "Mesh"), ("memory", "Memory"), ("quantisation", "Quantisation"),
             ("energy", "Energy"))


def render(result: "Result") -> str:
    """HTML text of the report on ``result``."""
    shown, reference = choose(result), check_with_float(result)
    learns = result.build.network.learning is not None
    mesh = isinstance(result.build.program, MeshProgram)
    left_out = {name for name, there in (("learning", learns), ("mesh", mesh)) if not there}
    body = [_header(result),
            tag("nav", Markup("".join(tag("a", title, href=f"#{name}")
                                      for name, title in _CONTENTS
                                      if name not in left_out))),
            network_section(result), accuracy_section(result, reference),
            *([learning_section(result)] if learns else []), _spikes(shown),
            _potentials(result, shown), cycles_section(result),
            *([mesh_section(result, shown.samples)] if mesh else []), memory_section(result),
            quantisation_section(result, reference), energy_section(result), _footer(result)]
    # "<" is the only character that could end the script early.
    data = json.dumps(page_data(result, shown), separators=(",", ":")).replace("<", "\\u003c")
    here = files(__package__)
    style, *scripts = ((here / name).read_text(encoding="utf-8") for name in (
        "style.css", "app.js", *(["mesh.js"] if mesh else [])))
    return "".join([
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
        # Without it browsers ask the server for one.
        "<link rel=\"icon\" href=\"data:,\">\n",
        tag("title", f"{result.build.network.name} on neurotile"),
        f"\n<style>\n{style}</style>\n</head>\n<body>\n", tag("main", Markup("\n".join(body))),
        f"\n<script id=\"data\" type=\"application/json\">{data}</script>\n",
        *(f"<script>\n{script}</script>\n" for script in scripts), "</body>\n</html>\n"])


def _header(result: "Result") -> Markup:
    found, network = result.metrics, result.build.network
    tiles = []
    if "accuracy" in found:
        tiles.append(("accuracy", percent(found["accuracy"], 2),
                      f"{found['correct']:,} of {found['samples']:,}"))
    tiles.append(("samples", f"{found['samples']:,}", f"{found['steps_per_sample']:,} steps each"))
    tiles.append(("spikes", f"{found['spikes']:,}",
                  f"{found['spikes'] / found['samples']:,.1f} per sample"))
    if found["cycles"] is not None:
        tiles.append(("cycles per sample", f"{found['cycles'] / found['samples']:,.0f}",
                      f"{found['cycles_per_step']['mean']:,.1f} per tile step"))
        tiles.append(("lane utilisation", percent(found["lane_utilisation"] or 0.0),
                      f"{count(result.build.program.tile.lanes, 'lane')}"))  # type: ignore[union-attr]
        tiles.append(("energy per sample",
                      quantity(found["energy"]["pj_per_sample"] * 1e-12, "J"),
                      "a model"))
    config = result.build.config
    where = ("unmapped" if config is None else config.name if isinstance(config, MeshConfig)
             else f"tile {config.name}")
    notes = [paragraph(note, class_="note") for note in result.build.notes
             if not note.startswith(("tile:", "not mapped"))]
    if result.dropped:
        notes.append(paragraph(
            f"{count(result.dropped, 'spike')} met a full event queue and got lost: this is not "
            "what the network does.", class_="warning"))
    return tag("header", Markup(
        tag("h1", network.name)
        + paragraph(f"{network_line(network).partition(': ')[2]} · {where} · "
                    f"{result.trace.engine} engine")
        + tag("div", Markup("".join(
            tag("div", Markup(tag("span", name) + tag("b", value) + tag("small", note)),
                class_="tile", **({"title": f"They {CYCLES}"} if "cycles" in name else {}))
            for name, value, note in tiles)), class_="tiles")
        + "".join(notes)))


def _spikes(shown: Shown) -> Markup:
    controls = tag("div", Markup(
        tag("button", "‹", type="button", id="previous", title="previous sample")
        + tag("select", "", id="sample", aria_label="sample")
        + tag("button", "›", type="button", id="next", title="next sample")
        + tag("span", "", id="verdict")), class_="controls")
    return section(
        "spikes", "Spikes", controls,
        tag("div", tag("canvas", "", id="raster", aria_label="spike raster"), class_="canvas"),
        tag("div", "", id="hint", class_="hint"),
        tag("h3", "Answer"), tag("div", "", id="votes", class_="votes"),
        paragraph(f"The first {count(shown.steps, 'step')} of {count(len(shown.samples), 'sample')}"
                  "; a row per neuron. Point at the raster to read it; click to see the neuron's "
                  "potential below.", class_="note"))


def _potentials(result: "Result", shown: Shown) -> Markup:
    if shown.golden is None:
        check = "These samples would take too long to run again on the golden model."
    elif result.trace.engine == "golden":
        check = "This run is the golden model's own."
    elif shown.differs:
        check = (f"The golden model ran these samples again and DIFFERS from this run in "
                 f"{count(shown.differs, 'spike')}.")
    else:
        check = ("The golden model ran these samples again: every spike is the same as in this "
                 "run.")
    controls = tag("div", Markup(tag("select", "", id="node", aria_label="population")
                                 + tag("span", "", id="neurons", class_="chips")),
                   class_="controls")
    return section(
        "potentials", "Membrane potentials", controls,
        tag("div", "", id="membrane", class_="canvas"),
        paragraph("After the update of each step, so after the reset; the dashed line is the "
                  "threshold and a dot marks a spike. In integers, as the tile holds them.",
                  class_="note"),
        paragraph(check, class_="warning" if shown.differs else "note", id="check"))


def _footer(result: "Result") -> Markup:
    found, network = result.metrics, result.build.network
    program = "" if result.trace.program is None else f" · program {result.trace.program[:12]}"
    return tag("footer", f"neurotile {__version__} · network {network.digest[:12]} · stimulus "
                         f"{result.trace.stimulus[:12]}{program} · result {found['digest'][:12]}")
