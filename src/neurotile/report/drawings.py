# SPDX-License-Identifier: Apache-2.0
"""Drawings of a network and of the tile that it lies on, as SVG."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ..commands.text import count
from ..spec import IntegerNetwork, Program, Projection
from ..spec.formats import route_word
from .html import INPUT_COLOUR, Markup, colour, tag

__all__ = ["network_drawing", "tile_drawing"]

_WIDE, _HIGH, _GAP_X, _GAP_Y, _LOOP = 168, 64, 150, 40, 48
_CELLS = 1024  # neurons that are drawn one by one


def network_drawing(network: IntegerNetwork) -> Markup:
    """Inputs and populations as boxes from left to right, projections as arrows."""
    depth = _depths(network)
    columns: dict[int, list[str]] = {}
    for name, column in depth.items():
        columns.setdefault(column, []).append(name)
    tallest = max(len(names) for names in columns.values())
    boxes = tallest * (_HIGH + _GAP_Y) - _GAP_Y
    above = _LOOP if any(e.source == e.target for e in network.projections) else 4
    below = _LOOP if any(depth[e.target] < depth[e.source] for e in network.projections) else 4
    height = above + boxes + below
    place: dict[str, tuple[float, float]] = {}
    for column, names in columns.items():
        free = boxes - len(names) * (_HIGH + _GAP_Y) + _GAP_Y
        for k, name in enumerate(names):
            place[name] = (8 + column * (_WIDE + _GAP_X), above + free / 2 + k * (_HIGH + _GAP_Y))
    width = 16 + max(columns) * (_WIDE + _GAP_X) + _WIDE
    pairs: dict[tuple[str, str], list[Projection]] = {}
    for e in network.projections:
        pairs.setdefault((e.source, e.target), []).append(e)
    parts = [_arrow(projections, place) for projections in pairs.values()]
    for port in network.inputs:
        parts.append(_box(place[port.name], port.name, count(port.size, "input line"), "",
                          INPUT_COLOUR))
    for number, p in enumerate(network.populations):
        rule = "resets" if p.reset == "zero" else "subtracts its threshold"
        parts.append(_box(place[p.name], p.name, f"{count(p.size, 'neuron')}, {p.model.upper()}",
                          rule if p.spikes else "readout", colour(number)))
    head = tag("defs", tag("marker", tag("path", "", d="M0 0L8 4L0 8z", fill="#8a94a3"),
                           id="tip", markerWidth=8, markerHeight=8, refX=7, refY=4, orient="auto"))
    return tag("svg", Markup(head + "".join(parts)), viewBox=f"0 0 {width} {height:.0f}",
               width=width, class_="drawing", role="img", aria_label="the network")


def _depths(network: IntegerNetwork) -> dict[str, int]:
    depth = {port.name: 0 for port in network.inputs}
    for p in network.order:
        before = [depth[e.source] for e in network.projections
                  if e.target == p.name and e.source in depth]
        depth[p.name] = max(before, default=0) + 1
    return depth


def _box(at: tuple[float, float], name: str, line: str, note: str, fill: str) -> Markup:
    x, y = at
    middle = x + _WIDE / 2
    name = name if len(name) <= 20 else name[:19] + "…"
    return Markup(
        tag("rect", "", x=x, y=y, width=_WIDE, height=_HIGH, rx=9, fill="#fff", stroke=fill,
            stroke_width=1.5)
        + tag("rect", "", x=x, y=y, width=6, height=_HIGH, rx=3, fill=fill)
        + tag("text", name, x=middle, y=y + 21, class_="name")
        + tag("text", line, x=middle, y=y + 39)
        + tag("text", note, x=middle, y=y + 55, class_="faint"))


def _arrow(projections: list[Projection], place: dict[str, tuple[float, float]]) -> Markup:
    """One arrow for all projections of a pair, which differ in their delay."""
    e = projections[0]
    (x0, y0), (x1, y1) = place[e.source], place[e.target]
    y0, y1 = y0 + _HIGH / 2, y1 + _HIGH / 2
    label = count(sum(int(np.count_nonzero(e.weights)) for e in projections), "synapse")
    first, last = min(e.delay for e in projections), max(e.delay for e in projections)
    if last:
        label += f", {'' if first == last else f'{first} to '}{count(last, 'step')} late"
    if e.source == e.target:
        middle, top = x0 + _WIDE / 2, y0 - _HIGH / 2
        path = (f"M{middle + 30} {top}C{middle + 44} {top - 34} {middle - 44} {top - 34} "
                f"{middle - 30} {top - 2}")
        at = (middle, top - 31)
    elif x1 <= x0:
        low = max(y0, y1) + _HIGH / 2
        path = (f"M{x0 + _WIDE / 2} {y0 + _HIGH / 2}C{x0 + _WIDE / 2} {low + 40} "
                f"{x1 + _WIDE / 2} {low + 40} {x1 + _WIDE / 2} {y1 + _HIGH / 2 + 2}")
        at = ((x0 + x1 + _WIDE) / 2, low + 36)
    else:
        start, bend = x0 + _WIDE, (x1 - x0 - _WIDE) / 2
        path = f"M{start} {y0}C{start + bend} {y0} {x1 - bend} {y1} {x1 - 2} {y1}"
        at = ((start + x1) / 2, (y0 + y1) / 2 - 7)
    return Markup(
        tag("path", tag("title", f"{e.source} → {e.target}: {label}"), d=path, fill="none",
            stroke="#8a94a3", stroke_width=1.5, marker_end="url(#tip)")
        + tag("text", label, x=at[0], y=at[1], class_="faint small"))


def tile_drawing(program: Program, spikes: Mapping[str, npt.NDArray[np.uint8]]) -> Markup:
    """Neurons of the tile: a column per group, a row per lane, coloured by population.

    On tiles that are not too large the colour is the stronger, the more a neuron of ``spikes``
    (samples, steps, neurons by population) fires.
    """
    config = program.config
    across = min(config.groups, 64)
    cell = min(26.0, 920 / across)
    lines = -(-config.groups // across)
    block = config.lanes * cell + 22
    owner, rate = _owners(program, spikes)
    strength = 0.3 + 0.7 * np.sqrt(rate / max(float(rate.max()), 1e-9))
    parts = []
    for group in range(config.groups):
        part = slice(group * config.lanes, (group + 1) * config.lanes)
        at = (50 + group % across * cell, 6 + group // across * block, cell)
        if config.neurons > _CELLS:
            edges = [0, *(np.flatnonzero(np.diff(owner[part])) + 1).tolist(), config.lanes]
        else:
            edges = list(range(config.lanes + 1))
        for a, b in zip(edges[:-1], edges[1:], strict=True):
            shade = strength[part][a] if config.neurons <= _CELLS else 1.0
            parts.append(_cell(program, part.start + a, part.start + b, int(owner[part][a]),
                               rate[part][a], shade, at))
    for line in range(lines):
        for lane in (0, config.lanes - 1):
            parts.append(tag("text", f"lane {lane}", x=44, class_="axis end",
                             y=6 + line * block + (lane + 0.65) * cell))
        for k in range(0, min(across, config.groups - line * across), 8):
            parts.append(tag("text", f"{'' if k else 'group '}{line * across + k}", class_="axis",
                             x=50 + (k + 0.45) * cell, y=19 + line * block + config.lanes * cell))
    width = 56 + across * cell
    return tag("svg", Markup("".join(parts)), viewBox=f"0 0 {width:.0f} {lines * block + 6:.0f}",
               width=f"{width:.0f}", class_="drawing", role="img",
               aria_label="neurons of the tile")


def _owners(program: Program, spikes: Mapping[str, npt.NDArray[np.uint8]]
            ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Population of each tile neuron (-1 none, -2 relay), and its spikes per step."""
    local = route_word(program.config).unpack(program.memories["route"][:, 0])["local"] != 0
    owner, rate = np.full(program.config.neurons, -1), np.zeros(program.config.neurons)
    for number, p in enumerate(program.network.populations):
        place = program.placement[p.name]
        part = slice(place.first, place.first + place.size)
        owner[part] = number
        rate[part] = spikes[p.name].mean(axis=(0, 1)) if p.spikes else 1.0
    for number, p in enumerate(program.network.populations):
        if not p.spikes:  # readouts are always in full colour
            rate[owner == number] = rate[(owner >= 0) & (rate < 1)].max(initial=1e-9)
    owner[(owner < 0) & local] = -2
    return owner, rate


def _cell(program: Program, first: int, end: int, owner: int, rate: float, strength: float,
          at: tuple[float, float, float]) -> Markup:
    """One neuron, or several of a group that have the same owner."""
    x, y, cell = at
    lanes = program.config.lanes
    group, lane = divmod(first, lanes)
    text = f"group {group}, lane {lane}" + ("" if end == first + 1 else f"–{(end - 1) % lanes}")
    if owner >= 0:
        p = program.network.populations[owner]
        text += f": {p.name}, neuron {first - program.placement[p.name].first}"
        if p.spikes and end == first + 1:
            text += f", {rate:.3f} spikes per step"
    else:
        text += ": relay" if owner == -2 else ": free"
    fill = colour(owner) if owner >= 0 else "#4a5260" if owner == -2 else "#edf0f3"
    more = {"fill_opacity": f"{strength:.2f}"} if owner >= 0 and strength < 1 else {}
    return tag("rect", tag("title", text), x=f"{x:g}", y=f"{y + lane * cell:g}",
               width=f"{cell - 2:g}", height=f"{(end - first) * cell - 2:g}", rx=3, fill=fill,
               **more)
