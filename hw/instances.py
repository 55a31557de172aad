# SPDX-License-Identifier: Apache-2.0
"""Many instances of one exported module."""

from typing import Any

from amaranth import ClockSignal, Instance, ResetSignal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

__all__ = ["Once"]


class Once(wiring.Component):
    """Stands for an instance of a module whose Verilog is exported on its own, once.

    Amaranth writes a module per instance; a mesh has up to 256 equal ones.

    Parameters
    ----------
    signature : Signature
        Of the component that is exported; it has a clock and a reset.
    module : str
        Name of its Verilog module.

    Members
    -------
    Those of ``signature``.
    """

    def __init__(self, signature: wiring.Signature, module: str) -> None:
        self.module = module
        super().__init__(signature)

    def elaborate(self, platform: Any) -> Instance:
        ports = {"i_clk": ClockSignal(), "i_rst": ResetSignal()}
        for path, member, value in self.signature.flatten(self):
            direction = "i" if member.flow is In else "o"
            ports[f"{direction}_{'__'.join(map(str, path))}"] = Value.cast(value)
        return Instance(self.module, **ports)
