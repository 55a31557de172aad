# SPDX-License-Identifier: Apache-2.0
"""A drawing of shapes, as SVG for a page and as a PNG file."""

import re
from pathlib import Path

from .html import Markup, tag
from .mesh_shapes import Drawing, Shape, Text

__all__ = ["as_svg", "write_png"]


def as_svg(drawing: Drawing, *, label: str, most_wide: float = 1000.0) -> Markup:
    """SVG whose shapes tell what they are when pointed at."""
    parts = [_svg_shape(part) if isinstance(part, Shape) else _svg_text(part)
             for part in drawing.parts]
    return tag("svg", Markup("".join(parts)), width=f"{min(drawing.width, most_wide):g}",
               viewBox=f"0 0 {drawing.width:g} {drawing.height:g}", class_="drawing mesh",
               role="img", aria_label=label)


def _svg_shape(shape: Shape) -> Markup:
    points = " ".join(f"{x:.2f},{y:.2f}".replace(".00", "") for x, y in shape.points)
    more: dict[str, object] = {} if shape.stroke == "none" else {"stroke": shape.stroke}
    if shape.kind:
        more |= {"class_": f"point {shape.kind}", "tabindex": 0}
    return tag("polygon", tag("title", shape.says) if shape.says else "", points=points,
               fill=shape.fill, **more)


def _svg_text(text: Text) -> Markup:
    weight = {"font-weight": 650} if text.bold else {}
    style = f"font-size:{text.size:g}px;fill:{text.fill};text-anchor:{text.anchor}"
    return tag("text", text.text, x=f"{text.x:.1f}", y=f"{text.y:.1f}", style=style,
               pointer_events="none", **weight)


def write_png(drawing: Drawing, path: Path, *, title: str) -> None:
    """Draw with matplotlib, with a title above, in twice the size of the shapes."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Polygon
    above, dots = 30.0, 72.0
    with matplotlib.rc_context({"font.family": "sans-serif", "text.usetex": False,
                                "text.parse_math": False}):
        figure = Figure(figsize=(drawing.width / dots, (drawing.height + above) / dots))
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, drawing.width), ylim=(drawing.height, -above))
        axes.axis("off")
        axes.text(12, -above + 20, title, fontsize=12.5, fontweight="bold", va="baseline")
        anchors = {"start": "left", "middle": "center", "end": "right"}
        for part in drawing.parts:
            if isinstance(part, Shape):
                axes.add_patch(Polygon(part.points, closed=True, facecolor=part.fill,
                                       edgecolor=part.stroke, linewidth=1.2))
            else:
                axes.text(part.x, part.y, _plain(part.text), fontsize=part.size * 0.92,
                          color=part.fill, ha=anchors[part.anchor], va="baseline",
                          fontweight="bold" if part.bold else "normal")
        figure.savefig(path, dpi=2 * dots, metadata={"Software": None})


def _plain(text: str) -> str:
    """Without characters that fonts have no picture of."""
    return re.sub(r"[\x00-\x1f\x7f]", "?", text)
