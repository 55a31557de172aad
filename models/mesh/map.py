# SPDX-License-Identifier: Apache-2.0
"""From a network in integers to the memory contents of a mesh."""

from collections.abc import Collection

import numpy as np

from ...spec import (
    MESH_PRESETS,
    MODELS,
    IntegerNetwork,
    MeshConfig,
    MeshPlacement,
    MeshProgram,
    TileConfig,
    UserError,
)
from ...spec.mesh_config import mesh_memories
from ..limits import storage_bits, wrong_formats
from ..retime import retime
from .fill import fill
from .graph import Graph, graph_of
from .hints import power_above, would_do
from .needs import Needs, accumulator_bits, needs_of, wrong_queue, wrong_sizes
from .plan import Plan, Rates, plan_mesh
from .routes import packed

__all__ = ["choose_mesh", "map_mesh", "mesh_needs"]

_MOST, _AXONS = 65536, (1, 2, 4)
_WORDS = 32768  # with 8 lanes as many as a host request can address


def map_mesh(network: IntegerNetwork, config: MeshConfig, *, outputs: Collection[str] | None = None,
             rates: Rates | None = None, share: bool = True, spread: bool = False,
             queue: str = "fixed") -> MeshProgram:
    """Program that runs ``network`` on this mesh.

    Parameters
    ----------
    network : IntegerNetwork
        What it shall run.
    config : MeshConfig
        The mesh; its tiles' ``state_bits`` (and ``decay_bits``, if a population decays) are the
        network's.
    outputs : collection of str, optional
        Populations whose spikes are sent to the host; all that spike, if not given.
    rates : Rates, optional
        Spikes per step from a profile run, for the placement.
    share : bool
        Sources with the same weights share axons, runs of equal weights share rows. Without, every
        synapse has a weight of its own in the memory.
    spread : bool
        Use all tiles evenly instead of as few as possible.
    queue : str
        ``fixed``: queues as the configuration has them, which a busy stimulus may overflow;
        ``worst_case``: refuse queues that any stimulus could overflow.

    Raises
    ------
    UserError
        The network has a loop that cannot be retimed, delays beyond the tiles', does not fit, or
        its accumulators could wrap; the message says by how much and which key would help.
    """
    plan = _planned(network, config, outputs, rates, share, spread)
    needs = needs_of(plan)
    wrong = wrong_sizes(config, needs)
    full = wrong_queue(config, needs) if queue == "worst_case" else None
    _refuse(network, config, [*wrong, *([full] if full else [])])
    return _program(plan, config)


def choose_mesh(network: IntegerNetwork, *, tile: TileConfig | None = None,
                shape: tuple[int, int] | None = None, routing: str = "unicast",
                delay: str = "scdq", outputs: Collection[str] | None = None,
                rates: Rates | None = None, share: bool = True, spread: bool = False
                ) -> MeshProgram:
    """Program on the smallest mesh that ``network`` fits, with tables as large as it needs.

    Delays have as many bits as needed, and there are none where none are. Queues are so deep that
    no stimulus overflows them, as far as 65,536 entries suffice.

    Parameters
    ----------
    tile : TileConfig, optional
        Tile to begin with; number formats, accumulators, offsets, delays and queue follow the
        network. By default that of preset ``mesh_4x4`` with the axon and synapse tables that take
        the fewest bits: where runs of synapses are short, more axons spare words between them.
    shape : (rows, cols), optional
        Fixed size.
    routing : str
        ``unicast`` or ``multicast``.
    delay : str
        ``scdq`` or ``ring``, where the network needs delays.
    outputs, rates, share, spread
        As for :func:`map_mesh`.

    Raises
    ------
    UserError
        The network does not fit, or has a loop that cannot be retimed.
    """
    base = MESH_PRESETS["mesh_4x4"]
    _refuse_learning(network, tile or base.tile)
    bits, name = accumulator_bits(network)
    if bits > 32:
        raise UserError(f"population {name!r} needs accumulators of {bits} bits for the sum of its "
                        "weights; 32 is the most (acc_bits)")
    rows, cols = shape or (16, 16)
    best: tuple[int, Plan, MeshConfig] | None = None
    for factor in _AXONS if tile is None else (1,):
        started = tile or base.tile.replace(axons=base.tile.axons * factor, delay="none",
                                            synapse_words=_WORDS,
                                            weight_bits=max(2, storage_bits(network)))
        config = base.replace(rows=rows, cols=cols, routing=routing, routes=_MOST, trees=_MOST,
                              tile=_tile_for(network, started, bits, delay))
        graph = _checked(network, config, outputs)
        plan = plan_mesh(graph, config, share=share, rates=rates, grow=True,
                         shaped=shape is not None,
                         groups=_even(graph, config) if spread and shape else None)
        final = _tailored(plan, config, shape, tables=tile is None)
        size = final.tiles * sum(memory.bits for memory in mesh_memories(final))
        if best is None or size < best[0]:
            best = (size, plan, final)
        if all(tile_plan.table.exact <= config.tile.axons for tile_plan in plan.tiles):
            break  # no gap is bridged, so that more axons would spare nothing
    assert best is not None
    _, plan, final = best
    _refuse(network, final, wrong_sizes(final, needs_of(plan)))
    return _program(plan, final)


def _tailored(plan: Plan, config: MeshConfig, shape: tuple[int, int] | None, *, tables: bool
              ) -> MeshConfig:
    """The mesh with tables of the size that the plan needs; ``tables``: those of tiles as well."""
    base, needs = MESH_PRESETS["mesh_4x4"], needs_of(plan)
    rows, cols = shape or (plan.config.rows, plan.config.cols)
    tile = config.tile.replace(queue_depth=min(_MOST, power_above(needs.queue)))
    if tables:
        tile = tile.replace(axons=power_above(needs.axons, 64),
                            synapse_words=power_above(needs.synapse_words, 256))
    return config.replace(
        name=f"mesh_{rows}x{cols}", rows=rows, cols=cols, tile=tile,
        routes=power_above(needs.routes, base.routes), trees=power_above(needs.trees, base.trees))


