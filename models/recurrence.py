# SPDX-License-Identifier: Apache-2.0
"""Which projections of a network close a loop, and an order of its populations.

A spike passes a feed-forward projection in the same step (delay 0) and one that closes a loop in
the next (delay 1). NIR does not say which edge of a loop carries the delay. Here a depth-first
search decides: it starts at the inputs, then at what they do not reach, and takes nodes in natural
order of their names (``9`` before ``10``), so the order of the edges in a file does not matter. A
projection back to a node whose search has not ended, or to itself, closes a loop.
"""

import heapq
from collections.abc import Iterable, Sequence

from .nir_graph import natural

__all__ = ["delays", "forward_order"]

Pair = tuple[str, str]


def delays(inputs: Iterable[str], pairs: Iterable[Pair]) -> dict[Pair, int]:
    """Delay of every (source, target): 1 if it closes a loop, else 0.

    Parameters
    ----------
    inputs : iterable of str
        Nodes from which the search starts.
    pairs : iterable of (str, str)
        Sources and targets, in any order.
    """
    pairs = set(pairs)
    targets: dict[str, list[str]] = {}
    for source, target in sorted(pairs, key=lambda pair: natural(pair[1])):
        targets.setdefault(source, []).append(target)
    others = sorted({name for pair in pairs for name in pair}, key=natural)
    found = dict.fromkeys(pairs, 0)
    open_nodes: set[str] = set()
    seen: set[str] = set()
    for root in (*sorted(inputs, key=natural), *others):
        stack = [(root, iter(targets.get(root, ())))] if root not in seen else []
        seen.add(root)
        open_nodes.add(root)
        while stack:
            node, rest = stack[-1]
            target = next(rest, "")
            if not target:
                stack.pop()
                open_nodes.discard(node)
            elif target in open_nodes:
                found[node, target] = 1
            elif target not in seen:
                seen.add(target)
                open_nodes.add(target)
                stack.append((target, iter(targets.get(target, ()))))
        open_nodes.discard(root)
    return found


def forward_order(names: Sequence[str], delay: dict[Pair, int]) -> list[str]:
    """``names`` such that every projection with delay 0 leads forward, in natural order if free."""
    waits = {name: {a for (a, b), d in delay.items() if b == name and d == 0} & set(names)
             for name in names}
    ready = [(natural(name), name) for name, sources in waits.items() if not sources]
    heapq.heapify(ready)
    order = []
    while ready:
        _, name = heapq.heappop(ready)
        order.append(name)
        for target, sources in waits.items():
            if name in sources:
                sources.remove(name)
                if not sources:
                    heapq.heappush(ready, (natural(target), target))
    return order
