# SPDX-License-Identifier: Apache-2.0
"""Cycle model of the tile for its cocotb test: docs/semantics.md, sections 2 to 7 and 9, by cycle.

Slow and literal; shares nothing with the fast engine or the RTL.
"""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from neurotile.spec import TileConfig, TileLearning
from neurotile.spec.codes import Model, Phase
from neurotile.spec.formats import Memory, memories
from neurotile.spec.learning import learning_switches_word

__all__ = ["Segment", "TileModel", "clip", "update_calcium", "update_neuron"]


def clip(x: int, bits: int) -> int:
    """``x`` saturated to ``bits`` bits, signed."""
    return max(-(1 << bits - 1), min((1 << bits - 1) - 1, x))


def _signed(x: int, bits: int) -> int:
    x &= (1 << bits) - 1
    return x - (1 << bits) if x >> bits - 1 else x


def update_neuron(config: TileConfig, group: dict[str, int], neuron: dict[str, int]
                  ) -> tuple[int, int, bool]:
    """Section 2 for an active group: (v', i', fires); ``neuron`` holds v, i, acc and parameters."""
    d = config.decay_bits
    v, i, theta = neuron["membrane"], neuron["current"], neuron["threshold"]
    x = neuron["accumulator"] * 2 ** group["shift"] + neuron["bias"]
    if group["model"] not in [Model[name.upper()] for name in config.models]:
        return v, i, False

    def rounded(value: int, coefficient: int) -> int:
        return (value * coefficient + 2 ** (d - 1)) // 2 ** d

    model = Model(group["model"])
    if model == Model.IF:
        total = v + x
    elif model in (Model.LIF, Model.LI):
        total = rounded(v, neuron["decay_v"]) + x
    elif model in (Model.CUBALIF, Model.CUBALI):
        i = clip(rounded(i, neuron["decay_i"]) + x, config.state_bits)
        total = rounded(v, neuron["decay_v"]) + i
    else:
        total = max(v + x, 0)
    u = clip(total, config.state_bits)
    fires = {Model.SUBLIF: u >= theta, Model.LI: False, Model.CUBALI: False}.get(model, u > theta)
    if fires:
        u = clip(u - theta, config.state_bits) if group["soft_reset"] else neuron["v_reset"]
    return u, i, fires


def update_calcium(rule: dict[str, int], theta_mem: int, word: dict[str, int], v: int,
                   fires: bool) -> dict[str, int]:
    """Section 9, steps 1 to 3: the new calcium word of a neuron with new potential ``v``."""
    ca, count, leaks = word["calcium"], word["leak_count"], False
    if rule["enable"] and rule["leak"] != 0:
        leaks = count == rule["leak"] - 1
        count = 0 if leaks else (count + 1) % 32
    if rule["enable"] and fires and not leaks:
        ca = min(ca + 1, 7)
    elif rule["enable"] and leaks and not fires:
        ca = max(ca - 1, 0)
    learns = bool(rule["enable"]) and ca >= rule["theta1"]
    return {"calcium": ca, "leak_count": count,
            "up": int(learns and v >= theta_mem and ca < rule["theta3"]),
            "down": int(learns and v < theta_mem and ca < rule["theta2"])}


@dataclass
class Segment:
    """A segment in D or W."""

    address: int
    row: int
    group: int
    left: int
    last: int
    inhibitory: int = 0
    plastic: int = 0


