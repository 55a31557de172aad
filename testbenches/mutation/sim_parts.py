# SPDX-License-Identifier: Apache-2.0
"""Parts of the fast engine that mutants are planted in, and how each is judged."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from neurotile import sim
from neurotile.spec import TEST_EVENT_PRESETS, TEST_PRESETS, Events, EventTrace, UserError
from neurotile.testbenches.learning_cases import LEARNING_PRESETS
from neurotile.testbenches.noc_cases import differences as noc_differences
from neurotile.testbenches.noc_cases import make_traffic, network, random_trees
from neurotile.testbenches.strategies import Seeded, random_raw_case

from . import mesh_suite, suite

__all__ = ["PARTS", "Part"]


@dataclass(frozen=True)
class Part:
    """Modules and what judges their mutants.

    Parameters
    ----------
    patterns : tuple of str
        Files in ``sim``; what has no mutant in it is no module of the engine.
    without : tuple of str
        Files that the patterns mean but that belong to no engine.
    configs : tuple
        What the mutants are checked on.
    cases : int
        Checks per configuration.
    expected : callable
        Of configurations and a number of cases: checks that can be pickled.
    wrong : callable
        Of such a check: the engine, as it is imported now, says something else. The engine must
        not be imported before.
    """

    patterns: tuple[str, ...]
    without: tuple[str, ...]
    configs: tuple[Any, ...]
    cases: int
    expected: Callable[[Iterable[Any], int], list[Any]]
    wrong: Callable[[Any], bool]

    @property
    def modules(self) -> dict[str, Path]:
        """Name and file of every module that is mutated."""
        folder = Path(sim.__file__).parent
        return {path.stem: path for pattern in self.patterns for path in sorted(
            folder.glob(f"{pattern}.py")) if path.stem not in self.without}


def _tile_checks(configs: Iterable[Any], cases: int) -> list[Any]:
    from neurotile.sim import engine

    return [check for config in configs for check in suite.checks(engine, config, cases)]


def _tile_wrong(check: suite.Check) -> bool:
    from neurotile.sim import engine
    from neurotile.testbenches.equality import tile_differences

    engine._LOG_ROOM = 0  # so that the log of spikes has to grow now and then
    return bool(tile_differences(check.expected, suite.run(engine, check.case)))


def _learning_checks(configs: Iterable[Any], cases: int) -> list[Any]:
    """Random bits: networks and what is loud take long, and have little to do with learning."""
    from neurotile.sim import engine

    found = []
    for config in configs:
        for seed in range(cases):
            case = random_raw_case(Seeded(seed), config)
            if seed % 4 == 3 and case.learning:
                # More bits than the registers have.
                wide = case.learning.offset | 1 << config.offset_bits
                case = replace(case, learning=replace(
                    case.learning, offset=wide,
                    period=case.learning.period | 1 << config.step_bits))
            found.append(suite.Check(f"{config.name} seed {seed}", case,
                                     suite.run(engine, case, log=case.log)))
    return found


def _learning_wrong(check: suite.Check) -> bool:
    from neurotile.sim import engine
    from neurotile.testbenches.equality import tile_differences

    return bool(tile_differences(check.expected,
                                 suite.run(engine, check.case, log=check.case.log)))


def _event_checks(configs: Iterable[Any], cases: int) -> list[Any]:
    from neurotile.sim import event_engine
    from neurotile.testbenches.event_strategies import random_event_case

    found = []
    for config in configs:
        for seed in range(cases):
            case = random_event_case(Seeded(seed), config)
            found.append((case.program, case.events, event_engine.run(case.program, case.events)))
    return found


def _event_wrong(check: tuple[Any, Events, EventTrace]) -> bool:
    from neurotile.sim import event_engine
    from neurotile.testbenches.event_equality import event_differences

    program, events, expected = check
    return bool(event_differences(expected, event_engine.run(program, events)))


def _mesh_checks(configs: Iterable[Any], cases: int) -> list[Any]:
    """Meshes with their tiles, then networks alone, which see host ports that are not ready."""
    from neurotile.sim import mesh_engine, noc_traffic

    found: list[Any] = []
    configs = list(configs)
    for config in configs:
        found += mesh_suite.mesh_checks(mesh_engine, config, cases, steps=40)
        for case in mesh_suite.refused_cases(config):
            found.append((case, _refusal(mesh_engine, case)))
    for multicast, depth, stall in ((False, 2, 5), (True, 2, 0), (True, 4, 3)):
        config = network(2, 3, depth, multicast=multicast)
        trees = random_trees(config, 1) if multicast else None
        traffic = make_traffic(config, "uniform", 3, load=0.4, cycles=40, steps=2, work=1,
                               stall=stall)
        found.append((config, traffic, trees, noc_traffic.run_traffic(config, traffic, trees)))
    return found


def _mesh_wrong(check: Any) -> bool:
    from neurotile.sim import mesh_engine, noc_traffic

    if isinstance(check, mesh_suite.MeshCheck):
        trace = mesh_engine.run_mesh(*check.case)
        return bool(mesh_suite.mesh_differences(check.expected, trace))
    if len(check) == 2:
        return _refusal(mesh_engine, check[0]) != check[1]
    config, traffic, trees, expected = check
    return bool(noc_differences(expected, noc_traffic.run_traffic(config, traffic, trees)))


def _refusal(engine: Any, case: Any) -> str:
    """What an engine says about a case that does not fit."""
    try:
        engine.run_mesh(*case)
    except UserError as error:
        return str(error)
    return ""


_ALL = TEST_PRESETS["test_all"]
# The engine computes in 32 bits where that suffices; the first three tiles are just beyond. In the
# next one's queue the cycle counts in which the host's next event is accepted, and groups wait long
# for the few credits. The last two hold rows back as well, which tiles that learn do; what they
# learn is another matter.
_BEYOND = (_ALL.replace(name="wide products", state_bits=20),
           _ALL.replace(name="wide sums", acc_bits=25, weight_bits=16),
           _ALL.replace(name="wide states", state_bits=31, models=("if", "sublif")),
           _ALL.replace(name="short queues", queue_depth=2, spike_fifo_depth=2, lanes=8,
                        neurons=128),
           *(_ALL.replace(name=f"{rows} rows", learning="sdsp", weight_bits=4, integrate_stages=2,
                          synapse_words=rows) for rows in (256, 2)))
_TWO_ROWS = LEARNING_PRESETS["test_learning"].replace(
    name="two rows", neurons=8, lanes=1, synapse_words=2, integrate_stages=2, update_stages=1,
    queue_depth=4, spike_fifo_depth=2)
_MESHES = tuple(config for name, config in mesh_suite.MESHES.items() if name != "test_mesh_4x4")
# What a mesh has of its own: short queues of few entries, ring and SCDQ with few credits.
_MORE_MESHES = tuple(
    mesh_suite.MESHES[name].replace(
        name=f"{name} {delay}", barrier_stages=4, tile=mesh_suite.MESHES[name].tile.replace(
            delay=delay, delay_bits=2, queue_depth=4, spike_fifo_depth=2, update_stages=3,
            neurons=32))
    for name, delay in (("test_mesh_1x3", "none"), ("test_mesh_2x2", "ring"),
                        ("test_mesh_1x3", "scdq")))

PARTS = {
    "tile": Part(("axon_walker", "event_queue", "layout", "npe", "spike_encoder", "tile"), (),
                 (*TEST_PRESETS.values(), *_BEYOND), 10, _tile_checks, _tile_wrong),
    "learning": Part(("calcium", "learning", "learning_layout", "sdsp"), (),
                     (*LEARNING_PRESETS.values(), _TWO_ROWS), 24, _learning_checks,
                     _learning_wrong),
    "event": Part(("event_*",), ("event_queue",), tuple(TEST_EVENT_PRESETS.values()), 48,
                  _event_checks, _event_wrong),
    "mesh": Part(("noc", "mesh_*"), (), (*_MESHES, *_MORE_MESHES), 8, _mesh_checks, _mesh_wrong),
}
"""Parts by name."""
