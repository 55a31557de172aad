# SPDX-License-Identifier: Apache-2.0
"""Software model of a spiking network in integers: it defines the spikes, states and potentials.

Runs the network as it is before mapping, in model time, as docs/semantics.md sections 1 and 2 say.
It knows no tile, no cycles and none of the other engines.
"""

from .engine import run

__all__ = ["run"]
