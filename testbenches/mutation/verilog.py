# SPDX-License-Identifier: Apache-2.0
"""Plant many selectable bugs in one Verilog module, so that a single build serves all mutants.

Yosys writes a flat module as plain assignments, one per line. Of each mutated line both the right
and the wrong expression are computed on wires of their own, and the register ``mutant`` selects
between them. (Both in one expression would not do: an unsigned branch makes a signed other one
unsigned.)
"""

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Mutant", "choose", "instrument", "mutants_of", "wrapped"]

# Of wider registers (the 32-bit counters) no test sees the uppermost bit change.
WIDEST = 26
_ASSIGN = re.compile(r"^  assign (?P<left>.+?) = (?P<right>.+);$")
_ENABLE = re.compile(r"^    if \((?P<cond>[^()]+)\)$")
_STORE = re.compile(r"^    (?P<left>\S+ ?(?:\[[\d:]+\])?) <= (?P<right>.+);$")
_DECLARE = re.compile(r"^  (?:input |output )?(?:wire|reg) (?:\[(?P<high>\d+):0\] )?(?P<name>\S+?)"
                      r" ?(?: = .*)?;$")
_NAME = re.compile(r"\\\S+|[A-Za-z_][\w$]*")
_CONSTANT = re.compile(r"(?P<bits>\d+)'h(?P<value>[0-9a-f]+)")
_SWAPS = {" + ": " - ", " - ": " + ", " == ": " != ", " != ": " == ", " < ": " <= ",
          " <= ": " < ", " > ": " >= ", " >= ": " > ", " & ": " | ", " | ": " & ",
          " << ": " >> ", " >> ": " << ", " >>> ": " >> ", " ^ ": " | ", " * ": " + ",
          " && ": " || ", " || ": " && "}
_REDUCE = {"| ": "& ", "& ": "| ", "^ ": "| ", "! ": "| "}


@dataclass(frozen=True)
class Mutant:
    """One planted bug: line number, kind, and the right and the wrong text of an expression.

    ``left`` is what the expression is assigned to, empty for a condition; ``signal`` the nearest
    signal with a name that it reaches.
    """

    line: int
    kind: str
    left: str
    right: str
    wrong: str
    width: int
    signal: str

    def __str__(self) -> str:
        to = f"{self.left.strip()} = " if self.left else "if "
        return f"{self.kind}: {self.signal}: {to}{self.wrong.strip()}  (was {self.right.strip()})"


def _widths(lines: list[str]) -> dict[str, int]:
    found = (_DECLARE.match(line) for line in lines)
    return {m["name"]: int(m["high"] or 0) + 1 for m in found if m}


def _width_of(left: str, widths: dict[str, int]) -> int:
    """Bits of the left side of an assignment: a name, a part of one, or a concatenation."""
    if left.startswith("{"):
        return sum(_width_of(part.strip(), widths) for part in left[1:-1].split(","))
    if match := re.fullmatch(r"(\S+?) ?\[(\d+)(?::(\d+))?\]", left):
        return int(match[2]) - int(match[3] or match[2]) + 1
    return widths[left.strip()]


def _name_of(left: str) -> str:
    return left.split("[")[0].strip() if not left.startswith("\\") else left.split(" ")[0]


def _readers(lines: list[str]) -> dict[str, list[str]]:
    """For every name the names of what is computed from it."""
    found: dict[str, list[str]] = {}
    condition = ""
    for line in lines:
        if match := _ENABLE.match(line):
            condition = match["cond"]
        match = _ASSIGN.match(line) or _STORE.match(line)
        if not match:
            continue
        left = [_name_of(part.strip()) for part in match["left"].strip("{ }").split(", ")]
        # A memory is written, with a condition before and an address on the left.
        reads = _NAME.findall(match["right"] + " " + condition + " " + match["left"])
        condition = ""
        for name in set(reads) - set(left):
            found.setdefault(name, []).extend(left)
    return found


def _nearest(names: list[str], readers: dict[str, list[str]]) -> str:
    """The nearest names that people gave, on the way from ``names`` to what reads them."""
    seen: set[str] = set()
    while names:
        given = sorted({name for name in names if not re.fullmatch(r"_\d+_", name)})
        if given:
            return " ".join(given[:2]).replace("\\", "")
        seen |= set(names)
        names = [name for one in names for name in readers.get(one, []) if name not in seen]
    return "?"


def _read_names(lines: list[str]) -> set[str]:
    """Names that an expression reads, or that are outputs."""
    found: set[str] = set()
    for line in lines:
        if line.startswith("  output "):
            found.add(line.rstrip(";").split()[-1])
        elif not _DECLARE.match(line):
            right = line.split(" = ", 1)[-1].split(" <= ", 1)[-1]
            right = re.sub(r"^ +\.\S+?\(", "", right)  # a port of an instance
            found |= set(_NAME.findall(right))
    return found


def _of_expression(right: str) -> list[tuple[str, str]]:
    wrong = []
    for sign, other in _SWAPS.items():
        if sign in right:
            wrong.append(("operator", right.replace(sign, other, 1)))
    if right.startswith("~ "):
        wrong.append(("operator", right[2:]))
    if right[:2] in _REDUCE:
        wrong.append(("operator", _REDUCE[right[:2]] + right[2:]))
    if " ? " in right:
        condition, rest = right.split(" ? ", 1)
        yes, no = rest.split(" : ", 1)
        kind = "reset" if condition == "rst" else "order"
        if kind == "order" or _CONSTANT.fullmatch(yes):
            wrong.append((kind, f"{condition} ? ~({yes}) : {no}" if kind == "reset"
                          else f"{condition} ? {no} : {yes}"))
            if kind == "reset":
                wrong.append((kind, no))
    for match in _CONSTANT.finditer(right):
        if " ? " in right and right.startswith("rst"):
            continue
        if re.search(r"[{,] ?$", right[:match.start()]) and not int(match["value"], 16):
            continue  # zeros that extend a shorter word, mostly cut off again
        value = f"{match['bits']}'h{int(match['value'], 16) ^ 1:x}"
        wrong.append(("constant", right[:match.start()] + value + right[match.end():]))
    return wrong


