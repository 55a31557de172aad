# SPDX-License-Identifier: Apache-2.0
"""Bits of everything that a mesh stores in, and what the keys of its configuration cost."""

from dataclasses import dataclass, fields

from ...spec import MeshConfig, TileConfig, UserError
from ...spec.mesh_config import mesh_memories, packet_word

__all__ = ["KeyCost", "MemoryCost", "key_costs", "memory_costs"]


@dataclass(frozen=True)
class MemoryCost:
    """What a memory of all tiles takes.

    Parameters
    ----------
    name : str
        As in the tile's documents; ``event queue`` and ``router FIFOs`` are no memories that the
        host loads.
    word : int
        Bits of a word of one lane.
    words : int
        Words of one tile.
    tiles : int
        Tiles that have it.
    """

    name: str
    word: int
    words: int
    tiles: int

    @property
    def bits(self) -> int:
        """Bits of all tiles."""
        return self.word * self.words * self.tiles


@dataclass(frozen=True)
class KeyCost:
    """What a key of the configuration costs.

    Parameters
    ----------
    key : str
        Its name; those of the tile have no prefix.
    value, tried : int
        What it is, and what it was changed to: the double, one more, or where the key allows
        neither, less.
    change : int
        Bits that the mesh then has more.
    memories : dict of str to int
        The same by memory, without those that stay; the largest first.
    """

    key: str
    value: int
    tried: int
    change: int
    memories: dict[str, int]


def memory_costs(config: MeshConfig) -> tuple[MemoryCost, ...]:
    """Every memory of the mesh, the largest first."""
    tile = config.tile
    sizes = [(m.name, m.word.width, m.rows * m.lanes) for m in mesh_memories(config)]
    entry = tile.axon_bits + (tile.delay_bits if tile.delay == "scdq" else 0)
    queues = 2 if tile.delay == "scdq" else 1
    sizes.append(("event queue", entry, queues * tile.queue_depth))
    sizes.append(("router FIFOs", packet_word(config).width + config.link_parity,
                  5 * config.router_depth))
    found = [MemoryCost(*size, config.tiles) for size in sizes]
    return tuple(sorted(found, key=lambda cost: -cost.bits))


def key_costs(config: MeshConfig) -> tuple[KeyCost, ...]:
    """Every key with a number that decides how much is stored, the most expensive first."""
    before = {cost.name: cost.bits for cost in memory_costs(config)}
    found = []
    for kind in (MeshConfig, TileConfig):
        for field in fields(kind):
            value = getattr(config if kind is MeshConfig else config.tile, field.name)
            if "legal" not in field.metadata:
                continue
            for tried in ((2 * value, value // 2) if "power" in field.metadata["legal"]
                          else (value + 1, value - 1)):
                after = _changed(config, kind, field.name, tried)
                if after is not None:
                    change = {name: bits - before[name] for name, bits in after.items()
                              if bits != before[name]}
                    if change:
                        found.append(KeyCost(field.name, value, tried, sum(change.values()), dict(
                            sorted(change.items(), key=lambda item: -abs(item[1])))))
                    break
    return tuple(sorted(found, key=lambda cost: -abs(cost.change)))


def _changed(config: MeshConfig, kind: type, key: str, value: int) -> dict[str, int] | None:
    """Bits by memory with a key changed; None where that is no legal configuration."""
    try:
        changed = (config.replace(**{key: value}) if kind is MeshConfig else
                   config.replace(tile=config.tile.replace(**{key: value})))
    except UserError:
        return None
    return {cost.name: cost.bits for cost in memory_costs(changed)}
