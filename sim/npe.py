# SPDX-License-Identifier: Apache-2.0
"""The neuron processing element: rows of weights into accumulators, accumulators into states.

Accumulators are kept in 32 bits, congruent to those of the tile, and cut to ``acc_bits`` when they
are read. The update makes one pass per quantity: LLVM vectorises only loops over few arrays.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..spec.codes import Model
from .jit import INT, kernel
from .layout import Contents, Setup, State

__all__ = ["add_row", "add_segment", "flush_batch", "update_span", "wrap"]

_CUBALI, _CUBALIF = int(Model.CUBALI), int(Model.CUBALIF)
_IDLE, _IF, _LI, _SUBLIF = int(Model.IDLE), int(Model.IF), int(Model.LI), int(Model.SUBLIF)

_WORD, _HALF = np.int32, np.int16
_INDEX = np.uint64  # an unsigned index needs no test for counting from the end


@kernel
def add_segment(setup: Setup, contents: Contents, state: State, segment: np.void,
                batch: tuple[int, int, int]) -> tuple[int, int, int]:
    """Take the rows of a segment into the batch: (first neuron, neurons, rows waiting)."""
    neuron, length, rows = batch
    if segment["wraps"]:
        _add_wrapping(setup, contents, state, segment)
        return batch
    if neuron != segment["neuron"] or length != segment["length"]:
        flush_batch(contents, state, batch)
        neuron, length, rows = INT(segment["neuron"]), INT(segment["length"]), 0
    state.batch[rows] = segment["weight"]
    rows += 1
    if rows == state.batch.size:
        _add_eight(contents, state, neuron, length)
        rows = 0
    return neuron, length, rows


@kernel
def add_row(contents: Contents, state: State, segment: np.void) -> None:
    """Add the rows of a segment that does not wrap, without a batch."""
    _add_one(contents, state, segment["neuron"], segment["length"], segment["weight"])


@kernel
def flush_batch(contents: Contents, state: State, batch: tuple[int, int, int]) -> None:
    """Add the rows that wait in ``state.batch``."""
    neuron, length, rows = batch
    if rows > 2:
        state.batch[rows:] = contents.weight.size - state.membrane.size  # the row of zeros
        _add_eight(contents, state, neuron, length)
    else:
        for row in range(rows):
            _add_one(contents, state, neuron, length, state.batch[row])


@kernel
def _add_eight(contents: Contents, state: State, neuron: int, length: int) -> None:
    w, acc, row, first = contents.weight, state.accumulator, state.batch, _INDEX(neuron)
    a, b, c, d = _INDEX(row[0]), _INDEX(row[1]), _INDEX(row[2]), _INDEX(row[3])
    e, f, g, h = _INDEX(row[4]), _INDEX(row[5]), _INDEX(row[6]), _INDEX(row[7])
    if w.itemsize == 1:  # eight fit in 16 bits, of which a register holds twice as many
        for i in range(_INDEX(length)):
            acc[first + i] += _WORD(_HALF(_HALF(w[a + i]) + _HALF(w[b + i]) + _HALF(w[c + i])
                                          + _HALF(w[d + i]) + _HALF(w[e + i]) + _HALF(w[f + i])
                                          + _HALF(w[g + i]) + _HALF(w[h + i])))
        return
    for i in range(_INDEX(length)):
        acc[first + i] += _WORD(_WORD(w[a + i]) + _WORD(w[b + i]) + _WORD(w[c + i])
                                + _WORD(w[d + i]) + _WORD(w[e + i]) + _WORD(w[f + i])
                                + _WORD(w[g + i]) + _WORD(w[h + i]))


@kernel
def _add_one(contents: Contents, state: State, neuron: int, length: int, row: int) -> None:
    w, acc, first, a = contents.weight, state.accumulator, _INDEX(neuron), _INDEX(row)
    for i in range(_INDEX(length)):
        acc[first + i] += _WORD(w[a + i])


@kernel
def _add_wrapping(setup: Setup, contents: Contents, state: State, segment: np.void) -> None:
    weights = contents.weight.size - setup.neurons
    for i in range(segment["length"]):
        weight = contents.weight[(segment["weight"] + i) & weights - 1]
        state.accumulator[(segment["neuron"] + i) & setup.neurons - 1] += _WORD(weight)


@kernel
def wrap(setup: Setup, value: np.int32) -> np.int32:
    """The number of ``acc_bits`` bits that is congruent to an accumulator."""
    unused = 32 - setup.acc_bits
    return _WORD(_WORD(value << unused) >> unused)


def _kernels(word: Callable[[Any], Any]) -> tuple[Any, ...]:
    """The passes of the update, computing in ``word``: int32 where that suffices, or int64."""

    @kernel
    def total(setup, contents, state, n, shift):
        return word(word(word(wrap(setup, state.accumulator[n])) << shift) + word(contents.bias[n]))

    @kernel
    def decayed(setup, value, decay):
        product = word(word(value) * word(decay))
        return word(word(product + (word(1) << setup.decay_bits - 1)) >> setup.decay_bits)

    @kernel
    def saturate(setup, value):
        limit = word(1) << setup.state_bits - 1
        return _WORD(min(max(word(value), word(-limit)), word(limit - 1)))

    @kernel
    def update_plain(setup, contents, state, first, stop, shift):
        for n in range(first, stop):
            x = total(setup, contents, state, n, shift)
            state.potential[n] = saturate(setup, word(word(state.membrane[n]) + x))

    @kernel
    def update_floor(setup, contents, state, first, stop, shift):
        for n in range(first, stop):
            x = total(setup, contents, state, n, shift)
            v = word(word(state.membrane[n]) + x)
            state.potential[n] = saturate(setup, max(v, word(0)))

    @kernel
    def update_leaky(setup, contents, state, first, stop, shift):
        for n in range(first, stop):
            x = total(setup, contents, state, n, shift)
            v = decayed(setup, state.membrane[n], contents.decay_v[n])
            state.potential[n] = saturate(setup, word(v + x))

    @kernel
    def update_current(setup, contents, state, first, stop, shift):
        for n in range(first, stop):
            x = total(setup, contents, state, n, shift)
            i = decayed(setup, state.current[n], contents.decay_i[n])
            state.current[n] = saturate(setup, word(i + x))
        for n in range(first, stop):
            v = decayed(setup, state.membrane[n], contents.decay_v[n])
            state.potential[n] = saturate(setup, word(v + word(state.current[n])))

    @kernel
    def fire(setup, contents, state, first, stop, soft_reset, inclusive):
        """Compare, spike and reset; ``inclusive`` is 1 where the threshold itself fires."""
        for n in range(first, stop):
            u, threshold = word(state.potential[n]), word(contents.threshold[n])
            fires = word(u + inclusive) > threshold
            after = _WORD(contents.v_reset[n])
            if soft_reset:
                after = saturate(setup, word(u - threshold))
            state.membrane[n] = after if fires else _WORD(u)
            state.fired[n] = fires

    return update_plain, update_floor, update_leaky, update_current, fire


_plain_32, _floor_32, _leaky_32, _current_32, _fire_32 = _kernels(np.int32)
_plain_64, _floor_64, _leaky_64, _current_64, _fire_64 = _kernels(np.int64)


@kernel
def update_span(setup: Setup, contents: Contents, state: State, span: np.void) -> None:
    """Update the neurons of an active span: states, ``fired`` and cleared accumulators."""
    begin, end, model = span["first"], span["stop"], span["model"]
    first, stop = _INDEX(begin), _INDEX(end)
    shift, soft_reset, inclusive = span["shift"], span["soft_reset"] != 0, model == _SUBLIF
    if setup.narrow:
        if model == _SUBLIF:
            _floor_32(setup, contents, state, first, stop, shift)
        elif model == _IF:
            _plain_32(setup, contents, state, first, stop, shift)
        elif model == _CUBALIF or model == _CUBALI:
            _current_32(setup, contents, state, first, stop, shift)
        elif model != _IDLE:
            _leaky_32(setup, contents, state, first, stop, shift)
    elif model == _SUBLIF:
        _floor_64(setup, contents, state, first, stop, shift)
    elif model == _IF:
        _plain_64(setup, contents, state, first, stop, shift)
    elif model == _CUBALIF or model == _CUBALI:
        _current_64(setup, contents, state, first, stop, shift)
    elif model != _IDLE:
        _leaky_64(setup, contents, state, first, stop, shift)
    state.accumulator[begin:end] = 0
    if model == _IDLE:
        state.fired[begin:end] = 0
    elif model == _LI or model == _CUBALI:
        for n in range(first, stop):
            state.membrane[n] = state.potential[n]
        state.fired[begin:end] = 0
    elif setup.narrow:
        _fire_32(setup, contents, state, first, stop, soft_reset, inclusive)
    else:
        _fire_64(setup, contents, state, first, stop, soft_reset, inclusive)
