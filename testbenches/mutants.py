# SPDX-License-Identifier: Apache-2.0
"""Plant bugs in RTL and simulator and count how many the checks find.

``python -m neurotile.testbenches.mutants [--part PART ...] [--rtl N] [--sim N] [--seed S]``: exit 1
if fewer than 95 % of those that can matter are killed, or a survivor has no reason in
mutation/reasons.py.
"""

import argparse
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from neurotile.spec import TEST_EVENT_PRESETS, TEST_PRESETS
from neurotile.testbenches.learning_cases import LEARNING_PRESETS
from neurotile.testbenches.mutation import event_rtl, mesh_rtl, rtl, simulator, verilog
from neurotile.testbenches.mutation.mesh_suite import MESHES
from neurotile.testbenches.mutation.mesh_verilog import mesh_text
from neurotile.testbenches.mutation.reasons import reason

__all__ = ["main"]

WANTED = 0.95
COUNTS = {"tile": (150, 45), "learning": (40, 30), "event": (90, 45), "mesh": (150, 45)}
"""Mutants of the RTL and of the fast engine by part, if nothing else is asked for."""
CHECKS = {"tile": 100, "learning": 60, "event": 120, "mesh": 24}
"""Cases per tile or mesh, of the RTL."""

Makers = Iterable[tuple[str, Callable[[int, int], Any]]]


class Tally:
    """Planted and surviving mutants of one part."""

    def __init__(self, part: str) -> None:
        self.part = part
        self.planted: Counter[str] = Counter()
        self.survived: Counter[str] = Counter()
        self.equivalent = 0
        self.lines: list[str] = []
        self.unexplained = 0

    def add(self, place: str, mutant: object, kind: str, survives: bool) -> None:
        """Count one mutant."""
        self.planted[kind] += 1
        if survives:
            self.survived[kind] += 1
            known = reason(place, mutant)
            self.unexplained += known is None
            self.equivalent += known is not None and known[0]
            why = "NO REASON KNOWN" if known is None else known[1]
            self.lines.append(f"{place}: {mutant}\n    {why}")

    @property
    def share(self) -> float:
        """Killed part of the mutants that differ from the right design."""
        planted, survived = self.planted.total(), self.survived.total()
        return (planted - survived) / max(1, planted - self.equivalent)

    def table(self) -> Table:
        """Counts by kind."""
        table = Table(title=f"mutants of {self.part}")
        for column in ("kind", "planted", "killed", "survived"):
            table.add_column(column, justify="left" if column == "kind" else "right")
        for kind, planted in sorted(self.planted.items()):
            table.add_row(kind, str(planted), str(planted - self.survived[kind]),
                          str(self.survived[kind]))
        total, left = self.planted.total(), self.survived.total()
        table.add_row("all", str(total), str(total - left), str(left))
        return table


def _tiles(part: str) -> Makers:
    """Per tile: its name, and what builds a bench of so many mutants with such a seed."""
    if part == "mesh":
        for name, config in MESHES.items():
            def of_mesh(count: int, seed: int, name: str = name, config: Any = config) -> Any:
                text = mesh_text(config)
                chosen = text.choose(count, seed, mesh_rtl.PLACES[name])
                return mesh_rtl.make_mesh_bench(text, chosen, CHECKS[part])
            yield name, of_mesh
        return
    event = part == "event"
    configs: dict[str, dict[str, Any]] = {
        "tile": TEST_PRESETS, "learning": LEARNING_PRESETS, "event": TEST_EVENT_PRESETS}
    for name, config in configs[part].items():
        def of_tile(count: int, seed: int, config: Any = config) -> Any:
            text = (event_rtl.event_verilog if event else rtl.flat_verilog)(config)
            chosen = verilog.choose(verilog.mutants_of(text), count, seed)
            make = event_rtl.make_event_bench if event else rtl.make_bench
            return make(config, text, chosen, CHECKS[part])
        yield name, of_tile


def mutate_rtl(count: int, seed: int, part: str = "tile") -> Tally:
    """Mutants of the Verilog, ``count`` over all tiles or meshes of a part."""
    tally, tiles = Tally(f"the RTL ({part})"), list(_tiles(part))
    for number, (name, make) in enumerate(tiles):
        share = count // len(tiles) + (number < count % len(tiles))
        if not share:
            continue
        bench = make(share, seed + number)
        for k, mutant in track(list(enumerate(bench.mutants, 1)), f"rtl {name}"):
            tally.add(name, mutant, mutant.kind, bench.survives(k))
    return tally


def mutate_simulator(count: int, seed: int, part: str = "tile") -> Tally:
    """Mutants of the fast engine's kernels.

    Raises
    ------
    RuntimeError
        The engine without any bug fails: then the verdicts on mutants would say nothing.
    """
    tally = Tally(f"the fast engine ({part})")
    bugs = simulator.plan(count, seed, part)
    place = "sim" if part == "tile" else f"{part} sim"
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as workers:
        checks = simulator.expected(Path(folder), part=part)
        right, *verdicts = (workers.submit(simulator.survives, bug, checks)
                            for bug in (None, *bugs))
        if not right.result():
            for verdict in verdicts:
                verdict.cancel()
            raise RuntimeError("the fast engine without any bug fails")
        for bug, verdict in track(list(zip(bugs, verdicts, strict=True)), f"fast engine, {part}"):
            tally.add(place, bug, bug.kind, verdict.result())
    return tally


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__)
    parser.add_argument("--part", action="append", choices=COUNTS,
                        help="what the bugs are in; may be given several times; default: all")
    parser.add_argument("--rtl", type=int, help="mutants of the RTL of each part, default: " + str(
        {part: rtl for part, (rtl, _) in COUNTS.items()}))
    parser.add_argument("--sim", type=int, help="mutants of its fast engine, default: " + str(
        {part: sim for part, (_, sim) in COUNTS.items()}))
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    chosen = parser.parse_args(arguments)
    console = Console()
    bad = False
    for part in chosen.part or COUNTS:
        for count, default, mutate in zip((chosen.rtl, chosen.sim), COUNTS[part],
                                          (mutate_rtl, mutate_simulator), strict=True):
            count = default if count is None else count
            if not count:
                continue
            tally = mutate(count, chosen.seed, part)
            console.print(tally.table())
            for line in tally.lines:
                console.print(f"survived  {line}", markup=False, highlight=False, soft_wrap=True)
            console.print(f"{tally.part}: {100 * tally.share:.1f} % of those that differ from the "
                          f"right design are killed; {tally.equivalent} do not differ",
                          markup=False)
            bad |= tally.share < WANTED or tally.unexplained > 0
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
