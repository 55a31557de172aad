# SPDX-License-Identifier: Apache-2.0
"""Seeded workloads for `neurotile bench`, with the spikes that must come out."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from neurotile.bench import save_workload

__all__ = ["make_mesh_workload", "make_workload"]


def make_workload(path: Path, *, inputs: int = 256, width: int = 256, steps: int = 1000,
                  activity: float = 0.08, leak: int = 3, threshold: int = 255,
                  seed: int = 20240601) -> dict[str, Any]:
    """Write a dense network inputs -> width -> width and return its arrays.

    Parameters
    ----------
    path : Path
        File to write.
    inputs, width, steps : int
        Sizes; the network has two layers of ``width`` neurons.
    activity : float
        Share of the input lines that spike in a step.
    leak, threshold : int
        Of every neuron; weights are drawn from -4..7.
    seed : int
        Decides weights and events.
    """
    rng = np.random.default_rng(seed)
    first = rng.integers(-4, 8, (inputs, width), dtype=np.int8)
    second = rng.integers(-4, 8, (width, width), dtype=np.int8)
    spikes_in = rng.random((steps, inputs)) < activity
    golden = np.zeros((steps, 2 * width), np.uint8)
    v = np.zeros(2 * width, np.int64)
    for t in range(steps):
        v[:width] += spikes_in[t] @ first.astype(np.int64)
        if t:
            v[width:] += golden[t - 1, :width] @ second.astype(np.int64)
        v = np.maximum(v - leak, 0)
        golden[t] = v >= threshold
        v[golden[t] == 1] = 0
    step, line = np.nonzero(spikes_in)
    events = spikes_in.sum() * width + golden[:-1, :width].sum(dtype=np.int64) * width
    found: dict[str, Any] = {
        "name": f"dense{width}", "n_in": inputs, "n": 2 * width, "T": steps, "leak": leak,
        "threshold": threshold, "seed": seed, "in_step": step.astype(np.int32),
        "in_line": line.astype(np.int32),
        "in_pre": np.repeat(np.arange(inputs, dtype=np.int32), width),
        "in_post": np.tile(np.arange(width, dtype=np.int32), inputs), "in_w": first.ravel(),
        "pre": np.repeat(np.arange(width, dtype=np.int32), width),
        "post": np.tile(np.arange(width, 2 * width, dtype=np.int32), width), "w": second.ravel(),
        "group": np.repeat(np.arange(2, dtype=np.int32), width),
        "golden_sha256": hashlib.sha256(golden.tobytes()).hexdigest(),
        "n_syn_events": int(events)}
    save_workload(path, found)
    return found


def make_mesh_workload(path: Path, *, groups: int = 16, width: int = 256, feeds: int = 2,
                       steps: int = 200, activity: float = 0.1, leak: int = 3,
                       threshold: int = 255, seed: int = 1) -> dict[str, Any]:
    """Write groups of neurons, each fed by all of ``feeds`` others, and return the arrays.

    Every neuron has an input line of its own as well.

    Parameters
    ----------
    path : Path
        File to write.
    groups, width, feeds, steps : int
        Groups, neurons in each, groups that feed one, steps.
    activity : float
        Share of the input lines that spike in a step.
    leak, threshold : int
        Of every neuron; weights are drawn from -4..7, those of the input from 40..119.
    seed : int
        Decides weights, who feeds whom, and events.
    """
    rng = np.random.default_rng(seed)
    count = groups * width
    first = rng.integers(40, 120, count, dtype=np.int8)
    weights, pre, post = [], [], []
    recurrent = np.zeros((count, count), np.int16)
    for group in range(groups):
        target = np.arange(group * width, (group + 1) * width, dtype=np.int32)
        others = np.delete(np.arange(groups), group)
        for source in rng.choice(others, min(feeds, groups - 1), replace=False):
            mine = np.arange(source * width, (source + 1) * width, dtype=np.int32)
            block = rng.integers(-4, 8, (width, width), dtype=np.int8)
            recurrent[np.ix_(mine, target)] = block
            weights.append(block.ravel())
            pre.append(np.repeat(mine, width))
            post.append(np.tile(target, width))
    spikes_in = rng.random((steps, count)) < activity
    golden, v = np.zeros((steps, count), np.uint8), np.zeros(count, np.int64)
    for t in range(steps):
        v += spikes_in[t] * first.astype(np.int64)
        if t:
            v += recurrent[golden[t - 1] != 0].sum(axis=0, dtype=np.int64)
        v = np.maximum(v - leak, 0)
        golden[t] = v >= threshold
        v[golden[t] == 1] = 0
    step, line = np.nonzero(spikes_in)
    fan_out = (np.bincount(np.concatenate(pre), minlength=count))
    lines = np.arange(count, dtype=np.int32)
    found: dict[str, Any] = {
        "name": f"groups{groups}x{width}", "n_in": count, "n": count, "T": steps, "leak": leak,
        "threshold": threshold, "seed": seed, "in_step": step.astype(np.int32),
        "in_line": line.astype(np.int32), "in_pre": lines, "in_post": lines, "in_w": first,
        "pre": np.concatenate(pre), "post": np.concatenate(post), "w": np.concatenate(weights),
        "group": np.repeat(np.arange(groups, dtype=np.int32), width),
        "golden_sha256": hashlib.sha256(golden.tobytes()).hexdigest(),
        "n_syn_events": int(spikes_in.sum() + golden[:-1].sum(axis=0, dtype=np.int64) @ fan_out)}
    save_workload(path, found)
    return found
