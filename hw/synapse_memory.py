# SPDX-License-Identifier: Apache-2.0
"""Synapse memory: rows of L stored weights, read as signed numbers."""

from typing import Any

from amaranth import Module, Mux, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import TileConfig
from neurotile.spec.codes import MemoryId
from neurotile.spec.formats import memories

from .layouts import host_bus
from .tile_memory import TileMemory

__all__ = ["SynapseMemory", "weights_layout"]


def weights_layout(config: TileConfig) -> data.ArrayLayout:
    """One signed weight per lane; a stored bit needs two bits to be -1 or +1."""
    return data.ArrayLayout(signed(max(config.weight_bits, 2)), config.lanes)


class SynapseMemory(wiring.Component):
    """Weights of one synapse word per cycle.

    Parameters
    ----------
    config : TileConfig
        Widths.

    Members
    -------
    en : ``In(1)``
        Read at the end of this cycle.
    row : ``In(row_bits)``
        Synapse word to read.
    weights : ``Out(weights_layout(config))``
        The weights, from the cycle after ``en``.
    host : ``In(host_bus())``
        The host's accesses.
    """

    def __init__(self, config: TileConfig) -> None:
        self.config = config
        super().__init__({
            "en": In(1),
            "row": In(config.row_bits),
            "weights": Out(weights_layout(config)),
            "host": In(host_bus()),
        })

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        memory = {memory.id: memory for memory in memories(self.config)}[MemoryId.SYNAPSE]
        m.submodules.memory = stored = TileMemory(memory)
        wiring.connect(m, wiring.flipped(self.host), stored.host)
        m.d.comb += [stored.read.address.eq(self.row), stored.read.en.eq(self.en)]
        for lane in range(self.config.lanes):
            word = stored.read.data[lane]
            weight = Mux(word, 1, -1) if self.config.weight_bits == 1 else word
            m.d.comb += self.weights[lane].eq(weight)
        return m
