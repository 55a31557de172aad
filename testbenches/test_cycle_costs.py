# SPDX-License-Identifier: Apache-2.0
"""What an event and an update cost: the configuration's figures, on both engines that have cycles.

docs/semantics.md, section 6, by hand, for a sample whose cycle 0 is the first of INTEGRATE.

One event of n groups in step 0. It is accepted in a = 0 and in the queue in v = 1; D and W are
empty, so f = max(k_0, v) = 1 and k = f + 1 = 2; the n groups are issued in k+1 ... k+n: l = n + 2;
no two are the same, so nothing is held back. END_OF_STEP is accepted in 1, and the barrier fires in
b = max(1 + 1, l + E + 1) = n + E + 3.

An empty step that begins in cycle p. END_OF_STEP is accepted in p, so b = p + 1. The G groups are
issued in u_0 = b + 1 ... u_{G-1} = b + G, one per cycle if the F credits suffice. Without spikes
m = u_{G-1} + U + 2 = b + G + U + 2, and the next step begins in m + 1 = b + G + U + 3. Its barrier
fires one cycle later: the barriers of empty steps are G + U + 4 apart. With F < U + 2 credits the
groups wait for them: group k takes the one of group k - F, which is back in u_{k-F} + U + 2.
"""

import numpy as np
import pytest

from neurotile.hw import engine as rtl
from neurotile.sim import engine as fast
from neurotile.spec import PRESETS, TEST_PRESETS, TileConfig, TileEvents
from neurotile.spec.formats import axon_word, memories

# Every preset in the fast engine, the small ones, which other tests build too, in the RTL as well.
CASES = [pytest.param(fast, config, id=f"fast-{name}")
         for name, config in {**PRESETS, **TEST_PRESETS}.items()]
CASES += [pytest.param(rtl, config, id=f"rtl-{name}") for name, config in TEST_PRESETS.items()]


def barriers(engine, config: TileConfig, count: int, groups: int, events: list[int]) -> list[int]:
    """Cycles of the barriers of one run with so many events of axon 0 in each step."""
    contents = {m.name: np.zeros((m.rows, m.lanes), np.uint64) for m in memories(config)}
    word = axon_word(config)
    fields = {field.name: 0 for field in word.fields}
    contents["axon"][0] = word.pack({**fields, "count": count - 1, "last": 1})
    start = np.concatenate(([0], np.cumsum(events))).astype(np.int64)
    sent = TileEvents(1, len(events), start, np.zeros(sum(events), np.int32))
    return engine.run_tile(config, contents, groups, 0, sent, np.arange(0)).barrier[0].tolist()


@pytest.mark.parametrize(("engine", "config"), CASES)
def test_an_event_costs_its_groups_and_c_e(engine, config):
    assert config.event_cycles == config.integrate_stages + 3
    for n in {1, 2, config.groups}:
        assert barriers(engine, config, n, 1, [1]) == [n + config.event_cycles]


@pytest.mark.parametrize(("engine", "config"), CASES)
def test_an_update_costs_the_mapped_groups_and_c_u(engine, config):
    stages, credits = config.update_stages, config.spike_fifo_depth
    assert config.update_cycles == stages + 3
    for groups in {1, 2, config.groups}:
        issue = [1]
        for k in range(1, groups):
            back = issue[k - credits] + stages + 2 if k >= credits else 0
            issue.append(max(issue[-1] + 1, back))
        late = issue[-1] - groups
        assert late == 0 or credits < min(groups, stages + 2)
        found = barriers(engine, config, 1, groups, [0] * 4)
        assert found[0] == 1
        assert np.diff(found).tolist() == 3 * [groups + config.update_cycles + 1 + late]
