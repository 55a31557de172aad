# SPDX-License-Identifier: Apache-2.0
"""A small network with spikes and labels, and the command line called in this process."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import nir
import numpy as np
import numpy.typing as npt
import pytest

from neurotile.cli import main

from .nir_cases import graph, lif

__all__ = ["CLASSES", "HIDDEN", "INPUTS", "SAMPLES", "STEPS", "Cli", "Outcome", "Workplace", "call",
           "make_workplace", "small_graph", "write_spikes"]

INPUTS, HIDDEN, CLASSES, SAMPLES, STEPS = 6, 10, 3, 5, 8


class Outcome(NamedTuple):
    """Exit code and texts of a command."""

    code: int
    out: str
    err: str


class Workplace(NamedTuple):
    """Files of a small job."""

    folder: Path
    model: Path
    spikes: Path


Cli = Callable[..., Outcome]


def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: Any
         ) -> Outcome:
    """Run ``neurotile`` with these arguments; whatever is no exit is an error of the test."""
    monkeypatch.setattr(sys, "argv", ["neurotile", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    captured = capsys.readouterr()
    return Outcome(int(stop.value.code or 0), captured.out, captured.err)


def small_graph(*, readout: bool = False, seed: int = 3, **changes: Any) -> nir.NIRGraph:
    """Two layers of which the second may be a readout; ``changes`` are nodes."""
    rng = np.random.default_rng(seed)
    last: Any = lif(CLASSES)
    if readout:
        last = nir.LI(tau=np.full(CLASSES, 1e-2), r=np.ones(CLASSES), v_leak=np.zeros(CLASSES))
    nodes = {
        "fc1": nir.Affine(weight=rng.normal(0.4, 1, (HIDDEN, INPUTS)) * 8,
                          bias=rng.normal(0, 0.2, HIDDEN)),
        "hidden.lif": lif(HIDDEN),
        "fc2": nir.Linear(weight=rng.normal(0.2, 1, (CLASSES, HIDDEN)) * 8), "out": last}
    edges = [("input", "fc1"), ("fc1", "hidden.lif"), ("hidden.lif", "fc2"), ("fc2", "out"),
             ("out", "output")]
    return graph({**nodes, **changes}, edges, inputs=INPUTS, outputs=CLASSES, dt=1e-3)


def make_workplace(folder: Path, made: nir.NIRGraph | None = None) -> Workplace:
    """Write the network, spikes and labels into ``folder``."""
    rng = np.random.default_rng(5)
    model, spikes = folder / "small.nir", folder / "spikes.npz"
    nir.write(model, small_graph() if made is None else made)
    write_spikes(spikes, (rng.random((SAMPLES, STEPS, INPUTS)) < 0.4).astype(np.uint8),
                 labels=rng.integers(0, CLASSES, SAMPLES))
    return Workplace(folder, model, spikes)


def write_spikes(path: Path, spikes: npt.ArrayLike, **more: npt.ArrayLike) -> Path:
    """A file for ``--input``."""
    arrays: dict[str, Any] = {"spikes": spikes, **more}
    np.savez(path, **arrays)
    return path
