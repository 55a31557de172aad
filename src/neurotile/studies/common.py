# SPDX-License-Identifier: Apache-2.0
"""What the studies share: arguments, runs that are checked against golden, tables, pictures."""

import argparse
import csv
import sys
from collections.abc import Callable, Sequence
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..mesh_engines import run
from ..models import golden
from ..spec import IntegerNetwork, MeshProgram, Record, Stimulus, Trace, UserError

__all__ = ["arguments", "check_equal", "command", "new_figure", "reference", "run_checked",
           "write_rows"]

_DOCS = Path(__file__).resolve().parents[3] / "docs"


def arguments(description: str | None, more: Sequence[tuple[str, dict[str, Any]]] = (),
              given: Sequence[str] | None = None) -> argparse.Namespace:
    """Arguments of a study: ``out`` (docs/ in a checkout), ``quick``, ``seed`` and ``more``.

    Raises
    ------
    UserError
        There is no folder to write to.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--out", type=Path, default=_DOCS, metavar="DIR",
                        help="folder of table and picture; default: docs/ of the checkout")
    parser.add_argument("--quick", action="store_true", help="few small points, for tests")
    parser.add_argument("--seed", type=int, default=1, help="draws networks and input")
    for name, options in more:
        parser.add_argument(name, **options)
    found = parser.parse_args(given)
    if not found.out.is_dir():
        raise UserError(f"{found.out}: there is no such folder (--out)")
    return found


def command(main: Callable[[], int]) -> int:
    """Exit code of a study; a mistake in its arguments is one line on stderr and code 2."""
    try:
        return main()
    except (UserError, OSError) as error:
        print("neurotile:", " ".join(str(error).split()), file=sys.stderr)
        return 2


def reference(network: IntegerNetwork, stimulus: Stimulus, record: Record | None = None) -> Trace:
    """What golden says."""
    return golden.run(network, stimulus, record=record)


def run_checked(program: MeshProgram, stimulus: Stimulus, wanted: Trace) -> Trace:
    """Trace of the fast engine, equal to golden's unless a queue overflowed."""
    trace = run("fast", program, stimulus, record=wanted.record)
    assert trace.tile is not None
    if not trace.tile.counters["drops"].any():
        check_equal(trace, wanted)
    return trace


def check_equal(trace: Trace, wanted: Trace) -> None:
    """Stop where spikes or recorded potentials differ.

    Raises
    ------
    AssertionError
        They do.
    """
    for what, found, right in (("spikes", trace.spikes, wanted.spikes),
                               ("potentials", trace.potentials, wanted.potentials)):
        for name in right:
            if not np.array_equal(found[name], right[name]):
                raise AssertionError(f"{trace.engine} and {wanted.engine} differ in the {what} of "
                                     f"{name}")


def write_rows(path: Path, rows: Sequence[Any]) -> None:
    """Write dataclasses of one kind as a table."""
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(rows[0])])
        for row in rows:
            writer.writerow([f"{value:.6g}" if isinstance(value, float) else
                             "" if value is None else value for value in astuple(row)])


def new_figure(rows: int, cols: int, size: tuple[float, float]) -> tuple[Any, Any]:
    """Figure that is written as PNG, and its axes (rows, cols)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, cols, squeeze=False)
    for axis in axes.ravel():
        axis.grid(alpha=0.3)
        axis.set_axisbelow(True)
    return figure, axes
