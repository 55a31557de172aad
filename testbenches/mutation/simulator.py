# SPDX-License-Identifier: Apache-2.0
"""Mutants of the fast engine: each runs uncompiled in a process of its own."""

import importlib.abc
import importlib.machinery
import importlib.util
import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path
from types import CodeType, ModuleType

from neurotile import sim
from neurotile.spec import TEST_PRESETS

from . import python, suite

__all__ = ["expected", "plan", "survives"]

_ALL = TEST_PRESETS["test_all"]
_MODULES = ("axon_walker", "event_queue", "layout", "npe", "spike_encoder", "tile")
# The engine computes in 32 bits where that suffices; these tiles are just beyond.
_BEYOND = (_ALL.replace(name="wide products", state_bits=20),
           _ALL.replace(name="wide sums", acc_bits=25, weight_bits=16),
           _ALL.replace(name="wide states", state_bits=31, models=("if", "sublif")))
# A mutant that has not ended by then hangs: the checks take some seconds.
_PATIENCE_S = 300


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


def plan(count: int, seed: int) -> list[python.Bug]:
    """``count`` bugs of the fast engine's kernels."""
    folder = Path(sim.__file__).parent
    bugs = [bug for name in _MODULES
            for bug in python.bugs_of(name, (folder / f"{name}.py").read_text())]
    return python.choose(bugs, count, seed)


def expected(folder: Path, cases: int) -> Path:
    """File with the checks and what the right engine says."""
    from neurotile.sim import engine

    made = [check for config in (*TEST_PRESETS.values(), *_BEYOND)
            for check in suite.checks(engine, config, cases)]
    path = folder / "checks.pickle"
    path.write_bytes(pickle.dumps(made))
    return path


def survives(bug: python.Bug, checks: Path) -> bool:
    """The engine with this bug gives the right trace for every check."""
    with tempfile.NamedTemporaryFile(suffix=".pickle") as file:
        file.write(pickle.dumps(bug))
        file.flush()
        environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
        try:
            done = subprocess.run([sys.executable, "-m", __name__, file.name, str(checks)],
                                  env=environment, capture_output=True, timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            return False
    return done.returncode == 0


def main(bug_file: str, checks_file: str) -> int:
    bug = pickle.loads(Path(bug_file).read_bytes())
    path = str(Path(sim.__file__).parent / f"{bug.module}.py")
    sys.meta_path.insert(0, _Finder(bug, path))
    # Only now: these load the engine.
    from neurotile.sim import engine
    from neurotile.testbenches.equality import tile_differences

    for check in pickle.loads(Path(checks_file).read_bytes()):
        if tile_differences(check.expected, suite.run(engine, check.case)):
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
