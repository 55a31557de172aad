# SPDX-License-Identifier: Apache-2.0
"""SDSP in step mode (docs/semantics.md, section 9): calcium of a population, plastic synapses."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...spec import IntegerNetwork, Population, Projection, Sdsp

__all__ = ["Calcium", "Learning", "PlasticSynapses"]

Bool = npt.NDArray[np.bool_]
Int = npt.NDArray[np.int64]

_TOP_CALCIUM, _TOP_WEIGHT, _COUNTS, _MIDDLE = 7, 7, 32, 4


class Calcium:
    """Calcium and learning flags of a population in one run, zero at its start.

    Parameters
    ----------
    population : Population
        Its ``calcium`` rule; without one nothing ever changes.
    """

    def __init__(self, population: Population) -> None:
        self.rule = (None if population.calcium is None
                     else population.calcium.arrays(population.size, population.name))
        self.level, self.count = (np.zeros(population.size, np.int64) for _ in range(2))
        self.up, self.down = (np.zeros(population.size, np.bool_) for _ in range(2))

    def update(self, fired: Bool, v: Int) -> None:
        """One step: who fired (size,), and the membrane potentials (size,) after it."""
        if self.rule is None:
            return
        rule, on = self.rule, self.rule["enable"] == 1
        counts = on & (rule["leak"] != 0)
        leaks = counts & (self.count == rule["leak"] - 1)
        self.count = np.where(leaks, 0, np.where(counts, (self.count + 1) % _COUNTS, self.count))
        change = np.where(on, fired.astype(np.int64) - leaks, 0)
        self.level = np.clip(self.level + change, 0, _TOP_CALCIUM)
        high = v >= rule["theta_mem"]
        some = on & (rule["theta1"] <= self.level)
        self.up = some & high & (self.level < rule["theta3"])
        self.down = some & ~high & (self.level < rule["theta2"])


@dataclass(eq=False)
class PlasticSynapses:
    """Synapses of a plastic projection as they change.

    Parameters
    ----------
    projection : Projection
        Mapping bits, signs and first weights.
    rule : Sdsp
        Switches.
    """

    projection: Projection
    rule: Sdsp

    def __post_init__(self) -> None:
        synapses = self.projection.synapses
        assert synapses is not None
        self.magnitude: Int = np.abs(self.projection.weights).astype(np.int64)
        self.sign = np.where(synapses.inhibitory, -1, 1)
        self.learns = synapses.mapped | self.rule.update_unmapped
        self.delivers = synapses.mapped | self.rule.propagate_unmapped

    @property
    def weights(self) -> Int:
        """Weights with their sign, (targets, sources)."""
        return self.magnitude * self.sign

    def deliver(self, spikes: npt.NDArray[np.uint8], calcium: Calcium) -> Int:
        """Sum (targets,) of the weights of the sources that spike (sources,); these then learn."""
        active = spikes != 0
        sums = np.where(self.delivers, self.weights, 0)[:, active].sum(axis=1)
        if self.rule.learn:
            change = calcium.up.astype(np.int64) - (calcium.down & ~calcium.up)
            self._change(np.where(self.learns & active, change[:, None], 0))
        return sums

    def bistability(self) -> None:
        """Every synapse drifts to the nearer end of its range."""
        drift = np.where(self.magnitude >= _MIDDLE, 1, -1)
        self._change(np.where(self.learns, drift, 0))

    def _change(self, change: Int) -> None:
        self.magnitude = np.clip(self.magnitude + change, 0, _TOP_WEIGHT)


class Learning:
    """What a network has learnt so far, from sample to sample.

    Parameters
    ----------
    network : IntegerNetwork
        A network with ``learning``.
    every : int
        Model steps from one entry of the weight log to the next; 0: none.
    """

    def __init__(self, network: IntegerNetwork, every: int) -> None:
        assert network.learning is not None
        self.rule, self.every, self.steps = network.learning, every, 0
        self.synapses = {number: PlasticSynapses(e, network.learning)
                         for number, e in enumerate(network.projections) if e.synapses is not None}
        self.log: dict[str, list[Int]] = {s.projection.name: [] for s in self.synapses.values()}

    def end_of_step(self, step: int) -> None:
        """Bistability if it is due after ``step`` of a run; log if it is due."""
        if self.rule.learn and self.rule.bistability and (step + 1) % self.rule.bistability == 0:
            for synapses in self.synapses.values():
                synapses.bistability()
        self.steps += 1
        if self.every and self.steps % self.every == 0:
            for synapses in self.synapses.values():
                self.log[synapses.projection.name].append(synapses.weights)

    @property
    def weights(self) -> dict[str, Int]:
        """Weights of every plastic projection now."""
        return {s.projection.name: s.weights for s in self.synapses.values()}

    @property
    def weight_log(self) -> dict[str, Int]:
        """Logged weights, (logged, targets, sources); empty if none were asked for."""
        if not self.every:
            return {}
        return {s.projection.name: np.array(self.log[s.projection.name], np.int64).reshape(
            -1, *s.magnitude.shape) for s in self.synapses.values()}
