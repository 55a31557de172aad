# SPDX-License-Identifier: Apache-2.0
"""Networks of a few lines, for tests of the mapper."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neurotile.spec import InputPort, IntegerNetwork, Population, Projection

__all__ = ["matrix", "network"]


def matrix(targets: int, sources: int, weight: int = 1) -> npt.NDArray[np.int32]:
    """Weights (targets, sources) that are all the same."""
    return np.full((targets, sources), weight, np.int32)


def network(populations: Sequence[Any], projections: Sequence[Any], *, lines: int = 1,
            **formats: Any) -> IntegerNetwork:
    """Network with one input port ``in``.

    Parameters
    ----------
    populations : sequence of Population or (name, size)
        A pair stands for IF neurons with threshold 0.
    projections : sequence of (source, target, delay) or (source, target, delay, weights)
        All weights are 1 if not given.
    """
    made = tuple(p if isinstance(p, Population) else Population(p[0], p[1], "if", np.array(0))
                 for p in populations)
    size = {"in": lines, **{p.name: p.size for p in made}}
    return IntegerNetwork(
        (InputPort("in", lines),), made,
        tuple(Projection(a, b, rest[0] if rest else matrix(size[b], size[a]), d)
              for a, b, d, *rest in projections), **formats)
