# SPDX-License-Identifier: Apache-2.0
"""Model of a mesh by steps, without cycles (docs/mesh.md, sections 1, 3 and 4).

Slow and literal; shares nothing with the fast engine or the RTL. Exact as long as nothing is
dropped, since then order does not matter.
"""

from collections import Counter, defaultdict

from neurotile.spec.mesh_config import MeshConfig, mesh_memories, packet_word
from neurotile.testbenches.mesh_random import MeshCase
from neurotile.testbenches.tile_model import update_neuron

__all__ = ["MeshModel"]

_MOVES = {1: (0, -1), 2: (1, 0), 4: (0, 1), 8: (-1, 0)}


class MeshModel:
    """One run of a case."""

    def __init__(self, case: MeshCase) -> None:
        self.case, self.config = case, case.config
        self.fields = [
            {m.name: [{f.name: int(v) for f, v in zip(m.word.fields, row, strict=True)}
                      for row in zip(*m.word.unpack(contents[m.name].reshape(-1)).values(),
                                     strict=True)]
             for m in mesh_memories(self.config)} for contents in case.memories]
        size = self.config.tile.neurons
        self.states = [{name: [0] * size for name in ("membrane", "current")}
                       for _ in range(self.config.tiles)]
        # Weight sums of (step, tile, neuron); fetches of (step, tile).
        self.sums: Counter[tuple[int, int, int]] = Counter()
        self.fetches: dict[tuple[int, int], list[int]] = defaultdict(list)
        self.spikes: list[tuple[int, int, int]] = []  # step, tile, neuron
        self.membranes: list[list[list[int]]] = []  # step, tile, neuron; after its update
        self.lost = 0
        self.received: Counter[int] = Counter()

    def run(self, number: int) -> None:
        """All steps of this run, from cleared states."""
        events, rows = self.case.events, self.config.rows
        for step in range(events.steps):
            for row in range(rows):
                k = (number * events.steps + step) * rows + row
                for word in events.word[events.start[k]:events.start[k + 1]]:
                    packet = {name: int(v) for name, v in
                              packet_word(self.config).unpack(word).items()}
                    self.send(packet, row * self.config.cols, step)
            for tile in range(self.config.tiles):
                for axon in self.fetches[step, tile]:
                    self.integrate(step, tile, axon)
            for tile in range(self.config.tiles):
                self.update(step, tile)
            self.membranes.append([list(state["membrane"]) for state in self.states])

    def send(self, packet: dict[str, int], tile: int, step: int) -> None:
        """A packet enters at this tile's router and arrives in ``step``."""
        config: MeshConfig = self.config
        x, y = tile % config.cols, tile // config.cols
        if not (0 <= x < config.cols and 0 <= y < config.rows):
            raise AssertionError("no such tile")
        if config.multicast:
            word = self.fields[tile]["tree"][packet["target"] % config.trees]
            self.lost += word["ports"] == 0
            for port, (dx, dy) in _MOVES.items():
                if word["ports"] & port:
                    if 0 <= x + dx < config.cols and 0 <= y + dy < config.rows:
                        self.send(packet, (y + dy) * config.cols + x + dx, step)
                    else:
                        self.lost += 1
            if word["ports"] & 16:
                self.arrive(packet, packet["value"] + word["axon"], tile, step)
            return
        to_x = packet["target"] & (1 << config.x_bits) - 1
        to_y = packet["target"] >> config.x_bits & (1 << config.y_bits) - 1
        if to_x >= config.cols or to_y >= config.rows:
            self.lost += 1
        else:
            self.arrive(packet, packet["value"], to_y * config.cols + to_x, step)

    def arrive(self, packet: dict[str, int], value: int, tile: int, step: int) -> None:
        """A packet is written into a tile's queue."""
        self.received[tile] += 1
        self.fetches[step + packet.get("delay", 0), tile].append(value % self.config.tile.axons)

    def integrate(self, step: int, tile: int, axon: int) -> None:
        """The segments of an axon, or of one level of it."""
        config, memory = self.config.tile, self.fields[tile]
        while True:
            segment = memory["axon"][axon]
            for part in range(segment["count"] + 1):
                row = (segment["row"] + part) % config.synapse_words
                group = (segment["group"] + part) % config.groups
                for lane in range(config.lanes):
                    weight = memory["synapse"][row * config.lanes + lane]["value"]
                    neuron = group * config.lanes + lane
                    slots = 1 << config.delay_bits
                    when = step + segment.get("delay", 0)
                    self.sums[when % slots if config.delay == "ring" else 0, tile, neuron] += weight
            axon = (axon + 1) % config.axons
            if segment["last"]:
                break
        if segment.get("more"):
            self.fetches[step + 1 + segment["skip"], tile].append(axon)

    def update(self, step: int, tile: int) -> None:
        """The update of all mapped groups, and what its spikes send."""
        config, memory, length = self.config.tile, self.fields[tile], self.case.length
        for group in range(int(self.case.groups[tile])):
            word = memory["group"][group]
            if step < word["offset"] or length and step >= word["offset"] + length:
                continue
            for neuron in range(group * config.lanes, (group + 1) * config.lanes):
                own = word["set"] if config.shared else neuron
                place = (step % (1 << config.delay_bits) if config.delay == "ring" else 0,
                         tile, neuron)
                bits = config.acc_bits
                total = (self.sums.pop(place, 0) + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)
                state = self.states[tile]
                values = {name: state[name][neuron] for name in state} | {"accumulator": total}
                values |= {name: memory[name][own]["value"]
                           for name in ("threshold", "v_reset", "bias")}
                if config.has_decay:
                    decay = memory["decay"][own]
                    values |= {"decay_v": decay["v"], "decay_i": decay["i"]}
                v, i, fires = update_neuron(config, word, values)
                state["membrane"][neuron], state["current"][neuron] = v, i
                if fires:
                    self.spread(step, tile, neuron)

    def spread(self, step: int, tile: int, neuron: int) -> None:
        """The chain of route entries of a spike."""
        memory = self.fields[tile]
        fanout = memory["fanout"][neuron]
        entry = fanout["first"]
        while fanout["any"]:
            packet = memory["route"][entry]
            if packet["host"]:
                self.spikes.append((step, tile, neuron))
            else:
                self.send(packet, tile, step + 1)
            if packet["last"]:
                break
            entry = (entry + 1) % self.config.routes
