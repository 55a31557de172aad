# SPDX-License-Identifier: Apache-2.0
"""Export of a tile as a folder: Verilog, state inventory, memory images and a testbench."""

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..spec import EventConfig, EventProgram, Program, Stimulus, TileConfig, Trace, UserError
from ..spec.codes import MemoryId
from ..spec.event_formats import EventMemoryId
from ..spec.folders import FolderKind, new_folder
from ..spec.formats import Memory, memories
from .export import tile_netlist
from .netlist import Site
from .vectors import make_vectors, memory_vectors, testbench

__all__ = ["EXPORT", "export_dir", "inventory_json", "memory_image"]

_INVENTORY = "inventory.json"
EXPORT = FolderKind("neurotile rtl", _INVENTORY, (
    "tile.v", "tile.toml", _INVENTORY, "tile_tb.v",
    *(f"vectors/{name}.hex" for name in ("script", "input", "output", "barrier")),
    *(f"memory/{name.lower()}.hex" for name in
      sorted({memory.name for ids in (MemoryId, EventMemoryId) for memory in ids} - {"REGISTERS"})),
    # What the commands at the head of tile_tb.v make there.
    "tile_tb", "tile_tb.vcd", "obj_dir/Vtile_tb*", "obj_dir/verilated*"))


def export_dir(config: TileConfig | EventConfig, out: Path, *,
               program: Program | EventProgram | None = None, stimulus: Stimulus | None = None,
               trace: Trace | None = None) -> list[str]:
    """Write the export of a tile to ``out``: completely, or not at all.

    The bytes depend on the arguments only. ``tile.v``, ``tile.toml``, ``inventory.json`` and
    ``tile_tb.v`` with ``vectors/`` are always there, ``memory/`` with a program.

    Parameters
    ----------
    program : Program or EventProgram, optional
        Contents of the memories.
    stimulus, trace : optional
        What the testbench sends and expects; see :func:`~neurotile.hw.vectors.make_vectors`.

    Returns
    -------
    list of str
        Names of the files in ``out``.

    Raises
    ------
    UserError
        ``out`` holds something else than an earlier export, or cannot be written, or the program is
        for another configuration.
    """
    if program is not None and program.config.digest != config.digest:
        raise UserError(f"the program is for tile {program.config.name}, not for {config.name}")
    if isinstance(program, EventProgram) or isinstance(config, EventConfig):
        vectors = memory_vectors(config, None if program is None else program.memories)
    else:
        vectors = make_vectors(config, program, stimulus, trace)
    netlist = tile_netlist(config)
    files = {"tile.v": netlist.verilog, "tile.toml": config.to_toml(),
             _INVENTORY: inventory_json(netlist.sites), "tile_tb.v": testbench(config, vectors),
             **vectors.files()}
    if program is not None:
        for memory in memories(config):
            files[f"memory/{memory.name}.hex"] = memory_image(memory, program.memories[memory.name])
    with new_folder(Path(out), EXPORT) as folder:
        for name, text in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
    return list(files)


def inventory_json(sites: tuple[Site, ...]) -> str:
    """JSON text of the state inventory: an object per register or memory.

    ``made_by`` says that the folder may be replaced. ``instance`` is the path of module instances
    from the top, ``name`` the ``reg`` in it, ``kind`` ``ff`` or ``memory``, ``reset`` the value
    after reset or null.
    """
    lines = ",\n".join("    " + json.dumps(
        {"instance": site.instance, "name": site.name, "width": site.width, "depth": site.depth,
         "kind": site.kind, "reset": site.reset}) for site in sites)
    bits = {kind: sum(site.bits for site in sites if site.kind == kind)
            for kind in ("ff", "memory")}
    return (f'{{\n  "made_by": "{EXPORT.mark}",\n  "bits": {json.dumps(bits)},\n'
            f'  "sites": [\n{lines}\n  ]\n}}\n')


def memory_image(memory: Memory, words: npt.NDArray[np.uint64]) -> str:
    """Text for ``$readmemh``: one row per line, lane 0 in the least significant bits."""
    width, digits = memory.word.width, -(-memory.lanes * memory.word.width // 4)
    mask = (1 << width) - 1
    lines = []
    for row in words.tolist():
        value = 0
        for lane, word in enumerate(row):
            value |= (word & mask) << lane * width
        lines.append(f"{value:0{digits}x}\n")
    return "".join(lines)
