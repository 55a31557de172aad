# SPDX-License-Identifier: Apache-2.0
"""Packets of a program on the network of its mesh, read off the memory images."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...spec import MeshConfig, MeshProgram
from ...spec.formats import axon_word
from ...spec.mesh_config import fanout_word, mesh_route_word, packet_word, tree_word
from .plan import Rates

__all__ = ["LINKS", "MeshTraffic", "link_traffic", "mesh_traffic"]

Floats = npt.NDArray[np.float64]
Int = npt.NDArray[np.int64]

LINKS = ("north", "east", "south", "west", "local")
"""Outputs of a router; ``west`` of column 0 is the host port, ``local`` the tile's queue."""


@dataclass(frozen=True, eq=False)
class MeshTraffic:
    """Packets per step.

    Parameters
    ----------
    links : ndarray of float64, (tiles, 5)
        On every output of every router, in the order of ``LINKS``.
    entering : ndarray of float64, (rows,)
        From the host, at the host port of every row.
    hops : ndarray of float64, (most hops + 1,)
        Arrivals at a tile's queue or at the host after so many links; the way out of column 0 to
        the host is one. Copies of a packet that forked count each.
    queue : ndarray of int64, (tiles,)
        Entries that a tile's queue never exceeds, whatever the stimulus: every source of the tile
        sends once per step, and an event stays until its last level.
    """

    links: Floats
    entering: Floats
    hops: Floats
    queue: Int

    @property
    def mean_hops(self) -> float:
        """Links per arrival; 0 without packets."""
        total = float(self.hops.sum())
        return float(self.hops @ np.arange(self.hops.size)) / total if total else 0.0

    @property
    def worst(self) -> tuple[int, int]:
        """Tile and number in ``LINKS`` of the link with most packets; queues are no links."""
        tile, port = np.unravel_index(int(self.links[:, :4].argmax()), (len(self.links), 4))
        return int(tile), int(port)


@dataclass(frozen=True, eq=False)
class _Packets:
    """Packets that one spike of every source makes; arrays are (packets,)."""

    origin: Int
    target: Int
    value: Int
    host: Int
    delay: Int
    rate: Floats


def mesh_traffic(program: MeshProgram, rates: Rates | None = None) -> MeshTraffic:
    """Traffic of a program that the mapper of meshes made.

    Parameters
    ----------
    rates : Rates, optional
        Spikes per step of lines and neurons; without them each spikes in every step. A relay counts
        as the mean of all neurons.
    """
    config = program.config
    inputs, spikes = _from_host(program, rates), _from_neurons(program, rates)
    packets = _Packets(*(np.concatenate([getattr(part, name) for part in (inputs, spikes)])
                         for name in _Packets.__dataclass_fields__))
    entering = np.bincount(inputs.origin // config.cols, inputs.rate, config.rows
                           ).astype(np.float64)
    return _spread(program, packets, entering)


def link_traffic(program: MeshProgram, rates: Rates | None = None) -> Floats:
    """``links`` of :func:`mesh_traffic`."""
    return mesh_traffic(program, rates).links


def _rate_of(rates: Rates | None, name: str, size: int) -> Floats:
    return np.ones(size) if rates is None or name not in rates else np.asarray(rates[name])


def _from_host(program: MeshProgram, rates: Rates | None) -> _Packets:
    config = program.config
    lines = np.concatenate([_rate_of(rates, p.name, p.size) for p in program.network.inputs])
    word = packet_word(config).unpack(program.input_word)
    nothing = np.zeros(len(program.input_word), np.int64)
    return _Packets(program.input_row.astype(np.int64) * config.cols, word["target"],
                    word["value"], nothing, word.get("delay", nothing),
                    np.repeat(lines, np.diff(program.input_start)))


