# SPDX-License-Identifier: Apache-2.0
"""Engine ``rtl``: runs programs on the exported Verilog in Verilator (docs/semantics.md).

Nothing is called in Python per clock cycle or per sample: harness.cpp drives whole runs.
"""

from .build import cache_folder
from .engine import TimedOut, load_requests, run, run_tile, step_limit

__all__ = ["TimedOut", "cache_folder", "load_requests", "run", "run_tile", "step_limit"]
