# SPDX-License-Identifier: Apache-2.0
"""Layout: which tile neuron stands for which neuron, and which weights each sender reaches."""

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..spec import IntegerNetwork, Population, Projection, TileConfig, UserError
from .relay import relay_population, relay_stages
from .retime import Schedule

__all__ = ["Layout", "Node", "Sender", "check_outputs", "lay_out"]

Int = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Node:
    """A population of the network, or a relay stage, with its place.

    Parameters
    ----------
    population : Population
        Model and parameters.
    offset : int
        First step in which it is updated.
    neuron : ndarray of int, (size,)
        Tile neuron of each neuron, ascending; they share no group with another node.
    output : bool
        Spikes are sent to the host.
    relay : bool
        The network does not know it.
    """

    population: Population
    offset: int
    neuron: Int
    output: bool
    relay: bool


@dataclass(frozen=True, eq=False)
class Sender:
    """Lines of an input port, or the neurons of a node: each may get an axon.

    Parameters
    ----------
    name : str
        Name in messages.
    size : int
        Lines or neurons.
    weights : list of (Node, ndarray of int, (size of the node, size))
        Targets, each one tile step away from a neuron, ``delay`` steps from an input line.
    node : Node, optional
        Who fires; None for an input port.
    line : int
        First line of the port in the stimulus.
    delay : int
        Steps by which the host sends events later.
    plastic : list of (Node, Projection)
        Plastic projections to targets one tile step away.
    """

    name: str
    size: int
    weights: list[tuple[Node, npt.NDArray[np.integer]]]
    node: Node | None = None
    line: int = 0
    delay: int = 0
    plastic: list[tuple[Node, Projection]] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Layout:
    """Nodes and senders in the order in which they lie on the tile.

    ``groups`` is their number, which may be more than the tile has.
    """

    nodes: list[Node]
    senders: list[Sender]
    groups: int


def check_outputs(network: IntegerNetwork, outputs: Collection[str] | None) -> None:
    """Refuse ``outputs`` that name something else than a spiking population.

    Raises
    ------
    UserError
        The message lists those that there are.
    """
    spiking = [p.name for p in network.populations if p.spikes]
    if unknown := sorted(set(outputs or ()) - set(spiking)):
        raise UserError(f"outputs: {unknown[0]!r} is no spiking population of {network.name}; "
                        f"these are {', '.join(spiking) or 'not there'}")


def lay_out(network: IntegerNetwork, schedule: Schedule, config: TileConfig,
            outputs: Collection[str] | None = None) -> Layout:
    """Place the populations in the network's order, then the relays, each from a group boundary.

    Raises
    ------
    UserError
        ``outputs`` names something else than a spiking population, or relays are needed and no
        model can do it.
    """
    check_outputs(network, outputs)
    nodes: list[Node] = []
    groups = 0

    def place(population: Population, offset: int, *, output: bool, relay: bool) -> Node:
        nonlocal groups
        # Weights of 1 bit have no zero, so a relay must not share a word with its neighbour.
        stride = config.lanes if relay and config.weight_bits == 1 else 1
        neuron = groups * config.lanes + stride * np.arange(population.size)
        groups = int(neuron[-1]) // config.lanes + 1
        nodes.append(Node(population, offset, neuron, output, relay))
        return nodes[-1]

    by_name = {
        p.name: place(p, schedule.offset[p.name], relay=False,
                      output=p.spikes and (outputs is None or p.name in outputs))
        for p in network.populations}
    inputs, line = [], 0
    for port in network.inputs:
        from_port = [e for e in network.projections if e.source == port.name]
        for delay in sorted({schedule.tile_delay(e) for e in from_port}):
            sent = [e for e in from_port if schedule.tile_delay(e) == delay]
            inputs.append(Sender(port.name, port.size, line=line, delay=delay,
                                 weights=_fixed(sent, by_name), plastic=_plastic(sent, by_name)))
        line += port.size
    senders = {}
    for p in network.populations:
        if p.spikes:
            sent = [e for e in network.projections
                    if e.source == p.name and schedule.tile_delay(e) == 1]
            senders[p.name] = Sender(p.name, p.size, node=by_name[p.name],
                                     weights=_fixed(sent, by_name),
                                     plastic=_plastic(sent, by_name))
    relays: list[Sender] = []
    previous = np.zeros(0, np.int64)
    for stage in relay_stages(network, schedule):
        node = place(relay_population(stage, config), stage.offset, output=False, relay=True)
        size = len(stage.sources)
        if stage.number == 1:
            before, previous = senders[stage.source], np.arange(network.sizes[stage.source])
        else:
            before = relays[-1]
        before.weights.append((node, (stage.sources[:, None] == previous).astype(np.int32)))
        relays.append(Sender(stage.name, size, node=node,
                             weights=[(by_name[e.target], e.weights[:, stage.sources])
                                      for e in stage.targets]))
        previous = stage.sources
    return Layout(nodes, [*inputs, *senders.values(), *relays], groups)


def _fixed(projections: list[Projection], by_name: dict[str, Node]
           ) -> list[tuple[Node, npt.NDArray[np.integer]]]:
    return [(by_name[e.target], e.weights) for e in projections if e.synapses is None]


def _plastic(projections: list[Projection], by_name: dict[str, Node]
             ) -> list[tuple[Node, Projection]]:
    return [(by_name[e.target], e) for e in projections if e.synapses is not None]
