# SPDX-License-Identifier: Apache-2.0
"""Queue of a tile on a mesh: what arrives from the network, and with SCDQ what waits for a step."""

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import TileConfig

from .fifo import Fifo

__all__ = ["DelayQueue", "entry_layout"]


def entry_layout(config: TileConfig) -> data.StructLayout:
    """Entry of a queue: ``axon``, and with SCDQ ``wait``, the steps that it still waits."""
    wait = {"wait": config.delay_bits} if config.delay == "scdq" else {}
    return data.StructLayout({"axon": config.axon_bits, **wait})


class DelayQueue(wiring.Component):
    """Queues of docs/mesh.md, section 4: one, or with SCDQ PRE and POST, which swap.

    Shared circular delay queue: an event stays in the queues, once, until its last step; fetching
    moves what has to wait from PRE to POST.

    Parameters
    ----------
    config : TileConfig
        Widths, depth and kind of delay.

    Members
    -------
    i_valid, i : ``In(1)``, ``In(entry_layout(config))``
        A packet arrives in this cycle; one that meets a full queue is lost.
    o : ``Out(stream.Signature(axon_bits))``
        Axon at the head of PRE, if it does not wait. ``o.ready`` also lets one that waits go on to
        POST, unless ``again_valid``.
    again_valid, again : ``In(1)``, ``In(entry_layout(config))``
        Next level of an axon, for POST; one that meets a full queue is lost. With SCDQ.
    swap : ``In(1)``
        PRE and POST change places at the end of this cycle. With SCDQ.
    pop : ``Out(1)``
        An entry leaves PRE in this cycle.
    drop, drop_again : ``Out(1)``
        The packet of this cycle is lost; an entry for POST is lost. The second with SCDQ.
    level : ``Out(range(queue_depth + 1))``
        Number of entries in PRE at the start of the cycle.
    level_post : ``Out(range(queue_depth + 1))``
        The same of POST, with SCDQ.
    clear : ``In(1)``
        Forget all entries at the end of this cycle, whatever else happens.
    """

    def __init__(self, config: TileConfig) -> None:
        self.config = config
        level = Out(range(config.queue_depth + 1))
        entry = In(entry_layout(config))
        delays = {"again_valid": In(1), "again": entry, "swap": In(1), "drop_again": Out(1),
                  "level_post": level} if config.delay == "scdq" else {}
        super().__init__({
            "i_valid": In(1), "i": entry, "o": Out(stream.Signature(config.axon_bits)),
            "pop": Out(1), "drop": Out(1), "level": level, "clear": In(1), **delays})
        # Here and not in elaborate(): the proof looks at them.
        self._fifos = [Fifo(entry_layout(config), depth=config.queue_depth)
                       for _ in range(2 if delays else 1)]
        self._second = Signal(name="second")  # PRE is fifo_1

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self.config.delay == "scdq":
            self._two(m)
        else:
            self._one(m)
        return m

    def _one(self, m: Module) -> None:
        m.submodules.fifo = fifo = self._fifos[0]
        m.d.comb += [
            fifo.i.valid.eq(self.i_valid),
            fifo.i.payload.eq(self.i),
            fifo.clear.eq(self.clear),
            self.o.valid.eq(fifo.o.valid),
            self.o.payload.eq(fifo.o.payload.axon),
            fifo.o.ready.eq(self.o.ready),
            self.pop.eq(fifo.o.valid & self.o.ready),
            self.drop.eq(self.i_valid & ~fifo.i.ready),
            self.level.eq(fifo.level),
        ]

    def _two(self, m: Module) -> None:
        fifos, second = self._fifos, self._second
        m.submodules.fifo_0, m.submodules.fifo_1 = fifos
        with m.If(self.swap):
            m.d.sync += second.eq(~second)

        head = Signal(self.i.shape())
        present, full, full_post = Signal(), Signal(), Signal()
        waits, postpone = Signal(), Signal()
        entry = Signal(self.i.shape())
        m.d.comb += [
            waits.eq(head.wait != 0),
            postpone.eq(present & waits & self.o.ready & ~self.again_valid),
            self.o.valid.eq(present & ~waits),
            self.o.payload.eq(head.axon),
            self.pop.eq(self.o.valid & self.o.ready | postpone),
            self.drop.eq(self.i_valid & full),
            entry.axon.eq(Mux(self.again_valid, self.again.axon, head.axon)),
            entry.wait.eq(Mux(self.again_valid, self.again.wait, head.wait - 1)),
            self.drop_again.eq((self.again_valid | postpone) & full_post),
        ]
        with m.Switch(second):
            for number, (pre, post) in enumerate((fifos, fifos[::-1])):
                with m.Case(number):
                    m.d.comb += [
                        head.eq(pre.o.payload), present.eq(pre.o.valid), full.eq(~pre.i.ready),
                        self.level.eq(pre.level), pre.o.ready.eq(self.pop),
                        pre.i.valid.eq(self.i_valid), pre.i.payload.eq(self.i),
                        full_post.eq(~post.i.ready), self.level_post.eq(post.level),
                        post.i.valid.eq(self.again_valid | postpone), post.i.payload.eq(entry),
                    ]
        m.d.comb += [fifo.clear.eq(self.clear) for fifo in fifos]
