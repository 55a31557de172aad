# SPDX-License-Identifier: Apache-2.0
"""A tile that learns, clock by clock, from docs/semantics.md: the fast engine's judge."""

from typing import Any

import numpy as np

from ..spec import TileConfig, TileLearning
from ..spec.learning import learning_switches_word
from .clocked_tile import ClockedTile, Write

__all__ = ["ClockedLearningTile"]


class ClockedLearningTile(ClockedTile):
    """Synapses are words of ``synapse``, (rows, lanes), which the tile changes."""

    def __init__(self, config: TileConfig, memories: dict[str, Any], groups: int, length: int,
                 learning: TileLearning, synapse: np.ndarray) -> None:
        super().__init__(config, memories, groups, length)
        self.registers, self.synapse = learning, synapse
        self.switch = learning_switches_word().unpack(np.array(learning.switches))
        n = config.neurons
        self.calcium, self.count = [0] * n, [0] * n
        self.up, self.down = [False] * n, [False] * n
        self.learnt_steps = 0
        self.log: list[np.ndarray] = []

    @property
    def learns_now(self) -> bool:
        """Synapses learn in this step."""
        first = self.registers.offset
        ends = self.length and self.step >= first + self.length
        return bool(self.switch["learn"]) and self.step >= first and not ends

    def may_change(self, word: int) -> bool:
        """The switches let this synapse learn."""
        return bool(word >> 3 or self.switch["update_unmapped"])

    def collides(self, write: Write, row: int, group: int) -> bool:
        """Also a pending write of the row holds an issue back."""
        return write.row == row or write.group == group

    def issued(self, cycle: int, segment: dict[str, int], row: int, group: int) -> Write:
        """Sums and words after an event."""
        weights, words = [], []
        for lane, word in enumerate(self.synapse[row].tolist()):
            weight, mapped, n = word & 7, word >> 3, group * self.config.lanes + lane
            delivered = weight if mapped or self.switch["propagate_unmapped"] else 0
            weights.append(-delivered if segment["inhibitory"] else delivered)
            if segment["plastic"] and self.learns_now and self.may_change(word):
                if self.up[n]:
                    weight = min(weight + 1, 7)
                elif self.down[n]:
                    weight = max(weight - 1, 0)
            words.append(mapped << 3 | weight)
        if segment["plastic"] and self.learns_now:
            self.counters["synapse_writes"] += 1
        return Write(cycle, row, group, self.added(weights, group), words)

    def write(self, write: Write) -> None:
        """Synapses are written together with the accumulators."""
        super().write(write)
        self.synapse[write.row] = write.synapses

    def updated(self, n: int, at: tuple[int, int], fired: bool) -> None:
        """Calcium and flags."""
        rule = {k: int(v[at]) for k, v in self.word["calcium_rule"].items()}
        leaks_now = False
        if rule["enable"] and rule["leak"] != 0:
            leaks_now = self.count[n] == rule["leak"] - 1
            self.count[n] = 0 if leaks_now else (self.count[n] + 1) % 32
        if rule["enable"] and fired and not leaks_now:
            self.calcium[n] = min(self.calcium[n] + 1, 7)
        elif rule["enable"] and leaks_now and not fired:
            self.calcium[n] = max(self.calcium[n] - 1, 0)
        high = self.v[n] >= int(self.word["theta_mem"]["value"][at])
        enough = bool(rule["enable"]) and rule["theta1"] <= self.calcium[n]
        self.up[n] = enough and high and self.calcium[n] < rule["theta3"]
        self.down[n] = enough and not high and self.calcium[n] < rule["theta2"]

    def end_step(self) -> None:
        """Bistability, one row a cycle, from the cycle in which END_OF_STEP would be offered."""
        due = False
        if self.learns_now:
            self.learnt_steps += 1
            due = self.registers.period != 0 and self.learnt_steps >= self.registers.period
        if due:
            self.learnt_steps = 0
            for row in range(self.registers.rows):
                words = self.synapse[row].tolist()
                self.synapse[row] = [self.settled(w) if self.may_change(w) else w for w in words]
                self.counters["synapse_writes"] += 1
                self.cycle += 1
            self.cycle += self.config.integrate_stages + 1
        self.log.append(self.synapse.copy())

    @staticmethod
    def settled(word: int) -> int:
        """A synapse after bistability."""
        weight = word & 7
        return word & 8 | (min(weight + 1, 7) if weight >= 4 else max(weight - 1, 0))

    def seen(self) -> dict[str, Any]:
        """With the calcium words."""
        seen = super().seen()
        seen["final"]["calcium"] = np.array([
            calcium | count << 3 | up << 8 | down << 9 for calcium, count, up, down
            in zip(self.calcium, self.count, self.up, self.down, strict=True)])
        return seen
