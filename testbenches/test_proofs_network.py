# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""FIFO, arbiter, router and barrier: proved for all inputs, and not with a planted bug."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from neurotile.hw.arbiter import Arbiter
from neurotile.hw.barrier import Barrier
from neurotile.hw.flit_fifo import FlitFifo
from neurotile.hw.router import Router
from neurotile.spec import TEST_PRESETS, MeshConfig
from neurotile.testbenches.noc_cases import network
from neurotile.testbenches.proofs.network_specs import (
    BarrierSpec,
    FairArbiter,
    NothingLost,
    TrackedPacket,
)
from neurotile.testbenches.proofs.prove import planted, prove

pytestmark = [
    pytest.mark.formal,
    pytest.mark.skipif(shutil.which("z3", path=str(Path(sys.executable).parent)) is None,
                       reason="needs z3: pip install z3-solver, part of the extra 'dev'"),
]


def smallest(routing: str) -> MeshConfig:
    """A router of a 3x3 mesh with as few bits as a packet can have."""
    tile = TEST_PRESETS["test_all"].replace(name="least", neurons=2, lanes=1, axons=2,
                                            delay="scdq", delay_bits=1)
    return MeshConfig(name="least", rows=3, cols=3, router_depth=2, trees=2, routes=2,
                      routing=routing, link_parity=False, barrier_stages=1, tile=tile)


@dataclass(frozen=True)
class Proof:
    """A property of a component, and the text of a bug that breaks it."""

    component: type[Any]
    make: Callable[[type[Any]], Any]
    depth: int
    right: str
    wrong: str


def fifo(depth: int) -> Callable[[type[Any]], Any]:
    """Maker of the property of a FIFO of this depth."""
    return lambda dut: NothingLost(dut(4, depth=depth))


def router(spec: type[Any], routing: str) -> Callable[[type[Any]], Any]:
    """Maker of a property of a router."""
    return lambda dut: spec(dut(smallest(routing)))


def barrier(stages: int) -> Callable[[type[Any]], Any]:
    """Maker of the property of a barrier with this many stages."""
    return lambda dut: BarrierSpec(dut(network(1, 2, 2, stages=stages)))


PROOFS = {
    **{f"fifo_{depth}": Proof(FlitFifo, fifo(depth), 3, "level < self.depth",
                              "level <= self.depth") for depth in (2, 4)},
    "arbiter": Proof(Arbiter, lambda dut: FairArbiter(dut(5)), 3,
                     "(number + 1) % count", "(number + 2) % count"),
    "router_unicast": Proof(Router, router(TrackedPacket, "unicast"), 2,
                            "chosen.append(arbiter.choice)", "chosen.append(request)"),
    "router_multicast": Proof(Router, router(TrackedPacket, "multicast"), 3,
                              "(left & ~grant) == 0", "grant != 0"),
    **{f"barrier_{stages}": Proof(Barrier, barrier(stages), stages + 3,
                                  "calm & (packets == 0)", "calm") for stages in (1, 2, 3, 4)},
}
# Seconds each; the others take minutes.
QUICK = ("fifo_2", "fifo_4", "arbiter")


def cases():
    """All proofs; those that take long are marked."""
    return [pytest.param(name, marks=[] if name in QUICK else pytest.mark.long)
            for name in PROOFS]


@pytest.mark.parametrize("name", cases())
def test_proved(name, tmp_path):
    proof = PROOFS[name]
    spec = proof.make(proof.component)
    outcome = prove(spec, spec.ports, tmp_path / "proof", depth=proof.depth)
    assert outcome.status == "PASS", outcome.log


@pytest.mark.parametrize("name", cases())
def test_not_proved_with_a_planted_bug(name, tmp_path):
    """The counter-example starts from reset: the bug, not a state that is never reached."""
    proof = PROOFS[name]
    module = planted(proof.component.__module__, proof.right, proof.wrong)
    spec = proof.make(getattr(module, proof.component.__name__))
    outcome = prove(spec, spec.ports, tmp_path / "proof", depth=8)
    assert outcome.status == "FAIL", outcome.log
