# SPDX-License-Identifier: Apache-2.0
"""NIR delays in whole steps (docs/nir.md, section "Delays")."""

import numpy as np
import numpy.typing as npt

from neurotile.spec import UserError

from .nir_graph import Graph, Node

__all__ = ["delay_steps"]

Ints = npt.NDArray[np.int64]

# float32 holds 24 bits, so a whole number of steps may come out as off by a part in 10**7.
_TOLERANCE = 1e-6
_MOST = 1 << 24  # of a Projection


def delay_steps(graph: Graph, dt: float | None) -> tuple[dict[str, Ints], list[str]]:
    """Steps by which each Delay node delays its values, and warnings about those that were rounded.

    Parameters
    ----------
    graph : Graph
        Where the Delay nodes are.
    dt : float, optional
        Length of a step in seconds.

    Raises
    ------
    UserError
        A delay is negative or too long, or dt is None.
    """
    steps, warnings = {}, []
    for node in graph.nodes.values():
        if node.type == "Delay":
            steps[node.name], rounded = _steps(node, dt)
            if rounded:
                warnings.append(rounded)
    return steps, warnings


def _steps(node: Node, dt: float | None) -> tuple[Ints, str]:
    seconds = node.values["delay"]
    if (seconds < 0).any():
        raise UserError(f"{node.label}: delay must not be negative, as {seconds.min():g} s is")
    if dt is None:
        raise UserError(f"{node.label} delays by seconds, so a step needs a length: give "
                        "--dt SECONDS (the file's metadata have no dt)")
    with np.errstate(over="ignore"):
        exact = seconds / dt
    if (exact > _MOST).any():
        raise UserError(f"{node.label}: delay of {seconds.max():g} s is {exact.max():.6g} steps of "
                        f"{dt:g} s; at most {_MOST} are possible")
    steps = np.floor(exact + 0.5).astype(np.int64)
    off = np.flatnonzero(np.abs(exact - steps) > _TOLERANCE * np.maximum(exact, 1.0))
    if not off.size:
        return steps, ""
    others = f" (and {off.size - 1} more)" if off.size > 1 else ""
    return steps, (f"{node.label}: delay of {seconds[off[0]]:g} s{others} is no whole number of "
                   f"steps of {dt:g} s; taken as {steps[off[0]]}")
