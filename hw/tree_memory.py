# SPDX-License-Identifier: Apache-2.0
"""Tree table of a router with multicast."""

from typing import Any

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import memory as library
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import MeshConfig
from neurotile.spec.mesh_config import tree_word

from .layouts import host_bus, struct_layout

__all__ = ["TreeMemory"]


class TreeMemory(wiring.Component):
    """Looks up a tree for every input of a router in the same cycle.

    Parameters
    ----------
    config : MeshConfig
        Trees and widths.

    Members
    -------
    tree : ``In(tree_bits)`` x 5
        Tree of what will be at the head of an input.
    word : ``Out(tree_word)`` x 5
        Its word, in the next cycle.
    host : ``In(host_bus())``
        The host's accesses; while it has ``own``, no packet needs a word.
    """

    def __init__(self, config: MeshConfig) -> None:
        self.config = config
        super().__init__({"tree": In(config.tree_bits).array(5),
                          "word": Out(struct_layout(tree_word(config))).array(5),
                          "host": In(host_bus())})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # No bypass for a row that is written while it is read: see ``host``.
        storage = library.Memory(shape=struct_layout(tree_word(self.config)), init=[],
                                 depth=self.config.trees, attrs={"no_rw_check": 1})
        m.submodules.tree = storage
        write = storage.write_port()
        index = self.host.index[:self.config.tree_bits]
        m.d.comb += [write.addr.eq(index), write.en.eq(self.host.write),
                     Value.cast(write.data).eq(self.host.data)]
        for number in range(5):
            read = storage.read_port()
            tree = self.tree[number]
            m.d.comb += [
                read.addr.eq(Mux(self.host.own, index, tree) if number == 0 else tree),
                read.en.eq(~self.host.own | self.host.read if number == 0 else 1),
                self.word[number].eq(read.data),
            ]
            if number == 0:
                # As in TileMemory: two cycles, and no reset, since none looks before a read.
                fresh = Signal(reset_less=True)
                answer = Signal(Value.cast(read.data).shape(), reset_less=True)
                m.d.sync += fresh.eq(self.host.read)
                with m.If(fresh):
                    m.d.sync += answer.eq(Value.cast(read.data))
                m.d.comb += self.host.answer.eq(answer)
        return m
