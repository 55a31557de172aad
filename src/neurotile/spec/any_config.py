# SPDX-License-Identifier: Apache-2.0
"""Configurations of any kind: by the name of a preset, or from a file."""

import difflib
from pathlib import Path

from .config import TileConfig
from .configuration import read_toml
from .errors import UserError
from .event_config import EVENT_PRESETS, TEST_EVENT_PRESETS, EventConfig
from .mesh_config import MESH_PRESETS, TEST_MESH_PRESETS, MeshConfig
from .presets import PRESETS, TEST_PRESETS

__all__ = ["AnyConfig", "any_preset", "configuration_from_toml", "network_config", "network_tile",
           "preset", "single_tile"]

AnyConfig = TileConfig | EventConfig | MeshConfig


def any_preset(name: str) -> AnyConfig:
    """Preset called ``name``; a :class:`UserError` lists the names if there is none."""
    known: dict[str, AnyConfig] = {
        **PRESETS, **EVENT_PRESETS, **MESH_PRESETS, **TEST_PRESETS, **TEST_EVENT_PRESETS,
        **TEST_MESH_PRESETS}
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UserError(f"unknown preset {name!r}; {hint}there are "
                        f"{', '.join((*PRESETS, *EVENT_PRESETS, *MESH_PRESETS))}")
    return known[name]


def configuration_from_toml(path: Path) -> AnyConfig:
    """Configuration in a TOML file.

    A tile in event mode says ``mode = "event"``, a mesh has a table ``tile``.

    Raises
    ------
    UserError
        The file is missing, not TOML, or has a wrong key or value.
    """
    found = read_toml(path)
    kind = EventConfig if "mode" in found else MeshConfig if "tile" in found else TileConfig
    return kind.from_toml(path)


def network_config(config: AnyConfig) -> TileConfig | MeshConfig:
    """The configuration itself; a :class:`UserError` if it is a tile in event mode."""
    if isinstance(config, EventConfig):
        raise UserError(f"tile {config.name} is in event mode: it takes events, not a network, "
                        f"for which there are the tiles {', '.join(PRESETS)}")
    return config


def network_tile(config: AnyConfig) -> TileConfig:
    """The configuration itself; a :class:`UserError` if it is no single tile for networks."""
    found = single_tile(network_config(config))
    assert isinstance(found, TileConfig)
    return found


def single_tile(config: AnyConfig) -> TileConfig | EventConfig:
    """The configuration itself; a :class:`UserError` if it is a mesh."""
    if isinstance(config, MeshConfig):
        raise UserError(f"{config.name} is a mesh; one tile is needed here, like "
                        f"{', '.join((*PRESETS, *EVENT_PRESETS))}")
    return config


def preset(name: str) -> TileConfig:
    """Preset called ``name`` of a tile that runs networks.

    Raises
    ------
    UserError
        There is none of that name, or it is something else than one tile in step mode.
    """
    return network_tile(any_preset(name))
