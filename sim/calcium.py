# SPDX-License-Identifier: Apache-2.0
"""Calcium and the flags it raises (ODIN, doi 10.1109/TBCAS.2018.2880425, section II-C).

One pass per quantity: LLVM vectorises only loops over few arrays. ``neurons`` is any named tuple
with the fields, of bytes except ``v`` and ``theta_mem``: both modes have their own.
"""

from typing import Any

import numpy as np

from .jit import kernel

__all__ = ["NEVER", "NO_CALCIUM", "count_leak", "lose_calcium", "raise_down", "raise_up"]

NEVER = 255
"""``last_count`` of a neuron whose calcium does not leak."""
NO_CALCIUM = 8
"""``theta1`` of a neuron without learning: beyond all calcium values, so that no flag is set."""

_BYTE = np.uint8
_ZERO = np.uint8(0)


@kernel
def count_leak(neurons: Any, n: int) -> None:
    """Count a time reference: ``leaks`` is 1 where calcium leaks now."""
    last, count = neurons.last_count[n], neurons.leak_count[n]
    leaks = count == last
    neurons.leaks[n] = _BYTE(leaks)
    following = _BYTE(_BYTE(count + _BYTE(last != NEVER)) & _BYTE(31))
    neurons.leak_count[n] = _ZERO if leaks else following


@kernel
def lose_calcium(neurons: Any, n: int) -> None:
    """Calcium after a spike or a leak, which cancel each other."""
    calcium, spike, leaks = neurons.calcium[n], neurons.spike[n], neurons.leaks[n]
    gain = _BYTE(_BYTE(spike & neurons.enable[n]) & _BYTE(_BYTE(leaks == 0) & _BYTE(calcium != 7)))
    loss = _BYTE(leaks & _BYTE(_BYTE(spike == 0) & _BYTE(calcium != 0)))
    neurons.calcium[n] = _BYTE(_BYTE(calcium + gain) - loss)


@kernel
def raise_up(neurons: Any, n: int) -> None:
    """Set ``up`` where synapses potentiate."""
    calcium = neurons.calcium[n]
    window = _BYTE(_BYTE(calcium >= neurons.theta1[n]) & _BYTE(calcium < neurons.theta3[n]))
    neurons.up[n] = _BYTE(window & _BYTE(neurons.v[n] >= neurons.theta_mem[n]))


@kernel
def raise_down(neurons: Any, n: int) -> None:
    """Set ``down`` where synapses depress."""
    calcium = neurons.calcium[n]
    window = _BYTE(_BYTE(calcium >= neurons.theta1[n]) & _BYTE(calcium < neurons.theta2[n]))
    neurons.down[n] = _BYTE(window & _BYTE(neurons.v[n] < neurons.theta_mem[n]))
