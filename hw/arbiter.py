# SPDX-License-Identifier: Apache-2.0
"""Round-robin arbiter of one output of a router."""

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Arbiter"]


class Arbiter(wiring.Component):
    """Chooses the first request at or after its pointer, cyclically (docs/mesh.md, section 1).

    Parameters
    ----------
    requests : int
        Number of inputs, 2 or more.

    Members
    -------
    request : ``In(requests)``
        Inputs that want the output.
    take : ``In(1)``
        The choice is transferred in this cycle; the pointer goes to the input after it.
    keep : ``In(1)``
        Without ``take``: the pointer goes to the choice, so that it stays the choice.
    choice : ``Out(requests)``
        One-hot, whatever ``take``; 0 without requests.
    """

    def __init__(self, requests: int = 5) -> None:
        if not isinstance(requests, int) or requests < 2:
            raise ValueError(f"Arbiter needs 2 or more inputs, not {requests!r}")
        self.requests = requests
        # Pointers beyond the last input mask all requests, and so mean 0.
        self._pointer = Signal(range(requests), name="pointer")
        super().__init__({"request": In(requests), "take": In(1), "keep": In(1),
                          "choice": Out(requests)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        count, pointer = self.requests, self._pointer
        later = Signal(count)
        m.d.comb += later.eq(self.request & ((-1 << pointer)[:count]))
        first = [requests & -requests for requests in (later, self.request)]
        with m.If(later != 0):
            m.d.comb += self.choice.eq(first[0])
        with m.Else():
            m.d.comb += self.choice.eq(first[1])
        for number in range(count):
            with m.If(self.choice[number]):
                with m.If(self.take):
                    m.d.sync += pointer.eq((number + 1) % count)
                with m.Elif(self.keep):
                    m.d.sync += pointer.eq(number)
        return m
