# SPDX-License-Identifier: Apache-2.0
"""The table of a sweep, and which of its points no other one beats."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .plan import Plan
from .point import MEASURES, Row

__all__ = ["costs", "pareto", "pareto_rows", "write_table"]


def costs(rows: Sequence[Row], names: Sequence[str]) -> npt.NDArray[np.float64]:
    """Measures (rows, names) such that less is better; NaN in rows that are no result."""
    found = np.full((len(rows), len(names)), np.nan)
    for number, row in enumerate(rows):
        if row.status == "ok":
            found[number] = [getattr(row, name) * (-1 if name == "accuracy" else 1)
                             for name in names]
    return found


def pareto(cost: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Rows that no other row beats: none is at least as good in all columns and better in one.

    Rows with NaN are never among them.
    """
    found: npt.NDArray[np.bool_] = np.asarray(~np.isnan(cost).any(axis=1))
    valid = cost[found]
    best = [not ((valid <= row).all(axis=1) & (valid < row).any(axis=1)).any() for row in valid]
    found[found] = best
    return found


def pareto_rows(rows: Sequence[Row]) -> npt.NDArray[np.bool_]:
    """Rows that no other row beats in all measures that there are."""
    labelled = any(row.accuracy is not None for row in rows)
    return pareto(costs(rows, MEASURES if labelled else MEASURES[1:]))


def write_table(plan: Plan, rows: Sequence[Row], path: Path) -> None:
    """Write a row per point: number, keys, measures, and whether no other point beats it."""
    best = pareto_rows(rows)
    head = Row.columns()
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        # A key may be called as a column, as queue_depth: what was asked and what came of it.
        writer.writerow(["point", *(f"set.{key}" if key in head else key for key in plan.keys),
                         *head[:-1], "pareto", "reason"])
        for number, (point, row) in enumerate(zip(plan.points, rows, strict=True)):
            values = row.values()
            writer.writerow([number, *map(_text, point.values()),
                             *(_text(values[name]) for name in head[:-1]),
                             "" if row.status != "ok" else _text(bool(best[number])), row.reason])


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else str(value)
