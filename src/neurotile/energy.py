# SPDX-License-Identifier: Apache-2.0
"""Memory accesses of a run, and an energy estimate from a stated table (docs/energy.md).

A model, not a measurement: the energies per bit are those published for SENECA's memories in a
22 nm process, as quoted by secondary sources (Tang et al., Front. Neurosci. 2023,
doi 10.3389/fnins.2023.1187252).
"""

from dataclasses import asdict, dataclass
from typing import Any

from .spec import MeshConfig, TileConfig
from .spec.formats import memories
from .spec.mesh_config import mesh_memories, packet_word

__all__ = ["ENERGY_TABLE", "MODEL", "Access", "Technology", "accesses", "estimate", "technology"]

MODEL = ("model: memory accesses of the run times published energies per bit (SENECA, 22 nm, "
         "secondary source); without arithmetic, clock tree, leakage and input/output")


@dataclass(frozen=True)
class Technology:
    """One row of the table: what a memory of up to ``largest`` bits is taken to be made of.

    ``read`` and ``write`` are fJ per bit, ``static`` is pW per bit.
    """

    name: str
    largest: float
    read: float
    write: float
    static: float


ENERGY_TABLE = (
    Technology("register file 256 b", 256, 8.0, 8.0, 600.0),
    Technology("register file 1 kb", 1024, 12.0, 12.0, 600.0),
    Technology("SRAM 256 kb", float("inf"), 180.0, 220.0, 10.0),
)


LINKS = ("north", "east", "south", "west")
"""Counters of packets on links."""

HOP_PJ_PER_BIT = 0.98 * 1.1 ** 2 / 1.2 ** 2 + 0.39 + 0.12
"""Router and a link of 1 mm, picojoules per bit and hop, as in SpikingDSE's table."""


@dataclass(frozen=True)
class Access:
    """Accesses to one memory: counts of words of ``bits`` bits (a row of all lanes is one)."""

    memory: str
    reads: int
    writes: int
    bits: int
    total_bits: int


def technology(total_bits: int) -> Technology:
    """The row of the table that stands for a memory of this size."""
    return next(row for row in ENERGY_TABLE if total_bits <= row.largest)


def accesses(config: TileConfig | MeshConfig, counters: dict[str, int], *, group_issues: int
             ) -> list[Access]:
    """Accesses that the counters of docs/semantics.md, section 7, stand for.

    Parameters
    ----------
    config : TileConfig or MeshConfig
        The tile, or the mesh of which ``total_bits`` are those of one tile.
    counters : dict of str to int
        Sums over the run, and over all tiles.
    group_issues : int
        Groups issued by all updates: mapped groups times tile steps.

    Notes
    -----
    An event reads one axon descriptor at least; further segments of an axon are not counted, nor
    are the reads of bistability.
    """
    mesh = config if isinstance(config, MeshConfig) else None
    config = config.tile if isinstance(config, MeshConfig) else config
    reads, updates = counters["synapse_reads"], counters["updates"]
    # memory: (reads, writes) of rows
    uses = {"axon": (counters["events"], 0), "synapse": (reads, 0), "group": (group_issues, 0),
            "threshold": (updates, 0), "v_reset": (updates, 0), "bias": (updates, 0),
            "decay": (updates, 0), "membrane": (updates, updates), "current": (updates, updates),
            "accumulator": (reads + updates, reads + updates), "route": (counters["spikes"], 0)}
    if config.learns:
        uses |= {"synapse": (reads, counters["synapse_writes"]), "theta_mem": (updates, 0),
                 "calcium_rule": (updates, 0), "calcium": (reads + updates, updates)}
    if mesh is not None:
        hops = sum(counters[name] for name in LINKS)
        uses |= {"route": (counters["packets"], 0), "fanout": (counters["spikes"], 0),
                 "tree": (hops + counters["received"], 0)}
    found = [Access(m.name, *uses[m.name], m.word.width * m.lanes, m.bits)
             for m in (memories(config) if mesh is None else mesh_memories(mesh))]
    width = config.axon_bits + (config.delay_bits if config.delay == "scdq" else 1)
    queues = 2 if config.delay == "scdq" else 1
    found.append(Access("event queue", counters["events"], counters["events"], width,
                        queues * width * config.queue_depth))
    return found


def estimate(config: TileConfig | MeshConfig, counters: dict[str, int], *, group_issues: int,
             samples: int, syn_events: int) -> dict[str, Any]:
    """Energy of a run by the table, in picojoules, as metrics.json holds it.

    Parameters
    ----------
    config, counters, group_issues
        As for :func:`accesses`.
    samples, syn_events : int
        What the total is divided by.
    """
    rows, total, static = [], 0.0, 0.0
    for access in accesses(config, counters, group_issues=group_issues):
        kind = technology(access.total_bits)
        picojoules = access.bits * (access.reads * kind.read + access.writes * kind.write) / 1000
        total += picojoules
        static += access.total_bits * kind.static / 1e6
        rows.append({**asdict(access), "technology": kind.name, "pj": picojoules})
    if isinstance(config, MeshConfig):
        static *= config.tiles
        hops = sum(counters[name] for name in LINKS)
        width = packet_word(config).width + config.link_parity
        picojoules = hops * width * HOP_PJ_PER_BIT
        total += picojoules
        rows.append({"memory": "links", "reads": hops, "writes": 0, "bits": width, "total_bits": 0,
                     "technology": "router and link", "pj": picojoules})
    return {"model": MODEL, "total_pj": total, "pj_per_sample": total / samples,
            "pj_per_syn_event": total / syn_events if syn_events else None,
            "static_uw": static, "memories": rows}
