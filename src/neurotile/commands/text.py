# SPDX-License-Identifier: Apache-2.0
"""How numbers look in the terminal and in the report."""

import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

__all__ = ["amount", "count", "learning_line", "learnt_line", "line", "network_line", "percent",
           "quantity", "size", "tile_line", "waiting"]

from ..spec import IntegerNetwork, MeshProgram, Program

_PREFIXES = ((1e-15, "f"), (1e-12, "p"), (1e-9, "n"), (1e-6, "µ"), (1e-3, "m"), (1.0, ""))


def line(label: str, text: str) -> None:
    """Print one labelled line."""
    print(f"{label:<10}{text}", flush=True)


@contextmanager
def waiting(what: str, seconds: float = 1.0) -> Iterator[None]:
    """Say on stderr what is being done, if that takes longer than this."""
    timer = threading.Timer(seconds, lambda: print(f"{'wait':<10}{what}", file=sys.stderr,
                                                   flush=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def count(number: float, noun: str = "") -> str:
    """``1,234 spikes``; the noun is given in the singular."""
    text = f"{number:,.0f}"
    return f"{text} {noun}{'' if number == 1 else 's'}" if noun else text


def amount(value: float) -> str:
    """``1,234``, ``12.3`` or ``0.123``: three digits, all of a large number."""
    value = float(value)
    return f"{value:,.0f}" if value == round(value) or value >= 100 else f"{value:.3g}"


def percent(share: float, digits: int = 1) -> str:
    """``97.5 %`` for 0.975."""
    return f"{100 * share:.{digits}f} %"


def quantity(value: float, unit: str) -> str:
    """``12.3 nJ`` for 1.23e-8 and ``J``: three digits and a prefix."""
    if value == 0:
        return f"0 {unit}"
    scale, prefix = next(((s, p) for s, p in reversed(_PREFIXES) if abs(value) >= s),
                         _PREFIXES[0])
    return f"{value / scale:.3g} {prefix}{unit}"


def size(bits: int) -> str:
    """``64 kb`` for 65536 bits."""
    if bits < 1024:
        return f"{bits:,} b"
    kilobits = bits / 1024
    return f"{kilobits:,.4g} kb" if kilobits < 9999.5 else f"{kilobits / 1024:,.4g} Mb"


def network_line(network: IntegerNetwork) -> str:
    """Sizes of a network in one line."""
    synapses = sum(int((e.weights != 0).sum()) for e in network.projections)
    return (f"{network.name}: {count(network.input_size, 'input')}, "
            f"{count(sum(p.size for p in network.populations), 'neuron')} in "
            f"{len(network.populations)} {_nodes(network.populations)}, "
            f"{count(synapses, 'synapse')}")


def learning_line(network: IntegerNetwork) -> str:
    """What learns in a network, in one line."""
    rule = network.learning
    assert rule is not None
    found = [e for e in network.projections if e.synapses is not None]
    parts = [f"{e.name} ({count(int(e.synapses.mapped.sum()), 'mapped synapse')})"
             for e in found if e.synapses is not None]
    switches = [name.replace("_", " ") for name in ("update_unmapped", "propagate_unmapped")
                if getattr(rule, name)]
    switches += [] if rule.learn else ["learn off"]
    every = f"bistability every {count(rule.bistability, 'step')}"
    return ", ".join([*parts, *switches, every if rule.bistability else "no bistability"])


def learnt_line(network: IntegerNetwork, learnt: Mapping[str, Any]) -> str:
    """How many plastic weights changed, in one line."""
    parts = []
    for e in network.projections:
        if e.name in learnt:
            change = abs(learnt[e.name]) - abs(e.weights)
            parts.append(f"{e.name}: {count(int((change > 0).sum()), 'weight')} larger, "
                         f"{count(int((change < 0).sum()))} smaller, of {count(change.size)}")
    return "; ".join(parts)


def _nodes(nodes: Sequence[Any]) -> str:
    return "population" if len(nodes) == 1 else "populations"


def tile_line(program: Program | MeshProgram) -> str:
    """What a program takes of its tile or mesh, in one line."""
    if isinstance(program, MeshProgram):
        return _mesh_line(program)
    from ..models.occupancy import mapping_report
    use = mapping_report(program)
    relays = f" ({use.relays} relays)" if use.relays else ""
    return (f"{use.neurons.used:,} of {use.neurons.available:,} neurons{relays}, "
            f"{use.axons.used:,} of {use.axons.available:,} axons, "
            f"{use.synapse_words.used:,} of {use.synapse_words.available:,} synapse words")


def _mesh_line(program: MeshProgram) -> str:
    from ..models.mesh.report import mesh_report
    use = mesh_report(program)
    relays = f" ({use.relays} relays)" if use.relays else ""
    neurons = sum(tile.neurons.used for tile in use.tiles)
    return (f"{use.used.used:,} of {count(use.used.available, 'tile')}, "
            f"{count(neurons, 'neuron')}{relays}; of the synapse memory {percent(use.words.share)} "
            f"is in use, {percent(use.stored.share)} are weights that are not 0")
