# SPDX-License-Identifier: Apache-2.0
"""The network alone, with stubs in place of tiles."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..spec import MeshConfig, UserError
from ..spec.noc_traffic import NocTrace, NocTraffic
from .jit import INT, entry, source_digest
from .noc import (
    ENTERING,
    OUT,
    PACKETS,
    NocState,
    advance,
    enter,
    host_input,
    hosts_ready,
    local_input,
    lost_packets,
    noc_state,
    room,
    sent_packets,
)

__all__ = ["run_network", "run_traffic"]

_NEVER = 1 << 60


def run_traffic(config: MeshConfig, traffic: NocTraffic,
                trees: Sequence[npt.NDArray[np.integer[Any]]] | None = None) -> NocTrace:
    """Send packets through the network.

    Parameters
    ----------
    config : MeshConfig
        The mesh; of its tiles only widths count.
    traffic : NocTraffic
        Packets and stubs.
    trees : sequence of ndarray, (trees, 2), optional
        Per tile, with multicast: ``ports`` and ``axon`` of every tree.

    Raises
    ------
    UserError
        The traffic does not fit the mesh.
    """
    traffic = traffic.checked(config)
    net = noc_state(config, trees)
    # Trees without loops bring a packet to every tile once at most.
    copies, packets = config.tiles if config.multicast else 1, traffic.word.size
    taken = np.full(packets, -1, np.int64)
    out = np.zeros((3, packets * copies), np.int64)
    barrier = np.zeros(max(traffic.steps, 1), np.int64)
    with np.errstate(over="ignore"):
        cycles, left = run_network(
            net, config.tiles, config.rows, config.barrier_stages, traffic.start, traffic.step,
            traffic.wait, traffic.word.view(np.int64), traffic.steps, traffic.work, traffic.stall,
            traffic.limit, taken, out, barrier, traffic.start[:-1].copy(),
            np.full(config.tiles, -1, np.int64))
    if left < 0:
        raise UserError("trees: a packet comes to a tile more than once")
    order = np.lexsort((out[1, :left], out[0, :left]))
    cycle, port, word = out[:, :left][:, order]
    return NocTrace(taken, cycle, port, word.astype(np.uint64), barrier[:traffic.steps],
                    sent_packets(net), lost_packets(net), cycles)


def _make_run(sources: str) -> Any:
    @entry
    def run(net: NocState, tiles: int, rows: int, stages: int, start: Any, step: Any, wait: Any,
            word: Any, steps: int, work: int, stall: int, limit: int, taken: Any, out: Any,
            barrier: Any, next_packet: Any, busy_until: Any) -> tuple[int, int]:
        """See :func:`run_traffic`; cycles of the run and packets that left, -1: too many."""
        len(sources)  # see jit.entry
        count = start.size - 1
        cycle, now, began, left = INT(0), INT(0), INT(0), INT(0)
        last_host = INT(-1)   # cycle in which a host port took its last packet of the step
        held_from = INT(_NEVER)  # END_OF_STEP is held from this cycle
        fire = INT(_NEVER)
        while cycle < limit:
            before, wake = net.counts[PACKETS], INT(_NEVER)
            still, hosts_done = True, True
            for source in range(count):
                index = next_packet[source]
                if index < start[source + 1] and step[index] <= now:
                    if source < tiles:
                        still = False
                    else:
                        hosts_done = False
                    due = began + wait[index]
                    place = (local_input(net, source) if source < tiles
                             else host_input(net, source - tiles))
                    if step[index] < now or due <= cycle:
                        wake = cycle
                        if room(net, place):
                            enter(net, place, word[index])
                            taken[index] = cycle
                            next_packet[source] = index + 1
                            if source >= tiles:
                                last_host = cycle
                    else:
                        wake = min(wake, due)
                if source < tiles and busy_until[source] >= cycle:
                    still = False
                    wake = min(wake, busy_until[source] + 1)
            if steps:
                if held_from == _NEVER and hosts_done and last_host < cycle:
                    held_from = cycle + 1
                    wake = cycle
                if fire == _NEVER and still and held_from <= cycle and before == 0 \
                        and net.counts[ENTERING] == 0:
                    fire = cycle + stages
                if held_from == cycle + 1:
                    wake = min(wake, cycle + 1)
            if before or net.counts[ENTERING]:
                if stall:
                    for row in range(rows):
                        hosts_ready(net, row, (cycle + 3 * row & 7) >= stall)
                advance(net)
                if left + net.counts[OUT] > out.shape[1]:
                    return cycle, -1
                for number in range(net.counts[OUT]):
                    port = net.out_port[number]
                    out[0, left], out[1, left], out[2, left] = cycle, port, net.out_word[number]
                    left += 1
                    if port < tiles and work:
                        busy_until[port] = max(busy_until[port], cycle) + work
            if cycle == fire:
                barrier[now] = cycle
                now += 1
                began, fire, held_from = cycle + 1, INT(_NEVER), INT(_NEVER)
                wake = cycle
                if now == steps:
                    return cycle + 1, left
            if before or net.counts[PACKETS]:
                cycle += 1
                continue
            if wake == _NEVER and fire == _NEVER:
                return cycle + 1, left
            # Nothing is on its way: on to the cycle in which something happens.
            wake = min(wake, fire)
            cycle = max(cycle + 1, wake)
        return limit, left

    return run


run_network = _make_run(source_digest())
