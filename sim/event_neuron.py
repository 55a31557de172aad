# SPDX-License-Identifier: Apache-2.0
"""ODIN's LIF neuron with calcium (docs/event_mode.md, section 4; doi 10.1109/TBCAS.2018.2880425).

All quantities are bytes, and the update of all neurons makes one pass per quantity: LLVM vectorises
only loops over few arrays, and 32 bytes fit where four 64-bit integers would.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .calcium import count_leak, lose_calcium, raise_down, raise_up
from .jit import kernel

__all__ = ["Neurons", "deliver", "receive_row", "settle",
           "time_reference", "time_references"]

Bytes = npt.NDArray[np.uint8]

_BYTE = np.uint8
_INDEX = np.uint64  # an unsigned index needs no test for counting from the end
_ZERO = np.uint8(0)
_FULL = np.uint8(255)


class Neurons(NamedTuple):
    """State and parameters, each (N,), and what the last update says."""

    v: Bytes
    calcium: Bytes
    leak_count: Bytes
    up: Bytes
    down: Bytes
    threshold: Bytes
    leak: Bytes
    """0 where leak is not enabled."""
    sends: Bytes
    """1 where spikes are not disabled."""
    enable: Bytes
    theta_mem: Bytes
    theta1: Bytes
    theta2: Bytes
    theta3: Bytes
    last_count: Bytes
    """Value of ``leak_count`` at which calcium leaks."""
    spike: Bytes
    """1 where the membrane reached its threshold."""
    leaks: Bytes
    """1 where calcium leaks."""
    emitted: Bytes
    """1 where a spike is emitted; a multiple of 64 neurons."""
    emitted_words: npt.NDArray[np.uint64]
    """The same memory, eight neurons a word."""


@kernel
def _add(v: np.uint8, x: np.uint8) -> np.uint8:
    total = _BYTE(v + x)
    return total if total >= v else _FULL


@kernel
def _subtract(v: np.uint8, x: np.uint8) -> np.uint8:
    return _BYTE(v - x) if v > x else _ZERO


@kernel
def _reset(neurons: Neurons, n: int, v: np.uint8) -> None:
    """Compare with the threshold."""
    spike = v >= neurons.threshold[n]
    neurons.spike[n] = _BYTE(spike)
    neurons.v[n] = _ZERO if spike else v


@kernel
def _gain_calcium(neurons: Neurons, n: int) -> None:
    spike, calcium = neurons.spike[n], neurons.calcium[n]
    gain = _BYTE(spike & neurons.enable[n] & _BYTE(calcium != 7))
    neurons.calcium[n] = _BYTE(calcium + gain)
    neurons.emitted[n] = _BYTE(spike & neurons.sends[n])


@kernel
def _send(neurons: Neurons, n: int) -> None:
    neurons.emitted[n] = _BYTE(neurons.spike[n] & neurons.sends[n])


@kernel
def deliver(neurons: Neurons, n: int, x: np.uint8, inhibitory: int) -> None:
    """Neuron ``n`` receives a weight."""
    v = neurons.v[n]
    _reset(neurons, n, _subtract(v, x) if inhibitory else _add(v, x))
    _gain_calcium(neurons, n)
    raise_up(neurons, n)
    raise_down(neurons, n)


@kernel
def receive_row(neurons: Neurons, synapse: Bytes, first: int, inhibitory: int,
                propagate_from: np.uint8) -> None:
    """Membranes of all neurons after the weights of the synapses that begin at ``first``.

    Calcium and flags are those from before the event until :func:`settle`, so that SDSP of these
    synapses can come between.

    Parameters
    ----------
    propagate_from : uint8
        Smallest synapse (weight and mapping bit) that delivers its weight, 8 or 0.
    """
    start = _INDEX(first)
    # One of the two is 0: a branch on the sign would be one on data in every loop.
    plus, minus = _BYTE(0 if inhibitory else 7), _BYTE(7 if inhibitory else 0)
    for n in range(_INDEX(neurons.v.size)):
        synapse_n = synapse[start + n]
        x = synapse_n if synapse_n >= propagate_from else _ZERO
        _reset(neurons, n, _subtract(_add(neurons.v[n], _BYTE(x & plus)), _BYTE(x & minus)))


@kernel
def settle(neurons: Neurons) -> None:
    """Calcium, flags and emitted spikes of all neurons after :func:`receive_row`."""
    size = _INDEX(neurons.v.size)
    for n in range(size):
        _gain_calcium(neurons, n)
    for n in range(size):
        raise_up(neurons, n)
    for n in range(size):
        raise_down(neurons, n)


@kernel
def time_reference(neurons: Neurons, n: int) -> None:
    """Time reference of neuron ``n``."""
    _reset(neurons, n, _subtract(neurons.v[n], neurons.leak[n]))
    count_leak(neurons, n)
    lose_calcium(neurons, n)
    _send(neurons, n)
    raise_up(neurons, n)
    raise_down(neurons, n)


@kernel
def time_references(neurons: Neurons) -> None:
    """Time reference of all neurons."""
    size = _INDEX(neurons.v.size)
    for n in range(size):
        _reset(neurons, n, _subtract(neurons.v[n], neurons.leak[n]))
    for n in range(size):
        count_leak(neurons, n)
    for n in range(size):
        lose_calcium(neurons, n)
    for n in range(size):
        _send(neurons, n)
    for n in range(size):
        raise_up(neurons, n)
    for n in range(size):
        raise_down(neurons, n)
