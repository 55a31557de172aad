# SPDX-License-Identifier: Apache-2.0
"""``neurotile rtl``: a tile as Verilog, with or without a network in its memories."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..hw.export_files import EXPORT, export_dir
from ..models.nir_import import parse_reset
from ..pipeline import Build, run
from ..spec import (
    PRESETS,
    EventConfig,
    Program,
    Stimulus,
    TileConfig,
    UserError,
    network_tile,
    single_tile,
)
from ..spec.folders import check_folder
from .run import any_configuration, load_and_build
from .text import count, line, waiting

__all__ = ["rtl_command", "write_rtl"]

_SAMPLES, _STEPS, _RATE = 2, 16, 0.2  # of the random input in the testbench; maybe fewer steps


def rtl_command(model: Path | None, out: Path, *, preset_name: str | None, config: Path | None,
                weight_bits: int | None, state_bits: int | None, dt: float | None,
                reset: Sequence[str], learn: Path | None = None) -> None:
    """Write the files and print what they are.

    Raises
    ------
    UserError
        An argument or a file is wrong, or ``out`` holds something else.
    """
    check_folder(out, EXPORT, inputs=(model, config, learn))
    found = any_configuration(preset_name, config)
    tile = None if found is None else single_tile(found)
    if model is None:
        if any(v is not None for v in (weight_bits, state_bits, dt, learn)) or reset:
            raise UserError("--weight-bits, --state-bits, --dt, --reset and --learn need a "
                            "MODEL.nir; "
                            "without one, --config TILE.toml describes the tile")
        tile = tile or PRESETS["default"]
        line("tile", tile.name)
        files = write_rtl(None, tile, out, None)
    else:
        made = load_and_build(model, None if tile is None else network_tile(tile), weight_bits,
                              state_bits, dt, parse_reset(reset), mapped=True, learning=learn)
        assert isinstance(made.config, TileConfig)
        files = write_rtl(made, made.config, out, _random_input(made))
    for name in files:
        if "/" not in name:
            line("", f"{out / name}")
    folders = sorted({name.partition("/")[0] for name in files if "/" in name})
    for folder in folders:
        inside = sum(name.startswith(f"{folder}/") for name in files)
        line("", f"{out / folder}: {count(inside, 'file')}")
    line("try it", f"cd {out} && iverilog -o tile_tb tile_tb.v tile.v && ./tile_tb")


def _random_input(made: Build) -> Stimulus:
    rng = np.random.default_rng(1)
    assert isinstance(made.program, Program)
    counted = (1 << made.program.config.step_bits) - 1 - made.program.drain
    steps = min(_STEPS, counted)
    return Stimulus.from_dense(rng.random((_SAMPLES, steps, made.network.input_size)) < _RATE)


def write_rtl(made: Build | None, config: TileConfig | EventConfig, out: Path,
              stimulus: Stimulus | None) -> list[str]:
    """Export a tile; its testbench replays what the fast engine does with ``stimulus``."""
    if made is None or stimulus is None:
        with waiting("the Verilog is being written"):
            return export_dir(config, out)
    with waiting("the fast engine computes what the testbench expects; its first run ever compiles "
                 "it, for up to half a minute"):
        result = run(made, stimulus, engine="fast")
    assert isinstance(made.program, Program)
    with waiting("the Verilog is being written"):
        return export_dir(config, out, program=made.program, stimulus=stimulus,
                          trace=result.trace)
