# SPDX-License-Identifier: Apache-2.0
"""Parameter memories: a row for every group, or sets that groups choose from."""

import numpy as np
import numpy.typing as npt

from ..spec import Population, TileConfig, UserError
from .layout import Layout, Node

__all__ = ["CALCIUM_NAMES", "NAMES", "group_sets", "neuron_rows", "used_parameters"]

Int = npt.NDArray[np.int64]
CALCIUM_NAMES = ("theta_mem", "theta1", "theta2", "theta3", "leak", "enable")
NAMES = ("threshold", "v_reset", "bias", "decay_v", "decay_i", *CALCIUM_NAMES)


def used_parameters(population: Population) -> dict[str, Int]:
    """Parameters (size,) of a population; those that its model never reads are 0.

    So that groups which differ only in what does not matter share a parameter set.
    """
    used = {"threshold": population.spikes,
            "v_reset": population.spikes and population.reset == "zero",
            "bias": True, "decay_v": population.decays, "decay_i": population.has_current}
    values = {name: getattr(population, name) * value for name, value in used.items()}
    calcium = {name: np.zeros(population.size, np.int64) for name in CALCIUM_NAMES}
    if population.calcium is not None:
        calcium = population.calcium.arrays(population.size, f"population {population.name!r}")
    return {**values, **calcium}


def neuron_rows(layout: Layout, config: TileConfig) -> dict[str, Int]:
    """Parameters (groups, lanes) of a tile whose neurons have their own.

    A lane without a neuron gets the largest threshold, and no bias: it cannot fire, as it gets no
    positive weights either.
    """
    values = {name: np.zeros(config.groups * config.lanes, np.int64) for name in NAMES}
    values["threshold"][:layout.groups * config.lanes] = config.state_limits[1]
    for node in layout.nodes:
        for name, value in used_parameters(node.population).items():
            values[name][node.neuron] = value
    return {name: value.reshape(config.groups, config.lanes) for name, value in values.items()}


def group_sets(layout: Layout, config: TileConfig) -> tuple[Int, dict[str, Int]]:
    """Set number (mapped groups,) and parameters (sets,) of a tile with shared parameters.

    A lane without a neuron shares the set of its group. It may fire if the bias or a threshold
    below 0 makes it, and such a spike goes nowhere.

    Raises
    ------
    UserError
        Neurons of one group differ in a parameter.
    """
    sets: dict[tuple[int, ...], int] = {}
    chosen = np.zeros(layout.groups, np.int64)
    for node in layout.nodes:
        used = used_parameters(node.population)
        values = np.stack([used[name] for name in NAMES])
        group = node.neuron // config.lanes
        for number in np.unique(group):
            members = values[:, group == number]
            differs = (members != members[:, :1]).any(axis=1)
            if differs.any():
                raise UserError(_refusal(node, NAMES[int(np.argmax(differs))], config))
            key = tuple(members[:, 0].tolist())
            chosen[number] = sets.setdefault(key, len(sets))
    columns = np.array(list(sets), np.int64).reshape(-1, len(NAMES)).T
    return chosen, dict(zip(NAMES, columns, strict=True))


def _refusal(node: Node, name: str, config: TileConfig) -> str:
    return (f"population {node.population.name!r}: {name} differs between neurons of one "
            f"group, and {config.name} has parameters = \"shared\"; "
            "parameters = \"neuron\" would do")
