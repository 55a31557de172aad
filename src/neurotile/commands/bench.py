# SPDX-License-Identifier: Apache-2.0
"""``neurotile bench``: speed of an engine, as text or as one line of JSON."""

import json
from pathlib import Path

from ..bench import bench
from .text import count, line

__all__ = ["bench_command"]


def bench_command(workload: Path, *, engine: str, as_json: bool, cycles: bool = True) -> int:
    """Measure, print, and return the exit code: 1 if the spikes are not those of the file.

    Raises
    ------
    UserError
        The file is no workload, or its network fits no tile.
    """
    found = bench(workload, engine=engine, cycles=cycles)
    if as_json:
        print(json.dumps(found))
    else:
        line("workload", f"{found['workload']}: {count(found['steps'], 'step')}, "
                         f"{count(found['syn_events'], 'synaptic event')}")
        speed = f"{found['syn_events_per_cpu_s'] / 1e6:,.1f} million synaptic events"
        if cycles:
            line("tile", f"{found['preset']}, {count(found['cycles'], 'cycle')}")
            speed += f" and {found['cycles_per_cpu_s'] / 1e6:,.1f} million cycles"
        else:
            line("tile", f"{found['preset']}, without cycles")
        line("speed", f"{speed} per CPU-second (median of {count(found['runs'], 'run')}, "
                      f"{engine} engine)")
        line("spikes", "equal to the golden raster" if found["golden_match"]
             else "DIFFERENT from the golden raster")
        line("memory", f"{found['peak_rss_mb']:,.0f} MB at most")
    return 0 if found["golden_match"] else 1
