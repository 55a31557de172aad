# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The queues of SCDQ: proved for all inputs, and not with a planted bug."""

import shutil
import sys
from pathlib import Path

import pytest

from neurotile.hw.delay_queue import DelayQueue
from neurotile.spec.mesh_config import TEST_MESH_PRESETS
from neurotile.testbenches.proofs.prove import planted, prove
from neurotile.testbenches.proofs.queue_specs import InTimeAndOrder

pytestmark = [
    pytest.mark.formal,
    pytest.mark.skipif(shutil.which("z3", path=str(Path(sys.executable).parent)) is None,
                       reason="needs z3: pip install z3-solver, part of the extra 'dev'"),
]

TILE = TEST_MESH_PRESETS["test_mesh_2x2"].tile.replace(
    queue_depth=4, delay_bits=2, axons=4, synapse_words=8)


def test_proved(tmp_path):
    spec = InTimeAndOrder(DelayQueue(TILE))
    outcome = prove(spec, spec.ports, tmp_path / "proof", depth=3)
    assert outcome.status == "PASS", outcome.log


@pytest.mark.parametrize("right, wrong", [
    ("head.wait - 1))", "head.wait))"),
    (" & self.o.ready & ~self.again_valid", " & self.o.ready"),
    ("self.drop.eq(self.i_valid & full)", "self.drop.eq(self.i_valid & full_post)"),
    ("second.eq(~second)", "second.eq(second)"),
], ids=["wait", "collision", "drop", "swap"])
def test_not_proved_with_a_planted_bug(right, wrong, tmp_path):
    module = planted("neurotile.hw.delay_queue", right, wrong)
    spec = InTimeAndOrder(module.DelayQueue(TILE))
    outcome = prove(spec, spec.ports, tmp_path / "proof", depth=8)
    assert outcome.status == "FAIL", outcome.log
