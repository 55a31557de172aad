# SPDX-License-Identifier: Apache-2.0
"""NIR graphs and files that tests of the import make, and where the NIR paper's data lie."""

import os
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest

__all__ = ["cuba", "edit", "graph", "lif", "shared_data", "write"]


def lif(size: int = 2, **changes: Any) -> nir.LIF:
    """LIF with tau 10 ms, threshold 1."""
    values = dict(tau=1e-2, r=1.0, v_leak=0.0, v_threshold=1.0, v_reset=0.0) | changes
    return nir.LIF(**{k: np.broadcast_to(v, size).astype(float) for k, v in values.items()})


def cuba(size: int = 2, **changes: Any) -> nir.CubaLIF:
    """CubaLIF with tau_syn 5 ms, tau_mem 10 ms, threshold 1."""
    values = dict(tau_syn=5e-3, tau_mem=1e-2, r=1.0, v_leak=0.0, v_threshold=1.0, v_reset=0.0,
                  w_in=1.0) | changes
    return nir.CubaLIF(**{k: np.broadcast_to(v, size).astype(float) for k, v in values.items()})


def graph(nodes: dict[str, Any], edges: list[tuple[str, str]], *, inputs: int = 2, outputs: int = 2,
          **metadata: Any) -> nir.NIRGraph:
    """Graph of these nodes and edges; ``input`` and ``output`` are added if edges name them."""
    ends = {name for edge in edges for name in edge}
    if "input" in ends and "input" not in nodes:
        nodes = {**nodes, "input": nir.Input(np.array([inputs]))}
    if "output" in ends and "output" not in nodes:
        nodes = {**nodes, "output": nir.Output(np.array([outputs]))}
    return nir.NIRGraph(nodes, edges, metadata=metadata, type_check=False)


def write(folder: Path, made: nir.NIRGraph) -> Path:
    """File with this graph, as the nir package writes it."""
    path = folder / "network.nir"
    nir.write(path, made)
    return path


def edit(path: Path, key: str, value: Any = None) -> None:
    """Replace the dataset ``key`` below the root node; without a value delete it."""
    with h5py.File(path, "r+") as file:
        del file["node"][key]
        if value is not None:
            file["node"][key] = value


def shared_data(name: str) -> Path:
    """Folder of data that are not in the repository; the test is skipped without it."""
    shared = os.environ.get("NEUROTILE_SHARED") or Path(__file__).resolve().parents[2] / "shared"
    folder = Path(shared) / "data" / name
    if not folder.is_dir():
        pytest.skip(f"the NIR paper's data are not here ({name}; set NEUROTILE_SHARED)")
    return folder