def mutants_of(verilog: str) -> list[Mutant]:
    """Every bug that can be planted in a flat Verilog module, in the order of its lines."""
    lines = verilog.splitlines()
    widths, read, readers = _widths(lines), _read_names(lines), _readers(lines)
    found: list[Mutant] = []

    def add(kind: str, left: str, right: str, wrong: str) -> None:
        names = [_name_of(part.strip()) for part in left.strip("{ }").split(", ")]
        found.append(Mutant(number, kind, left, right, wrong, _width_of(left, widths),
                            _nearest(names, readers)))

    for number, line in enumerate(lines):
        if match := _ASSIGN.match(line):
            left, right = match["left"], match["right"]
            if not left.startswith("{") and _name_of(left) not in read:
                continue  # an alias that Yosys kept for its name: nothing depends on it
            for kind, wrong in _of_expression(right):
                add(kind, left, right, wrong)
        elif match := _ENABLE.match(line):
            stored = lines[number + 1].split("<=")[0]
            found += [Mutant(number, "enable", "", match["cond"], wrong, 1,
                             _nearest([_name_of(stored.strip())], readers))
                      for wrong in ("1'h0", "1'h1")]
        elif (match := _STORE.match(line)) and lines[number - 1].strip() == "always @(posedge clk)":
            left, right = match["left"], match["right"]
            add("enable", left, right, left)
            width = _width_of(left, widths)
            if 1 < width <= WIDEST:
                add("width", left, right, f"{right} & {width}'h{(1 << width - 1) - 1:x}")
    return found


def choose(mutants: list[Mutant], count: int, seed: int) -> list[Mutant]:
    """``count`` mutants, spread evenly over the kinds, at most one per line and kind."""
    rng = random.Random(seed)
    pools: dict[str, list[Mutant]] = {}
    for mutant in rng.sample(mutants, len(mutants)):
        pools.setdefault(mutant.kind, []).append(mutant)
    chosen: list[Mutant] = []
    taken: set[int] = set()
    while len(chosen) < count and any(pools.values()):
        for kind in sorted(pools):
            while pools[kind]:
                mutant = pools[kind].pop()
                if mutant.line not in taken:  # one selector per line keeps the text simple
                    taken.add(mutant.line)
                    chosen.append(mutant)
                    break
            if len(chosen) == count:
                break
    return sorted(chosen, key=lambda m: m.line)


def instrument(verilog: str, mutants: list[Mutant], select: str, first: int = 1) -> str:
    """``verilog`` with every one of ``mutants`` built in; they have the numbers from ``first`` on.

    Parameters
    ----------
    verilog : str
        A flat module as Yosys writes it.
    mutants : list of Mutant
        At most one per line.
    select : str
        Statements that declare and drive the register ``mutant``, the number of the active one.
    first : int
        At least 1, so that 0 selects none.
    """
    lines = verilog.splitlines()
    wires = []
    for number, m in enumerate(mutants, first):
        right, wrong = f"right_{number}", f"wrong_{number}"
        wires += [f"  wire [{m.width - 1}:0] {right} = {m.right};",
                  f"  wire [{m.width - 1}:0] {wrong} = {m.wrong};"]
        head, tail = lines[m.line].split(m.right, 1) if not m.left else (
            lines[m.line][:lines[m.line].index(m.left) + len(m.left)], ";")
        if m.left:
            head += " = " if _ASSIGN.match(lines[m.line]) else " <= "
        lines[m.line] = f"{head}mutant == {number} ? {wrong} : {right}{tail}"
    end = max(i for i, line in enumerate(lines) if line == "endmodule")
    # Yosys breaks long lists of ports.
    ports = next(i for i, line in enumerate(lines) if line.endswith(");"))
    return "\n".join([*lines[:ports + 1], select, *lines[ports + 1:end], *wires, *lines[end:], ""])


def wrapped(text: str, name: str, own: Iterable[str], body: str) -> str:
    """``text`` with its module ``name`` as plain_NAME inside a new module NAME.

    Parameters
    ----------
    own : iterable of str
        Ports that ``body`` stands between: of the inner module they are wires ``own_PORT``, which
        ``body`` declares and, if they are inputs, drives.
    body : str
        What else is in the new module.
    """
    head = re.search(rf"^module {name}\((.*?)\);$", text, re.MULTILINE | re.DOTALL)
    assert head is not None
    names, own = re.findall(r"\w+", head[1]), set(own)
    ports = re.findall(r"^  ((?:input|output) (?:\[\d+:0\] )?\w+;)$", text, re.MULTILINE)
    wires = [re.sub("^(input|output)", "wire", port) for port in ports]
    pins = ", ".join(f".{pin}({'own_' * (pin in own)}{pin})" for pin in names)
    return "\n".join([
        text.replace(f"\nmodule {name}(", f"\nmodule plain_{name}("),
        f"module {name}({', '.join(names)});", *(f"  {line}" for line in (*ports, *wires)), body,
        f"  plain_{name} plain_{name} ({pins});", "endmodule", ""])
