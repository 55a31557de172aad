# SPDX-License-Identifier: Apache-2.0
"""A tile in plain Python, clock by clock, from docs/semantics.md: the fast engine's judge."""

from collections import deque
from typing import Any, NamedTuple

import numpy as np

from ..spec import MODELS, TileConfig, TileEvents
from ..spec.codes import CURRENT_MODELS, SILENT_MODELS
from ..spec.formats import memories as tile_memories

__all__ = ["ClockedTile", "Write", "update_neuron"]


def _saturate(value: int, bits: int) -> int:
    return max(-(1 << bits - 1), min((1 << bits - 1) - 1, value))


def update_neuron(config: TileConfig, model: str, v: int, i: int, acc: int, *, shift: int,
                  soft_reset: bool, threshold: int, v_reset: int, bias: int, decay_v: int,
                  decay_i: int) -> tuple[int, int, bool]:
    """New v, new i and whether it fires: the table of section 2."""
    def scaled(x: int, c: int) -> int:
        return (x * c + (1 << config.decay_bits - 1)) // (1 << config.decay_bits)

    s, x = config.state_bits, acc * (1 << shift) + bias
    if model in CURRENT_MODELS:
        i = _saturate(scaled(i, decay_i) + x, s)
        star = scaled(v, decay_v) + i
    elif model in ("lif", "li"):
        star = scaled(v, decay_v) + x
    elif model == "if":
        star = v + x
    else:
        star = max(v + x, 0)
    u = _saturate(star, s)
    fires = u >= threshold if model == "sublif" else u > threshold
    if model in SILENT_MODELS or not fires:
        return u, i, False
    return (_saturate(u - threshold, s) if soft_reset else v_reset), i, True


class Write(NamedTuple):
    """What an issue of the walker writes at the end of a cycle."""

    cycle: int
    row: int
    group: int
    sums: list[int]
    synapses: list[int] | None = None
    """Words of the row, on a tile that learns."""


