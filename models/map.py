# SPDX-License-Identifier: Apache-2.0
"""The mapper: from a network in integers to the memory contents of one tile."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..spec import (
    MODELS,
    PRESETS,
    IntegerNetwork,
    Placement,
    Program,
    TileConfig,
    TileLearning,
    UserError,
)
from ..spec.formats import axon_word, memories, route_word
from .layout import Layout, lay_out
from .limits import accumulator_bits, check_accumulators, storage_bits, wrong_formats, wrong_sizes
from .pack import Segments, all_parts, merge_gaps, segments, synapse_index, synapse_words
from .parameters import fill_parameters
from .parts import Part
from .retime import retime

__all__ = ["choose_preset", "map_network"]

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class _Plan:
    """A mapping that is decided, whether or not the tile has room for it."""

    layout: Layout
    parts: list[list[Part]]
    segments: Segments
    wrong: list[str]


def map_network(network: IntegerNetwork, config: TileConfig, *,
                outputs: Collection[str] | None = None) -> Program:
    """Program that runs ``network`` on a tile.

    Parameters
    ----------
    network : IntegerNetwork
        What it shall run.
    config : TileConfig
        The tile; its ``state_bits`` (and ``decay_bits``, if a population decays) are the network's.
    outputs : collection of str, optional
        Populations whose spikes are sent to the host; all that spike, if not given.

    Raises
    ------
    UserError
        The network has a loop that cannot be retimed, does not fit, or its accumulators could wrap;
        the message says which key of the configuration would have to be what.
    """
    plan = _plan(network, config, outputs)
    if plan.wrong:
        raise UserError(f"{network.name} does not fit {config.name}: it {plan.wrong[0]}")
    check_accumulators(plan.layout, config, plan.parts)
    return _program(network, config, plan)


def choose_preset(network: IntegerNetwork) -> TileConfig:
    """Smallest preset that ``network`` fits, with the number formats set to the network's.

    Presets that leave out models are made for a certain part, and never chosen unasked.

    Raises
    ------
    UserError
        None fits; the message lists what the largest lacks.
    """
    learns = network.learning is not None
    candidates = sorted((c for c in PRESETS.values() if c.models == MODELS and c.learns == learns),
                        key=lambda c: sum(memory.bits for memory in memories(c)))
    for candidate in candidates:
        config = candidate.replace(weight_bits=storage_bits(network),
                                   state_bits=network.state_bits, decay_bits=network.decay_bits)
        plan = _plan(network, config, None)
        wrong = plan.wrong
        if not wrong:
            bits, name = accumulator_bits(plan.layout, config, plan.parts)
            if bits <= 32:
                return config.replace(acc_bits=max(bits, config.acc_bits))
            wrong = [f"needs accumulators of {bits} bits (population {name!r}); 32 is the most"]
    more = "" if learns else "; a mesh of tiles may hold it (--mesh auto)"
    raise UserError(f"{network.name} fits no preset: on the largest, {config.name!r}, it "
                    f"{'; it '.join(wrong)}{more}")


def _plan(network: IntegerNetwork, config: TileConfig, outputs: Collection[str] | None) -> _Plan:
    wrong = wrong_formats(network, config)
    layout = lay_out(network, retime(network), config, outputs)
    if any("weight_bits" in line for line in wrong):
        return _Plan(layout, [], Segments.none(), wrong)
    found = all_parts(network, layout, config)
    exact = segments(found)
    chosen = exact if config.weight_bits == 1 else merge_gaps(exact, config.axons)
    return _Plan(layout, found, chosen, wrong + wrong_sizes(layout, config, exact, chosen))


def _program(network: IntegerNetwork, config: TileConfig, plan: _Plan) -> Program:
    layout, chosen = plan.layout, plan.segments
    content = {memory.name: np.zeros((memory.rows, memory.lanes), np.uint64)
               for memory in memories(config)}
    content["axon"][:len(chosen.first), 0] = _axons(config, chosen)
    content["synapse"] = synapse_words(layout, config, plan.parts, chosen)
    fill_parameters(content, layout, config)
    content["route"] = _routes(config, layout, chosen)
    start, axon, delay = _inputs(network, layout, chosen)
    names = [node.population.name for node in layout.nodes if not node.relay]
    return Program(
        config=config, network=network, memories=content, groups=layout.groups,
        placement={name: Placement(int(node.neuron[0]), len(node.neuron), node.offset)
                   for name, node in zip(names, layout.nodes, strict=False)},
        input_start=start, input_axon=axon, input_delay=delay,
        learning=_learning(network, layout, chosen) if config.learns else None,
        synapse_index=synapse_index(layout, config, plan.parts, chosen))


def _axons(config: TileConfig, chosen: Segments) -> Words:
    bits = {"plastic": chosen.plastic, "inhibitory": chosen.inhibitory} if config.learns else {}
    return axon_word(config).pack({"row": chosen.row, "group": chosen.first,
                                   "count": chosen.count - 1, "last": chosen.ends, **bits})


def _learning(network: IntegerNetwork, layout: Layout, chosen: Segments) -> TileLearning:
    offsets = {node.population.name: node.offset for sender in layout.senders
               for node, _ in sender.plastic}
    if len(set(offsets.values())) > 1:
        late = max(offsets, key=lambda name: offsets[name])
        early = min(offsets, key=lambda name: offsets[name])
        raise UserError(f"plastic projections must end at one depth: population {late!r} is "
                        f"updated {offsets[late] - offsets[early]} steps after {early!r}")
    rule = network.learning
    if rule is None or not chosen.plastic.any():
        return TileLearning(switches=0 if rule is None else rule.switches)
    return TileLearning(rule.switches, max(offsets.values()), rule.bistability,
                        chosen.plastic_words)


def _routes(config: TileConfig, layout: Layout, chosen: Segments) -> Words:
    fields = {name: np.zeros(config.neurons, np.int64) for name in ("axon", "local", "output")}
    for node in layout.nodes:
        fields["output"][node.neuron] = node.output
    address = np.flatnonzero(chosen.begins)
    for number, sender in enumerate(layout.senders):
        if sender.node is not None:
            mine = address[chosen.sender[address] == number]
            neuron = sender.node.neuron[chosen.source[mine]]
            fields["axon"][neuron], fields["local"][neuron] = mine, 1
    return route_word(config).pack(fields)[:, None]


def _inputs(network: IntegerNetwork, layout: Layout, chosen: Segments
            ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    address = np.flatnonzero(chosen.begins)
    senders = [layout.senders[number] for number in chosen.sender[address]]
    host = np.array([sender.node is None for sender in senders], np.bool_)
    line = chosen.source[address] + np.array([sender.line for sender in senders], np.int64)
    delay = np.array([sender.delay for sender in senders], np.int64)
    line, delay, axon = line[host], delay[host], address[host]
    order = np.lexsort((delay, line))
    start = np.searchsorted(line[order], np.arange(network.input_size + 1))
    return start.astype(np.int64), axon[order].astype(np.int32), delay[order].astype(np.int32)
