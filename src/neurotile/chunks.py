# SPDX-License-Identifier: Apache-2.0
"""Long runs in portions: cut a stimulus by samples, and put the traces together again."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .spec import Stimulus, TileTrace, Trace

__all__ = ["merge", "portion", "select"]


def portion(stimulus: Stimulus, first: int, last: int) -> Stimulus:
    """Samples ``first`` to ``last - 1``."""
    start = stimulus.start[first * stimulus.steps:last * stimulus.steps + 1]
    labels = None if stimulus.labels is None else stimulus.labels[first:last]
    return Stimulus(last - first, stimulus.steps, stimulus.inputs, start - start[0],
                    stimulus.line[start[0]:start[-1]], labels)


def merge(traces: Sequence[Trace], stimulus: Stimulus) -> Trace:
    """One trace of ``stimulus`` from those of its portions, each sample being a run."""
    first = traces[0]
    if len(traces) == 1:
        return first

    def joined(name: str) -> dict:
        return {key: np.concatenate([getattr(trace, name)[key] for trace in traces])
                for key in getattr(first, name)}

    tiles = [trace.tile for trace in traces if trace.tile is not None]
    return replace(first, stimulus=stimulus.digest, spikes=joined("spikes"),
                   potentials=joined("potentials"), states=joined("states"),
                   tile=_merge_tiles(tiles) if tiles else None)


def _merge_tiles(tiles: Sequence[TileTrace]) -> TileTrace:
    def joined(name: str) -> np.ndarray:
        return np.concatenate([getattr(tile, name) for tile in tiles])

    def joined_in(name: str) -> dict:
        return {key: np.concatenate([getattr(tile, name)[key] for tile in tiles])
                for key in getattr(tiles[0], name)}

    before = np.cumsum([0, *(len(tile.barrier) for tile in tiles)])
    run = np.concatenate([tile.spike_run + n for tile, n in zip(tiles, before, strict=False)])
    return TileTrace(
        barrier=joined("barrier"), spike_run=run, spike_step=joined("spike_step"),
        spike_neuron=joined("spike_neuron"), spike_cycle=joined("spike_cycle"),
        membrane=joined("membrane"), final=joined_in("final"), counters=joined_in("counters"),
        synapse=tiles[-1].synapse)


def select(stimulus: Stimulus, samples: Sequence[int], steps: int) -> Stimulus:
    """Only these samples, and of each only the first ``steps`` steps."""
    row = np.concatenate([np.arange(steps) + s * stimulus.steps for s in samples])
    first, last = stimulus.start[row], stimulus.start[row + 1]
    line = np.concatenate([stimulus.line[a:b] for a, b in zip(first, last, strict=True)])
    labels = None if stimulus.labels is None else stimulus.labels[list(samples)]
    start = np.concatenate([[0], np.cumsum(last - first)])
    return Stimulus(len(samples), steps, stimulus.inputs, start, line, labels)
