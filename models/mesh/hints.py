# SPDX-License-Identifier: Apache-2.0
"""Which value of a key would help a network that does not fit."""

from ...spec import MeshConfig, TileConfig, UserError

__all__ = ["power_above", "would_do"]


def power_above(number: int, least: int = 2) -> int:
    """Smallest power of two that is at least both."""
    return 1 << (max(number, least, 1) - 1).bit_length()


def would_do(config: MeshConfig | TileConfig, key: str, value: int, other: str = "") -> str:
    """``; KEY = VALUE would do``, or ``other`` as well, or instead where that value is not legal.

    Parameters
    ----------
    config : MeshConfig or TileConfig
        What the key, of it or of its tiles, is changed in.
    """
    try:
        if isinstance(config, MeshConfig) and not hasattr(config, key):
            config.replace(tile=config.tile.replace(**{key: value}))
        else:
            config.replace(**{key: value})
    except UserError:
        return f"; {other} would do" if other else f"; {key} = {value} is more than there can be"
    return f"; {key} = {value}{f' or {other}' if other else ''} would do"
