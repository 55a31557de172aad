# SPDX-License-Identifier: Apache-2.0
"""Plant bugs in RTL and simulator and count how many the checks find.

``python -m neurotile.testbenches.mutants [--rtl N] [--sim N] [--seed S]``: exit 1 if fewer than
95 % of those that can matter are killed, or a survivor has no reason in mutation/reasons.py.
"""

import argparse
import os
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from neurotile.spec import TEST_PRESETS
from neurotile.testbenches.mutation import rtl, simulator, verilog
from neurotile.testbenches.mutation.reasons import reason

__all__ = ["main"]

CHECKS = 100  # per tile, of the RTL
SIM_CHECKS = 10  # per tile: uncompiled Python is slow
WANTED = 0.95


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


def mutate_rtl(count: int, seed: int) -> Tally:
    """Mutants of the Verilog, ``count`` over all test presets."""
    tally, tiles = Tally("the RTL"), len(TEST_PRESETS)
    for number, (name, config) in enumerate(TEST_PRESETS.items()):
        share = count // tiles + (number < count % tiles)
        if not share:
            continue
        text = rtl.flat_verilog(config)
        planted = verilog.choose(verilog.mutants_of(text), share, seed + number)
        bench = rtl.make_bench(config, text, planted, CHECKS)
        for k, mutant in track(list(enumerate(bench.mutants, 1)), f"rtl {name}"):
            tally.add(name, mutant, mutant.kind, bench.survives(k))
    return tally


def mutate_simulator(count: int, seed: int) -> Tally:
    """Mutants of the fast engine's kernels.

    Raises
    ------
    RuntimeError
        The engine without any bug fails: then the verdicts on mutants would say nothing.
    """
    tally = Tally("the fast engine")
    bugs = simulator.plan(count, seed)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as workers:
        checks = simulator.expected(Path(folder), SIM_CHECKS)
        right, *verdicts = (workers.submit(simulator.survives, bug, checks)
                            for bug in (None, *bugs))
        if not right.result():
            for verdict in verdicts:
                verdict.cancel()
            raise RuntimeError("the fast engine without any bug fails")
        for bug, verdict in track(list(zip(bugs, verdicts, strict=True)), "fast engine"):
            tally.add("sim", bug, bug.kind, verdict.result())
    return tally


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__)
    parser.add_argument("--rtl", type=int, default=150, help="mutants of the RTL")
    parser.add_argument("--sim", type=int, default=45, help="mutants of the fast engine")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    chosen = parser.parse_args(arguments)
    console = Console()
    bad = False
    for count, mutate in ((chosen.rtl, mutate_rtl), (chosen.sim, mutate_simulator)):
        if not count:
            continue
        tally = mutate(count, chosen.seed)
        console.print(tally.table())
        for line in tally.lines:
            console.print(f"survived  {line}", markup=False, highlight=False, soft_wrap=True)
        console.print(f"{tally.part}: {100 * tally.share:.1f} % of those that differ from the "
                      f"right design are killed; {tally.equivalent} do not differ", markup=False)
        bad |= tally.share < WANTED or tally.unexplained > 0
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
