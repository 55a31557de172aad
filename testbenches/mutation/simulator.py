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

from neurotile import sim
from neurotile.spec import TEST_PRESETS, TileConfig

from . import python, suite

__all__ = ["TILES", "expected", "plan", "survives"]

_ALL = TEST_PRESETS["test_all"]
_MODULES = ("axon_walker", "event_queue", "layout", "npe", "spike_encoder", "tile")
# The engine computes in 32 bits where that suffices; the first three tiles are just beyond. In the
# next one's queue the cycle counts in which the host's next event is accepted, and groups wait long
# for the few credits. The last two hold rows back as well, which tiles that learn do; what they
# learn is another matter.
_BEYOND = (_ALL.replace(name="wide products", state_bits=20),
           _ALL.replace(name="wide sums", acc_bits=25, weight_bits=16),
           _ALL.replace(name="wide states", state_bits=31, models=("if", "sublif")),
           _ALL.replace(name="short queues", queue_depth=2, spike_fifo_depth=2, lanes=8,
                        neurons=128),
           *(_ALL.replace(name=f"{rows} rows", learning="sdsp", weight_bits=4, integrate_stages=2,
                          synapse_words=rows) for rows in (256, 2)))
TILES = (*TEST_PRESETS.values(), *_BEYOND)
"""What the mutants are checked on."""

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


def plan(count: int, seed: int) -> list[python.Bug]:
    """``count`` bugs of the fast engine's kernels."""
    folder = Path(sim.__file__).parent
    bugs = [bug for name in _MODULES
            for bug in python.bugs_of(name, (folder / f"{name}.py").read_text())]
    return python.choose(bugs, count, seed)


def expected(folder: Path, cases: int, configs: Iterable[TileConfig] = TILES) -> Path:
    """File with ``cases`` checks for every tile and what the right engine says."""
    from neurotile.sim import engine

    made = [check for config in configs for check in suite.checks(engine, config, cases)]
    path = folder / "checks.pickle"
    path.write_bytes(pickle.dumps(made))
    return path


def survives(bug: python.Bug | None, checks: Path) -> bool:
    """The engine with this bug, or without any, gives the right trace for every check."""
    with tempfile.NamedTemporaryFile(suffix=".pickle") as file:
        file.write(pickle.dumps(bug))
        file.flush()
        environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
        done = subprocess.run([sys.executable, "-m", __name__, file.name, str(checks)],
                              env=environment, capture_output=True)
    return done.returncode == 0


def main(bug_file: str, checks_file: str) -> int:
    resource.setrlimit(resource.RLIMIT_CPU, (_PATIENCE_S, _PATIENCE_S))
    bug = pickle.loads(Path(bug_file).read_bytes())
    if bug:
        path = str(Path(sim.__file__).parent / f"{bug.module}.py")
        sys.meta_path.insert(0, _Finder(bug, path))
    # Only now: these load the engine.
    from neurotile.sim import engine
    from neurotile.testbenches.equality import tile_differences

    engine._LOG_ROOM = 0  # so that the log of spikes has to grow now and then
    for check in pickle.loads(Path(checks_file).read_bytes()):
        if tile_differences(check.expected, suite.run(engine, check.case)):
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
