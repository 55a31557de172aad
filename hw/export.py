# SPDX-License-Identifier: Apache-2.0
"""Export of the tile as Verilog."""

from ..spec import EventConfig, TileConfig
from .event_tile import EventTile
from .netlist import Netlist, component_rtlil, make_netlist
from .tile import Tile

__all__ = ["component_rtlil", "component_verilog", "make_tile", "tile_netlist",
           "tile_verilog"]


def component_verilog(component: object, name: str) -> str:
    """Verilog text of any component as module ``name``; registers keep their reset values."""
    return make_netlist(component, name).verilog


def make_tile(config: TileConfig | EventConfig) -> Tile | EventTile:
    """The component of a configuration."""
    return EventTile(config) if isinstance(config, EventConfig) else Tile(config)


def tile_netlist(config: TileConfig | EventConfig) -> Netlist:
    """Verilog and state bits of a tile as module ``tile``."""
    return make_netlist(make_tile(config), "tile")


def tile_verilog(config: TileConfig | EventConfig) -> str:
    """Verilog of a tile as module ``tile``, the same text at every call.

    Ports: ``clk``, ``rst`` (synchronous), ``i``, ``o``, ``request`` and ``response`` as
    ``__payload``, ``__valid`` and ``__ready``, and ``barrier``, in event mode ``idle``.
    """
    return tile_netlist(config).verilog
