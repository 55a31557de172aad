# SPDX-License-Identifier: Apache-2.0
"""Latency against load of the network alone: 8x8, uniform random traffic, RTL and fast engine.

``python -m neurotile.testbenches.noc_curve`` writes docs/noc_curve.png and docs/noc_curve.csv.
"""

import csv
import time
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from neurotile.hw.engine import noc_simulation as rtl
from neurotile.sim import noc_traffic as fast
from neurotile.spec import MeshConfig
from neurotile.spec.mesh_config import packet_word
from neurotile.spec.noc_traffic import NocTrace, NocTraffic

from .noc_cases import differences, network, uniform_traffic

__all__ = ["LOADS", "Point", "measure", "point", "saturation"]

FOLDER = Path(__file__).resolve().parents[1] / "docs"
LOADS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.33, 0.36, 0.39, 0.42, 0.45, 0.5, 0.6)
_WARM_UP, _MEASURED, _SEED = 1000, 3000, 11


@dataclass(frozen=True)
class Point:
    """One load: packets offered and accepted per node and cycle, latency in cycles.

    ``latency`` is that of the packets offered after the warm-up, from the cycle in which a packet
    is offered to that in which it leaves, waiting in the source included; ``network`` without it.
    """

    depth: int
    offered: float
    accepted: float
    latency: float
    latency_99: float
    network: float


def measure(config: MeshConfig, traffic: NocTraffic, trace: NocTrace, load: float) -> Point:
    """Throughput and latency of a run; packets are told apart by source, destination and order."""
    word = packet_word(config)
    count = np.diff(traffic.start)
    source = np.repeat(np.arange(count.size), count)
    sent, came = word.unpack(traffic.word), word.unpack(trace.word)
    # X-then-Y keeps the order of packets between two nodes.
    order = np.lexsort((np.arange(source.size), sent["target"], source))
    left = np.full(source.size, -1, np.int64)
    keys = [values["target"] * config.tiles + values["value"] for values in (sent, came)]
    by_pair = np.argsort(keys[1], kind="stable")
    starts = dict(zip(*np.unique(keys[1][by_pair], return_index=True), strict=True))
    seen: dict[int, int] = {}
    for index in order:
        key = int(keys[0][index])
        number = seen.get(key, 0)
        seen[key] = number + 1
        place = starts.get(key, by_pair.size) + number
        if place < by_pair.size and keys[1][by_pair[place]] == key:
            left[index] = trace.cycle[by_pair[place]]
    window = (traffic.wait >= _WARM_UP) & (left >= 0)
    accepted = np.sum((trace.cycle >= _WARM_UP) & (trace.cycle < _WARM_UP + _MEASURED))
    latency = (left - traffic.wait)[window]
    return Point(config.router_depth, load, float(accepted) / _MEASURED / config.tiles,
                 float(latency.mean()), float(np.quantile(latency, 0.99)),
                 float((left - trace.taken)[window].mean()))


def point(config: MeshConfig, load: float) -> tuple[Point, Point, list[str], float]:
    """A load in fast engine and RTL, what differs, and CPU ns per packet and hop (fast engine)."""
    traffic = uniform_traffic(config, load, _WARM_UP + _MEASURED, _SEED)
    traffic = NocTraffic(start=traffic.start, step=traffic.step, wait=traffic.wait,
                         word=traffic.word, limit=_WARM_UP + 2 * _MEASURED)
    fast.run_traffic(config, uniform_traffic(config, load, 10, 0))  # compiles
    began = time.process_time()
    ours = fast.run_traffic(config, traffic)
    seconds = time.process_time() - began
    theirs = rtl.run_traffic(config, traffic)
    hops = ours.sent.sum() + ours.cycle.size
    return (measure(config, traffic, ours, load), measure(config, traffic, theirs, load),
            differences(ours, theirs), seconds / hops * 1e9)


def saturation(points: list[Point]) -> float:
    """Largest throughput measured, packets per node and cycle."""
    return max(point.accepted for point in points)


def _picture(curves: dict[int, tuple[list[Point], list[Point]]], path: Path) -> None:
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    for (depth, (ours, theirs)), colour in zip(curves.items(), ("tab:blue", "tab:orange"),
                                               strict=True):
        for axis, value in ((left, "latency"), (right, "accepted")):
            axis.plot([p.offered for p in theirs], [getattr(p, value) for p in theirs],
                      color=colour, linewidth=4, alpha=0.35, label=f"RTL, {depth} per input")
            axis.plot([p.offered for p in ours], [getattr(p, value) for p in ours], "x",
                      color=colour, label=f"fast engine, {depth} per input")
    left.set(xlabel="offered load (packets per node and cycle)", ylabel="mean latency (cycles)",
             ylim=(0, 100), title="latency, waiting in the source included")
    right.set(xlabel="offered load (packets per node and cycle)",
              ylabel="accepted (packets per node and cycle)", title="throughput", ylim=(0, None))
    left.legend(fontsize=8)
    for axis in (left, right):
        axis.grid(alpha=0.3)
    figure.suptitle("8x8 mesh, uniform random traffic, one-flit packets, X-then-Y, round robin")
    figure.savefig(path, dpi=110)


def main() -> int:
    """Measure, write picture and table; 1 if the engines differ."""
    curves, rows, wrong = {}, [], []
    for depth in (2, 4):
        config = network(8, 8, depth)
        ours, theirs = [], []
        for load in LOADS:
            one, other, different, cost = point(config, load)
            ours.append(one)
            theirs.append(other)
            rows.append(one)
            wrong += different
            print(f"depth {depth}, offered {load:.2f}: accepted {one.accepted:.4f}, latency "
                  f"{one.latency:.2f} (RTL {other.latency:.2f}), {cost:.1f} ns per hop", flush=True)
        print(f"depth {depth}: saturation {saturation(ours):.4f}")
        curves[depth] = (ours, theirs)
    _picture(curves, FOLDER / "noc_curve.png")
    with open(FOLDER / "noc_curve.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(Point)])
        writer.writerows([[f"{value:.4g}" for value in astuple(row)] for row in rows])
    if wrong:
        print(f"the engines differ in {sorted(set(wrong))}")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
