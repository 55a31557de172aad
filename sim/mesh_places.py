# SPDX-License-Identifier: Apache-2.0
"""Where the kernels of a mesh go on when they are called again, and why they returned."""

__all__ = ["BEGAN", "DONE", "EMPTY", "ENDLESS_AXON", "ENDLESS_ROUTE", "ENDLESS_TREE", "ENTRY",
           "LAST_HOST", "LOGGED", "NOW", "PAUSED", "PLACES", "SENDING", "SENT", "SPIKE",
           "SPREADING", "STEP", "TILE", "WHO"]

DONE, PAUSED, ENDLESS_AXON, ENDLESS_ROUTE, ENDLESS_TREE = range(5)
"""Why a kernel returned; endless: a chain without its last."""

PLACES = 13
STEP, LOGGED, WHO, NOW, LAST_HOST, BEGAN, EMPTY, SENDING, SENT, TILE, SPIKE, ENTRY, SPREADING = \
    range(PLACES)
"""Step, packets logged, tile to blame; with cycles: cycle, that of the last packet of the host,
first one since the barrier, first one with an empty network, tiles that send; without: packets that
the host sent, tile, spike and route entry (plus one, 0: none) that are next, and whether spikes of
the last barrier are being sent."""
