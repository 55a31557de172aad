# SPDX-License-Identifier: Apache-2.0
"""SDSP in step mode (docs/semantics.md, section 9): synapses, calcium, bistability."""

import numpy as np

from ..spec.formats import calcium_word
from .calcium import count_leak, lose_calcium, raise_down, raise_up
from .jit import INT, kernel
from .layout import Setup, State
from .learning_layout import Learning
from .sdsp import bistable_synapses, sdsp_row, sdsp_synapse

__all__ = ["WRITES", "clear_learning", "end_step", "keep_calcium", "keep_synapses", "learn_segment",
           "learns_in", "update_calcium"]

_BYTE = np.uint8
_SIGNED = np.int8
_WORD = np.int32
_INDEX = np.uint64  # an unsigned index needs no test for counting from the end
_COUNT, _UP, _DOWN = (calcium_word().offset(name) for name in ("leak_count", "up", "down"))

STEPS, KEPT, WRITES = range(3)
"""``Learning.place``: steps since the last bistability, synapse memories kept in the log, counter
``synapse_writes``."""


@kernel
def clear_learning(learning: Learning) -> None:
    """What CLEAR does; synapses stay."""
    weights = learning.weights
    weights.calcium[:] = 0
    weights.leak_count[:] = 0
    weights.up[:] = 0
    weights.down[:] = 0
    learning.place[STEPS] = learning.place[WRITES] = 0


@kernel
def learns_in(setup: Setup, learning: Learning, step: int) -> int:
    """1 if synapses learn in this step."""
    since = min(step, setup.last_step) - learning.registers.offset
    within = since >= 0 and (setup.length == 0 or since < setup.length)
    return learning.registers.learn if within else 0


@kernel
def _delivered(synapse: np.uint8, propagate_from: np.uint8, sign: np.int8) -> np.int8:
    """Weight of a synapse, negative if ``sign`` is -1 instead of 0."""
    weight = _SIGNED(synapse & _BYTE(7)) if synapse >= propagate_from else _SIGNED(0)
    return _SIGNED(_SIGNED(weight ^ sign) - sign)


@kernel
def learn_segment(setup: Setup, learning: Learning, state: State, segment: np.void, axon: int,
                  learns: int) -> None:
    """Deliver the synapses of a segment, then change them if they are plastic."""
    weights, accumulator = learning.weights, state.accumulator
    learn_from = _BYTE(learning.registers.learn_from)
    propagate_from = _BYTE(learning.registers.propagate_from)
    sign = _SIGNED(-INT(weights.inhibitory[axon]))
    changes = learns & INT(weights.plastic[axon])
    first, row, length = INT(segment["neuron"]), INT(segment["weight"]), INT(segment["length"])
    if changes:
        learning.place[WRITES] += segment["groups"]
    if segment["wraps"]:
        # In order, group by group: short memories come round to a row within one segment.
        for i in range(length):
            n, where = (first + i) & setup.neurons - 1, (row + i) & weights.synapse.size - 1
            synapse = weights.synapse[where]
            accumulator[n] += _WORD(_delivered(synapse, propagate_from, sign))
            if changes:
                weights.synapse[where] = sdsp_synapse(synapse, weights.up[n], weights.down[n],
                                                      learn_from)
        return
    start, begin = _INDEX(first), _INDEX(row)
    for i in range(_INDEX(length)):
        x = _delivered(weights.synapse[begin + i], propagate_from, sign)
        accumulator[start + i] += _WORD(x)
    if changes:
        sdsp_row(weights.synapse, row, weights.up[first:first + length],
                 weights.down[first:first + length], learn_from)


@kernel
def update_calcium(learning: Learning, first: int, stop: int) -> None:
    """Calcium and flags of neurons that have been updated."""
    weights, begin, end = learning.weights, _INDEX(first), _INDEX(stop)
    for n in range(begin, end):
        count_leak(weights, n)
    for n in range(begin, end):
        lose_calcium(weights, n)
    for n in range(begin, end):
        raise_up(weights, n)
    for n in range(begin, end):
        raise_down(weights, n)


@kernel
def end_step(setup: Setup, learning: Learning) -> int:
    """End of a step in which synapses learn: cycles that bistability takes."""
    place, registers = learning.place, learning.registers
    place[STEPS] += 1
    if registers.period == 0 or place[STEPS] < registers.period:
        return 0
    place[STEPS] = 0
    place[WRITES] += registers.rows
    bistable_synapses(learning.weights.synapse, 0, registers.rows << setup.lane_bits,
                      _BYTE(registers.learn_from))
    return registers.rows + setup.integrate_stages + 1


@kernel
def keep_synapses(learning: Learning, step: int) -> None:
    """Keep the synapse memory in the log if ``step``, counted over all runs, is asked for."""
    while (learning.place[KEPT] < learning.log_step.size
           and learning.log_step[learning.place[KEPT]] == step):
        kept = learning.place[KEPT]
        for n in range(learning.weights.synapse.size):
            learning.log[kept, n] = learning.weights.synapse[n]
        learning.place[KEPT] = kept + 1


@kernel
def keep_calcium(learning: Learning, run: int) -> None:
    """Keep the calcium words at the end of a run."""
    weights = learning.weights
    for n in range(weights.calcium.size):
        learning.final_calcium[run, n] = (
            INT(weights.calcium[n]) | INT(weights.leak_count[n]) << _COUNT
            | INT(weights.up[n]) << _UP | INT(weights.down[n]) << _DOWN)
