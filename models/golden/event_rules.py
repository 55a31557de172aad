# SPDX-License-Identifier: Apache-2.0
"""Neurons and synapses in event mode (docs/event_mode.md, section 4).

The rules are those of ODIN (Frenkel et al., IEEE TBioCAS 2019, doi 10.1109/TBCAS.2018.2880425).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["CalciumNeurons", "bistability", "sdsp"]

Int = npt.NDArray[np.int64]
Fields = dict[str, Int]

_V_MAX, _CALCIUM_MAX, _WEIGHT_MAX, _COUNTS = 255, 7, 7, 32


@dataclass
class CalciumNeurons:
    """LIF neurons with calcium and learning flags.

    Parameters
    ----------
    neuron, rule : dict of str to ndarray of int64, (neurons,)
        Fields of ``neuron_word`` and ``calcium_rule_word``.
    state : dict of str to ndarray of int64, (neurons,)
        Fields of ``state_word``; changed by the methods.
    """

    neuron: Fields
    rule: Fields
    state: Fields

    def deliver(self, who: Int, x: Int, *, inhibitory: bool) -> Int:
        """Add ``x`` to the potentials of the neurons ``who``, or subtract it; those that emit."""
        v = self.state["v"][who]
        v = np.maximum(v - x, 0) if inhibitory else np.minimum(v + x, _V_MAX)
        return self._fire_and_learn(who, v, np.zeros(len(who), np.bool_))

    def time_reference(self, who: Int) -> Int:
        """Leak of potential and calcium of the neurons ``who``; those that emit a spike."""
        v, neuron = self.state["v"][who], {k: a[who] for k, a in self.neuron.items()}
        v = np.where(neuron["leak_enable"] == 1, np.maximum(v - neuron["leak"], 0), v)
        count, period = self.state["leak_count"][who], self.rule["leak"][who]
        counts = (self.rule["enable"][who] == 1) & (period != 0)
        leak_now = counts & (count == period - 1)
        self.state["leak_count"][who] = np.where(
            leak_now, 0, np.where(counts, (count + 1) % _COUNTS, count))
        return self._fire_and_learn(who, v, leak_now)

    def _fire_and_learn(self, who: Int, v: Int, leak_now: npt.NDArray[np.bool_]) -> Int:
        rule = {k: a[who] for k, a in self.rule.items()}
        enable = rule["enable"] == 1
        spike = v >= self.neuron["threshold"][who]
        v = np.where(spike, 0, v)
        calcium = self.state["calcium"][who]
        calcium = np.where(enable & spike & ~leak_now, np.minimum(calcium + 1, _CALCIUM_MAX),
                           np.where(enable & leak_now & ~spike, np.maximum(calcium - 1, 0),
                                    calcium))
        above = v >= rule["theta_mem"]
        enough = enable & (rule["theta1"] <= calcium)
        self.state["v"][who] = v
        self.state["calcium"][who] = calcium
        self.state["up"][who] = enough & above & (calcium < rule["theta3"])
        self.state["down"][who] = enough & ~above & (calcium < rule["theta2"])
        return who[spike & (self.neuron["disable"][who] == 0)]


def sdsp(weight: Int, up: Int, down: Int) -> Int:
    """Weights after spike-driven plasticity.

    Parameters
    ----------
    weight : ndarray of int64, (synapses,)
        Before the event.
    up, down : ndarray of int64, (synapses,)
        Flags of the postsynaptic neurons before the event.
    """
    return np.where(up == 1, np.minimum(weight + 1, _WEIGHT_MAX),
                    np.where(down == 1, np.maximum(weight - 1, 0), weight))


def bistability(weight: Int) -> Int:
    """Weights after they went one step towards the nearer end of their range."""
    return np.where(weight >= 4, np.minimum(weight + 1, _WEIGHT_MAX), np.maximum(weight - 1, 0))
