# SPDX-License-Identifier: Apache-2.0
"""Builds the simulator library of a tile in event mode."""

from pathlib import Path

from ...spec import EventConfig
from ...spec.event_formats import event_output_word, event_word
from .build import Bench, build_bench, verilog_of

__all__ = ["OBSERVED", "build_event_library", "event_library_of"]

OBSERVED = ("synapse", "state")
"""Memories that are read from the model without the host port."""

_BENCH = Bench("event_harness.cpp", "idle")
_CONTROL = "".join(f'public_flat_rd -module "tile.{name}_memory" -var "{name}"\n'
                   for name in OBSERVED)


def event_library_of(config: EventConfig) -> Path:
    """Simulator library of a tile in event mode; neither elaborated nor built if it is cached.

    Raises
    ------
    UserError
        Verilator or the C++ compiler is not installed.
    """
    return build_event_library(config, verilog_of(config))


def build_event_library(config: EventConfig, verilog: str, *, flat: bool = False) -> Path:
    """Shared library that simulates module ``tile`` of this Verilog text.

    Parameters
    ----------
    flat : bool
        Its memories have no modules of their own, so that none of them can be observed.

    Raises
    ------
    UserError
        Verilator or the C++ compiler is not installed.
    """
    return build_bench(_BENCH, verilog, (event_word(config).width,
                                         event_output_word(config).width),
                       control="" if flat else _CONTROL, defines=("SITES",))
