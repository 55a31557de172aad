# SPDX-License-Identifier: Apache-2.0
"""Mutants of a mesh's RTL: one build per mesh holds them all, the environment selects one."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurotile.hw.engine import mesh_engine
from neurotile.hw.engine.mesh_build import build_mesh_sources, mesh_sources
from neurotile.sim import mesh_engine as fast
from neurotile.spec import MeshConfig, UserError

from . import mesh_observe as observe
from . import verilog
from .mesh_suite import MESHES, MeshCheck, mesh_checks, mesh_differences
from .mesh_verilog import MeshText
from .rtl import SELECT

__all__ = ["PLACES", "MeshBench", "make_mesh_bench"]

PLACES: dict[str, tuple[str, ...]] = {
    "test_mesh_1x1": ("mesh_tile", "mesh"), "test_mesh_1x3": ("mesh_tile", "mesh"),
    "test_mesh_2x3": ("router", "mesh"), "test_mesh_2x2": ("router", "mesh_tile", "mesh"),
    "test_mesh_4x4": ("router", "mesh")}
"""Modules that are mutated in each of ``MESHES``: routers where all their links are in use."""
assert set(PLACES) == set(MESHES)

_LIMIT = 20_000
_FEW_TILES = 8  # more of them take longer, and their cases do more
# Many mutants hang: after so many cycles without an answer rather than some million.
_PATIENCE, _HANGS = re.compile(r"PATIENCE = [^;]+"), 60_000
_HOST, _RESET, _DISTURBED, _WRONG = 4, 4, 8, 12


@dataclass
class MeshBench:
    """A mesh with all its mutants built in, and what the right mesh says."""

    config: MeshConfig
    mutants: list[verilog.Mutant]
    library: Path
    checks: list[MeshCheck]
    wanted: list[list[int]]

    def survives(self, number: int) -> bool:
        """Nothing tells mutant ``number`` (from 1; 0 is the right mesh) from the right mesh."""
        os.environ[SELECT] = str(number)
        try:
            return self._says_the_same()
        except (UserError, RuntimeError):
            return False  # a time-out, a broken protocol or a host port that hangs
        finally:
            del os.environ[SELECT]

    def _says_the_same(self) -> bool:
        for check in self.checks:
            trace = mesh_engine.run_mesh(*check.case, limit=_LIMIT, library=self.library)
            if mesh_differences(check.expected, trace):
                return False
        return all(look() == wanted for look, wanted in zip(self.looks(), self.wanted,
                                                            strict=True))

    def looks(self) -> list[Any]:
        """What is observed beside traces."""
        # The first case is tediously long.
        busy = sorted(self.checks[1:], key=lambda check: -check.expected.spike_cycle.size)
        arguments = self.config, self.library
        part = 2 if self.config.tiles > _FEW_TILES else 1
        found: list[Any] = [
            lambda: observe.host_answers(*arguments, busy[:_HOST // part]),
            lambda: observe.reset_again(*arguments, busy[:_RESET // part]),
            lambda: observe.disturbed(*arguments, busy[:_DISTURBED // part])]
        if self.config.link_parity:
            found.append(lambda: observe.wrong_packets(*arguments, busy[:_WRONG]))
        return found


def make_mesh_bench(text: MeshText, chosen: dict[str, list[verilog.Mutant]], checks: int
                    ) -> MeshBench:
    """Build mutants of a mesh and what they are compared with.

    Raises
    ------
    RuntimeError
        The right mesh fails: then the verdicts on mutants would say nothing.
    """
    config = text.config
    sources = mesh_sources(config, text.instrumented(chosen))
    sources["tile_sim.h"], count = _PATIENCE.subn(f"PATIENCE = {_HANGS}", sources["tile_sim.h"])
    assert count == 1, "the harness has another way to give up"
    library = build_mesh_sources(sources)
    # Numbered in the order of the modules in the text.
    mutants = [mutant for name in text.modules for mutant in chosen.get(name, [])]
    if config.tiles > _FEW_TILES:
        checks //= 3
    bench = MeshBench(config, mutants, library, mesh_checks(fast, config, checks), [])
    bench.wanted = [look() for look in bench.looks()]
    if not bench.survives(0):
        raise RuntimeError(f"{config.name}: the mesh without any bug fails")
    return bench
