# SPDX-License-Identifier: Apache-2.0
"""Weights of a network as the tables of a mesh hold them, followed packet by packet."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from .spec import MeshProgram, UserError, projection_names
from .spec.formats import axon_word
from .spec.mesh_config import fanout_word, mesh_route_word, packet_word, tree_word

__all__ = ["check_packets", "stored_mesh_weights"]

Int = npt.NDArray[np.int64]
Arrived = dict[int, Int]
"""Weights that are added to all neurons of the mesh, by tile step."""

_NORTH, _EAST, _SOUTH, _WEST, _LOCAL = range(5)


def stored_mesh_weights(program: MeshProgram) -> dict[str, Int]:
    """Weights (targets, sources) that a spike of each source really adds, by projection.

    Follows host packets, route entries, trees, axon segments, levels and relay neurons through the
    memory images, so that a wrong table shows as a wrong weight. Projections that take equally long
    between the same ends cannot be told apart and are given to the first.

    Raises
    ------
    UserError
        A packet or chain leads nowhere.
    """
    network, reader = program.network, _Reader(program)
    found, first_line, line = {}, {}, 0
    for port in network.inputs:
        first_line[port.name] = line
        line += port.size
    names = projection_names(network.projections)
    for e, key in zip(network.projections, names, strict=True):
        found[key] = np.zeros(e.weights.shape, np.int64)
    for source, size in network.sizes.items():
        mine = [(key, e) for key, e in zip(names, network.projections, strict=True)
                if e.source == source]
        for number in range(size) if mine else ():
            arrived = (reader.from_line(first_line[source] + number) if source in first_line else
                       reader.from_neuron(int(program.neurons_of(source)[number]),
                                          program.offset_of(source) + 1))
            for key, e in mine:
                row = arrived.get(e.delay + program.offset_of(e.target))
                if row is not None:
                    place = program.neurons_of(e.target)
                    found[key][:, number] = row[place]
                    row[place] = 0
            left = {step: np.flatnonzero(row) for step, row in arrived.items()}
            for step, neurons in left.items():
                neurons = neurons[reader.mapped[neurons]]
                if neurons.size:
                    raise UserError(f"{network.name}: source {number} of {source!r} reaches neuron "
                                    f"{neurons[0]} of the mesh in step {step}, where the network "
                                    "has no synapse")
    return found


def check_packets(program: MeshProgram) -> None:
    """Refuse packets that lead nowhere.

    Raises
    ------
    UserError
        A route entry, a host packet or a tree leads off the mesh, round in circles, or to an axon
        entry where no chain begins or none ends; the message names the tile and the neuron or line.
    """
    reader = _Reader(program)
    ends = [(fields["last"] != 0) & (fields["more"] == 0 if "more" in fields else True)
            for fields in reader.axons]
    for line in range(program.network.input_size):
        for tile, word, _ in reader.packets_of_line(line):
            for there, axon, _ in reader.ways(tile, word, f"line {line}"):
                _check_chain(ends[there], there, axon, f"line {line}")
    for tile in range(program.config.tiles):
        for neuron in np.flatnonzero(reader.fanout[tile]["any"]):
            who = f"neuron {neuron} of tile {tile}"
            for word in reader.packets_of_neuron(tile, int(neuron)):
                for there, axon, _ in reader.ways(tile, word, who):
                    _check_chain(ends[there], there, axon, who)


def _check_chain(ends: npt.NDArray[np.bool_], tile: int, axon: int, who: str) -> None:
    if not ends[axon:].any():
        raise UserError(f"a packet of {who} leads to axon entry {axon} of tile {tile}, whose "
                        "segments never end: neither it nor one after it has its 'last' bit set")
    if axon and not ends[axon - 1]:
        raise UserError(f"a packet of {who} leads to axon entry {axon} of tile {tile}, in the "
                        "middle of a chain; it must be the first entry of one")


class _Reader:
    """Follows packets; a walk gives the weights added by (step, neuron of the mesh)."""

    def __init__(self, program: MeshProgram) -> None:
        config, memories = program.config, program.memories
        self.config, self.program = config, program
        self.axons = [axon_word(config.tile).unpack(m["axon"][:, 0]) for m in memories]
        self.routes = [mesh_route_word(config).unpack(m["route"][:, 0]) for m in memories]
        self.fanout = [fanout_word(config).unpack(m["fanout"][:, 0]) for m in memories]
        self.trees = [tree_word(config).unpack(m["tree"][:, 0]) for m in memories
                      ] if config.multicast else []
        bits = [m["synapse"].astype(np.int64) & (1 << config.tile.weight_bits) - 1
                for m in memories]
        top = 1 << config.tile.weight_bits - 1
        self.values = [2 * b - 1 if top == 1 else np.where(b & top, b - 2 * top, b) for b in bits]
        self.mapped = np.zeros(program.neurons, np.bool_)
        for name in program.placement:
            self.mapped[program.neurons_of(name)] = True

    def packets_of_line(self, line: int) -> Iterator[tuple[int, dict[str, int], int]]:
        """Tile of the host port, packet, and steps by which it is sent later."""
        program = self.program
        for k in range(*program.input_start[line:line + 2]):
            word = packet_word(self.config).unpack(program.input_word[k])
            yield (int(program.input_row[k]) * self.config.cols,
                   {name: int(value) for name, value in word.items()}, int(program.input_delay[k]))

    def packets_of_neuron(self, tile: int, neuron: int) -> Iterator[dict[str, int]]:
        """Packets of a spike, without those to the host."""
        fanout, route = self.fanout[tile], self.routes[tile]
        if not fanout["any"][neuron]:
            return
        entry = int(fanout["first"][neuron])
        for _ in range(self.config.routes):
            if not route["host"][entry]:
                yield {name: int(values[entry]) for name, values in route.items()}
            if route["last"][entry]:
                return
            entry = (entry + 1) % self.config.routes
        raise UserError(f"the route entries of neuron {neuron} of tile {tile} never end: none has "
                        "its 'last' bit set")

    def ways(self, tile: int, word: dict[str, int], who: str) -> Iterator[tuple[int, int, int]]:
        """Tile, axon and delay where a packet that starts at ``tile`` arrives."""
        config = self.config
        delay = word.get("delay", 0)
        if not config.multicast:
            x, y = word["target"] & (1 << config.x_bits) - 1, word["target"] >> config.x_bits
            if x >= config.cols or y >= config.rows:
                raise UserError(f"a packet of {who} leads to column {x}, row {y}; the mesh has "
                                f"{config.cols} columns and {config.rows} rows")
            yield y * config.cols + x, word["value"] % config.tile.axons, delay
            return
        waiting, seen = [tile], set[int]()
        while waiting:
            at = waiting.pop()
            if at in seen:
                raise UserError(f"a packet of {who} comes to tile {at} twice: its tree "
                                f"{word['target']} has ports that lead back there")
            seen.add(at)
            ports = int(self.trees[at]["ports"][word["target"]])
            if not ports:
                raise UserError(f"a packet of {who} ends at tile {at}: its tree {word['target']} "
                                "has no ports there")
            if ports >> _LOCAL & 1:
                axon = word["value"] + int(self.trees[at]["axon"][word["target"]])
                yield at, axon % config.tile.axons, delay
            x, y = at % config.cols, at // config.cols
            for port, there, inside in (
                    (_NORTH, at - config.cols, y > 0), (_EAST, at + 1, x + 1 < config.cols),
                    (_SOUTH, at + config.cols, y + 1 < config.rows), (_WEST, at - 1, x > 0)):
                if ports >> port & 1:
                    if not inside:
                        raise UserError(f"a packet of {who} leaves the mesh at tile {at}: its tree "
                                        f"{word['target']} has a port towards no neighbour")
                    waiting.append(there)

    def from_line(self, line: int) -> Arrived:
        """What a spike of an input line in step 0 adds."""
        total: Arrived = defaultdict(self._nothing)
        for tile, word, late in self.packets_of_line(line):
            for there, axon, delay in self.ways(tile, word, f"line {line}"):
                self._add(total, there, axon, late + delay)
        return total

    def from_neuron(self, neuron: int, step: int) -> Arrived:
        """What a spike of a neuron adds, if it arrives for this tile step."""
        total: Arrived = defaultdict(self._nothing)
        self._send(total, neuron, step)
        return total

    def _send(self, total: Arrived, neuron: int, step: int) -> None:
        tile, number = divmod(neuron, self.config.tile.neurons)
        for word in self.packets_of_neuron(tile, number):
            for there, axon, delay in self.ways(tile, word, f"neuron {number} of tile {tile}"):
                self._add(total, there, axon, step + delay)

    def _nothing(self) -> Int:
        return np.zeros(self.program.neurons, np.int64)

    def _add(self, total: Arrived, tile: int, axon: int, step: int) -> None:
        config, fields = self.config.tile, self.axons[tile]
        base = tile * config.neurons
        for _ in range(config.axons):
            count = int(fields["count"][axon]) + 1
            rows = (int(fields["row"][axon]) + np.arange(count)) % config.synapse_words
            groups = (int(fields["group"][axon]) + np.arange(count)) % config.groups
            values = self.values[tile][rows]
            when = step + int(fields["delay"][axon]) if config.delay == "ring" else step
            there = base + groups[:, None] * config.lanes + np.arange(config.lanes)
            relays = there[(values > 0) & ~self.mapped[there]]
            np.add.at(total[when], there, values)
            for relay in relays:
                total[when][relay] = 0
                self._send(total, int(relay), when + 1)
            if fields["last"][axon]:
                if not (config.delay == "scdq" and fields["more"][axon]):
                    return
                step += int(fields["skip"][axon]) + 1
            axon = (axon + 1) % config.axons
        raise UserError(f"the segments of an axon of tile {tile} never end")
