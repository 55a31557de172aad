# SPDX-License-Identifier: Apache-2.0
"""Random networks for small meshes, and what golden model and engines say about them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..models import golden
from ..models.mesh.map import map_mesh
from ..spec import (
    InputPort,
    IntegerNetwork,
    MeshConfig,
    MeshProgram,
    MeshTrace,
    Population,
    Projection,
    Stimulus,
    UserError,
    as_tile_trace,
    full_record,
    recorded_neurons,
    to_trace,
)
from .equality import array_differences, dictionary_differences, mesh_differences

__all__ = ["NetworkCase", "golden_differences", "mesh_differences", "random_network_case",
           "run_case", "untimed_differences"]

_TRIES = 200


@dataclass(frozen=True, eq=False)
class NetworkCase:
    """A network on a mesh and its input."""

    program: MeshProgram
    stimulus: Stimulus
    keep_state: bool


def random_network_case(config: MeshConfig, seed: int) -> NetworkCase:
    """A network that fits the mesh, with delays up to what its queues hold; some input is dense."""
    rng = np.random.default_rng(seed)
    for _ in range(_TRIES):
        network = _network(config, rng)
        try:
            program = map_mesh(network, config, share=bool(rng.random() < 0.7),
                               spread=bool(rng.random() < 0.7),
                               outputs=None if rng.random() < 0.7 else
                               [p.name for p in network.populations[-1:] if p.spikes])
        except UserError:  # too large: the next one may fit
            continue
        samples, steps = int(rng.integers(1, 4)), int(rng.integers(4, 24))
        density = float(rng.choice([0.05, 0.3, 1.0]))
        stimulus = Stimulus.from_dense(
            (rng.random((samples, steps, network.input_size)) < density).astype(np.uint8))
        return NetworkCase(program, stimulus, bool(rng.random() < 0.3))
    raise AssertionError(f"seed {seed}: no random network fits {config.name}")


def _network(config: MeshConfig, rng: np.random.Generator) -> IntegerNetwork:
    tile = config.tile
    count = int(rng.integers(1, 5))
    room = tile.neurons * config.tiles
    most = max(2, int(room * rng.choice([0.1, 0.3, 0.6]) / count))
    sizes = [int(rng.integers(1, most + 1)) for _ in range(count)]
    lines, unit = int(rng.integers(1, 9)), 1 << tile.decay_bits
    firing = [m for m in tile.models if m not in ("li", "cubali")]
    populations = []
    for number, size in enumerate(sizes):
        last = number == count - 1
        model = str(rng.choice(list(tile.models) if last else firing))
        populations.append(Population(
            f"p{number}", size, model, threshold=rng.integers(1, 40, size),
            v_reset=rng.integers(-4, 5, size), bias=rng.integers(-3, 5, size),
            decay_v=rng.integers(unit // 2, unit + 1, size),
            decay_i=rng.integers(0, unit, size), shift=int(rng.integers(0, 2)),
            reset=str(rng.choice(["zero", "subtract"]))))
    longest = {"none": 2, "ring": (1 << tile.delay_bits) - 1,
               "scdq": (1 << tile.delay_bits) - 1}[tile.delay]
    names = ["in", *(p.name for p in populations)]
    projections = []
    for target, p in enumerate(populations, 1):
        for source in range(count + 1):
            if source == 0 and target > 1 and rng.random() < 0.6 or source not in (
                    0, target - 1) and rng.random() < 0.6:
                continue
            if source and not populations[source - 1].spikes:
                continue
            backward = source >= target
            delays = rng.choice(longest + 1, int(rng.integers(1, 4)))
            for delay in np.unique(np.maximum(delays, backward * (source - target + 1))):
                size = lines if source == 0 else sizes[source - 1]
                projections.append(Projection(names[source], p.name, _weights(
                    config, rng, (p.size, size)), int(delay)))
    return IntegerNetwork((InputPort("in", lines),), tuple(populations), tuple(projections),
                          weight_bits=tile.weight_bits, state_bits=tile.state_bits,
                          decay_bits=tile.decay_bits, name=config.name)


def _weights(config: MeshConfig, rng: np.random.Generator, shape: tuple[int, int]) -> Any:
    low, high = config.tile.weight_limits
    # Few different values let sources share axons.
    found = rng.integers(low // 2, high + 1, shape) if rng.random() < 0.5 else rng.integers(
        -1, 3, shape) * 8
    return found * (rng.random(shape) < rng.choice([0.15, 0.5, 1.0]))


def run_case(case: NetworkCase, run_mesh: Callable[..., MeshTrace]) -> MeshTrace:
    """What an engine of meshes says."""
    program, stimulus = case.program, case.stimulus
    events = program.events(stimulus, keep_state=case.keep_state)
    return run_mesh(program.config, program.memories, program.groups,
                    stimulus.samples * stimulus.steps // events.runs, events,
                    recorded=recorded_neurons(program, full_record(program.network, None)))


def golden_differences(case: NetworkCase, mesh: MeshTrace) -> list[str]:
    """What golden says otherwise about spikes, potentials and final states.

    A population whose spikes do not go to the host is judged by its states.
    """
    program, stimulus = case.program, case.stimulus
    record = full_record(program.network, None)
    trace = to_trace(program, stimulus, as_tile_trace(program, mesh), engine="", record=record,
                     keep_state=case.keep_state)
    wanted = golden.run(program.network, stimulus, keep_state=case.keep_state)
    shown = {name: wanted.spikes[name] for name in _shown(program)}
    return [*dictionary_differences("spikes", {k: trace.spikes[k] for k in shown}, shown),
            *dictionary_differences("potentials", trace.potentials, wanted.potentials),
            *dictionary_differences("states", trace.states, wanted.states)]


def _shown(program: MeshProgram) -> Sequence[str]:
    """Populations with a packet to the host for every neuron."""
    from ..spec.mesh_config import fanout_word, mesh_route_word
    found = []
    for p in program.network.populations:
        tile, neuron = np.divmod(program.neurons_of(p.name), program.config.tile.neurons)
        first = np.array([program.memories[t]["fanout"][n, 0] for t, n in zip(tile, neuron,
                                                                            strict=True)])
        fanout = fanout_word(program.config).unpack(first)
        hosts = []
        for t, begin, there in zip(tile, fanout["first"], fanout["any"], strict=True):
            route = mesh_route_word(program.config).unpack(program.memories[t]["route"][:, 0])
            while there and not (route["host"][begin] or route["last"][begin]):
                begin += 1
            hosts.append(bool(there and route["host"][begin]))
        if p.spikes and all(hosts):
            found.append(p.name)
    return found


def untimed_differences(exact: MeshTrace, untimed: MeshTrace) -> list[str]:
    """What a run without cycles says otherwise; only where no queue was full."""
    found = array_differences("membrane", exact.membrane, untimed.membrane)
    columns = [[getattr(trace, f"spike_{name}") for name in ("run", "step", "tile", "neuron")]
               for trace in (exact, untimed)]
    found += array_differences("spikes", *(
        np.stack(column)[:, np.lexsort(column[::-1])] for column in columns))
    return found + dictionary_differences("final", exact.final, untimed.final)
