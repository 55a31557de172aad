# SPDX-License-Identifier: Apache-2.0
"""Run directories: the files of one run (docs/cli.md)."""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .spec import UserError
from .spec.folders import FolderKind, made_by

__all__ = ["MARK", "RUN", "RunFiles", "read", "write_json", "write_npz"]

MARK = "neurotile run"
Arrays = dict[str, npt.NDArray[Any]]

_CLAIM = "run.json"
RUN = FolderKind(MARK, _CLAIM, (_CLAIM, "metrics.json", "trace.npz", "cycles.npz", "memories.npz",
                                "report.html"))


@dataclass(frozen=True)
class RunFiles:
    """What a run directory holds."""

    path: Path
    run: dict[str, Any]
    metrics: dict[str, Any]
    trace: Arrays
    cycles: Arrays
    memories: Arrays


def write_npz(path: Path, arrays: Mapping[str, npt.ArrayLike]) -> None:
    """Write arrays under any names as a compressed .npz with the same bytes every time."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, value in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.ascontiguousarray(value), allow_pickle=False)


def write_json(path: Path, value: Any) -> None:
    """Write plain values as readable JSON."""
    path.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n")


def read(path: Path) -> RunFiles:
    """Content of a run directory.

    Raises
    ------
    UserError
        ``path`` is no directory written by ``neurotile run``, or a file in it is damaged.
    """
    if not path.is_dir():
        raise UserError(f"{path}: there is no such directory")
    if made_by(path / _CLAIM) != MARK:
        raise UserError(f"{path}: is no run directory; `neurotile run --out` writes them")
    try:
        values = [json.loads((path / name).read_text()) for name in (_CLAIM, "metrics.json")]
        arrays: list[Arrays] = []
        for name in ("trace.npz", "cycles.npz", "memories.npz"):
            # Opened here, as numpy leaves a file open that turns out to be damaged.
            with open(path / name, "rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays.append({key: archive[key] for key in archive.files})
    except Exception as error:  # numpy and zipfile raise many kinds for a damaged file
        raise UserError(f"{path}: a file is missing or damaged: {error}") from None
    return RunFiles(path, *values, *arrays)
