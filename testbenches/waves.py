# SPDX-License-Identifier: Apache-2.0
"""Waveforms of the cocotb runs: whether they are wanted, where they lie, which are new."""

import os
from pathlib import Path

__all__ = ["FOLDER", "wanted", "written_since"]

FOLDER = Path(__file__).resolve().parents[1] / "build" / "waves"
"""A VCD file per run."""


def wanted() -> bool:
    """``NEUROTILE_WAVES`` is set, and not to 0."""
    return os.environ.get("NEUROTILE_WAVES", "") not in ("", "0")


def written_since(moment: float, folder: Path = FOLDER) -> list[Path]:
    """VCD files of ``folder`` that are not older than ``moment`` (seconds since the epoch)."""
    return sorted(path for path in folder.glob("*.vcd") if path.stat().st_mtime >= moment)
