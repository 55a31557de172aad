# SPDX-License-Identifier: Apache-2.0
"""How much of a run of the fast mesh engine its network, its synapses and its updates take.

Each part is run alone, on what it had to do in the run: the network carries the same packets from
stubs in place of tiles, the weights of the same segments are added in the same lists, and all
tiles update as often. What is left is fetch, walkers, the spikes' way out and the trace.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from neurotile.sim.jit import entry, source_digest
from neurotile.sim.layout import Setup
from neurotile.sim.mesh_engine import LoadedMesh
from neurotile.sim.mesh_layout import Tiles, clear_tiles
from neurotile.sim.mesh_tile import add_noted, note, update
from neurotile.sim.noc import clear_network
from neurotile.sim.noc_traffic import run_network
from neurotile.spec import UserError
from neurotile.spec.mesh_run import MeshEvents, MeshTrace
from neurotile.spec.noc_traffic import NocTraffic

__all__ = ["measure_shares", "packets_sent", "segments_read"]

Ints = npt.NDArray[np.int64]


def measure_shares(mesh: LoadedMesh, events: MeshEvents, *, runs: int = 5) -> dict[str, float]:
    """CPU seconds (least of several) of whole runs and of their parts.

    Parameters
    ----------
    mesh : LoadedMesh
        A mesh that is loaded; its tiles must have ``delay`` = none, and every spike go to the host.
    events : MeshEvents
        One run.
    runs : int
        How often each part is measured.

    Returns
    -------
    dict of str to float
        ``total``: with cycles; ``network``, ``synapses``, ``update``: its parts; ``other``: what is
        left of it; ``without_cycles``: a run without cycles.

    Raises
    ------
    UserError
        The mesh or the events are not as they must be, or do not fit each other.
    """
    if mesh.config.tile.delay != "none" or events.runs != 1:
        raise UserError(f"{mesh.config.name}: shares are measured of one run of tiles with "
                        "delay = 'none'")
    trace = mesh.run(events)
    if trace.counters["spikes"].sum() != trace.spike_step.size or trace.counters["drops"].any():
        raise UserError(f"{mesh.config.name}: shares are measured where each spike goes to the "
                        "host once and nothing is dropped")
    found = packets_sent(mesh, events, trace)
    first, axon = segments_read(mesh, events, found)
    times = {
        "total": _least(lambda: mesh.run(events), runs),
        "network": _least(_network(mesh, events, found), runs),
        "synapses": _least(_tiles(mesh, _add_rows, first, axon), runs),
        "update": _least(_tiles(mesh, _update_all, np.arange(events.steps)), runs),
        "without_cycles": _least(lambda: mesh.run(events, cycles=False), runs)}
    parts = times["network"] + times["synapses"] + times["update"]
    return {**times, "other": times["total"] - parts}


def packets_sent(mesh: LoadedMesh, events: MeshEvents, trace: MeshTrace) -> dict[str, Ints]:
    """Packets that entered the network, ascending in source and in the order of their sending.

    ``source`` is a tile, or tiles + row of a host port; ``step`` the one in which a packet arrives;
    ``wait`` how many cycles after the barrier the spike's group has left the update pipeline;
    ``number`` the path.
    """
    config, tiles = mesh.config, mesh.tiles
    word = events.word.view(np.int64)
    sizes = np.diff(events.start)
    row = np.repeat(np.arange(sizes.size), sizes)
    parts = [(config.tiles + row % config.rows, row // config.rows, 0 * row, 0 * row, 0 * row,
              mesh.path_numbers(events, word), word)]
    order = np.lexsort((trace.spike_neuron, trace.spike_tile, trace.spike_step))
    step, tile, neuron = (column[order] for column in (
        trace.spike_step, trace.spike_tile, trace.spike_neuron))
    place, depth = tiles.fanout[tile, neuron].astype(np.int64), 0
    paths = mesh.paths()
    while place.size:
        packet, kind = tiles.packet[tile, place], tiles.entry[tile, place]
        own = tiles.own[tile] | neuron << mesh.net.value_shift
        wait = (neuron >> mesh.setup.lane_bits) + config.tile.update_stages + 4
        parts.append((tile, step + 1, neuron, np.full_like(step, depth), wait,
                      paths.entry[tile, place], np.where(kind & 2, packet | own, packet)))
        go = kind & 1 == 0
        step, tile, neuron, place = step[go], tile[go], neuron[go], place[go] + 1
        place, depth = place % tiles.packet.shape[1], depth + 1
    source, step, neuron, depths, wait, number, packet = (
        np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((depths, neuron, step, source))
    names = ("source", "step", "wait", "number", "word")
    return {name: column[order] for name, column in zip(
        names, (source, step, wait, number, packet), strict=True)}


def segments_read(mesh: LoadedMesh, events: MeshEvents, found: dict[str, Ints]
                  ) -> tuple[Ints, Ints]:
    """Segments by step and tile: the first of each, and their numbers."""
    paths, tiles = mesh.paths(), mesh.tiles
    count = np.diff(paths.first)[found["number"]]
    each = np.repeat(np.arange(count.size), count)
    copy = np.arange(each.size) - np.repeat(np.cumsum(count) - count, count)
    end = paths.first[found["number"][each]] + copy
    value = found["word"][each] >> mesh.net.value_shift & mesh.net.value_mask
    axon, tile = (value + paths.axon[end]) % mesh.config.tile.axons, paths.tile[end]
    step = found["step"][each]
    here = step < events.steps
    step, tile, axon = step[here], tile[here], axon[here]
    parts = []
    while axon.size:
        parts.append((step * mesh.config.tiles + tile, axon))
        go = tiles.segment["last"][tile, axon] == 0
        step, tile, axon = step[go], tile[go], (axon[go] + 1) % mesh.config.tile.axons
    row, axon = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(row, kind="stable")
    first = np.searchsorted(row[order], np.arange(events.steps * mesh.config.tiles + 1))
    return first, axon[order]


def _least(once: Callable[[], Any], runs: int) -> float:
    once()  # compiles
    seconds = []
    with np.errstate(over="ignore"):
        for _ in range(runs):
            started = time.process_time()
            once()
            seconds.append(time.process_time() - started)
    return min(seconds)


def _network(mesh: LoadedMesh, events: MeshEvents, found: dict[str, Ints]) -> Callable[[], Any]:
    config, net = mesh.config, mesh.net
    sources = config.tiles + config.rows
    traffic = NocTraffic(
        start=np.searchsorted(found["source"], np.arange(sources + 1)), step=found["step"],
        wait=found["wait"], word=found["word"].astype(np.uint64), steps=events.steps + 1,
    ).checked(config)
    word, size = traffic.word.view(np.int64), traffic.word.size
    taken, barrier = np.zeros(size, np.int64), np.zeros(traffic.steps, np.int64)
    out = np.zeros((3, size * (config.tiles if config.multicast else 1)), np.int64)

    def once() -> None:
        clear_network(net)
        run_network(net, config.tiles, config.rows, config.barrier_stages, traffic.start,
                    traffic.step, traffic.wait, word, traffic.steps, 0, 0, traffic.limit, taken,
                    out, barrier, traffic.start[:-1].copy(), np.full(config.tiles, -1))
        if (taken < 0).any():
            raise AssertionError("the network did not carry all packets")

    return once


def _tiles(mesh: LoadedMesh, kernel: Any, *work: Ints) -> Callable[[], Any]:
    def once() -> None:
        clear_tiles(mesh.tiles)
        kernel(mesh.setup, mesh.tiles, *work)

    return once


def _make(sources: str) -> tuple[Any, Any]:
    @entry
    def add_rows(setup: Setup, tiles: Tiles, first: Any, axon: Any) -> None:
        """Add the weights of all segments, and forget the sums."""
        len(sources)  # see jit.entry
        count = tiles.at.shape[0]
        for row in range(first.size - 1):
            tile = row % count
            for index in range(first[row], first[row + 1]):
                note(setup, tiles, tile, axon[index], 1)
            add_noted(setup, tiles, tile, 1)

    @entry
    def update_all(setup: Setup, tiles: Tiles, steps: Any) -> None:
        """Update all tiles in all steps."""
        len(sources)  # see jit.entry
        for step in steps:
            for tile in range(tiles.at.shape[0]):
                update(setup, tiles, tile, step, 1)

    return add_rows, update_all


_add_rows, _update_all = _make(source_digest())