@dataclass
class TileModel:
    """State of a tile at the start of a cycle; :meth:`outputs`, then :meth:`tick`."""

    config: TileConfig
    phase: Phase = Phase.HOLD
    groups: int = 1
    length: int = 0
    step: int = 0
    run: int = 0
    end_of_step: bool = False
    now: int = 0
    queue: deque[int] = field(default_factory=deque)
    d: Segment | None = None
    w: Segment | None = None
    issued: list[tuple[int, int, int]] = field(default_factory=list)
    next_group: int = 0
    credits: int = 0
    returns: list[int] = field(default_factory=list)
    masks: deque[tuple[int, deque[int]]] = field(default_factory=deque)
    written: int = 0
    route: int | None = None
    counters: Counter[str] = field(default_factory=Counter)
    barriers: list[int] = field(default_factory=list)
    learning: TileLearning = TileLearning()
    learnt: int = 0
    bistable_until: int | None = None
    seen: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.formats: dict[str, Memory] = {m.name: m for m in memories(self.config)}
        self.words = {name: [[0] * memory.lanes for _ in range(memory.rows)]
                      for name, memory in self.formats.items()}
        self.credits = self.config.spike_fifo_depth

    def load(self, name: str, row: int, lane: int, word: int) -> None:
        """Write one word."""
        self.words[name][row][lane] = word

    def value(self, name: str, row: int, lane: int = 0) -> dict[str, int]:
        """Fields of one word."""
        bits, values = self.words[name][row][lane], {}
        for item in self.formats[name].word.fields:
            part = bits & (1 << item.width) - 1
            values[item.name] = _signed(part, item.width) if item.signed else part
            bits >>= item.width
        return values

    def clear(self) -> None:
        """What CLEAR does."""
        for name in ("membrane", "current", "accumulator", "calcium"):
            for row in self.words.get(name, []):
                row[:] = [0] * len(row)
        self.learnt = 0
        self.queue.clear()
        self.step = 0
        self.counters.clear()

    # --- one cycle -----------------------------------------------------------------------------

    def barrier(self) -> bool:
        """The barrier fires in this cycle."""
        return (self.phase == Phase.INTEGRATE and self.end_of_step and not self.queue
                and not self.d and not self.w and not self.pending())

    def pending(self) -> list[tuple[int, int]]:
        """Synapse rows and groups that are still to be written."""
        return [(row, group) for cycle, row, group in self.issued
                if self.now - self.config.integrate_stages <= cycle < self.now]

    def held(self, segment: Segment) -> bool:
        """The walker holds its group back in this cycle."""
        rows, groups = zip(*self.pending(), strict=True) if self.pending() else ((), ())
        same_row = self.config.learns and segment.row in rows
        self.seen["row alone"] += same_row and segment.group not in groups
        return same_row or segment.group in groups

    def finish(self) -> bool:
        """END_OF_STEP is offered in this cycle."""
        return self.updated() and (not self.bistability_due() or (
            self.bistable_until is not None and self.now >= self.bistable_until))

    def switch(self, name: str) -> int:
        """A bit of register SWITCHES."""
        return self.learning.switches >> learning_switches_word().offset(name) & 1

    def learns(self) -> bool:
        """Synapses learn in this step."""
        first = self.learning.offset
        return bool(self.switch("learn")) and first <= self.step and (
            self.length == 0 or self.step < first + self.length)

    def bistability_due(self) -> bool:
        """Bistability follows the update of this step."""
        return 0 < self.learning.period <= self.learnt + 1 and self.learns()

    def updated(self) -> bool:
        """END_OF_STEP would be offered in this cycle if there were no bistability."""
        return (self.phase == Phase.UPDATE and self.next_group == self.groups
                and self.now >= self.written and not self.masks and self.route is None)

    def outputs(self) -> dict[str, int | None]:
        """Value of every output in this cycle (``None``: not checked)."""
        word = self.value("route", self.route) if self.route is not None else None
        offers = bool(word and word["output"])
        payload = None
        if offers:
            payload = self.route
        if self.finish():
            payload = 1 << self.config.neuron_bits
        return {
            "i__ready": int(self.phase == Phase.INTEGRATE and not self.end_of_step
                            and len(self.queue) < self.config.queue_depth),
            "o__valid": int(offers or self.finish()),
            "o__payload": payload,
            "barrier": int(self.barrier()),
        }

    def tick(self, *, i__valid: int, i__payload: int, o__ready: int) -> None:
        """Advance over the clock edge that ends this cycle."""
        level = len(self.queue)
        self.counters["queue_high_water"] = max(self.counters["queue_high_water"], level)
        if self.phase == Phase.INTEGRATE:
            self._integrate(i__valid, i__payload, level)
        elif self.phase == Phase.UPDATE:
            self._update(o__ready, level)
        self.now += 1

    def _integrate(self, valid: int, payload: int, level: int) -> None:
        if self.barrier():
            self.barriers.append(self.now)
            self.phase, self.end_of_step, self.next_group = Phase.UPDATE, False, 0
            return
        accept = valid and not self.end_of_step and level < self.config.queue_depth
        final = False
        if self.w:
            if self.held(self.w):
                self.counters["hazard_stalls"] += 1
            else:
                self._add(self.w)
                self.issued = [*self.issued[-3:], (self.now, self.w.row, self.w.group)]
                final = self.w.left == 0
                self.w.row = (self.w.row + 1) % self.config.synapse_words
                self.w.group = (self.w.group + 1) % self.config.groups
                self.w.left -= 1
        taken = self.d if self.d and (not self.w or final) else None
        if final:
            self.w = None
        if taken:
            self.d, self.w = None, taken
        if not self.d:
            if taken and not taken.last:
                self.d = self._segment((taken.address + 1) % self.config.axons)
            elif level:
                self.counters["events"] += 1
                self.d = self._segment(self.queue.popleft())
        if accept:
            if payload >> self.config.axon_bits:
                self.end_of_step = True
            else:
                self.queue.append(payload)

    def _segment(self, address: int) -> Segment:
        word = self.value("axon", address)
        return Segment(address, word["row"], word["group"], word["count"], word["last"],
                       word.get("inhibitory", 0), word.get("plastic", 0))

    def _add(self, segment: Segment) -> None:
        row, group = segment.row, segment.group
        self.counters["synapse_reads"] += 1
        writes = segment.plastic and self.learns()
        self.counters["synapse_writes"] += bool(writes)
        for lane in range(self.config.lanes):
            synapse = self.value("synapse", row, lane)
            if self.config.learns:
                w = synapse["weight"]
                delivers = synapse["mapped"] or self.switch("propagate_unmapped")
                weight = (-w if segment.inhibitory else w) if delivers else 0
                if writes:
                    flags = self.value("calcium", group, lane)
                    self._change("event", row, lane, 1 if flags["up"] else -flags["down"])
            else:
                weight = synapse["value"]
                if self.config.weight_bits == 1:
                    weight = 2 * weight - 1
            total = self.words["accumulator"][group][lane] + weight
            self.words["accumulator"][group][lane] = total % 2 ** self.config.acc_bits

    def _change(self, kind: str, row: int, lane: int, by: int) -> None:
        """A synapse that may learn, by -1, 0 or 1."""
        word, memory = self.value("synapse", row, lane), self.formats["synapse"]
        if word["mapped"] or self.switch("update_unmapped"):
            after = min(max(word["weight"] + by, 0), 7)
            self.seen[f"{kind} {after - word['weight']:+}"] += 1
            word["weight"] = after
            self.words["synapse"][row][lane] = int(memory.word.pack(word))

    def _bistability(self) -> None:
        """All rows at once: nobody sees them before they are written."""
        rows = self.learning.rows
        self.bistable_until = self.now + rows + self.config.integrate_stages + 1
        self.counters["synapse_writes"] += rows
        for row in range(rows):
            for lane in range(self.config.lanes):
                weight = self.value("synapse", row, lane)["weight"]
                self._change("bistable", row, lane, 1 if weight >= 4 else -1)

    def _update(self, ready: int, level: int) -> None:
        if self.updated() and self.bistability_due() and self.bistable_until is None:
            self._bistability()
        elif self.finish():
            if ready:
                if self.learns():
                    self.learnt = 0 if self.bistability_due() else self.learnt + 1
                self.bistable_until = None
                self.run = max(self.run - 1, 0)
                self.phase = Phase.INTEGRATE if self.run else Phase.HOLD
                self.step = min(self.step + 1, 2 ** self.config.step_bits - 1)
            return
        self.credits += sum(cycle <= self.now for cycle in self.returns)
        self.returns = [cycle for cycle in self.returns if cycle > self.now]
        if self.next_group < self.groups:
            if self.credits:
                self._issue(self.next_group)
            else:
                self.counters["fifo_stalls"] += 1

        if self.route is not None:
            word = self.value("route", self.route)
            if word["output"] and not ready:
                return
            if word["local"]:
                if level == self.config.queue_depth:
                    self.counters["drops"] += 1
                else:
                    self.queue.append(word["axon"])
            self.route = None
        if self.masks and self.masks[0][0] <= self.now:
            self.counters["spikes"] += 1
            spikes = self.masks[0][1]
            self.route = spikes.popleft()
            if not spikes:
                self.masks.popleft()
                self.returns.append(self.now + 1)

    def _issue(self, group: int) -> None:
        self.next_group += 1
        self.credits -= 1
        self.written = self.now + self.config.update_stages + 2
        spikes = self._update_group(group)
        if spikes:
            self.masks.append((self.written, deque(spikes)))
        else:
            self.returns.append(self.written)

    def _update_group(self, group: int) -> list[int]:
        config, word = self.config, self.value("group", group)
        if self.step < word["offset"] or self.length and self.step >= word["offset"] + self.length:
            return []
        self.counters["updates"] += 1
        spikes = []
        for lane in range(config.lanes):
            neuron: dict[str, Any] = {"current": 0}
            for name in ("membrane", "current", "accumulator"):
                if name in self.formats:
                    neuron[name] = self.value(name, group, lane)["value"]
            row, column = (word["set"], 0) if config.shared else (group, lane)
            for name in ("threshold", "v_reset", "bias"):
                neuron[name] = self.value(name, row, column)["value"]
            if config.has_decay:
                decay = self.value("decay", row, column)
                neuron |= {"decay_v": decay["v"], "decay_i": decay["i"]}
            v, i, fires = update_neuron(config, word, neuron)
            if config.learns and word["model"] in [Model[name.upper()] for name in config.models]:
                after = update_calcium(
                    self.value("calcium_rule", row, column),
                    self.value("theta_mem", row, column)["value"],
                    self.value("calcium", group, lane), v, fires)
                self.words["calcium"][group][lane] = int(self.formats["calcium"].word.pack(after))
            self.words["membrane"][group][lane] = v % 2 ** config.state_bits
            if config.has_current:
                self.words["current"][group][lane] = i % 2 ** config.state_bits
            self.words["accumulator"][group][lane] = 0
            if fires:
                spikes.append(group * config.lanes + lane)
        return spikes
