# SPDX-License-Identifier: Apache-2.0
"""Networks with delays, one synapse at a time: plain Python after docs/semantics.md, 1 and 2.

A spike puts the weight of each of its synapses down at the step in which it arrives; nothing looks
back. So this shares neither code nor way of working with the golden model.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from neurotile.spec import IntegerNetwork, Population

__all__ = ["NetworkModel"]

Neuron = tuple[str, int]


@dataclass(frozen=True)
class Synapse:
    """Where a spike goes, what it adds, and when."""

    target: Neuron
    weight: int
    delay: int


@dataclass
class NetworkModel:
    """A network from zero states; :meth:`step` runs it on.

    ``v``, ``i`` and ``spikes`` hold what the last step left.
    """

    network: IntegerNetwork
    v: dict[Neuron, int] = field(default_factory=dict)
    i: dict[Neuron, int] = field(default_factory=dict)
    spikes: dict[Neuron, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.now = 0
        self.synapses: dict[Neuron, list[Synapse]] = defaultdict(list)
        for e in self.network.projections:
            for j, row in enumerate(e.weights.tolist()):
                for k, weight in enumerate(row):
                    if weight:
                        self.synapses[e.source, k].append(Synapse((e.target, j), weight, e.delay))
        self.arriving: dict[tuple[int, Neuron], int] = defaultdict(int)
        for p in self.network.populations:
            for j in range(p.size):
                self.v[p.name, j] = self.i[p.name, j] = 0
        lines = [(port.name, k) for port in self.network.inputs for k in range(port.size)]
        self.lines = dict(enumerate(lines))

    def step(self, lines: list[int]) -> None:
        """One step in which these input lines spike."""
        for line in lines:
            self._send(self.lines[line])
        left = list(self.network.populations)
        while left:
            p = next(p for p in left if not self._waits(p, {other.name for other in left}))
            for j in range(p.size):
                self.spikes[p.name, j] = self._update(p, j)
                if self.spikes[p.name, j]:
                    self._send((p.name, j))
            left.remove(p)
        self.now += 1

    def _send(self, source: Neuron) -> None:
        for synapse in self.synapses[source]:
            self.arriving[self.now + synapse.delay, synapse.target] += synapse.weight

    def _waits(self, p: Population, left: set[str]) -> bool:
        """A population not updated yet reaches ``p`` in this very step."""
        return any(e.target == p.name and e.delay == 0 and e.source in left
                   for e in self.network.projections)

    def _update(self, p: Population, j: int) -> int:
        me, half, unit = (p.name, j), 1 << self.network.decay_bits - 1, 1 << self.network.decay_bits
        x = self.arriving.pop((self.now, me), 0) * 2 ** p.shift + int(p.bias[j])
        v, theta = self.v[me], int(p.threshold[j])
        kept = (v * int(p.decay_v[j]) + half) // unit
        if p.model in ("cubalif", "cubali"):
            self.i[me] = x = self._sat((self.i[me] * int(p.decay_i[j]) + half) // unit + x)
        if p.model in ("if", "sublif"):
            kept = v
        v = self._sat(max(kept + x, 0) if p.model == "sublif" else kept + x)
        fires = p.model not in ("li", "cubali") and (
            v >= theta if p.model == "sublif" else v > theta)
        if fires:
            v = int(p.v_reset[j]) if p.reset == "zero" else self._sat(v - theta)
        self.v[me] = v
        return int(fires)

    def _sat(self, x: int) -> int:
        top = 1 << self.network.state_bits - 1
        return max(-top, min(top - 1, x))
