# SPDX-License-Identifier: Apache-2.0
"""Random networks that learn: plastic projections among fixed ones, calcium rules, switches."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from neurotile.models.map import map_network
from neurotile.spec import (
    CalciumRule,
    IntegerNetwork,
    Projection,
    Sdsp,
    SdspSynapses,
    TileConfig,
    UserError,
)

from .strategies import Case, Choices, Drawn, random_network, random_stimulus

__all__ = ["learning_cases", "plastic", "random_learning_case"]


def random_learning_case(choices: Choices, config: TileConfig, *, attempts: int = 60) -> Case:
    """Case with a plastic projection; what the mapper refuses is drawn again, smaller."""
    for attempt in range(attempts):
        try:
            network = random_network(choices, config, room=1 / (1 + attempt / 4))
            network = _with_learning(choices, config, network)
            program = map_network(network, config)
        except UserError:
            continue
        stimulus = random_stimulus(choices, network, (1 << config.step_bits) - 1 - program.drain)
        record = {p.name: np.arange(p.size) for p in network.populations if choices.integer(0, 1)}
        every = choices.pick([1, 0, choices.integer(1, stimulus.samples * stimulus.steps + 1)])
        return Case(program, stimulus, record, bool(choices.integer(0, 1)), every)
    raise AssertionError(f"no learning network that fits {config.name} in {attempts} attempts")


@st.composite
def learning_cases(draw: Any, config: TileConfig) -> Case:
    """Hypothesis strategy of learning cases for a tile."""
    return random_learning_case(Drawn(draw), config)


def plastic(network: IntegerNetwork) -> list[Projection]:
    """Plastic projections of a network."""
    return [e for e in network.projections if e.synapses is not None]


def _with_learning(choices: Choices, config: TileConfig, network: IntegerNetwork
                   ) -> IntegerNetwork:
    names = [p.name for p in network.populations]
    taught = {choices.pick(names)} | ({choices.pick(names)} if choices.integer(0, 1) else set())
    rule = _calcium(choices, 1)
    populations = []
    for p in network.populations:
        if not config.shared:
            rule = _calcium(choices, p.size)
        # One that others share a set with has the rule of all; without plastic synapses it only
        # counts. Now and then a population that is taught has no rule, and so never learns.
        populations.append(replace(p, calcium=rule if choices.integer(0, 7) else None))
    ways = {e.name: choices.integer(0, 3) > 0 and e.target in taught for e in network.projections}
    into = [e.name for e in network.projections if e.target in taught]
    if into and not any(ways.values()):
        ways[choices.pick(into)] = True
    projections = tuple(
        _plastic(choices, e) if ways[e.name]
        else replace(e, weights=np.clip(e.weights, -7, 7)) for e in network.projections)
    return replace(
        network, populations=tuple(populations), projections=projections, weight_bits=4,
        learning=Sdsp(learn=choices.integer(0, 9) > 0,
                      update_unmapped=choices.integer(0, 2) == 2,
                      propagate_unmapped=choices.integer(0, 2) == 2,
                      bistability=choices.pick([0, 1, 2, 3, choices.integer(0, 12)])))


def _plastic(choices: Choices, e: Projection) -> Projection:
    rng = choices.numbers()
    targets, sources = e.weights.shape
    inhibitory = np.asarray(rng.random(sources) < choices.pick([0.3, 0.0, 1.0]))
    weights = np.minimum(np.abs(e.weights), 7) * np.where(inhibitory, -1, 1)
    mapped = np.asarray(rng.random((targets, sources)) < choices.pick([0.7, 1.0, 0.2]))
    if choices.integer(0, 1):
        mapped &= weights != 0
    return replace(e, weights=weights, synapses=SdspSynapses(inhibitory, mapped))


def _calcium(choices: Choices, size: int) -> CalciumRule:
    rng = choices.numbers()

    def among(low: int, high: int) -> npt.NDArray[np.int64]:
        value = rng.integers(low, high, size, endpoint=True)
        return value if size > 1 else value[0]

    shape = choices.pick([5, 20, 60])
    return CalciumRule(
        theta_mem=among(-shape, shape), theta1=among(0, choices.pick([0, 1, 3])),
        theta2=among(1, 7), theta3=among(1, 7), leak=among(0, choices.pick([0, 1, 5, 31])),
        enable=rng.random(size) < 0.9 if size > 1 else True)