def mesh_needs(network: IntegerNetwork, config: MeshConfig, *,
               outputs: Collection[str] | None = None, rates: Rates | None = None,
               share: bool = True, spread: bool = False) -> Needs:
    """What ``network`` needs of a mesh; parameters and errors are those of :func:`map_mesh`."""
    return needs_of(_planned(network, config, outputs, rates, share, spread))


def _planned(network: IntegerNetwork, config: MeshConfig, outputs: Collection[str] | None,
             rates: Rates | None, share: bool, spread: bool) -> Plan:
    graph = _checked(network, config, outputs)
    groups = _even(graph, config) if spread else None
    return plan_mesh(graph, config, share=share, groups=groups, rates=rates, grow=False)


def _refuse(network: IntegerNetwork, config: MeshConfig, wrong: list[str]) -> None:
    """Say all that is wrong, in one line."""
    if wrong:
        raise UserError(f"{network.name} does not fit {config.name}: it {'; it also '.join(wrong)}")


def _tile_for(network: IntegerNetwork, tile: TileConfig, acc_bits: int, kind: str) -> TileConfig:
    """The tile with number formats, models, delays and offsets that the network needs."""
    schedule = retime(network)
    steps = [schedule.tile_delay(e) - (e.source in schedule.offset) for e in network.projections
             if e.weights.any()]
    longest, used = max(steps, default=0), {p.model for p in network.populations}
    delay = kind if longest else "none"
    delay_bits = min(6, longest.bit_length()) if longest else tile.delay_bits
    # A descriptor of an axon has 32 bits; those of the delay cost bits of a row.
    words, bits = tile.synapse_words, {"none": 0, "ring": delay_bits, "scdq": delay_bits + 1}[delay]
    while (words - 1).bit_length() + 2 * tile.group_bits + 1 + bits > 32:
        words //= 2
    return tile.replace(
        synapse_words=words, weight_bits=max(tile.weight_bits, storage_bits(network)),
        state_bits=network.state_bits, decay_bits=network.decay_bits,
        acc_bits=max(acc_bits, tile.acc_bits), delay=delay, delay_bits=delay_bits,
        models=tuple(m for m in MODELS if m in used | set(tile.models)),
        offset_bits=max(tile.offset_bits, max(schedule.offset.values()).bit_length()))


def _checked(network: IntegerNetwork, config: MeshConfig, outputs: Collection[str] | None
             ) -> Graph:
    _refuse_learning(network, config.tile)
    wrong = wrong_formats(network, config.tile)
    bits, name = accumulator_bits(network)
    if bits > config.tile.acc_bits:
        hint = would_do(config, "acc_bits", bits, "weights of fewer bits" if bits > 32 else "")
        wrong.append(f"needs accumulators of {bits} bits for the sum of the weights into "
                     f"population {name!r}, {bits - config.tile.acc_bits} more than the tiles have "
                     f"(acc_bits){hint}")
    _refuse(network, config, wrong)
    return graph_of(network, config, outputs)


def _refuse_learning(network: IntegerNetwork, tile: TileConfig) -> None:
    if network.learning is not None:
        raise UserError(f"{network.name}: learns, which the tiles of a mesh do not; one tile does "
                        "(preset 'learning')")
    if tile.learns:
        raise UserError(f"{network.name}: the tiles of a mesh do not learn, and tile {tile.name} "
                        "does; learning = 'none' would do")


def _even(graph: Graph, config: MeshConfig) -> int:
    """Groups per tile with which all tiles are used alike."""
    groups = sum(-(-node.population.size // config.tile.lanes) for node in graph.nodes.values())
    return min(config.tile.groups, -(-groups // config.tiles))


def _program(plan: Plan, config: MeshConfig) -> MeshProgram:
    """Words of a plan for a mesh that it fits."""
    graph, network = plan.graph, plan.graph.network
    memories = fill(graph, config, plan.tiles, plan.where, plan.routing, plan.entries)
    groups = np.ones(config.tiles, np.int64)
    for tile, number in zip(plan.tiles, plan.where, strict=True):
        groups[number] = tile.table.groups
    placement = {}
    for p in network.populations:
        place = plan.locations[p.name]
        placement[p.name] = MeshPlacement(place.tile * config.tile.neurons + place.neuron,
                                          graph.nodes[p.name].offset)
    first, line = {}, 0
    for port in network.inputs:
        first[port.name] = line
        line += port.size
    lines, rows, words, delays = ([np.zeros(0, np.int64)] for _ in range(4))
    for sender, packets in plan.routing.packets.items():
        if sender.name in first:
            lines.append(first[sender.name] + packets.source)
            rows.append(packets.row)
            words.append(packed(config, packets).astype(np.int64))
            delays.append(np.full(len(packets.source), sender.late))
    all_lines, all_delays = np.concatenate(lines), np.concatenate(delays)
    order = np.lexsort((all_delays, all_lines))
    return MeshProgram(
        config=config, network=network, memories=memories, groups=groups, placement=placement,
        input_start=np.searchsorted(all_lines[order],
                                    np.arange(network.input_size + 1)).astype(np.int64),
        input_row=np.concatenate(rows)[order].astype(np.int32),
        input_word=np.concatenate(words)[order].astype(np.uint64),
        input_delay=all_delays[order].astype(np.int32))
