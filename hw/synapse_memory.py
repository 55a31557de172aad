# SPDX-License-Identifier: Apache-2.0
"""Synapse memory: rows of L stored weights, read as signed numbers; synapses that learn."""

from typing import Any

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import TileConfig
from neurotile.spec.codes import MemoryId
from neurotile.spec.formats import memories

from .layouts import flags_layout, host_bus, row_layout
from .sdsp import Sdsp
from .tile_memory import TileMemory

__all__ = ["SynapseMemory", "weights_layout"]


def weights_layout(config: TileConfig) -> data.ArrayLayout:
    """One signed weight per lane; a stored bit needs two bits to be -1 or +1."""
    return data.ArrayLayout(signed(max(config.weight_bits, 2)), config.lanes)


class SynapseMemory(wiring.Component):
    """Weights of one synapse word per cycle.

    On a tile that learns a read word may be written ``integrate_stages`` cycles later; until then
    its row is not read again.

    Parameters
    ----------
    config : TileConfig
        Widths; ``integrate_stages`` from reading a word to writing it.

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
    inhibitory, plastic : ``In(1)``
        The word is of a segment whose weights are subtracted; that learns.
    learn : ``In(1)``
        Synapses learn in this step.
    bistable, bistable_row : ``In(1)``, ``In(row_bits)``
        Read this word for bistability, never together with ``en``.
    update_unmapped, propagate_unmapped : ``In(1)``
        Synapses without mapping bit learn, deliver their weight.
    flags : ``In(flags_layout(config))``
        Flags of the neurons of the word, in the cycle after ``en``.
    writes : ``Out(1)``
        A word is written at the end of this cycle.

    From ``inhibitory`` on only on a tile that learns.
    """

    def __init__(self, config: TileConfig) -> None:
        self.config = config
        learning = {
            "inhibitory": In(1), "plastic": In(1), "learn": In(1),
            "bistable": In(1), "bistable_row": In(config.row_bits),
            "update_unmapped": In(1), "propagate_unmapped": In(1),
            "flags": In(flags_layout(config)), "writes": Out(1),
        } if config.learns else {}
        super().__init__({
            "en": In(1),
            "row": In(config.row_bits),
            "weights": Out(weights_layout(config)),
            "host": In(host_bus()),
            **learning,
        })

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        memory = {memory.id: memory for memory in memories(self.config)}[MemoryId.SYNAPSE]
        m.submodules.memory = stored = TileMemory(memory, state=self.config.learns)
        wiring.connect(m, wiring.flipped(self.host), stored.host)
        if self.config.learns:
            self._learning(m, stored)
            return m
        m.d.comb += [stored.read.address.eq(self.row), stored.read.en.eq(self.en)]
        for lane in range(self.config.lanes):
            word = stored.read.data[lane]
            weight = Mux(word, 1, -1) if self.config.weight_bits == 1 else word
            m.d.comb += self.weights[lane].eq(weight)
        return m

    def _learning(self, m: Module, stored: TileMemory) -> None:
        m.d.comb += [stored.read.address.eq(Mux(self.bistable, self.bistable_row, self.row)),
                     stored.read.en.eq(self.en | self.bistable)]
        valid = Signal()
        row = Signal(self.config.row_bits, reset_less=True)
        bistable = Signal(reset_less=True)
        inhibitory = Signal(reset_less=True)
        m.d.sync += [valid.eq(self.en & self.plastic & self.learn | self.bistable),
                     row.eq(stored.read.address), bistable.eq(self.bistable),
                     inhibitory.eq(self.inhibitory)]

        changed = Signal(row_layout(stored.memory))
        for lane in range(self.config.lanes):
            word = stored.read.data[lane]
            weight = Mux(word.mapped | self.propagate_unmapped, word.weight, 0)
            m.submodules[f"sdsp_{lane}"] = sdsp = Sdsp()
            m.d.comb += [
                self.weights[lane].eq(Mux(inhibitory, -weight, weight)),
                sdsp.word.eq(word),
                sdsp.enable.eq(valid),
                sdsp.update_unmapped.eq(self.update_unmapped),
                sdsp.bistable.eq(bistable),
                sdsp.up.eq(self.flags[lane].up),
                sdsp.down.eq(self.flags[lane].down),
                changed[lane].eq(sdsp.changed),
            ]
        if self.config.integrate_stages == 2:
            late_valid = Signal()
            late_row = Signal.like(row, reset_less=True)
            late_changed = Signal.like(changed, reset_less=True)
            m.d.sync += [late_valid.eq(valid), late_row.eq(row), late_changed.eq(changed)]
            valid, row, changed = late_valid, late_row, late_changed
        m.d.comb += [self.writes.eq(valid), stored.write.en.eq(valid),
                     stored.write.address.eq(row), stored.write.data.eq(changed)]
