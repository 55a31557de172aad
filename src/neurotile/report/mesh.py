# SPDX-License-Identifier: Apache-2.0
"""The parts of the report that only meshes have."""

from ..commands.text import count, percent
from ..models.mesh.report import mesh_report
from ..spec import MeshProgram
from .html import Markup, table, tag

__all__ = ["mapping_parts"]


def mapping_parts(program: MeshProgram) -> list[Markup]:
    """Where the network lies on the mesh, and how full its tiles are."""
    use, config = mesh_report(program), program.config
    rows = []
    for number, tile in enumerate(use.tiles):
        names = ", ".join(f"{name} ({size})" for name, size in tile.populations.items())
        rows.append([f"{number % config.cols}, {number // config.cols}", names or "–",
                     *(f"{part.used:,}" for part in (tile.neurons, tile.axons, tile.synapse_words,
                                                     tile.routes)),
                     percent(tile.weights.share) if tile.weights.available else "–"])
    text = (f"{count(use.used.used, 'tile')} of {config.rows} x {config.cols} in use; of their "
            f"synapse memories, {percent(use.stored.share)} are weights that are not 0.")
    return [table(["column, row", "populations", "neurons", "axon entries", "synapse words",
                   "route entries", "weights not 0"], rows, left=2), tag("p", text)]
