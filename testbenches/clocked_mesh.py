# SPDX-License-Identifier: Apache-2.0
"""A mesh in plain Python, clock by clock, from docs/mesh.md: the fast engine's judge."""

from collections import deque
from typing import Any, NamedTuple

from ..spec import MESH_COUNTERS, MeshConfig
from ..spec.mesh_config import mesh_memories, packet_word
from .clocked_tile import ClockedTile, Write

__all__ = ["ClockedMesh", "Packet"]

_NORTH, _EAST, _SOUTH, _WEST, _LOCAL, _OFF_WEST, _NOWHERE = range(7)


class Packet(NamedTuple):
    """A packet."""

    target: int
    value: int
    host: int
    delay: int


class MeshTile(ClockedTile):
    """A tile of a mesh; :meth:`clock` is one cycle of it."""

    def __init__(self, config: MeshConfig, number: int, memories: dict[str, Any], groups: int,
                 length: int) -> None:
        tile = config.tile
        super().__init__(tile, {**memories, "route": memories["fanout"] * 0}, groups, length)
        self.mesh, self.number = config, number
        for memory in mesh_memories(config):
            if memory.name in ("fanout", "route", "tree"):
                self.word[memory.name] = memory.word.unpack(memories[memory.name])
        self.counters = dict.fromkeys(MESH_COUNTERS, 0)
        self.slots = tile.accumulator_rows // tile.groups
        self.ring = [[0] * tile.neurons for _ in range(self.slots)]
        self.pre: deque[tuple[int, int]] = deque()
        self.post: deque[tuple[int, int]] = deque()
        self.level = self.level_post = 0
        self.barriers_seen = 0
        self.still: int | None = None  # first cycle of being idle up to now
        self.highest = 0               # level since the last barrier
        self.timeline: dict[str, list[int]] = {"idle": [], "updated": [], "queue": []}
        self.phase = "integrate"
        self.fetched: int | None = None
        self.walking: tuple[int, int] | None = None
        self.writes: list[tuple[Write, int]] = []
        self.begin_update()
        self.phase = "integrate"

    def fields(self, memory: str, row: int) -> dict[str, int]:
        """Fields of the word in a row of one lane."""
        return {k: int(v[row, 0]) for k, v in self.word[memory].items()}

    def begin_update(self) -> None:
        """UPDATE from the next cycle on."""
        self.phase = "update"
        self.credit, self.group = self.config.spike_fifo_depth, 0
        self.results: deque[tuple[int, list[int]]] = deque()
        self.fifo: deque[list[int]] = deque()
        self.returned = False
        self.p: int | None = None
        self.r: tuple[int, int] | None = None  # address, neuron

    def idle(self) -> bool:
        """As the barrier sees it, at the start of a cycle."""
        return (self.phase == "integrate" and not self.pre and self.fetched is None
                and self.walking is None and not self.writes)

    def clock(self, ready: bool, more: bool) -> Packet | None:
        """One cycle but for arrivals; the packet that the router takes."""
        self.note_level()
        self.still = (self.cycle if self.still is None else self.still) if self.idle() else None
        packet = None
        if self.phase == "integrate":
            self.integrating()
        elif self.phase == "update":
            packet = self.updating(ready, more)
        self.cycle += 1
        return packet

    def note_level(self) -> None:
        """Levels at the start of a cycle, and what the register queue_high_water sees of them."""
        self.level, self.level_post = len(self.pre), len(self.post)
        high = self.counters["queue_high_water"]
        self.counters["queue_high_water"] = max(high, self.level, self.level_post)
        self.highest = max(self.highest, self.level, self.level_post)

    def arrive(self, axon: int, wait: int) -> None:
        """A packet at the local output in the cycle of the last :meth:`clock`."""
        if self.level == self.config.queue_depth:
            self.counters["drops"] += 1
        else:
            self.pre.append((axon % self.config.axons, wait))
            self.counters["received"] += 1

    def postpone(self, axon: int, wait: int) -> None:
        """A push into POST."""
        if self.level_post == self.config.queue_depth:
            self.counters["drops"] += 1
        else:
            self.post.append((axon, wait))

    def barrier(self) -> None:
        """The end of the cycle of the barrier."""
        assert self.still is not None
        self.timeline["idle"].append(self.still)
        self.timeline["queue"].append(self.highest)
        self.highest = 0
        if self.config.delay == "scdq":
            self.pre, self.post = self.post, self.pre
        self.begin_update()

    def integrating(self) -> None:
        """Fetch and walker."""
        c, now = self.config, self.cycle
        step = self.barriers_seen
        walking, finished = self.walking, self.walking is None
        if self.walking is not None:
            address, done = self.walking
            segment = self.axon(address)
            group = (segment["group"] + done) % c.groups
            row = (segment["row"] + done) % c.synapse_words
            if any(write.group == group for write, _ in self.writes):
                self.counters["hazard_stalls"] += 1
            else:
                self.counters["synapse_reads"] += 1
                slot = (step + segment.get("delay", 0)) % self.slots
                self.acc = self.ring[slot]
                write = self.issued(now + c.integrate_stages, segment, row, group)
                self.writes.append((write, slot))
                finished = done == segment["count"]
                walking = None if finished else (address, done + 1)
        taken = self.fetched is not None and finished
        following, again = False, False
        fetched = self.fetched
        if taken:
            assert fetched is not None
            walking, segment = (fetched, 0), self.axon(fetched)
            following = not segment["last"]
            again = bool(segment["last"] and segment.get("more", 0))
            after = (fetched + 1) % c.axons
            if again:
                self.postpone(after, segment["skip"])
            fetched = after if following else None
        if fetched is None and self.level:
            axon, wait = self.pre[0]
            if not (wait and again):
                self.pre.popleft()
                self.counters["events"] += 1
                if wait:
                    self.postpone(axon, wait - 1)
                else:
                    fetched = axon
        for write, slot in self.writes:
            if write.cycle == now:
                self.acc = self.ring[slot]
                self.write(write)
        self.writes = [w for w in self.writes if w[0].cycle > now]
        self.fetched, self.walking = fetched, walking

    def updating(self, ready: bool, more: bool) -> Packet | None:
        """Groups, the spike FIFO and stages P and R; the packet that the router takes."""
        c, packet = self.config, None
        if self.results and self.results[0][0] == self.cycle:
            fired = self.results.popleft()[1]
            if fired:
                self.fifo.append(fired)
            else:
                self.credit += 1
        self.credit += self.returned
        self.returned = False
        if self.group == self.mapped and not self.results and not self.fifo \
                and self.p is None and self.r is None:
            self.phase = "integrate" if more else "hold"
            self.step = min(self.step + 1, (1 << c.step_bits) - 1)
            self.barriers_seen += 1
            self.timeline["updated"].append(self.cycle)
            self.potentials.append(list(self.v))
            return None
        next_r = self.r
        if self.r is not None and ready:
            address, neuron = self.r
            entry = self.fields("route", address)
            packet = Packet(entry["target"], entry["value"], entry["host"], entry.get("delay", 0))
            if entry["host"]:
                y, x = divmod(self.number, self.mesh.cols)
                packet = packet._replace(target=y << self.mesh.x_bits | x, value=neuron)
            self.counters["packets"] += 1
            next_r = None if entry["last"] else ((address + 1) % self.mesh.routes, neuron)
        if self.p is not None:
            spread = self.fields("fanout", self.p)
            if not spread["any"]:
                self.p = None
            elif next_r is None:
                next_r, self.p = (spread["first"], self.p), None
        if self.p is None and self.fifo:
            self.p = self.fifo[0].pop(0)
            self.counters["spikes"] += 1
            if not self.fifo[0]:
                self.fifo.popleft()
                self.returned = True
        self.r = next_r
        if self.group < self.mapped:
            if self.credit:
                self.credit -= 1
                self.acc = self.ring[self.barriers_seen % self.slots]
                fired = self.update_group(self.group)
                self.results.append((self.cycle + c.update_stages + 2, fired))
                self.group += 1
            else:
                self.counters["fifo_stalls"] += 1
        return packet


