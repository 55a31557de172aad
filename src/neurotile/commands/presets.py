# SPDX-License-Identifier: Apache-2.0
"""``neurotile presets``: the tiles and meshes that have a name."""

from ..models.mesh.costs import memory_costs
from ..spec import EVENT_PRESETS, MESH_PRESETS, PRESETS, any_preset
from ..spec.formats import memories
from .text import size

__all__ = ["presets_command"]


def presets_command(toml: str | None) -> None:
    """List the presets, or print one as TOML.

    Raises
    ------
    UserError
        There is no such preset.
    """
    if toml is not None:
        print(any_preset(toml).to_toml(), end="")
        return
    print(f"{'preset':<10}{'axons':>7}{'neurons':>9}{'lanes':>7}{'weights':>18}{'state':>8}"
          f"{'memory':>12}  models")
    for config in PRESETS.values():
        weights = f"{config.synapse_words * config.lanes:,} x {config.weight_bits} b"
        memory = size(sum(m.bits for m in memories(config)))
        print(f"{config.name:<10}{config.axons:>7}{config.neurons:>9}{config.lanes:>7}"
              f"{weights:>18}{config.state_bits:>6} b{memory:>12}  {' '.join(config.models)}")
    print(f"\n{'event mode':<17}{'neurons':>9}{'lanes':>7}{'weights':>18}{'state':>8}"
          f"{'memory':>12}")
    for tile in EVENT_PRESETS.values():
        stored = {m.name: m for m in memories(tile)}
        weights = f"{tile.neurons**2:,} x {stored['synapse'].word.width} b"
        memory = size(sum(m.bits for m in stored.values()))
        print(f"{tile.name:<17}{tile.neurons:>9}{tile.lanes:>7}{weights:>18}"
              f"{stored['state'].word.width:>6} b{memory:>12}")
    print(f"\n{'mesh':<10}{'tiles':>9}{'neurons':>9}{'axons':>7}{'weights per tile':>20}"
          f"{'memory':>12}  routing")
    for mesh in MESH_PRESETS.values():
        weights = f"{mesh.tile.synapse_words * mesh.tile.lanes:,} x {mesh.tile.weight_bits} b"
        memory = size(sum(cost.bits for cost in memory_costs(mesh)))
        shape = f"{mesh.rows} x {mesh.cols}"
        print(f"{mesh.name:<10}{shape:>9}{mesh.tile.neurons:>9}{mesh.tile.axons:>7}{weights:>20}"
              f"{memory:>12}  {mesh.routing}")
