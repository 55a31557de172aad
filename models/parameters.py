# SPDX-License-Identifier: Apache-2.0
"""Parameter memories: a row for every group, or sets that groups choose from."""

import numpy as np
import numpy.typing as npt

from ..spec import Population, TileConfig, UserError
from ..spec.codes import Model
from ..spec.formats import group_word, memories, step_calcium_rule_word
from .layout import Layout, Node

__all__ = ["NAMES", "fill_parameters", "group_sets", "neuron_rows", "used_parameters"]

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


def fill_parameters(content: dict[str, npt.NDArray[np.uint64]], layout: Layout,
                    config: TileConfig) -> None:
    """Write the group words and all parameters of a layout into the memories of a tile.

    Raises
    ------
    UserError
        Neurons of one group differ in a parameter, on a tile with shared ones.
    """
    fields = {name: np.zeros(config.groups, np.int64)
              for name in ("model", "soft_reset", "shift", "offset")}
    for node in layout.nodes:
        group = np.unique(node.neuron // config.lanes)
        fields["model"][group] = Model[node.population.model.upper()]
        fields["soft_reset"][group] = node.population.reset == "subtract"
        fields["shift"][group] = node.population.shift
        fields["offset"][group] = node.offset
    if config.shared:
        fields["set"] = np.zeros(config.groups, np.int64)
        fields["set"][:layout.groups], sets = group_sets(layout, config)
        values = {name: np.pad(value, (0, config.parameter_sets - len(value)))[:, None]
                  for name, value in sets.items()}
    else:
        values = neuron_rows(layout, config)
    content["group"][:, 0] = group_word(config).pack(fields)
    words = {memory.name: memory.word for memory in memories(config)}
    for name in ("threshold", "v_reset", "bias"):
        content[name] = words[name].pack({"value": values[name]})
    if config.has_decay:
        content["decay"] = words["decay"].pack({"v": values["decay_v"], "i": values["decay_i"]})
    if config.learns:
        content["theta_mem"] = words["theta_mem"].pack({"value": values["theta_mem"]})
        content["calcium_rule"] = step_calcium_rule_word().pack(
            {name: values[name] for name in CALCIUM_NAMES if name != "theta_mem"})


def _refusal(node: Node, name: str, config: TileConfig) -> str:
    return (f"population {node.population.name!r}: {name} differs between neurons of one "
            f"group, and {config.name} has parameters = \"shared\"; "
            "parameters = \"neuron\" would do")
