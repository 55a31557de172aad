# SPDX-License-Identifier: Apache-2.0
"""Speed of the fast engine on a mesh, and what network, synapses and updates take of it.

``python -m neurotile.testbenches.bench_mesh [WORKLOAD.npz]``: without a file a workload of 16
groups of 256 neurons is made. Times are CPU seconds without loading and compiling.
"""

import argparse
import tempfile
from pathlib import Path

from neurotile.bench import bench, load_workload
from neurotile.models.mesh.map import choose_mesh
from neurotile.sim.mesh_engine import LoadedMesh
from neurotile.testbenches.mesh_shares import measure_shares
from neurotile.testbenches.workloads import make_mesh_workload

__all__ = ["main"]

_RUNS = 15


def main(arguments: list[str] | None = None) -> int:
    """Entry point; the exit code is 1 if spikes are not those of the workload."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("workload", nargs="?", type=Path, help="as for neurotile bench")
    given = parser.parse_args(arguments).workload
    with tempfile.TemporaryDirectory() as folder:
        path = given or Path(folder) / "groups.npz"
        if given is None:
            make_mesh_workload(path)
        workload = load_workload(path)
        program = choose_mesh(workload.network)
        right = True
        for cycles in (True, False):
            found = bench(path, config=program.config, cycles=cycles)
            right &= found["golden_match"]
            print(f"{found['workload']} on {program.config.name}, "
                  f"{'every cycle' if cycles else 'without cycles'}: "
                  f"{found['syn_events_per_cpu_s'] / 1e6:,.0f} million synaptic events per "
                  f"CPU-second, {1e3 * found['cpu_seconds']:.1f} ms (median of {found['runs']}), "
                  f"spikes {'exact' if found['golden_match'] else 'WRONG'}")
    mesh = LoadedMesh(program.config, program.memories, program.groups, workload.stimulus.steps)
    times = measure_shares(mesh, program.events(workload.stimulus), runs=_RUNS)
    parts = ", ".join(f"{name} {1e3 * times[name]:.1f} ms ({times[name] / times['total']:.0%})"
                      for name in ("network", "synapses", "update", "other"))
    print(f"least of {_RUNS} runs: {1e3 * times['total']:.1f} ms with every cycle = {parts}; "
          f"without cycles {1e3 * times['without_cycles']:.1f} ms")
    return 0 if right else 1


if __name__ == "__main__":
    raise SystemExit(main())
