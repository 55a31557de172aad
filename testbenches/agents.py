# SPDX-License-Identifier: Apache-2.0
"""Cocotb side of the component tests: reset, cycle-by-cycle comparison, the host port."""

import random
from collections.abc import Callable, Mapping
from typing import Any

from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly

from neurotile.spec.formats import host_request_word

__all__ = ["Host", "check", "drive", "lockstep", "reset", "settle", "signed"]

_REQUEST = host_request_word()


def signed(value: int, bits: int) -> int:
    """The two's complement number in the low ``bits`` bits."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> bits - 1 else value


async def reset(dut: Any, **inputs: int) -> None:
    """Start the clock, set the inputs, hold ``rst`` for two cycles; ends just before cycle 0."""
    drive(dut, inputs)
    dut.rst.value = 1
    Clock(dut.clk, 10, unit="ns").start()
    await FallingEdge(dut.clk)
    await FallingEdge(dut.clk)
    dut.rst.value = 0


def drive(dut: Any, inputs: Mapping[str, int]) -> None:
    """Put these values on input ports."""
    for name, value in inputs.items():
        getattr(dut, name).value = value


async def settle() -> None:
    """Wait until the outputs have followed the inputs of this cycle."""
    await ReadOnly()


def check(dut: Any, wanted: Mapping[str, int | None], where: str) -> None:
    """Compare outputs with what the model says; ``None`` means not checked."""
    for name, want in wanted.items():
        got = int(getattr(dut, name).value)
        assert want is None or got == want, f"{where}: {name} is {got}, the model says {want}"


async def lockstep(dut: Any, model: Any, stimulus: Callable[[], Mapping[str, int]],
                   cycles: int) -> None:
    """Reset, then compare every output of ``dut`` with ``model`` in each of ``cycles`` cycles.

    ``model.outputs(**inputs)`` is the value of each output port (``None``: not checked) for these
    inputs, ``model.tick(**inputs)`` advances it over the clock edge that ends the cycle.
    """
    await reset(dut, **dict.fromkeys(stimulus(), 0))
    for cycle in range(cycles):
        inputs = stimulus()
        drive(dut, inputs)
        await settle()
        check(dut, model.outputs(**inputs), f"cycle {cycle}")
        model.tick(**inputs)
        await FallingEdge(dut.clk)


class Host:
    """Requests at the host port of a tile, with random pauses on both sides."""

    def __init__(self, dut: Any, rng: random.Random, pause: float = 0.0) -> None:
        self.dut, self.rng, self.pause = dut, rng, pause

    async def request(self, memory: int, index: int, data: int | None = None) -> None:
        """Send one request: a write of ``data``, or a read."""
        word = _REQUEST.pack({"data": data or 0, "index": index, "memory": int(memory),
                              "write": data is not None})
        while self.rng.random() < self.pause:
            await FallingEdge(self.dut.clk)
        self.dut.request__payload.value = int(word)
        self.dut.request__valid.value = 1
        await settle()
        while not int(self.dut.request__ready.value):
            await FallingEdge(self.dut.clk)
            await settle()
        await FallingEdge(self.dut.clk)
        self.dut.request__valid.value = 0

    async def write(self, memory: int, index: int, data: int) -> None:
        """Write one word."""
        await self.request(memory, index, data)

    async def read(self, memory: int, index: int) -> int:
        """Read one word, as the 32 bits of the answer."""
        await self.request(memory, index)
        while True:
            ready = self.rng.random() >= self.pause
            self.dut.response__ready.value = int(ready)
            await settle()
            if ready and int(self.dut.response__valid.value):
                break
            await FallingEdge(self.dut.clk)
        answer = int(self.dut.response__payload.value)
        await FallingEdge(self.dut.clk)
        self.dut.response__ready.value = 0
        return answer
