# SPDX-License-Identifier: Apache-2.0
"""Places of tiles on a mesh."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from neurotile.models.mesh.place import Traffic, hops, place, weighted_hops
from neurotile.spec import MESH_PRESETS
from neurotile.testbenches.seeds import examples

SEEDS = st.integers(0, (1 << 32) - 1)


def random_traffic(seed):
    rng = np.random.default_rng(seed)
    rows, cols = (int(n) for n in rng.integers(1, 6, 2))
    config = MESH_PRESETS["mesh_4x4"].replace(rows=rows, cols=cols)
    used = int(rng.integers(1, config.tiles + 1))
    few = rng.random((used, used)) < rng.choice([0.2, 1.0])
    return config, Traffic(rng.exponential(1, (used, used)) * few,
                           rng.exponential(1, used) * rng.integers(0, 2),
                           rng.exponential(1, used) * rng.integers(0, 2))


@examples(200)
@given(seed=SEEDS)
def test_places_are_not_worse_than_those_in_order(seed):
    config, traffic = random_traffic(seed)
    where = place(config, traffic)
    used = len(traffic.to_host)
    assert np.unique(where).size == used and 0 <= where.min() <= where.max() < config.tiles
    best = weighted_hops(config, traffic, where)
    assert best <= weighted_hops(config, traffic, np.arange(used)) + 1e-6
    np.testing.assert_array_equal(place(config, traffic), where)


@examples(50)
@given(seed=SEEDS)
def test_no_exchange_of_two_tiles_is_better(seed):
    config, traffic = random_traffic(seed)
    where = place(config, traffic)
    best = weighted_hops(config, traffic, where)
    free = np.setdiff1d(np.arange(config.tiles), where)
    for i in range(len(where)):
        for j in range(i):
            other = where.copy()
            other[[i, j]] = where[[j, i]]
            assert weighted_hops(config, traffic, other) >= best - 1e-6
        for empty in free:
            other = where.copy()
            other[i] = empty
            assert weighted_hops(config, traffic, other) >= best - 1e-6


def test_weighted_hops_by_hand():
    config = MESH_PRESETS["mesh_4x4"].replace(rows=2, cols=3)
    assert hops(config)[0].tolist() == [0, 1, 2, 1, 2, 3]
    between = np.zeros((3, 3))
    between[0, 1], between[2, 0] = 5, 7
    traffic = Traffic(between, np.array([1.0, 0, 0]), np.array([0, 0, 2.0]))
    # Tiles at 0, 5 and 1: 5 packets over 3 links, 7 over 1; host ports lie west of column 0.
    assert weighted_hops(config, traffic, np.array([0, 5, 1])) == 5 * 3 + 7 * 1 + 1 * 1 + 2 * 2
