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
        super().__init__({"idle": In(1).array(tiles), "born": In(3).array(tiles),
                          "gone": In(4).array(tiles), "end_valid": In(1), "end_ready": Out(1),
                          "fire": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, stages = self.config, self.config.barrier_stages
        held = Signal()
        m.d.comb += self.end_ready.eq(~held)
        with m.If(self.fire):
            m.d.sync += held.eq(0)
        with m.Elif(self.end_valid):
            m.d.sync += held.eq(1)

        def passed(values: list[Any], register: bool) -> list[Signal]:
            """``values`` in signals, a cycle later with ``register``."""
            found = []
            for value in values:
                signal = Signal(value.shape())
                m.d["sync" if register else "comb"] += signal.eq(value)
                found.append(signal)
            return found

        # A sample is summed up on its way: per row, then of the mesh, then with all before it.
        rows = [range(row * config.cols, (row + 1) * config.cols) for row in range(config.rows)]
        change = passed([reduce(add, [self.born[tile] - self.gone[tile] for tile in row])
                         for row in rows], stages >= 2)
        still = passed([reduce(and_, [self.idle[tile] & (self.born[tile] == 0) for tile in row])
                        for row in rows], stages >= 2)
        # In the cycle of the barrier END_OF_STEP is given up.
        ended = passed([held & ~self.fire], stages >= 2)[0]
        total = passed([reduce(add, change)], stages >= 3)[0]
        calm = Signal()
        m.d["sync" if stages >= 3 else "comb"] += (
            calm.eq(reduce(and_, still) & ended & ~self.fire))
        most = config.tiles * 5 * config.router_depth
        packets = Signal(signed(most.bit_length() + 1))
        m.d.sync += packets.eq(packets + total)
        quiet: Any = calm & (packets == 0)
        # The last register of the stages shows the barrier; a barrier erases what is behind it.
        for number in range(min(stages, 3), stages + 1):
            stage = Signal(name=f"quiet_{number}")
            m.d.sync += stage.eq(quiet & ~self.fire)
            quiet = stage
        m.d.comb += self.fire.eq(quiet)
        return m
