# SPDX-License-Identifier: Apache-2.0
"""One way to hash arrays and plain values, so that a digest names a result for good."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import numpy as np

__all__ = ["digest"]


def digest(items: Iterable[tuple[str, Any]]) -> str:
    """SHA-256 over named values, hexadecimal.

    Parameters
    ----------
    items : iterable of (name, value)
        Arrays count with dtype, shape and little-endian content, other values as JSON.
    """
    state = hashlib.sha256()
    for name, value in items:
        if isinstance(value, np.ndarray):
            value = np.ascontiguousarray(value)
            little = value.astype(value.dtype.newbyteorder("<"), copy=False)
            state.update(f"{name}:{little.dtype.str}:{little.shape}:".encode())
            state.update(little.tobytes())
        else:
            state.update(f"{name}:{json.dumps(value, sort_keys=True)};".encode())
    return state.hexdigest()
