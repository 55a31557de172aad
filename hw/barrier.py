# SPDX-License-Identifier: Apache-2.0
"""Barrier of a mesh: when all tiles have integrated everything of a step."""

from functools import reduce
from operator import add, and_
from typing import Any

from amaranth import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import MeshConfig

__all__ = ["Barrier"]


class Barrier(wiring.Component):
    """Barrier of docs/mesh.md, section 2.

    Parameters
    ----------
    config : MeshConfig
        Tiles, and cycles from a quiet sample to the barrier.

    Members
    -------
    idle : ``In(1)`` x tiles
        The tile is in INTEGRATE and has nothing to do; 0 in UPDATE, HOLD and CLEAR.
    born, gone : ``In(3)`` x tiles, ``In(4)`` x tiles
        Packets that enter and leave the network at a router in this cycle.
    end_valid, end_ready : ``In(1)``, ``Out(1)``
        Stream of END_OF_STEP, which has no payload.
    fire : ``Out(1)``
        The barrier, for one cycle; the tiles are in UPDATE from the next.
    """

    def __init__(self, config: MeshConfig) -> None:
        self.config = config
        tiles = config.tiles
        self._held = Signal(name="held")
        # As many as all FIFOs hold, and a sign: a sample can see what left before what was born.
        most = tiles * 5 * config.router_depth
        self._packets = Signal(signed(most.bit_length() + 1), name="packets")
        # What was born less what has gone, on its way there: per row, and of the mesh.
        shape = self._packets.shape()
        self._rows = [Signal(shape, name=f"row_{row}") for row in range(config.rows)]
        self._total = Signal(shape, name="total")
        super().__init__({"idle": In(1).array(tiles), "born": In(3).array(tiles),
                          "gone": In(4).array(tiles), "end_valid": In(1), "end_ready": Out(1),
                          "fire": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, stages = self.config, self.config.barrier_stages
        held, packets = self._held, self._packets
        m.d.comb += self.end_ready.eq(~held)
        with m.If(self.fire):
            m.d.sync += held.eq(0)
        with m.Elif(self.end_valid):
            m.d.sync += held.eq(1)

        # A sample is summed up on its way: per row, then of the mesh, then with all before it.
        rows = [range(row * config.cols, (row + 1) * config.cols) for row in range(config.rows)]
        first, second = "sync" if stages >= 2 else "comb", "sync" if stages >= 3 else "comb"
        still = Signal(config.rows)
        ended = Signal()
        calm = Signal()
        for number, row in enumerate(rows):
            m.d[first] += [
                self._rows[number].eq(reduce(add, [self.born[tile] - self.gone[tile]
                                                   for tile in row])),
                still[number].eq(reduce(and_, [self.idle[tile] & (self.born[tile] == 0)
                                               for tile in row])),
            ]
        # In the cycle of the barrier END_OF_STEP is given up.
        m.d[first] += ended.eq(held & ~self.fire)
        m.d[second] += [self._total.eq(reduce(add, self._rows)),
                        calm.eq(still.all() & ended & ~self.fire)]
        m.d.sync += packets.eq(packets + self._total)
        quiet: Any = calm & (packets == 0)
        # The last register of the stages shows the barrier; a barrier erases what is behind it.
        for number in range(min(stages, 3), stages + 1):
            stage = Signal(name=f"quiet_{number}")
            m.d.sync += stage.eq(quiet & ~self.fire)
            quiet = stage
        m.d.comb += self.fire.eq(quiet)
        return m
