# SPDX-License-Identifier: Apache-2.0
"""Weight rule of one synapse: spike-driven plasticity with the neuron's flags, and bistability."""

# Ref: Frenkel et al., IEEE TBioCAS 2019, doi 10.1109/TBCAS.2018.2880425, section II-C, and
# Brader et al., Neural Computation 2007, doi 10.1162/neco.2007.19.11.2881.

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec.event_formats import sdsp_synapse_word

from .layouts import struct_layout

__all__ = ["Sdsp"]


class Sdsp(wiring.Component):
    """One synapse changes by one step at most; combinational.

    Members
    -------
    word : ``In(sdsp_synapse_word)``
        The synapse.
    enable : ``In(1)``
        It may change, if it is mapped or ``update_unmapped``.
    update_unmapped : ``In(1)``
        Synapses without mapping bit change too.
    bistable : ``In(1)``
        It moves to the nearer end of its range; otherwise as ``up`` and ``down`` say.
    up, down : ``In(1)``
        Flags of the postsynaptic neuron; ``up`` wins.
    changed : ``Out(sdsp_synapse_word)``
        The synapse afterwards.
    """

    def __init__(self) -> None:
        word = struct_layout(sdsp_synapse_word())
        super().__init__({
            "word": In(word), "enable": In(1), "update_unmapped": In(1), "bistable": In(1),
            "up": In(1), "down": In(1), "changed": Out(word)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        weight = self.word.weight
        may = self.enable & (self.word.mapped | self.update_unmapped)
        up, down = Signal(), Signal()
        m.d.comb += [
            up.eq(Mux(self.bistable, weight[-1], self.up)),
            down.eq(~up & (self.bistable | self.down)),
            self.changed.mapped.eq(self.word.mapped),
            # One adder: 1, -1 or 0.
            self.changed.weight.eq(weight + Cat(
                may & (up & ~weight.all() | down & weight.any()),
                (may & down & weight.any()).replicate(2))),
        ]
        return m