def _from_neurons(program: MeshProgram, rates: Rates | None) -> _Packets:
    config = program.config
    spiking = np.zeros(program.neurons)
    relays = np.ones(program.neurons, np.bool_)
    for p in program.network.populations:
        there = program.neurons_of(p.name)
        relays[there] = False
        spiking[there] = _rate_of(rates, p.name, p.size) if p.spikes else 0.0
    spiking[relays] = 1.0 if rates is None else float(spiking[~relays].mean())
    found: list[tuple[npt.NDArray[np.generic], ...]] = []
    for tile, memory in enumerate(program.memories):
        fanout = fanout_word(config).unpack(memory["fanout"][:, 0])
        route = mesh_route_word(config).unpack(memory["route"][:, 0])
        neuron = np.flatnonzero(fanout["any"])
        first, ends = fanout["first"][neuron], np.flatnonzero(route["last"])
        count = ends[np.searchsorted(ends, first)] + 1 - first if neuron.size else first
        entry = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count - first, count)
        found.append((np.full(entry.size, tile), route["target"][entry], route["value"][entry],
                      route["host"][entry],
                      route["delay"][entry] if "delay" in route else np.zeros_like(entry),
                      np.repeat(spiking[tile * config.tile.neurons + neuron], count)))
    origin, target, value, host, delay, rate = (
        np.concatenate(column) for column in zip(*found, strict=True))
    return _Packets(origin, target, value, host, delay, rate)


def _waits(program: MeshProgram) -> Int:
    """Steps from the first level to the last of the chain at every axon entry, (tiles, axons)."""
    tile = program.tile
    found = np.zeros((program.config.tiles, tile.axons), np.int64)
    if tile.delay != "scdq":  # an event is in the queue once, and for no step
        return found
    word = axon_word(tile)
    axon = word.unpack(np.stack([memory["axon"][:, 0] for memory in program.memories]))
    ends, more = axon["last"] != 0, axon["more"] != 0
    for entry in range(tile.axons - 2, -1, -1):
        after = found[:, entry + 1]
        found[:, entry] = np.where(ends[:, entry], np.where(
            more[:, entry], after + axon["skip"][:, entry] + 1, 0), after)
    return found


def _spread(program: MeshProgram, packets: _Packets, entering: Floats) -> MeshTraffic:
    """Follow all packets, a hop of all of them at a time."""
    config = program.config
    links, hops = np.zeros((config.tiles, len(LINKS))), [0.0]
    queue, waits = np.zeros(config.tiles, np.int64), _waits(program)
    trees = [tree_word(config).unpack(memory["tree"][:, 0]) for memory in program.memories
             ] if config.multicast else []
    masks, bases = (np.stack([tree[name] for tree in trees]) if trees else np.zeros((0, 0), int)
                    for name in ("ports", "axon"))
    at, which = packets.origin, np.arange(packets.origin.size)
    shift = (-config.cols, 1, config.cols, -1)
    while at.size:
        hops.append(0.0)
        target, host, rate = packets.target[which], packets.host[which] != 0, packets.rate[which]
        if config.multicast:
            ports = np.where(host, 1 << 3, masks[at, np.where(host, 0, target)])
        else:
            ports = _unicast(config, at, target, host)
        ahead = []
        for port, name in enumerate(LINKS):
            mine = (ports >> port & 1) != 0
            np.add.at(links[:, port], at[mine], rate[mine])
            if name == "local":
                hops[-2] += float(rate[mine].sum())
                here, one = at[mine], which[mine]
                axon = packets.value[one] + (bases[here, target[mine]] if trees else 0)
                wait = waits[here, axon % config.tile.axons] + packets.delay[one]
                np.add.at(queue, here, 1 + wait)
                continue
            out = mine & (at % config.cols == 0) if name == "west" else np.zeros_like(mine)
            hops[-1] += float(rate[out].sum())
            ahead.append((at[mine & ~out] + shift[port], which[mine & ~out]))
        at, which = (np.concatenate([part[k] for part in ahead]) for k in range(2))
    while len(hops) > 1 and not hops[-1]:
        hops.pop()
    return MeshTraffic(links, entering, np.array(hops), queue)


def _unicast(config: MeshConfig, at: Int, target: Int, host: npt.NDArray[np.bool_]) -> Int:
    """Mask of the one output that each packet takes."""
    x, y = at % config.cols, at // config.cols
    to_x, to_y = target & (1 << config.x_bits) - 1, target >> config.x_bits
    return np.int64(1) << np.select([host, to_x > x, to_x < x, to_y > y, to_y < y],
                                    [3, 1, 3, 2, 0], 4)
