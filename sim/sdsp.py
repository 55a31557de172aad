# SPDX-License-Identifier: Apache-2.0
"""SDSP and bistability of 3-bit synapses (ODIN, doi 10.1109/TBCAS.2018.2880425, section II-C).

A synapse is a byte, weight in bits 2..0 and mapping bit in bit 3. Those from ``learn_from`` on
learn: 8, or 0 if synapses without mapping bit learn too.
"""

import numpy as np
import numpy.typing as npt

from .jit import kernel

__all__ = ["bistable_synapses", "sdsp_row", "sdsp_synapse"]

Bytes = npt.NDArray[np.uint8]

_BYTE = np.uint8
_INDEX = np.uint64  # an unsigned index needs no test for counting from the end


@kernel
def _potentiated(synapse: np.uint8) -> np.uint8:
    return _BYTE(synapse + _BYTE((synapse & _BYTE(7)) != 7))


@kernel
def _depressed(synapse: np.uint8) -> np.uint8:
    return _BYTE(synapse - _BYTE((synapse & _BYTE(7)) != 0))


@kernel
def sdsp_synapse(synapse: np.uint8, up: np.uint8, down: np.uint8,
                 learn_from: np.uint8) -> np.uint8:
    """Synapse after a spike of its presynaptic neuron, with the flags of the postsynaptic one."""
    learnt = _potentiated(synapse) if up else _depressed(synapse) if down else synapse
    return learnt if synapse >= learn_from else synapse


@kernel
def sdsp_row(synapse: Bytes, first: int, up: Bytes, down: Bytes, learn_from: np.uint8) -> None:
    """SDSP of one presynaptic neuron's synapses, which begin at ``first``."""
    start = _INDEX(first)
    for n in range(_INDEX(up.size)):
        synapse[start + n] = sdsp_synapse(synapse[start + n], up[n], down[n], learn_from)


@kernel
def bistable_synapses(synapse: Bytes, first: int, stop: int, learn_from: np.uint8) -> None:
    """Bistability of the synapses from ``first`` to before ``stop``."""
    for n in range(_INDEX(first), _INDEX(stop)):
        old = synapse[n]
        new = _potentiated(old) if old & _BYTE(4) else _depressed(old)
        synapse[n] = new if old >= learn_from else old
