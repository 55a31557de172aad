# SPDX-License-Identifier: Apache-2.0
"""How the engine's functions are compiled."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np

from .. import spec

__all__ = ["INT", "entry", "kernel", "outlined", "source_digest"]

INT: Any = np.int64
"""Type of a kernel's scalars. ``Any`` because they are annotated as int, which numpy's are not."""

_OPTIONS: dict[str, Any] = {
    "error_model": "numpy",  # no test for division by zero
    "forceinline": True,     # a call would pass a hundred array fields on the stack
    "_nrt": False,           # no reference counts: arrays belong to the caller in Python
}
_INTERNAL: dict[str, Any] = {
    "no_cpython_wrapper": True,  # half of the time to compile
    "no_cfunc_wrapper": True,
}


def kernel(function: Callable[..., Any]) -> Any:
    """Compile ``function`` as a part of an :func:`entry`; Python can not call it when compiled."""
    # No cache here: numba checks only the file of the function that it caches, so a part that was
    # kept on disk would still hold the old machine code of what it calls in another file.
    return numba.njit(**_OPTIONS, **_INTERNAL)(function)


def outlined(function: Callable[..., Any]) -> Any:
    """A :func:`kernel` that is called: large, and not often enough that the call counts."""
    return numba.njit(**{**_OPTIONS, "forceinline": False}, **_INTERNAL)(function)


def entry(function: Callable[..., Any]) -> Any:
    """Compile ``function``, which Python calls, and keep its machine code on disk.

    The function must read :func:`source_digest` of its maker from a closure: closures are part of
    numba's key, so that a change in any kernel compiles again.
    """
    return numba.njit(nogil=True, cache=True, **_OPTIONS)(function)


def source_digest() -> str:
    """SHA-256 over the sources that compiled code may depend on, hexadecimal."""
    state = hashlib.sha256()
    for folder in (Path(__file__).parent, Path(spec.__file__).parent):
        for path in sorted(folder.glob("*.py")):
            state.update(path.read_bytes())
    return state.hexdigest()
