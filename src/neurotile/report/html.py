# SPDX-License-Identifier: Apache-2.0
"""Small pieces of HTML; all text is escaped here."""

from collections.abc import Iterable, Sequence
from html import escape

__all__ = ["INPUT_COLOUR", "Markup", "bar", "colour", "facts", "section", "table", "tag"]

INPUT_COLOUR = "#7d8794"
_COLOURS = ("#2f6db5", "#d07a1f", "#2f9267", "#b0446c", "#7458bd", "#8b7a2e", "#1f93a3", "#a0522d")


def colour(number: int) -> str:
    """Colour of a population by its number."""
    return _COLOURS[number % len(_COLOURS)]


class Markup(str):
    """Text that is HTML already."""


def tag(name: str, content: object = "", **attributes: object) -> Markup:
    """An element; content that is not :class:`Markup` is escaped, ``class_`` stands for class."""
    text = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
                   for key, value in attributes.items())
    return Markup(f"<{name}{text}>{_escaped(content)}</{name}>")


def _escaped(content: object) -> str:
    return content if isinstance(content, Markup) else escape(str(content))


def table(head: Sequence[object], rows: Iterable[Sequence[object]], *, left: int = 1,
          class_: str = "") -> Markup:
    """A table whose first ``left`` columns are text and whose others are numbers."""
    def row(cells: Sequence[object], kind: str) -> str:
        return tag("tr", Markup("".join(
            tag(kind, cell, class_="text" if k < left else "number")
            for k, cell in enumerate(cells))))

    body = Markup("".join(row(cells, "td") for cells in rows))
    inner = tag("thead", Markup(row(head, "th"))) + tag("tbody", body)
    return tag("div", tag("table", Markup(inner), class_=class_), class_="scroll")


def bar(share: float, colour: str = "#2f6db5") -> Markup:
    """A horizontal bar for a share of 0 to 1."""
    width = f"width:{100 * min(max(share, 0.0), 1.0):.2f}%;background:{colour}"
    return tag("span", tag("span", "", style=width), class_="bar")


def facts(pairs: Iterable[tuple[str, object]]) -> Markup:
    """Names and values."""
    return tag("dl", Markup("".join(tag("div", Markup(tag("dt", k) + tag("dd", v)))
                                    for k, v in pairs)), class_="facts")


def section(name: str, title: str, *content: str) -> Markup:
    """A part of the report, under a heading that the contents list links to."""
    return tag("section", Markup(tag("h2", title) + "".join(content)), id=name)
