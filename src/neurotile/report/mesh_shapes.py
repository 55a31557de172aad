# SPDX-License-Identifier: Apache-2.0
"""A mesh as a list of shapes, which the page draws as SVG and ``map.png`` with matplotlib."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..commands.text import amount, percent
from ..models.mesh.report import RESOURCES, TileUse
from ..models.mesh.traffic import LINKS
from ..models.occupancy import Use
from ..spec import MeshConfig, MeshProgram
from .html import INPUT_COLOUR, colour

__all__ = ["Bars", "Drawing", "Shape", "Text", "draw_mesh", "link_says", "ramp", "use_bars",
           "use_says"]

Floats = npt.NDArray[np.float64]

_TILE, _GAP, _HOST, _MARGIN = 92.0, 44.0, 34.0, 12.0
_INK, _SOFT, _FREE = "#2b3542", "#6b7787", "#f0f2f5"
_COOL, _WARM, _HOT = (205, 216, 228), (240, 164, 48), (170, 22, 38)
_WAYS = {"north": (0, -1), "east": (1, 0), "south": (0, 1), "west": (-1, 0)}


@dataclass(frozen=True)
class Shape:
    """A polygon, by its corners; ``says`` is what one reads on pointing at it, line by line."""

    points: tuple[tuple[float, float], ...]
    fill: str
    stroke: str = "none"
    opacity: float = 1.0
    says: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Text:
    """One line of text; ``anchor`` is start, middle or end."""

    x: float
    y: float
    text: str
    size: float = 11.0
    fill: str = _INK
    anchor: str = "middle"
    bold: bool = False


@dataclass(frozen=True)
class Drawing:
    """Shapes and texts in their order, on an area of this size."""

    width: float
    height: float
    parts: tuple[Shape | Text, ...]


@dataclass(frozen=True, eq=False)
class Bars:
    """A bar in every tile: its letter, what it stands for, and the shares 0..1 of the tiles."""

    letter: str
    meaning: str
    shares: Sequence[float]


def ramp(share: float) -> str:
    """Colour from little (0) over much to most (1)."""
    share = min(max(share, 0.0), 1.0)
    a, b, t = (_COOL, _WARM, 2 * share) if share < 0.5 else (_WARM, _HOT, 2 * share - 1)
    return "#" + "".join(f"{round(p + (q - p) * t):02x}" for p, q in zip(a, b, strict=True))


def link_says(config: MeshConfig, tile: int, port: int) -> str:
    """``column 2, row 0 → column 3, row 0`` for a link."""
    x, y = tile % config.cols, tile // config.cols
    dx, dy = _WAYS[LINKS[port]]
    there = "host" if x + dx < 0 else f"column {x + dx}, row {y + dy}"
    return f"column {x}, row {y} → {there}"


def draw_mesh(program: MeshProgram, tiles: Sequence[TileUse], *, links: Floats, entering: Floats,
              bars: Sequence[Bars], says: Sequence[str], unit: str = "packets per step") -> Drawing:
    """The mesh with its populations, bars in every tile, and the traffic of every link.

    Parameters
    ----------
    tiles : sequence of TileUse
        What lies on each tile.
    links : ndarray of float64, (tiles, 4 or more)
        Traffic on the links, as in ``MeshTraffic``.
    entering : ndarray of float64, (rows,)
        Traffic from the host.
    bars : sequence of Bars
        What fills every tile, at most four.
    says : sequence of str
        What one reads on pointing at each tile.
    """
    config, names = program.config, list(program.placement)
    most = max(float(links[:, :4].max()), float(entering.max()), 1e-12)
    left = _MARGIN + _HOST + _GAP
    parts: list[Shape | Text] = []

    def corner(x: int, y: int) -> tuple[float, float]:
        return left + x * (_TILE + _GAP), 26 + y * (_TILE + _GAP)

    for x in range(config.cols):
        parts.append(Text(corner(x, 0)[0] + _TILE / 2, 16, f"column {x}", 10.5, _SOFT))
    for y in range(config.rows):
        parts += _host(corner(0, y), y, float(links[y * config.cols, 3]), float(entering[y]), unit)
        middle = corner(0, y)[1] + _TILE / 2
        parts.append(_arrow((left - _GAP, middle - 9), (left, middle - 9), float(entering[y]), most,
                            f"host → column 0, row {y}\n{amount(entering[y])} {unit}"))
    for number, use in enumerate(tiles):
        x, y = number % config.cols, number // config.cols
        parts += _links(config, number, corner(x, y), links[number], most, unit)
        parts += _tile(corner(x, y), number, use, names, bars, says[number])
    width = max(left + config.cols * (_TILE + _GAP) - _GAP + _MARGIN, 560)
    height = 26 + config.rows * (_TILE + _GAP) - _GAP + 14
    legend, end = _legend(names, bars, most, unit, width, height)
    return Drawing(width, end, tuple(parts + legend))


def _box(x: float, y: float, width: float, height: float) -> tuple[tuple[float, float], ...]:
    return (x, y), (x + width, y), (x + width, y + height), (x, y + height)


def _host(at: tuple[float, float], row: int, leaving: float, entering: float, unit: str
          ) -> list[Shape | Text]:
    x, y = at[0] - _GAP - _HOST, at[1] + _TILE / 2 - 24
    says = (f"host port of row {row}\nsends {amount(entering)} and receives {amount(leaving)} "
            f"{unit}")
    return [Shape(_box(x, y, _HOST, 48), "#fff", INPUT_COLOUR, says=says, kind="host"),
            Text(x + _HOST / 2, y + 21, "host", 10.5), Text(x + _HOST / 2, y + 35, f"row {row}",
                                                            9.5, _SOFT)]


def _links(config: MeshConfig, tile: int, at: tuple[float, float], load: Floats, most: float,
           unit: str) -> list[Shape | Text]:
    x, y = tile % config.cols, tile // config.cols
    found: list[Shape | Text] = []
    for port, (name, (dx, dy)) in enumerate(_WAYS.items()):
        if not (x + dx < config.cols and 0 <= y + dy < config.rows):
            continue
        # The two directions of a way lie side by side, each on its right as on a road.
        middle = at[0] + _TILE / 2 - 9 * dy, at[1] + _TILE / 2 + 9 * dx
        if name in ("east", "west"):
            middle = middle[0], at[1] + _TILE / 2 - 9 * dx
        begin = middle[0] + dx * _TILE / 2, middle[1] + dy * _TILE / 2
        end = begin[0] + dx * _GAP, begin[1] + dy * _GAP
        says = f"{link_says(config, tile, port)}\n{amount(load[port])} {unit}"
        found.append(_arrow(begin, end, float(load[port]), most, says))
    return found


def _arrow(begin: tuple[float, float], end: tuple[float, float], load: float, most: float, says: str
           ) -> Shape:
    """An arrow along one axis, the wider and the more red, the more it carries."""
    share = load / most
    half, pad = (0.5 + 4.5 * share if load else 0.4), 2.5
    length = abs(end[0] - begin[0]) + abs(end[1] - begin[1])
    dx, dy = (end[0] - begin[0]) / length, (end[1] - begin[1]) / length
    head, wide = 9.0, half + 3.0
    profile = [(pad, half), (length - pad - head, half), (length - pad - head, wide),
               (length - pad, 0.0)]
    profile += [(along, -across) for along, across in reversed(profile[:-1])]
    points = tuple((begin[0] + a * dx - c * dy, begin[1] + a * dy + c * dx) for a, c in profile)
    return Shape(points, ramp(share) if load else "#e6eaef", says=says, kind="link")


def _tile(at: tuple[float, float], number: int, use: TileUse, names: Sequence[str],
          bars: Sequence[Bars], says: str) -> list[Shape | Text]:
    x, y = at
    owners = [(names.index(name), size) for name, size in use.populations.items()]
    total = sum(size for _, size in owners)
    border = "#aab4c0" if not total else colour(max(owners, key=lambda o: o[1])[0])
    parts: list[Shape | Text] = [Shape(_box(x, y, _TILE, _TILE), "#fff" if total else _FREE,
                                       border, says=says, kind="tile")]
    start = x
    for owner, size in owners:
        wide = _TILE * size / total
        parts += [Shape(_box(start, y, wide, 16), colour(owner))]
        if wide >= 22:
            parts.append(Text(start + wide / 2, y + 12, _cut(names[owner], wide / 6.4), 10.5,
                              "#fff", bold=True))
        start += wide
    parts.append(Text(x + _TILE - 5, y + 28, f"{number}", 10, _SOFT, "end"))
    if not use.neurons.used:
        return [*parts, Text(x + _TILE / 2, y + _TILE / 2 + 6, "free", 10.5, _SOFT)]
    parts.append(Text(x + 5, y + 28, f"{use.neurons.used:,} neurons", 10, _INK, "start"))
    for k, bar in enumerate(bars):
        top, share = y + 36 + 13 * k, float(bar.shares[number])
        parts += [Text(x + 11, top + 8, bar.letter, 9.5, _SOFT),
                  Shape(_box(x + 20, top, _TILE - 26, 8), "#e6eaef"),
                  Shape(_box(x + 20, top, (_TILE - 26) * min(share, 1.0), 8), "#56657a")]
    return parts


def _cut(text: str, letters: float) -> str:
    return text if len(text) <= letters else text[:max(1, int(letters) - 1)] + "…"


def _legend(names: Sequence[str], bars: Sequence[Bars], most: float, unit: str, width: float,
            top: float) -> tuple[list[Shape | Text], float]:
    """Populations, letters of the bars, and the scale of the links; and where it ends."""
    parts: list[Shape | Text] = []
    x, y = _MARGIN, top + 8

    def room(wide: float) -> None:
        nonlocal x, y
        if x + wide > width - _MARGIN and x > _MARGIN:
            x, y = _MARGIN, y + 19

    for number, name in enumerate(names):
        name = _cut(name, 28)
        wide = 32 + 6.6 * len(name)
        room(wide)
        parts += [Shape(_box(x, y, 11, 11), colour(number)),
                  Text(x + 17, y + 10, name, 11, _INK, "start")]
        x += wide
    x, y = _MARGIN, y + 19
    for bar in bars:
        text = f"{bar.letter}  {bar.meaning}"
        wide = 24 + 6.2 * len(text)
        room(wide)
        parts.append(Text(x, y + 10, text, 11, _SOFT, "start"))
        x += wide
    x, y = _MARGIN, y + 19
    steps = 48
    parts.append(Text(x, y + 10, "0", 11, _SOFT, "start"))
    for k in range(steps):
        parts.append(Shape(_box(x + 14 + 3.5 * k, y, 3.6, 11), ramp((k + 0.5) / steps)))
    parts.append(Text(x + 14 + 3.5 * steps + 8, y + 10, f"{amount(most)} {unit} on a link", 11,
                      _SOFT, "start"))
    return parts, y + 22


def use_says(config: MeshConfig, number: int, use: TileUse, more: Sequence[str] = ()) -> str:
    """What one reads on pointing at a tile."""
    lines = [f"tile {number} (column {number % config.cols}, row {number // config.cols})"]
    lines += [f"{name}: {size:,} neurons" for name, size in use.populations.items()]
    for label, name in RESOURCES:
        part: Use = getattr(use, name)
        lines.append(f"{label} {part.used:,} of {part.available:,} ({percent(part.share)})")
    if use.weights.available:
        lines.append(f"{percent(use.weights.share)} of the weights in these words are not 0")
    return "\n".join([*lines, *more])


def use_bars(tiles: Sequence[TileUse]) -> list[Bars]:
    """How full the memories of the tiles are."""
    return [Bars(letter, label, [getattr(use, name).share for use in tiles])
            for letter, (label, name) in zip("NAWR", RESOURCES, strict=True)]
