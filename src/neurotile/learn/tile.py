# SPDX-License-Identifier: Apache-2.0
"""The tile that learns: its memories, and engines that keep them from list to list."""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from ..spec import EVENT_PRESETS, EventProgram, Events, EventTrace, Switches, UserError
from ..spec.event_formats import calcium_rule_word, event_words, neuron_word
from .coding import BAG_ROWS, CALCIUM_LEAK, EXCITE, INHIBIT, RAMP, STRONGEST, bags
from .protocol import CLASSES, Protocol

__all__ = ["ENGINES", "MOST_PER_CLASS", "PIXELS", "LearningTile", "first_weights", "program"]

PIXELS = 256
MOST_PER_CLASS = PIXELS // CLASSES

ENGINES = {"fast": "neurotile.sim.event_engine", "golden": "neurotile.models.golden.event_engine",
           "rtl": "neurotile.hw.engine.event_engine"}

Weights = npt.NDArray[np.uint8]


def first_weights(neurons: int, protocol: Protocol, seed: int) -> Weights:
    """Random weights before learning, (256, neurons)."""
    rng = np.random.default_rng([seed, 0])
    return rng.integers(protocol.weight_low, protocol.weight_high + 1, (PIXELS, neurons)
                        ).astype(np.uint8)


def program(weights: npt.ArrayLike, protocol: Protocol, *, seed: int = 0, learn: bool = True
            ) -> EventProgram:
    """Preset ``odin`` with output neurons 0, 1, ..., of class n mod 10, that see all pixels.

    Parameters
    ----------
    weights : integers 0..7, (256, neurons)
        From every pixel to every output neuron.
    seed : int
        Draws the bags.
    learn : bool
        Synapses change.

    Raises
    ------
    UserError
        The weights have the wrong shape or range.
    """
    held = np.asarray(weights)
    if (held.ndim != 2 or held.shape[0] != PIXELS or held.dtype.kind not in "iu"
            or not CLASSES <= held.shape[1] <= PIXELS or held.shape[1] % CLASSES
            or held.min() < 0 or held.max() > STRONGEST):
        raise UserError(f"weights must be integers 0..7, {PIXELS} x 10, 20, ... or 250, not "
                        f"{held.dtype} {held.shape}")
    config = EVENT_PRESETS["odin"]
    neurons = held.shape[1]
    synapse = np.zeros((PIXELS, PIXELS), np.uint64)  # unmapped
    synapse[:, :neurons] = held.astype(np.uint64) | 8
    synapse[[EXCITE, INHIBIT], :neurons] = STRONGEST
    synapse[RAMP, :neurons] = 1
    synapse[list(BAG_ROWS), :neurons] = 0
    for row, out in zip(BAG_ROWS, bags(neurons, protocol, seed), strict=False):
        synapse[row, :neurons] = STRONGEST * out
    sign = np.zeros(PIXELS, np.uint64)
    sign[[INHIBIT, *BAG_ROWS]] = 1
    output = np.arange(PIXELS) < neurons
    neuron = neuron_word().pack({
        "leak": np.full(PIXELS, 127), "leak_enable": np.ones(PIXELS, np.int64),
        "threshold": np.full(PIXELS, protocol.threshold), "disable": (~output).astype(np.int64)})
    rule = calcium_rule_word().pack({
        "enable": output.astype(np.int64), "theta_mem": np.full(PIXELS, 128),
        "theta1": np.ones(PIXELS, np.int64), "theta2": np.full(PIXELS, 2),
        "theta3": np.full(PIXELS, 2), "leak": np.full(PIXELS, CALCIUM_LEAK)})
    flat = {"synapse": synapse, "sign": sign, "neuron": neuron, "calcium_rule": rule,
            "state": np.zeros(PIXELS, np.uint64)}
    memories = {id.name.lower(): np.asarray(flat[id.name.lower()], np.uint64).reshape(rows, lanes)
                for id, (_, rows, lanes) in event_words(config).items()}
    return EventProgram(config, memories,
                        Switches(open_loop=True, propagate_unmapped=True, learn=learn))


class LearningTile:
    """A tile on one of the engines; memories go on from one list of events to the next.

    Parameters
    ----------
    loaded : EventProgram
        Memories and switches to begin with.
    engine : str
        ``fast``, ``golden`` or ``rtl``.

    Raises
    ------
    UserError
        There is no such engine.
    """

    def __init__(self, loaded: EventProgram, engine: str) -> None:
        if engine not in ENGINES:
            raise UserError(f"there is no engine {engine!r}; there are {', '.join(ENGINES)}")
        self.program = loaded
        self._run: Callable[[EventProgram, Events], EventTrace] = \
            import_module(ENGINES[engine]).run

    def process(self, events: Events) -> EventTrace:
        """Trace of these events; its memories are those that the next list finds."""
        trace = self._run(self.program, events)
        self.program = replace(self.program,
                               memories={**self.program.memories, **trace.memories})
        return trace

    def weights(self, neurons: int) -> Weights:
        """Weights of the output neurons, (256, neurons)."""
        words: Any = self.program.memories["synapse"].reshape(PIXELS, PIXELS)[:, :neurons]
        return (words & 7).astype(np.uint8)
