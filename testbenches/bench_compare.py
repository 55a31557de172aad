# SPDX-License-Identifier: Apache-2.0
"""Our speed beside other simulators', on one workload in one process.

``python -m neurotile.testbenches.bench_compare [WORKLOAD.npz] [--rtl]``: the fast engine (and the
RTL), SANA-FE (https://github.com/SLAM-Lab/SANA-FE, if installed) and a plain event loop compiled by
numba. Times are CPU seconds without set-up; every row says whether its spikes are the workload's.
"""

import argparse
import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from neurotile.bench import bench, load_workload
from neurotile.spec import UserError
from neurotile.testbenches.workloads import make_workload

__all__ = ["main", "measure_event_loop", "measure_sanafe"]

Arrays = dict[str, npt.NDArray[Any]]

_SHARED = Path(os.environ.get("NEUROTILE_SHARED", Path(__file__).resolve().parents[1].parent
                              / "shared"))
_SILENT = "energy_{0}: 0.0, latency_{0}: 0.0"
_HOPS = ", ".join(_SILENT.format(f"{side}_hop") for side in ("north", "east", "south", "west"))
# One core, on which every neuron lies; energies and latencies do not change spikes or speed.
_ARCHITECTURE = f"""architecture:
  name: one_core
  attributes: {{link_buffer_size: 16, width: 1, height: 1}}
  tile:
    - name: tile
      attributes: {{{_HOPS}}}
      core:
        - name: core
          attributes: {{buffer_position: soma, max_neurons_supported: 65536}}
          axon_in: [{{name: in, attributes: {{{_SILENT.format("message_in")}}}}}]
          synapse:
            - name: synapse
              attributes: {{model: current_based, {_SILENT.format("process_spike")}}}
          dendrite:
            - name: dendrite
              attributes: {{model: accumulator, {_SILENT.format("update")},
                           update_every_timestep: true}}
          soma:
            - name: lif
              attributes: {{model: leaky_integrate_fire, {_SILENT.format("access_neuron")},
                           {_SILENT.format("update_neuron")}, {_SILENT.format("spike_out")}}}
            - name: input[0..LAST]
              attributes: {{model: input, {_SILENT.format("access_neuron")},
                           {_SILENT.format("update_neuron")}, {_SILENT.format("spike_out")}}}
          axon_out: [{{name: out, attributes: {{{_SILENT.format("message_out")}}}}}]
"""


def measure_sanafe(z: Arrays) -> tuple[float, npt.NDArray[np.uint8]]:
    """CPU seconds and raster of SANA-FE with its ``detailed`` timing model, on one thread."""
    import sanafe
    inputs, neurons, steps = int(z["n_in"]), int(z["n"]), int(z["T"])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "architecture.yaml"
        file.write_text(_ARCHITECTURE.replace("LAST", str(inputs - 1)))
        architecture = sanafe.load_arch(file)
    network = sanafe.Network()
    lines = network.create_neuron_group("lines", inputs)
    cells = network.create_neuron_group("cells", neurons, soma_hw_name="lif", log_spikes=True,
                                        model_attributes={
        # It fires above its threshold; the floor at 0 is a reverse reset.
        "threshold": float(z["threshold"]) - 0.5, "reset": 0.0, "reverse_threshold": 0.0,
        "reverse_reset": 0.0, "reverse_reset_mode": "saturate", "leak_decay": 1.0,
        "bias": -float(z["leak"]), "force_update": True})
    # A neuron takes input in the step after the input's spike: one step more in all.
    trains = np.zeros((inputs, steps + 1), np.int64)
    trains[z["in_line"], z["in_step"]] = 1
    for line, train in enumerate(trains.tolist()):
        # An input unit holds one spike train, so that every line needs its own.
        lines[line].set_attributes(soma_hw_name=f"input[{line}]",
                                   model_attributes={"spikes": train})
    for group in (lines, cells):
        group.map_to_core(architecture.cores()[0])
    for source, pre, post, weight in ((lines, "in_pre", "in_post", "in_w"),
                                      (cells, "pre", "post", "w")):
        pairs = list(zip(z[pre].tolist(), z[post].tolist(), strict=True))
        source.connect_neurons_sparse(cells, {"weight": z[weight].astype(float).tolist()}, pairs)
    chip = sanafe.SpikingChip(architecture)
    chip.load(network)
    started = time.process_time()
    result = chip.sim(steps + 1, timing_model="detailed", processing_threads=1, spike_trace=True)
    seconds = time.process_time() - started
    raster = np.zeros((steps, neurons), np.uint8)
    for step, spikes in enumerate(result["spike_trace"][1:]):
        raster[step, [spike.neuron_offset for spike in spikes]] = 1
    return seconds, raster


