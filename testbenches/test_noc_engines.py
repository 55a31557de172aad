# SPDX-License-Identifier: Apache-2.0
"""The network and the barrier: fast engine and RTL, every packet and barrier in the same cycle."""

import numpy as np
import pytest

from neurotile.hw.engine import noc_simulation as rtl
from neurotile.sim import noc_traffic as fast
from neurotile.spec import UserError
from neurotile.testbenches.noc_cases import (
    PATTERNS,
    differences,
    make_traffic,
    network,
    packets,
    random_trees,
    uniform_traffic,
)

# Rows, columns, depth, multicast, parity, barrier stages: sides that are powers of two and not.
BUILDS = [(2, 3, 2, False, True, 1), (2, 3, 4, True, False, 3), (4, 4, 2, True, True, 2),
          (4, 4, 4, False, False, 4)]
STUBS = [{}, {"stall": 5}, {"steps": 5, "work": 3}, {"steps": 4, "work": 1, "stall": 3},
         {"steps": 3, "stall": 7}]


def build(rows, cols, depth, multicast, parity, stages):
    return network(rows, cols, depth, multicast=multicast, parity=parity, stages=stages,
                   delay="scdq" if parity else "none")


@pytest.mark.parametrize("shape", BUILDS, ids=str)
def test_every_packet_in_the_same_cycle(shape):
    config = build(*shape)
    trees = random_trees(config, 1) if config.multicast else None
    lost = waited = 0
    for pattern in PATTERNS if not config.multicast else ["uniform"]:
        for stubs in STUBS:
            for seed, load in enumerate((0.02, 0.1, 0.4, 1.0)):
                load = load / 4 if config.multicast else load
                traffic = make_traffic(config, pattern, seed, load=load,
                                       cycles=60 if "steps" in stubs else 200, **stubs)
                left = fast.run_traffic(config, traffic, trees)
                right = rtl.run_traffic(config, traffic, trees)
                assert not differences(left, right), f"{pattern}, seed {seed}, {stubs}"
                assert (left.taken >= 0).all() and (np.diff(left.barrier) > 0).all()
                if not config.multicast:
                    assert left.cycle.size + left.lost == traffic.word.size
                lost += left.lost
                waited += int(np.sum(left.taken > traffic.wait)) if not traffic.steps else 0
    # Every target of a unicast packet lies on a mesh whose sides are powers of two.
    assert lost or (config.rows, config.cols, config.multicast) == (4, 4, False)
    assert waited or config.multicast


@pytest.mark.long
@pytest.mark.parametrize(("side", "depth", "multicast"),
                         [(8, 2, True), (8, 4, False), (16, 2, False)])
def test_large_networks(side, depth, multicast):
    """8x8 and 16x16 with their barriers."""
    config = network(side, side, depth, multicast=multicast)
    trees = random_trees(config, 2) if multicast else None
    for pattern in PATTERNS if not multicast else ["uniform"]:
        for stubs in STUBS[1:4]:
            traffic = make_traffic(config, pattern, 5, load=0.005 if multicast else 0.2,
                                   cycles=40 if "steps" in stubs else 100, **stubs)
            left = fast.run_traffic(config, traffic, trees)
            assert not differences(left, rtl.run_traffic(config, traffic, trees)), (pattern, stubs)


def test_one_packet_by_hand():
    """From (0, 0) to (2, 1): taken in cycle 3, then one router per cycle: 3 hops and the exit."""
    config = build(2, 3, 2, False, True, 1)
    start = np.array([0, 1, 1, 1, 1, 1, 1, 1, 1])
    word = packets(config, [5], [9])
    traffic = uniform_traffic(config, 0.0, 1, 0)
    traffic = type(traffic)(start=start, step=np.zeros(1, np.int64), wait=np.array([3]), word=word)
    trace = fast.run_traffic(config, traffic)
    assert (trace.taken.tolist(), trace.cycle.tolist(), trace.port.tolist()) == ([3], [7], [5])
    assert trace.sent.sum() == 3 and not differences(trace, rtl.run_traffic(config, traffic))


def test_traffic_that_does_not_fit_is_refused():
    config = network(2, 3, 2)
    traffic = uniform_traffic(config, 0.1, 20, 0)
    with pytest.raises(UserError, match="start must have 10 entries"):
        fast.run_traffic(network(2, 2, 2).replace(rows=3), traffic)
