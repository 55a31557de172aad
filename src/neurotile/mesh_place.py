# SPDX-License-Identifier: Apache-2.0
"""Puts a network on a mesh, with a profile run where one is wanted."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from .mesh_options import MeshOptions
from .spec import IntegerNetwork, MeshConfig, MeshProgram, Stimulus, TileConfig, UserError

__all__ = ["PROFILED", "Rates", "place_on_mesh", "spike_rates"]

Rates = Mapping[str, npt.NDArray[np.float64]]

PROFILED = 32
"""Samples of a profile run, at most."""

_MOST = 65536


def spike_rates(network: IntegerNetwork, stimulus: Stimulus) -> dict[str, npt.NDArray[np.float64]]:
    """Spikes per step of every input line and neuron, by port and population."""
    from .models import golden
    part = stimulus.first(PROFILED)
    steps = part.samples * part.steps
    count = np.bincount(part.line, minlength=part.inputs) / steps
    found, line = {}, 0
    for port in network.inputs:
        found[port.name] = count[line:line + port.size]
        line += port.size
    for name, spikes in golden.run(network, part).spikes.items():
        found[name] = spikes.sum(axis=(0, 1), dtype=np.int64) / steps
    return found


def place_on_mesh(network: IntegerNetwork, options: MeshOptions, *,
                  config: MeshConfig | None = None, tile: TileConfig | None = None,
                  profile: Stimulus | None = None, rates: Rates | None = None) -> MeshProgram:
    """Program for a given mesh, or for the smallest that fits.

    Parameters
    ----------
    config : MeshConfig, optional
        The mesh; its size and routing count instead of those of ``options``.
    tile : TileConfig, optional
        Tile of a mesh that is chosen.
    profile : Stimulus, optional
        What queues of ``profiled`` depth are made for.
    rates : Rates, optional
        What the placement is made for, as from :func:`spike_rates`.

    Raises
    ------
    UserError
        The network does not fit, or queues by profile are wanted without a stimulus.
    """
    from .models.mesh.map import choose_mesh, map_mesh
    if options.queue == "profiled" and profile is None:
        raise UserError("queues of profiled depth need a stimulus to profile (--input SPIKES.npz)")
    if config is not None:
        if options.queue == "profiled":
            config = config.replace(tile=config.tile.replace(queue_depth=_MOST))
        program = map_mesh(network, config, rates=rates, share=options.share,
                           spread=options.spread,
                           queue="worst_case" if options.queue == "worst_case" else "fixed")
    else:
        program = choose_mesh(network, tile=tile, shape=options.shape, routing=options.routing,
                              delay=options.delay, rates=rates, share=options.share,
                              spread=options.spread)
    if options.queue != "profiled":
        return program
    assert profile is not None
    depth = _profiled_depth(program, profile.first(PROFILED), options.margin)
    tile = program.config.tile.replace(queue_depth=min(depth, program.config.tile.queue_depth))
    # Words of memories do not depend on the depth of queues.
    return replace(program, config=program.config.replace(tile=tile))


def _profiled_depth(program: MeshProgram, stimulus: Stimulus, margin: float) -> int:
    from .mesh_engines import run
    trace = run("fast", program, stimulus)
    assert trace.tile is not None
    level = int(trace.tile.counters["queue_high_water"].max())
    return 1 << max(1, int(np.ceil(level * margin)) - 1).bit_length()
