# SPDX-License-Identifier: Apache-2.0
"""What a planned network needs of a mesh, and what a given mesh lacks."""

from dataclasses import dataclass

import numpy as np

from ...spec import IntegerNetwork, MeshConfig
from ..parameters import group_sets
from .fill import tile_layout
from .hints import power_above, would_do
from .plan import Plan, shape_for

__all__ = ["Needs", "accumulator_bits", "needs_of", "wrong_queue", "wrong_sizes"]


@dataclass(frozen=True)
class Needs:
    """Least values of the keys of a mesh; the largest over its tiles.

    Parameters
    ----------
    tiles, groups, axons, synapse_words, routes, trees, offset, parameter_sets : int
        Numbers in use; ``axons`` with the padding of trees.
    queue : int
        Entries of a queue that no stimulus can fill: every source of a tile fires in every step.
    """

    tiles: int
    groups: int
    axons: int
    synapse_words: int
    routes: int
    trees: int
    offset: int
    parameter_sets: int
    queue: int


def accumulator_bits(network: IntegerNetwork) -> tuple[int, str]:
    """Bits with which no accumulator wraps, and the name of the population that needs them.

    In a step every synapse acts at most once: a source spikes once per step, and each of its delays
    brings one of its spikes. So no sum of any of them leaves the range between the sum of the
    negative and that of the positive weights.
    """
    bits = {}
    for p in network.populations:
        above, below = np.zeros(p.size, np.int64), np.zeros(p.size, np.int64)
        for e in network.projections:
            if e.target == p.name:
                above += np.maximum(e.weights, 0).sum(axis=1)
                below -= np.minimum(e.weights, 0).sum(axis=1)
        bits[p.name] = int(np.maximum(above, below).max()).bit_length() + 1
    name = max(bits, key=lambda key: bits[key])
    return bits[name], name


def needs_of(plan: Plan) -> Needs:
    """What a plan needs."""
    config, graph = plan.config, plan.graph
    tables = [tile.table for tile in plan.tiles]
    sets = 0
    if config.tile.shared:
        sets = max(len(group_sets(tile_layout(graph, tile, config.tile.lanes), config.tile)
                       [1]["bias"]) for tile in plan.tiles)
    return Needs(
        tiles=len(plan.tiles), groups=max(table.groups for table in tables),
        axons=max(plan.routing.entries), synapse_words=max(len(table.words) for table in tables),
        routes=max(len(entries["neuron"]) for entries in plan.entries),
        trees=len(plan.routing.trees[0]) if config.multicast else 0,
        offset=max(node.offset for node in graph.nodes.values()), parameter_sets=sets,
        queue=max(queue_bounds(plan)))


def queue_bounds(plan: Plan) -> list[int]:
    """Per planned tile, entries that its queues cannot exceed.

    A spike is in the queues of a tile once, from its arrival until its last level, and a source
    sends one per step: with SCDQ last + 1 of them can be there at a time, else one.
    """
    queued = plan.config.tile.delay == "scdq"
    return [sum(int((links.last + 1).sum()) if queued else links.source.size
                for links in tile.table.links.values()) for tile in plan.tiles]


def wrong_queue(config: MeshConfig, needs: Needs) -> str | None:
    """What to say where a stimulus could overflow the queues; None where none could."""
    have = config.tile.queue_depth
    if needs.queue <= have:
        return None
    hint = would_do(config, "queue_depth", power_above(needs.queue), "queues by profile")
    return (f"needs queues of {needs.queue} entries so that no stimulus overflows them, "
            f"{needs.queue - have} more than the {have} of the tiles (queue_depth){hint}")


def wrong_sizes(config: MeshConfig, needs: Needs) -> list[str]:
    """What a mesh has too little of, one line each, and the key that would help."""
    tile, wrong = config.tile, []

    def exceeds(need: int, have: int, what: str, key: str, value: int | None = None,
                other: str = "") -> None:
        if need > have:
            hint = would_do(config, key, value or power_above(need), other)
            wrong.append(f"needs {need} {what}, {need - have} more than the mesh has "
                         f"({key}){hint}")

    if needs.tiles > config.tiles:
        rows, cols = shape_for(needs.tiles)
        wrong.append(f"needs {needs.tiles} tiles, {needs.tiles - config.tiles} more than the "
                     f"{config.rows} x {config.cols} of the mesh (rows, cols); {rows} x {cols} "
                     f"would do, or tiles with more neurons ({tile.neurons}), axons ({tile.axons}) "
                     f"or synapse_words ({tile.synapse_words})")
    exceeds(needs.axons, tile.axons, "axon entries of one tile", "axons")
    exceeds(needs.synapse_words, tile.synapse_words, "synapse words of one tile", "synapse_words")
    exceeds(needs.routes, config.routes, "route entries of one tile", "routes")
    exceeds(needs.trees, config.trees, "trees", "trees", other="routing = 'unicast'")
    exceeds(needs.offset, (1 << tile.offset_bits) - 1, "steps of offset", "offset_bits",
            needs.offset.bit_length())
    exceeds(needs.offset + 1, (1 << tile.step_bits) - 1, "steps for the shortest run", "step_bits",
            (needs.offset + 1).bit_length())
    if tile.shared:
        exceeds(needs.parameter_sets, tile.parameter_sets, "parameter sets of one tile",
                "parameter_sets", other="parameters = 'neuron'")
    return wrong
