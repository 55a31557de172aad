# SPDX-License-Identifier: Apache-2.0
"""From model time to tile time: the offset of every population (docs/semantics.md, section 4)."""

from dataclasses import dataclass

from ..spec import IntegerNetwork, Projection, UserError

__all__ = ["Schedule", "retime"]


@dataclass(frozen=True)
class Schedule:
    """Steps by which each population lags behind model time.

    Parameters
    ----------
    offset : dict of str to int
        Offset of every population; an input port has 0.
    """

    offset: dict[str, int]

    def tile_delay(self, projection: Projection) -> int:
        """Steps on the tile from the source's spike to its effect."""
        source = self.offset.get(projection.source, 0)
        return projection.delay + self.offset[projection.target] - source


def retime(network: IntegerNetwork) -> Schedule:
    """Smallest offsets with which every spike between populations has a step to travel.

    They are longest paths: o(B) >= o(A) + 1 - d for every projection A->B with delay d.

    Raises
    ------
    UserError
        A loop has less delay than projections, so no offsets exist; the message names its nodes.
    """
    inner = [e for e in network.projections if e.source in network.population_names]
    offset = {p.name: 0 for p in network.populations}
    pushed: dict[str, Projection] = {}
    last = ""
    # Bellman and Ford: without such a loop the offsets settle within as many rounds as there are
    # populations.
    for _ in range(len(offset) + 1):
        last = ""
        for e in inner:
            earliest = offset[e.source] + 1 - e.delay
            if earliest > offset[e.target]:
                offset[e.target] = earliest
                pushed[e.target] = e
                last = e.target
        if not last:
            return Schedule(offset)
    raise UserError(f"{network.name}: {_loop(pushed, last, len(offset))}")


def _loop(pushed: dict[str, Projection], node: str, nodes: int) -> str:
    for _ in range(nodes):  # the walk back starts in front of the loop and ends inside it
        node = pushed[node].source
    loop = [pushed[node]]
    while loop[-1].source != node:
        loop.append(pushed[loop[-1].source])
    names = " -> ".join([node, *(e.target for e in reversed(loop))])
    return (f"the loop {names} cannot be mapped: its delays add up to "
            f"{sum(e.delay for e in loop)}, and a spike on a tile takes a step for each of its "
            f"{len(loop)} projections; a total delay of {len(loop)} would do")
