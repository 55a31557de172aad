# SPDX-License-Identifier: Apache-2.0
"""The update of one population (docs/semantics.md, section 2)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...spec import Population

__all__ = ["NeuronUpdate", "State"]

Int = npt.NDArray[np.int64]


@dataclass
class State:
    """State of a population in every run.

    Parameters
    ----------
    v, i : ndarray of int64, (runs, size)
        Membrane potential and synaptic current; ``i`` stays 0 in models without current.
    """

    v: Int
    i: Int

    @classmethod
    def zero(cls, runs: int, size: int) -> "State":
        """State after CLEAR."""
        return cls(np.zeros((runs, size), np.int64), np.zeros((runs, size), np.int64))


@dataclass(frozen=True)
class NeuronUpdate:
    """Equations of section 2 for one population.

    int64 is exact throughout: a state has at most 32 bits, a decay coefficient 16, and an
    accumulated sum times 2**shift stays below 2**53.

    Parameters
    ----------
    population : Population
        Model and parameters.
    state_bits, decay_bits : int
        Number formats of the network.
    """

    population: Population
    state_bits: int
    decay_bits: int

    def step(self, state: State, acc: Int) -> tuple[State, npt.NDArray[np.bool_]]:
        """State after one step and who fired in it.

        Parameters
        ----------
        state : State
            Before the step.
        acc : ndarray of int64, (runs, size)
            Sum of the weights of the spikes that arrived.
        """
        p = self.population
        x = acc * (1 << p.shift) + p.bias
        i = state.i
        if p.model == "if":
            v = state.v + x
        elif p.model in ("lif", "li"):
            v = self._decay(state.v, p.decay_v) + x
        elif p.model in ("cubalif", "cubali"):
            i = self._saturate(self._decay(state.i, p.decay_i) + x)
            v = self._decay(state.v, p.decay_v) + i
        elif p.model == "sublif":
            v = np.maximum(state.v + x, 0)
        else:
            raise ValueError(f"no equations for model {p.model!r}")
        u = self._saturate(v)
        if not p.spikes:
            fired = np.zeros(u.shape, np.bool_)
        elif p.model == "sublif":
            fired = u >= p.threshold
        else:
            fired = u > p.threshold
        after = p.v_reset if p.reset == "zero" else self._saturate(u - p.threshold)
        return State(np.where(fired, after, u), i), fired

    def _decay(self, value: Int, coefficient: Int) -> Int:
        # Half up: floor after adding one half. >> floors for either sign.
        half = 1 << self.decay_bits - 1
        return (value * coefficient + half) >> self.decay_bits

    def _saturate(self, value: Int) -> Int:
        return np.clip(value, -(1 << self.state_bits - 1), (1 << self.state_bits - 1) - 1)