class ClockedMesh:
    """A mesh from CLEAR to HOLD."""

    def __init__(self, config: MeshConfig, memories: list[dict[str, Any]], groups: Any,
                 length: int) -> None:
        self.config = config
        self.tiles = [MeshTile(config, number, memories[number], int(groups[number]), length)
                      for number in range(config.tiles)]
        self.fifos = [[deque[Packet]() for _ in range(5)] for _ in range(config.tiles)]
        self.left: dict[tuple[int, int], set[int]] = {}
        self.pointers: dict[tuple[int, int], int] = {}
        self.spikes: list[tuple[int, int, int, int, int]] = []  # cycle, port, step, tile, neuron
        self.barriers: list[int] = []
        self.lost = 0
        self.cycle = 0

    def ways(self, router: int, packet: Packet) -> set[int]:
        """Outputs that a packet wants."""
        c = self.config
        y, x = divmod(router, c.cols)
        if packet.host:
            return {_WEST}
        if c.multicast:
            ports = int(self.tiles[router].word["tree"]["ports"][packet.target % c.trees, 0])
            wanted = {port for port in range(5) if ports >> port & 1} or {_NOWHERE}
        else:
            to_x, to_y = packet.target & (1 << c.x_bits) - 1, packet.target >> c.x_bits
            wanted = {_EAST if to_x > x else _WEST if to_x < x else _SOUTH if to_y > y
                      else _NORTH if to_y < y else _LOCAL}
        if x == 0 and _WEST in wanted:
            wanted = wanted - {_WEST} | {_OFF_WEST}
        return wanted

    def behind(self, router: int, way: int) -> tuple[int, int] | str:
        """Router and input behind an output, or what else is there."""
        c = self.config
        y, x = divmod(router, c.cols)
        if way == _LOCAL:
            return "tile"
        if way in (_OFF_WEST, _NOWHERE):
            return "sink"
        if way == _WEST and x == 0:
            return "host"
        x += (way == _EAST) - (way == _WEST)
        y += (way == _SOUTH) - (way == _NORTH)
        if 0 <= x < c.cols and 0 <= y < c.rows:
            return y * c.cols + x, (way + 2) % 4
        return "sink"

    def network(self, entering: list[tuple[int, int, Packet]]) -> None:
        """All transfers of a cycle."""
        config, router_depth = self.config, self.config.router_depth
        held = {(r, i): len(self.fifos[r][i]) for r in range(config.tiles) for i in range(5)}
        moves = []
        for router in range(config.tiles):
            wanted: dict[int, list[int]] = {}
            for place in range(5):
                if held[router, place]:
                    head = self.fifos[router][place][0]
                    ways = self.left.setdefault((router, place), self.ways(router, head))
                    for way in ways:
                        wanted.setdefault(way, []).append(place)
            for way, inputs in wanted.items():
                behind = self.behind(router, way)
                if way == _NOWHERE:
                    moves += [(router, place, way) for place in inputs]
                elif isinstance(behind, str) or held[behind] < router_depth:
                    pointer = self.pointers.get((router, way), 0)
                    chosen = min(inputs, key=lambda place: (place - pointer) % 5)
                    self.pointers[router, way] = (chosen + 1) % 5
                    moves.append((router, chosen, way))
        for router, place, way in moves:
            packet, behind = self.fifos[router][place][0], self.behind(router, way)
            self.left[router, place].remove(way)
            if way < 4 and behind != "sink":
                self.tiles[router].counters[("north", "east", "south", "west")[way]] += 1
            if behind == "tile":
                axon = packet.value
                if config.multicast:
                    axon += int(self.tiles[router].word["tree"]["axon"][
                        packet.target % config.trees, 0])
                self.tiles[router].arrive(axon, packet.delay)
            elif behind == "sink":
                self.lost += 1
            elif behind == "host":
                y, x = divmod(packet.target, 1 << config.x_bits)
                self.spikes.append((self.cycle, router // config.cols, len(self.barriers) - 1,
                                    y * config.cols + x, packet.value))
            else:
                assert not isinstance(behind, str)
                entering.append((*behind, packet))
        for router, place, _ in moves:
            if (router, place) in self.left and not self.left[router, place]:
                del self.left[router, place]
                self.fifos[router][place].popleft()
        for router, place, packet in entering:
            self.fifos[router][place].append(packet)

    def run(self, sent: list[list[list[int]]]) -> int:
        """Run one step per entry of ``sent``, packets of every port; first cycle of being held."""
        c, word = self.config, packet_word(self.config)
        hosts = [[deque(Packet(*(int(f.get(name, 0)) for name in Packet._fields))
                        for f in map(word.unpack, port)) for port in step] for step in sent]
        ended = end_held = False
        samples = [False] * c.barrier_stages
        while True:
            step = len(self.barriers)
            in_network = sum(len(fifo) for router in self.fifos for fifo in router)
            if step == len(sent) and in_network == 0 \
                    and all(tile.phase == "hold" for tile in self.tiles):
                for tile in self.tiles:
                    tile.note_level()
                return self.cycle
            idle = all(tile.idle() for tile in self.tiles)
            entering: list[tuple[int, int, Packet]] = []
            for tile in self.tiles:
                ready = len(self.fifos[tile.number][_LOCAL]) < c.router_depth
                packet = tile.clock(ready, step < len(sent))
                if packet:
                    entering.append((tile.number, _LOCAL, packet))
            offered = step < len(sent) and not ended and not any(hosts[step])
            if step < len(sent):
                for row, port in enumerate(hosts[step]):
                    if port and len(self.fifos[row * c.cols][_WEST]) < c.router_depth:
                        entering.append((row * c.cols, _WEST, port.popleft()))
            born = bool(entering)
            quiet = idle and in_network == 0 and not born and end_held
            self.network(entering)
            if samples[-1]:
                self.barriers.append(self.cycle)
                for tile in self.tiles:
                    tile.barrier()
                samples = [False] * c.barrier_stages
                ended = end_held = False
            else:
                samples = [quiet, *samples[:-1]]
                end_held = end_held or offered
                ended = ended or offered
            self.cycle += 1

    def seen(self) -> dict[str, Any]:
        """What a trace of this run holds, under the names of ``spec.MeshTrace``."""
        final = {"membrane": [tile.v for tile in self.tiles],
                 "accumulator": [sum(tile.ring, []) for tile in self.tiles]}
        if self.config.tile.has_current:
            final["current"] = [tile.i for tile in self.tiles]
        return {"barrier": self.barriers, "lost": self.lost, "final": final,
                "spikes": sorted(self.spikes),
                "membrane": [sum(step, []) for step in zip(
                    *(tile.potentials for tile in self.tiles), strict=True)],
                "timeline": {name: [list(step) for step in zip(
                    *(tile.timeline[name] for tile in self.tiles), strict=True)]
                    for name in ("idle", "updated", "queue")},
                "counters": {name: [tile.counters[name] for tile in self.tiles]
                             for name in MESH_COUNTERS}}