@numba.njit
def _event_loop(steps, in_start, in_line, in_row, in_post, in_w, row, post, w, leak, threshold,
                v, raster):
    total = np.zeros(v.size, np.int32)
    for t in range(steps):
        for event in range(in_start[t], in_start[t + 1]):
            line = in_line[event]
            for s in range(in_row[line], in_row[line + 1]):
                total[in_post[s]] += in_w[s]
        for n in range(v.size):
            if t and raster[t - 1, n]:
                for s in range(row[n], row[n + 1]):
                    total[post[s]] += w[s]
        for n in range(v.size):
            v[n] = max(v[n] + total[n] - leak, 0)
            total[n] = 0
            if v[n] >= threshold:
                raster[t, n] = 1
                v[n] = 0


def measure_event_loop(z: Arrays, runs: int = 20) -> tuple[float, npt.NDArray[np.uint8]]:
    """CPU seconds (median) and raster of the plain loop over events and their synapses."""
    inputs, neurons, steps = int(z["n_in"]), int(z["n"]), int(z["T"])
    arguments = (
        steps, np.searchsorted(z["in_step"], np.arange(steps + 1)), z["in_line"],
        np.searchsorted(z["in_pre"], np.arange(inputs + 1)), z["in_post"], z["in_w"],
        np.searchsorted(z["pre"], np.arange(neurons + 1)), z["post"], z["w"], int(z["leak"]),
        int(z["threshold"]))
    seconds, raster = [], np.zeros((0, 0), np.uint8)
    for _ in range(runs + 1):
        raster, v = np.zeros((steps, neurons), np.uint8), np.zeros(neurons, np.int32)
        started = time.process_time()
        _event_loop(*arguments, v, raster)
        seconds.append(time.process_time() - started)
    return float(np.median(seconds[1:])), raster  # the first compiles


def _workload(path: Path | None, folder: Path) -> Path:
    if path is None and (_SHARED / "data/bench/workload_256.npz").exists():
        path = _SHARED / "data/bench/workload_256.npz"
    if path is None:
        path = folder / "workload.npz"
        make_workload(path)
    load_workload(path)  # the message, if it is none
    return path


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("workload", type=Path, nargs="?")
    parser.add_argument("--rtl", action="store_true", help="also the RTL in Verilator")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = _workload(options.workload, Path(folder))
            ours = [bench(path, engine=name) for name in ("fast", *["rtl"] * options.rtl)]
        except UserError as error:
            parser.exit(2, f"{error}\n")
        with np.load(path) as archive:
            z = {key: archive[key] for key in archive.files}
    rows = [(f"neurotile {r['engine']} ({r['preset']})", r["cpu_seconds"], r["golden_match"])
            for r in ours]
    others: dict[str, Callable[[Arrays], tuple[float, npt.NDArray[np.uint8]]]] = {
        "numba, plain event loop": measure_event_loop, "SANA-FE, detailed": measure_sanafe}
    for name, measure in others.items():
        try:
            seconds, raster = measure(z)
        except ImportError:
            print(f"{name}: not installed (pip install sanafe)")
            continue
        digest = hashlib.sha256(raster.tobytes()).hexdigest()
        rows.append((name, seconds, digest == str(z["golden_sha256"])))
    events = int(z["n_syn_events"])
    print(f"\n{z['name']}: {int(z['T']):,} steps, {events:,} synaptic events\n")
    print(f"{'':<28}{'CPU seconds':>12}{'events per CPU-s':>18}{'spikes':>9}")
    for name, seconds, exact in rows:
        print(f"{name:<28}{seconds:>12.5f}{events / seconds / 1e6:>16,.1f} M"
              f"{'exact' if exact else 'differ':>9}")
    return 0 if all(row["golden_match"] for row in ours) else 1


if __name__ == "__main__":
    raise SystemExit(main())
