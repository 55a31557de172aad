# SPDX-License-Identifier: Apache-2.0
"""Registers of a mesh, and its run: steps left, steps done, lost packets."""

from functools import reduce
from operator import add
from typing import Any

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from neurotile.spec import MeshConfig
from neurotile.spec.codes import VERSION_VALUE
from neurotile.spec.mesh_config import MESH_ID_VALUE, MeshRegister

from .layouts import host_bus

__all__ = ["MeshRegisters"]


class MeshRegisters(wiring.Component):
    """Registers of docs/mesh.md, section 5.

    Parameters
    ----------
    config : MeshConfig
        Widths and digest.

    Members
    -------
    host : ``In(host_bus())``
        The host's accesses; answers come a cycle after ``read`` and stay.
    held : ``In(1)``
        The mesh is held; RUN and CLEAR are written only then.
    barrier : ``In(1)``
        A step less is left after this cycle.
    overflow : ``In(1)``
        The queue of a tile has lost a packet.
    lost, parity_errors : ``In(4)`` x tiles, ``In(3)`` x tiles
        Packets lost and dropped at each router in this cycle.
    start, clear : ``Out(1)``
        A run or CLEAR begins after this cycle.
    running : ``Out(1)``
        RUN is not 0.
    """

    def __init__(self, config: MeshConfig) -> None:
        self.config = config
        super().__init__({
            "host": In(host_bus()), "held": In(1), "barrier": In(1), "overflow": In(1),
            "lost": In(4).array(config.tiles), "parity_errors": In(3).array(config.tiles),
            "start": Out(1), "clear": Out(1), "running": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        run = Signal(self.config.tile.step_bits)
        step = Signal(32)
        lost = Signal(32)
        parity_errors = Signal(32)
        m.d.comb += self.running.eq(run != 0)
        with m.If(self.barrier):
            m.d.sync += [run.eq(run - 1), step.eq(step + 1)]
        for total, parts in ((lost, self.lost), (parity_errors, self.parity_errors)):
            m.d.sync += total.eq(total + reduce(add, parts))

        steps = self.host.data[:len(run)]
        with m.If(self.host.write & self.held):
            with m.Switch(self.host.index):
                with m.Case(MeshRegister.RUN):
                    m.d.comb += self.start.eq(steps != 0)
                    m.d.sync += run.eq(steps)
                with m.Case(MeshRegister.CLEAR):
                    m.d.comb += self.clear.eq(1)
                    m.d.sync += [step.eq(0), lost.eq(0), parity_errors.eq(0)]

        readable = {
            MeshRegister.ID: Const(MESH_ID_VALUE, 32),
            MeshRegister.VERSION: Const(VERSION_VALUE, 32),
            MeshRegister.DIGEST: Const(int(self.config.digest[:8], 16), 32),
            MeshRegister.STATUS: Cat(self.held, self.overflow, (lost | parity_errors) != 0),
            MeshRegister.RUN: run,
            MeshRegister.STEP: step,
            MeshRegister.LOST: lost,
            MeshRegister.PARITY_ERRORS: parity_errors,
        }
        with m.If(self.host.read):
            m.d.sync += self.host.answer.eq(0)
            with m.Switch(self.host.index):
                for index, value in readable.items():
                    with m.Case(index):
                        m.d.sync += self.host.answer.eq(value)
        return m
