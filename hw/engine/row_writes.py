# SPDX-License-Identifier: Apache-2.0
"""The same Verilog with each memory row written at once, which Verilator simulates faster."""

import re

__all__ = ["whole_row_writes"]

# Yosys writes a memory with an enable per lane as one `if` per lane.
_BLOCK = re.compile(r"  always @\(posedge clk\) begin\n"
                    r"((?:    if \([^\n]+\)\n      [^\n]+ <= [^\n]+;\n){2,})  end\n")
_LANE = re.compile(r"    if \((?P<enable>[^\n]+)\)\n      (?P<memory>\\\S+ |\w+)"
                   r"\[(?P<address>[^\n]+)\]\[(?P<high>\d+):(?P<low>\d+)\] <= (?P<data>[^\n]+);\n")


def whole_row_writes(verilog: str) -> str:
    """Verilog that does the same, with one write per memory and cycle.

    A lane whose enable is off gets what it holds. Verilator keeps address, data and a flag of every
    write until all logic is evaluated, so one write of a row costs far less than one per lane. The
    exported text keeps the enables, by which synthesis knows the memories of FPGAs.
    """
    width = {name.strip(): int(high) + 1 for high, name in
             re.findall(r"^  reg \[(\d+):0\] (\\\S+ |\w+) ?\[\d+:0\];$", verilog, re.MULTILINE)}

    def whole(block: re.Match[str]) -> str:
        enables: list[str] = []
        parts: list[str] = []
        rows, end = set(), 0
        for text in re.findall(r"    if .+\n      .+\n", block[1]):
            lane = _LANE.fullmatch(text)
            if lane is None or int(lane["low"]) != end:
                return block[0]
            row = f"{lane['memory']}[{lane['address']}]"
            rows.add(row)
            enables.append(f"({lane['enable']})")
            parts.append(f"{enables[-1]} ? {lane['data']} : {row}[{lane['high']}:{end}]")
            end = int(lane["high"]) + 1
        if len(rows) > 1 or width.get(row.split("[")[0].strip()) != end:
            return block[0]
        return (f"  always @(posedge clk)\n    if ({' || '.join(enables)})\n"
                f"      {row} <= {{{', '.join(reversed(parts))}}};\n")

    return _BLOCK.sub(whole, verilog)
