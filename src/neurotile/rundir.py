# SPDX-License-Identifier: Apache-2.0
"""Run directories: the files of one run, written all at once or not at all (docs/cli.md)."""

import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .spec import UserError

__all__ = ["MARK", "RunFiles", "check_target", "new_directory", "read", "write_json", "write_npz"]

MARK = "neurotile run"
Arrays = dict[str, npt.NDArray[Any]]

_CLAIM = "run.json"


@dataclass(frozen=True)
class RunFiles:
    """What a run directory holds."""

    path: Path
    run: dict[str, Any]
    metrics: dict[str, Any]
    trace: Arrays
    cycles: Arrays
    memories: Arrays


def check_target(path: Path, *, mark: str | None = MARK, claim: str = _CLAIM) -> None:
    """Refuse to replace what is not ours.

    Raises
    ------
    UserError
        ``path`` is a file, lies below a file, or is a directory with content but without the
        file ``claim`` that says it was made by ``mark`` (that is there, if ``mark`` is None).
    """
    for parent in path.parents:
        if parent.exists():
            if not parent.is_dir():
                raise UserError(f"--out {path}: {parent} is a file")
            if not os.access(parent, os.W_OK):
                raise UserError(f"--out {path}: {parent} cannot be written to")
            break
    if not path.exists():
        return
    if not path.is_dir():
        raise UserError(f"--out {path}: is a file; a new or empty directory is needed")
    ours = (path / claim).is_file() if mark is None else _claim(path / claim) == mark
    if any(path.iterdir()) and not ours:
        raise UserError(f"--out {path}: holds other files; name a new directory, or one that this "
                        "command made")


def _claim(path: Path) -> str | None:
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return value.get("made_by") if isinstance(value, dict) else None


@contextmanager
def new_directory(path: Path) -> Iterator[Path]:
    """Directory to write into; it becomes ``path`` when the block ends without an error.

    Raises
    ------
    UserError
        As :func:`check_target` says.
    """
    path = Path(os.path.abspath(path))
    check_target(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # A sibling, so that the last step is a rename within one file system.
    fresh = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        umask = os.umask(0)
        os.umask(umask)
        fresh.chmod(0o777 & ~umask)
        yield fresh
        if path.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
            path.rename(old / "old")
            try:
                fresh.rename(path)
            except BaseException:
                (old / "old").rename(path)
                raise
            finally:
                shutil.rmtree(old)
        else:
            fresh.rename(path)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


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
    if _claim(path / _CLAIM) != MARK:
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
