# SPDX-License-Identifier: Apache-2.0
"""Spoken digits on a mesh of one tile, whose queue delays events: sizes, cycles, energy."""

from dataclasses import dataclass

import numpy as np

from .built import Build
from .mesh_options import MeshOptions
from .models.mesh.map import mesh_needs
from .pipeline import build, run
from .spec import MESH_PRESETS, IntegerNetwork, MeshProgram, Stimulus, TileConfig, Trace

__all__ = ["TILE", "QueueUse", "agree", "on_mesh", "queue_bits", "queue_use"]

TILE = MESH_PRESETS["mesh_4x4"].tile.replace(axons=2048)
"""A tile with an axon entry for each of 64 inputs times 16 delays and for 48 hidden neurons."""


@dataclass(frozen=True)
class QueueUse:
    """A network on one tile with one kind of delay, and a stimulus.

    Parameters
    ----------
    equal : bool
        Spikes and potentials of the readout are golden's, with queues of either depth.
    high_water, bound : int
        Largest level of a queue in the run, and what the mapper says that none exceeds.
    worst_depth, profiled_depth : int
        Entries of a queue so that no stimulus overflows it; by a profile times a margin.
    worst_bits, profiled_bits : int
        Bits of all queues of that depth.
    drops : int
        Events lost with the profiled depth.
    cycles, picojoules : float
        Per sample.
    accumulator_bits : int
        Accumulators, which the ring has once for each delay.
    """

    equal: bool
    high_water: int
    bound: int
    worst_depth: int
    profiled_depth: int
    worst_bits: int
    profiled_bits: int
    drops: int
    cycles: float
    picojoules: float
    accumulator_bits: int


def on_mesh(network: IntegerNetwork, delay: str = "scdq", queue: str = "worst_case",
            profile: Stimulus | None = None) -> Build:
    """The network on a mesh of one tile; parameters are those of ``MeshOptions``."""
    return build(network, config=TILE, profile=profile,
                 mesh=MeshOptions(shape=(1, 1), delay=delay, queue=queue))


def queue_bits(tile: TileConfig) -> int:
    """Bits of all queues of a tile: entries {axon}, with SCDQ {axon, wait} in two queues."""
    if tile.delay == "scdq":
        return 2 * tile.queue_depth * (tile.axon_bits + tile.delay_bits)
    return tile.queue_depth * tile.axon_bits


def agree(wanted: Trace, found: Trace) -> bool:
    """Whether all spikes and all potentials of readouts are the same."""
    return all(one.keys() == other.keys()
               and all(np.array_equal(one[name], other[name]) for name in one)
               for one, other in ((wanted.spikes, found.spikes),
                                  (wanted.potentials, found.potentials)))


def queue_use(network: IntegerNetwork, delay: str, stimulus: Stimulus, profile: Stimulus,
              wanted: Trace, engine: str = "fast") -> QueueUse:
    """What a network needs of its queues, from runs with either depth.

    Parameters
    ----------
    delay : str
        ``scdq`` or ``ring``.
    stimulus, profile : Stimulus
        What is run, and what the profiled depth is chosen by.
    wanted : Trace
        What the golden model says.
    engine : str
        ``fast`` or ``rtl``.
    """
    worst = run(on_mesh(network, delay), stimulus, engine=engine)
    profiled = run(on_mesh(network, delay, "profiled", profile), stimulus, engine=engine)
    program, smaller = worst.build.program, profiled.build.program
    assert isinstance(program, MeshProgram) and isinstance(smaller, MeshProgram)
    assert worst.trace.tile is not None
    metrics = worst.metrics
    return QueueUse(
        equal=agree(wanted, worst.trace) and agree(wanted, profiled.trace),
        high_water=int(worst.trace.tile.counters["queue_high_water"].max()),
        bound=mesh_needs(network, program.config).queue,
        worst_depth=program.tile.queue_depth, profiled_depth=smaller.tile.queue_depth,
        worst_bits=queue_bits(program.tile), profiled_bits=queue_bits(smaller.tile),
        drops=profiled.dropped, cycles=metrics["cycles"] / stimulus.samples,
        picojoules=metrics["energy"]["pj_per_sample"],
        accumulator_bits=program.tile.accumulator_rows * program.tile.lanes
        * program.tile.acc_bits)
