# SPDX-License-Identifier: Apache-2.0
"""Export of the tile as Verilog."""

import re

from amaranth.back import rtlil, verilog

from neurotile.spec import TileConfig

from .tile import Tile

__all__ = ["component_rtlil", "component_verilog", "tile_verilog"]

# A memory is loaded by the host or zeroed by CLEAR; its zero initial value is one line per row.
_MEMORY_INIT = re.compile(r"^ *cell \$meminit_v2 .*?^ *end\n", re.MULTILINE | re.DOTALL)


def component_rtlil(component: object, name: str) -> str:
    """RTLIL text of any component, without initial memory contents and machine paths."""
    return _MEMORY_INIT.sub("", rtlil.convert(component, name=name, emit_src=False))


def component_verilog(component: object, name: str) -> str:
    """Verilog text of any component as module ``name``; registers keep their reset values."""
    return verilog._convert_rtlil_text(component_rtlil(component, name), strip_internal_attrs=True)


def tile_verilog(config: TileConfig) -> str:
    """Verilog of a tile as module ``tile``, the same text at every call.

    Ports: ``clk``, ``rst`` (synchronous), ``i``, ``o``, ``request`` and ``response`` as
    ``__payload``, ``__valid`` and ``__ready``, and ``barrier``.
    """
    return component_verilog(Tile(config), "tile")
