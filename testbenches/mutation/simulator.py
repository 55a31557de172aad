# SPDX-License-Identifier: Apache-2.0
"""Mutants of the fast engine: each runs uncompiled in a process of its own."""

import importlib.abc
import importlib.machinery
import importlib.util
import os
import pickle
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from . import python
from .sim_parts import PARTS

__all__ = ["expected", "plan", "survives"]

# A mutant that has not ended by then hangs: the checks take half a minute. Of the processor's time,
# since on a busy machine any of them may take long.
_PATIENCE_S = 150


class _Mutated(importlib.machinery.SourceFileLoader):
    """Loads one module with a bug in it."""

    def __init__(self, name: str, path: str, bug: python.Bug) -> None:
        super().__init__(name, path)
        self.bug = bug

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return compile(python.with_bug(Path(path).read_text(), self.bug, path), path, "exec")


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the module of the bug before Python does."""

    def __init__(self, bug: python.Bug, path: str) -> None:
        self.bug, self.path = bug, path

    def find_spec(self, fullname: str, path: object = None, target: ModuleType | None = None
                  ) -> importlib.machinery.ModuleSpec | None:
        if fullname != f"neurotile.sim.{self.bug.module}":
            return None
        loader = _Mutated(fullname, self.path, self.bug)
        return importlib.util.spec_from_loader(fullname, loader)


def plan(count: int, seed: int, part: str = "tile") -> list[python.Bug]:
    """``count`` bugs of a part of the fast engine, one of ``PARTS``."""
    bugs = [bug for name, path in PARTS[part].modules.items()
            for bug in python.bugs_of(name, path.read_text())]
    return python.choose(bugs, count, seed)


def expected(folder: Path, cases: int = 0, configs: Iterable[Any] = (), part: str = "tile"
             ) -> Path:
    """File with checks for tiles or meshes and what the right engine says.

    Parameters
    ----------
    cases : int
        Per configuration; 0: what the part says.
    configs : iterable
        Of tiles or meshes; none: what the part says.
    """
    chosen = PARTS[part]
    made = chosen.expected(tuple(configs) or chosen.configs, cases or chosen.cases)
    path = folder / f"{part}.pickle"
    path.write_bytes(pickle.dumps((part, made)))
    return path


def survives(bug: python.Bug | None, checks: Path, patience: int = _PATIENCE_S) -> bool:
    """The engine with this bug, or without any, gives the right trace for every check.

    Parameters
    ----------
    patience : int
        Seconds of the processor's time after which it counts as hanging.
    """
    with tempfile.NamedTemporaryFile(suffix=".pickle") as file:
        file.write(pickle.dumps(bug))
        file.flush()
        environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
        done = subprocess.run([sys.executable, "-m", __name__, file.name, str(checks),
                               str(patience)],
                              env=environment, capture_output=True)
    return done.returncode == 0


def main(bug_file: str, checks_file: str, patience: str) -> int:
    resource.setrlimit(resource.RLIMIT_CPU, (int(patience), int(patience)))
    part, checks = pickle.loads(Path(checks_file).read_bytes())
    bug = pickle.loads(Path(bug_file).read_bytes())
    early = [name for name in sys.modules if name.startswith("neurotile.sim.")]
    assert not early, f"loaded before a bug is planted: {early}"
    if bug:
        sys.meta_path.insert(0, _Finder(bug, str(PARTS[part].modules[bug.module])))
    # Only now: this loads the engine.
    return int(any(PARTS[part].wrong(check) for check in checks))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
