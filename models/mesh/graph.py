# SPDX-License-Identifier: Apache-2.0
"""Who reaches whom on the tiles of a mesh, and how many steps after arrival."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ...spec import IntegerNetwork, MeshConfig, Population, Projection, UserError
from ..layout import check_outputs
from ..relay import relay_population, relay_stages
from ..retime import Schedule, retime

__all__ = ["Edge", "Graph", "Node", "Sender", "graph_of", "subset"]

Int = npt.NDArray[np.int64]

_ARRAYS = ("threshold", "v_reset", "bias", "decay_v", "decay_i")


@dataclass(frozen=True)
class Sender:
    """Who sends packets: an input port, whose events the host may send later, or a node.

    Parameters
    ----------
    name : str
        Port or node.
    late : int
        Steps by which the host sends later; 0 for a node.
    """

    name: str
    late: int = 0


@dataclass(frozen=True, eq=False)
class Node:
    """A population of the network, or a relay stage.

    Parameters
    ----------
    population : Population
        Model and parameters.
    offset : int
        First step in which it is updated.
    output : bool
        Spikes are sent to the host.
    relay : bool
        The network does not know it.
    """

    population: Population
    offset: int
    output: bool
    relay: bool


@dataclass(frozen=True, eq=False)
class Edge:
    """Synapses from a sender to a node.

    Parameters
    ----------
    sender : Sender
        Where the packets come from.
    target : str
        Node.
    weights : ndarray of int, (targets, sources)
        Integer weights; 0 is no synapse.
    delay : int
        Steps from a packet's arrival to its effect.
    """

    sender: Sender
    target: str
    weights: npt.NDArray[np.integer]
    delay: int


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes by name, the network's populations first; edges; lines of each input port."""

    network: IntegerNetwork
    nodes: dict[str, Node]
    edges: tuple[Edge, ...]

    def size(self, name: str) -> int:
        """Lines of a port or neurons of a node."""
        if name in self.nodes:
            return self.nodes[name].population.size
        return self.network.sizes[name]

    def into(self, name: str) -> list[Edge]:
        """Edges whose target is ``name``."""
        return [edge for edge in self.edges if edge.target == name]


def graph_of(network: IntegerNetwork, config: MeshConfig,
             outputs: Collection[str] | None = None) -> Graph:
    """Graph of a network on tiles of this kind.

    A spike takes one step from neuron to neuron. What an edge needs beyond that is its delay in the
    queue of the target's tile. Tiles without delays get the input later from the host, and relay
    neurons for spikes.

    Raises
    ------
    UserError
        The network has a loop that cannot be retimed, delays beyond the tiles', or ``outputs``
        names something else than a spiking population.
    """
    check_outputs(network, outputs)
    schedule, tile = retime(network), config.tile
    nodes = {p.name: Node(p, schedule.offset[p.name], p.spikes and (
        outputs is None or p.name in outputs), False) for p in network.populations}
    edges, delays = [], tile.delay != "none"
    for e in network.projections:
        steps = schedule.tile_delay(e)
        if e.source not in nodes:
            edges.append(_edge(config, e, steps) if delays else
                         Edge(Sender(e.source, steps), e.target, e.weights, 0))
        elif delays or steps == 1:
            edges.append(_edge(config, e, steps - 1))
    if not delays:
        _add_relays(network, schedule, config, nodes, edges)
    return Graph(network, nodes, tuple(edges))


def _edge(config: MeshConfig, e: Projection, delay: int) -> Edge:
    most = (1 << config.tile.delay_bits) - 1
    if delay > most and e.weights.any():
        raise UserError(
            f"projection {e.name!r} with delay {e.delay} needs a delay of {delay} steps in the "
            f"queue of its tile; {config.name} has up to {most} (delay_bits = "
            f"{config.tile.delay_bits}); " + (
                f"delay_bits = {delay.bit_length()} would do" if delay < 64 else
                "63 steps are the most (delay_bits = 6); populations in between would do"))
    return Edge(Sender(e.source), e.target, e.weights, min(delay, most))


def _add_relays(network: IntegerNetwork, schedule: Schedule, config: MeshConfig,
                nodes: dict[str, Node], edges: list[Edge]) -> None:
    before = np.zeros(0, np.int64)
    for stage in relay_stages(network, schedule):
        nodes[stage.name] = Node(relay_population(stage, config.tile), stage.offset, False, True)
        source = stage.source if stage.number == 1 else f"{stage.source}+{stage.number - 1}"
        if stage.number == 1:
            before = np.arange(network.sizes[stage.source])
        one_to_one = (stage.sources[:, None] == before).astype(np.int32)
        edges.append(Edge(Sender(source), stage.name, one_to_one, 0))
        edges += [Edge(Sender(stage.name), e.target, e.weights[:, stage.sources], 0)
                  for e in stage.targets]
        before = stage.sources


def subset(population: Population, index: Int) -> Population:
    """These neurons of a population as one of their own."""
    return replace(population, size=len(index),
                   **{name: getattr(population, name)[index] for name in _ARRAYS})