class ClockedTile:
    """One tile between HOLD and HOLD; :meth:`run` plays the reference stimulus of one run."""

    def __init__(self, config: TileConfig, memories: dict[str, Any], groups: int,
                 length: int) -> None:
        self.config, self.mapped, self.length = config, groups, length
        self.word = {m.name: m.word.unpack(memories[m.name]) for m in tile_memories(config)
                     if m.name not in ("membrane", "current", "accumulator", "calcium")}
        n = config.neurons
        self.v, self.i, self.acc = [0] * n, [0] * n, [0] * n
        self.counters = dict.fromkeys(config.counters, 0)
        self.queue: deque[int] = deque()
        self.cycle = self.step = 0
        self.barriers: list[int] = []
        self.spikes: list[tuple[int, int, int]] = []
        self.potentials: list[list[int]] = []

    def run(self, events: TileEvents, run: int) -> None:
        """Run all steps of this run of ``events``."""
        for step in range(events.steps):
            row = run * events.steps + step
            self.integrate(deque(events.axon[events.start[row]:events.start[row + 1]].tolist()))
            self.update(step)
            self.potentials.append(list(self.v))
            self.step = min(self.step + 1, (1 << self.config.step_bits) - 1)

    def axon(self, address: int) -> dict[str, int]:
        """Fields of an axon segment."""
        return {k: int(v[address, 0]) for k, v in self.word["axon"].items()}

    def note_level(self) -> None:
        """What the register queue_high_water sees at the start of a cycle."""
        high = self.counters["queue_high_water"]
        self.counters["queue_high_water"] = max(high, len(self.queue))

    def integrate(self, host: deque[int]) -> None:
        """INTEGRATE, up to and including the cycle in which the barrier fires."""
        c, e = self.config, self.config.integrate_stages
        taken = False
        fetched: int | None = None  # address that D holds
        walking: tuple[int, int] | None = None  # address that W holds, groups it has issued
        writes: list[Write] = []
        while True:
            self.note_level()
            now, level = self.cycle, len(self.queue)
            if taken and not level and fetched is None and walking is None and not writes:
                self.barriers.append(now)
                self.cycle += 1
                return
            accepts = not taken and level < c.queue_depth
            next_walking, finished = walking, walking is None
            if walking is not None:
                segment, done = self.axon(walking[0]), walking[1]
                group = (segment["group"] + done) % c.groups
                row = (segment["row"] + done) % c.synapse_words
                if any(self.collides(write, row, group) for write in writes):
                    self.counters["hazard_stalls"] += 1
                else:
                    self.counters["synapse_reads"] += 1
                    writes.append(self.issued(now + e, segment, row, group))
                    finished = done == segment["count"]
                    next_walking = None if finished else (walking[0], done + 1)
            leaves = fetched is not None and finished
            next_fetched = None if leaves else fetched
            if leaves:
                assert fetched is not None
                next_walking = (fetched, 0)
            if fetched is None or leaves:
                if fetched is not None and not self.axon(fetched)["last"]:
                    next_fetched = (fetched + 1) % c.axons
                elif level:
                    next_fetched = self.queue.popleft()
                    self.counters["events"] += 1
            if accepts and host:
                self.queue.append(host.popleft() % c.axons)
            elif accepts:
                taken = True
            for write in [w for w in writes if w.cycle == now]:
                self.write(write)
            writes = [w for w in writes if w.cycle > now]
            fetched, walking = next_fetched, next_walking
            self.cycle += 1

    def collides(self, write: Write, row: int, group: int) -> bool:
        """A pending write holds this issue back."""
        return write.group == group

    def issued(self, cycle: int, segment: dict[str, int], row: int, group: int) -> Write:
        """What an issue writes at the end of ``cycle``."""
        stored = self.word["synapse"]["value"][row].tolist()
        weights = [2 * w - 1 for w in stored] if self.config.weight_bits == 1 else stored
        return Write(cycle, row, group, self.added(weights, group))

    def write(self, write: Write) -> None:
        """The end of the cycle of a write."""
        first = write.group * self.config.lanes
        self.acc[first:first + self.config.lanes] = write.sums

    def added(self, weights: list[int], group: int) -> list[int]:
        """Accumulators of a group with one row of weights added, wrapped."""
        c, values = self.config, []
        for lane, weight in enumerate(weights):
            total = self.acc[group * c.lanes + lane] + weight + (1 << c.acc_bits - 1)
            values.append(total % (1 << c.acc_bits) - (1 << c.acc_bits - 1))
        return values

    def update(self, step: int) -> None:
        """UPDATE, up to and including the cycle in which END_OF_STEP is sent."""
        c = self.config
        latency = c.update_stages + 2
        credit, group = c.spike_fifo_depth, 0
        results: deque[tuple[int, list[int]]] = deque()  # first cycle in the FIFO, neurons
        fifo: deque[list[int]] = deque()
        route: int | None = None
        returned = False  # a credit comes back at the end of this cycle
        while True:
            self.note_level()
            if results and results[0][0] == self.cycle:
                fired = results.popleft()[1]
                if fired:
                    fifo.append(fired)
                else:
                    credit += 1
            credit += returned
            returned = False
            if group == self.mapped and not results and not fifo and route is None:
                self.cycle += 1
                self.end_step()
                return
            if route is not None:
                self.send(step, route)
            route = None
            if fifo:
                route = fifo[0].pop(0)
                self.counters["spikes"] += 1
                if not fifo[0]:
                    fifo.popleft()
                    returned = True
            if group < self.mapped:
                if credit:
                    credit -= 1
                    results.append((self.cycle + latency, self.update_group(group)))
                    group += 1
                else:
                    self.counters["fifo_stalls"] += 1
            self.cycle += 1

    def end_step(self) -> None:
        """Whatever comes before END_OF_STEP."""

    def send(self, step: int, neuron: int) -> None:
        """A spike acts as its route word says."""
        route = {k: int(v[neuron, 0]) for k, v in self.word["route"].items()}
        if route["output"]:
            self.spikes.append((step, neuron, self.cycle))
        if route["local"] and len(self.queue) < self.config.queue_depth:
            self.queue.append(route["axon"])
        elif route["local"]:
            self.counters["drops"] += 1

    def update_group(self, group: int) -> list[int]:
        """Update a group; its neurons that fire."""
        c, word = self.config, {k: int(v[group, 0]) for k, v in self.word["group"].items()}
        late = self.step - word["offset"]
        if late < 0 or (self.length and late >= self.length):
            return []
        self.counters["updates"] += 1
        model = MODELS[word["model"] - 1] if 1 <= word["model"] <= len(MODELS) else "idle"
        fired = []
        for lane in range(c.lanes):
            n = group * c.lanes + lane
            at = (word["set"] % c.parameter_sets, 0) if c.shared else (group, lane)
            acc, self.acc[n] = self.acc[n], 0
            if model not in c.models:
                continue
            decay = self.word.get("decay")
            self.v[n], self.i[n], fires = update_neuron(
                c, model, self.v[n], self.i[n], acc, shift=word["shift"],
                soft_reset=bool(word["soft_reset"]),
                threshold=int(self.word["threshold"]["value"][at]),
                v_reset=int(self.word["v_reset"]["value"][at]),
                bias=int(self.word["bias"]["value"][at]),
                decay_v=int(decay["v"][at]) if decay else 0,
                decay_i=int(decay["i"][at]) if decay else 0)
            self.updated(n, at, fires)
            if fires:
                fired.append(n)
        return fired

    def updated(self, n: int, at: tuple[int, int], fired: bool) -> None:
        """What follows the update of neuron n, whose parameters lie in row and lane ``at``."""

    def seen(self) -> dict[str, Any]:
        """Everything that a trace of this run holds, under the names of ``spec.TileTrace``."""
        final = {"membrane": self.v, "accumulator": self.acc}
        if self.config.has_current:
            final["current"] = self.i
        return {"barrier": self.barriers, "spikes": self.spikes, "membrane": self.potentials,
                "final": {k: np.array(v) for k, v in final.items()}, "counters": self.counters}
