# SPDX-License-Identifier: Apache-2.0
"""Folders that a command writes whole, and replaces only where it wrote all that is in them."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from .errors import UserError

__all__ = ["FolderKind", "check_folder", "made_by", "new_folder"]


@dataclass(frozen=True)
class FolderKind:
    """How a folder of one command is known.

    Parameters
    ----------
    mark : str
        Value of ``made_by`` in the file ``claim``.
    claim : str
        JSON file in the folder.
    names : tuple of str
        All files that the command may have written, relative, with ``*`` as in a shell.
    """

    mark: str
    claim: str
    names: tuple[str, ...]


def check_folder(path: Path, kind: FolderKind, *, inputs: Sequence[Path | None] = ()) -> None:
    """Refuse to write a folder where that would delete something else.

    Parameters
    ----------
    inputs : sequence of Path
        Files that the command reads.

    Raises
    ------
    UserError
        ``path`` is a file, lies below a file, is or holds the current directory, holds an input, or
        holds anything but an earlier folder of this kind.
    """
    real = path.resolve()
    for parent in real.parents:
        if parent.exists():
            if not parent.is_dir():
                raise UserError(f"{path}: {parent} is a file")
            if not os.access(parent, os.W_OK):
                raise UserError(f"{path}: {parent} cannot be written to")
            break
    if Path.cwd().is_relative_to(real):
        raise UserError(f"{path}: is or holds the current directory; name a new directory")
    if not real.exists():
        return
    if not real.is_dir():
        raise UserError(f"{path}: is a file; a new or empty directory is needed")
    for file in inputs:
        if file is not None and file.resolve().is_relative_to(real):
            raise UserError(f"{path}: holds {file}, which is read; name another directory")
    if not any(real.iterdir()):
        return
    if made_by(real / kind.claim) != kind.mark:
        raise UserError(f"{path}: holds other files, and was not made by `{kind.mark}`; "
                        "name a new directory")
    if foreign := next(_foreign(real, kind.names), None):
        raise UserError(f"{path}: holds other files: {foreign} is not from `{kind.mark}`; "
                        "name a new directory")


def made_by(claim: Path) -> str | None:
    """What ``made_by`` in a JSON file says; None if that cannot be read."""
    try:
        value = json.loads(claim.read_text())
    except (OSError, ValueError, RecursionError):
        return None
    return value.get("made_by") if isinstance(value, dict) else None


def _foreign(folder: Path, names: Sequence[str]) -> Iterator[str]:
    folders = {str(above) for name in names for above in PurePosixPath(name).parents}
    for here, below, files in os.walk(folder):
        start = Path(here).relative_to(folder)
        yield from (str(start / name) for name in below if str(start / name) not in folders)
        yield from (str(start / name) for name in files
                    if not any(fnmatchcase(str(start / name), known) for known in names))


@contextmanager
def new_folder(path: Path, kind: FolderKind) -> Iterator[Path]:
    """Folder to write into; it becomes ``path`` when the block ends without an error.

    A link is followed: what it points to is replaced.

    Raises
    ------
    UserError
        As :func:`check_folder` says, or ``path`` cannot be written.
    """
    check_folder(path, kind)
    real = path.resolve()
    try:
        real.parent.mkdir(parents=True, exist_ok=True)
        # Beside it, so that the last step is a rename within one file system.
        with tempfile.TemporaryDirectory(dir=real.parent, prefix=f".{real.name}-") as scratch:
            new, old = Path(scratch) / "new", Path(scratch) / "old"
            new.mkdir()
            yield new
            if real.exists():
                real.rename(old)
            try:
                new.rename(real)
            except BaseException:
                if old.exists():
                    old.rename(real)
                raise
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from None
