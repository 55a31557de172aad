# SPDX-License-Identifier: Apache-2.0
"""Read a .nir file (HDF5) as plain data.

The classes of the `nir` package are not built: they refuse files that have one meaning (parameters
given as one number, a shape of [1, 1, 1] for one value) and their messages do not name the node.
"""

from pathlib import Path
from typing import Any

import h5py

from neurotile.spec import UserError

__all__ = ["Tree", "read"]

Tree = dict[str, Any]
"""Groups as dictionaries, tensors as arrays, texts as str; as ``nir.NIRGraph.to_dict()`` gives."""


# A damaged shape would make the library fill all memory.
_MOST = 1 << 27


def _plain(item: Any) -> Any:
    if isinstance(item, h5py.Group):
        return {name if isinstance(name, str) else repr(name): _plain(child)
                for name, child in item.items()}
    if not isinstance(item, h5py.Dataset):
        return None
    if (item.size or 0) > _MOST:
        raise UserError(f"{item.name} holds {item.size} numbers, more than any tile could")
    value = item[()]
    if isinstance(value, h5py.Empty):
        return None
    return value.decode() if isinstance(value, bytes) else value


def read(path: str | Path) -> Tree:
    """Root node of the file.

    Raises
    ------
    UserError
        The file is missing, damaged, or not a NIR file.
    """
    try:
        with h5py.File(path, "r") as file:
            tree = _plain(file["node"]) if "node" in file else None
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file") from None
    except Exception as error:  # h5py raises many kinds for a damaged file
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path}: not a readable NIR file (HDF5), perhaps cut short or damaged: "
                        f"{reason}") from None
    if not isinstance(tree, dict):
        raise UserError(f"{path}: not a NIR file: this HDF5 file has no group 'node'")
    return tree
