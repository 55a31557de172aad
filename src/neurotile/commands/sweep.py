# SPDX-License-Identifier: Apache-2.0
"""``neurotile sweep``: many tiles or meshes for one network, as a table and a picture."""

import sys
import time
from pathlib import Path
from typing import Any

from .. import __version__
from ..rundir import write_json
from ..spec.folders import FolderKind, check_folder, new_folder
from ..sweep.picture import write_picture
from ..sweep.plan import Plan, read_plan
from ..sweep.point import Row
from ..sweep.rows import run_points
from ..sweep.table import pareto_rows, write_table
from .text import count, line

__all__ = ["SWEEP", "sweep_command"]

_MARK, _CLAIM = "neurotile sweep", "sweep.json"
SWEEP = FolderKind(_MARK, _CLAIM, (_CLAIM, "sweep.csv", "sweep.png"))


def sweep_command(file: Path, out: Path, *, workers: int) -> None:
    """Do the command.

    Raises
    ------
    UserError
        An argument or a file is wrong.
    """
    plan = read_plan(file)
    check_folder(out, SWEEP, inputs=plan.files)
    line("sweep", f"{count(len(plan.points), 'point')}: "
                  + " x ".join(f"{key} ({len({str(p[key]) for p in plan.points})})"
                               for key in plan.differing or plan.keys))
    started = time.perf_counter()
    rows = _run(plan, workers)
    seconds = time.perf_counter() - started
    with new_folder(out, SWEEP) as folder:
        write_json(folder / _CLAIM, _description(plan))
        write_table(plan, rows, folder / "sweep.csv")
        write_picture(plan, rows, folder / "sweep.png")
    _print(rows)
    line("time", f"{seconds:.1f} s in the fast engine")
    line("written", f"{out}, picture: {out / 'sweep.png'}")


def _run(plan: Plan, workers: int) -> list[Row]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar
    bar = Bar(TextColumn("{task.description:<9}"), BarColumn(),
              TextColumn("{task.completed:,.0f} of {task.total:,} points"), TimeRemainingColumn(),
              console=Console(stderr=True), transient=True, redirect_stdout=False,
              disable=not sys.stderr.isatty())
    task = bar.add_task("fast", total=len(plan.points))
    with bar:
        return run_points(plan, workers, lambda: bar.update(task, advance=1))


def _description(plan: Plan) -> dict[str, Any]:
    return {"made_by": _MARK, "version": __version__, "engine": "fast", "model": plan.model.name,
            "input": str(plan.data) if isinstance(plan.data, str) else plan.data.name,
            "samples": plan.samples, "base": plan.base.to_dict(), "keys": list(plan.keys),
            "points": len(plan.points)}


def _print(rows: list[Row]) -> None:
    best = pareto_rows(rows)
    text = f"{count(int(best.sum()), 'point')} beaten by no other"
    for status, what in (("dropped", "with dropped spikes"), ("refused", "that cannot be made")):
        if number := sum(row.status == status for row in rows):
            text += f", {number:,} {what}"
    line("result", text)
    if reason := next((row.reason for row in rows if row.status == "refused"), ""):
        line("", f"the first that cannot be made: {reason}")
