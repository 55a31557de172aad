# SPDX-License-Identifier: Apache-2.0
"""The cases that every mutant has to get wrong at least once."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neurotile.spec import Stimulus, TileConfig, TileEvents, TileTrace, recorded_neurons
from neurotile.spec.codes import SILENT_MODELS, Model
from neurotile.spec.formats import memories
from neurotile.testbenches.strategies import RawCase, Seeded, random_case, random_raw_case

__all__ = ["Check", "checks", "crowded_case", "loud_case", "quiet_case", "run"]


@dataclass(frozen=True, eq=False)
class Check:
    """Memory contents, events and the trace that a right engine gives."""

    name: str
    case: RawCase
    expected: TileTrace


def _network_case(seed: int, config: TileConfig) -> RawCase:
    """A mapped random network as memory contents.

    The first one runs as long as the step counter allows, so that its upper bits move.
    """
    case = random_case(Seeded(seed), config)
    stimulus, keep_state = case.stimulus, case.keep_state
    recorded = recorded_neurons(case.program, case.record)
    if seed == 0:
        steps = (1 << min(config.step_bits, 10)) - 1 - case.program.drain
        spikes = np.random.default_rng(seed).random((1, steps, stimulus.inputs)) < 0.2
        stimulus, keep_state = Stimulus.from_dense(spikes), False
        recorded = recorded[:0]  # else RUN is always 1
    events = case.program.events(stimulus, keep_state=keep_state)
    return RawCase(config=config, contents=case.program.memories, groups=case.program.groups,
                   length=stimulus.samples * stimulus.steps // events.runs, recorded=recorded,
                   events=events, learning=case.program.learning)


def loud_case(seed: int, config: TileConfig, most_events: int) -> RawCase:
    """Memory contents with which sums leave every range: of X, of the states, of accumulators.

    All groups are mapped, and often they spike together.
    """
    rng = np.random.default_rng(seed)
    case = random_raw_case(Seeded(seed), config)
    contents = dict(case.contents)
    bits, shift = config.weight_bits, (1 << config.shift_bits) - 1
    # Rows of one sign: the extremes add up instead of cancelling out.
    high, low = ((1 << bits - 1) - 1, 1 << bits - 1) if bits > 1 else (1, 0)
    rows, lanes = contents["synapse"].shape
    positive = rng.random((rows, 1)) < rng.choice([0.0, 1.0, 0.5])
    contents["synapse"] = np.where(positive, high, low).repeat(lanes, axis=1).astype(np.uint64)
    models = _models(rng, config)
    _set(config, contents, "group", shift=shift, offset=0,
         model=models if rng.random() < 0.5 else models[0])

    # An event passes through several segments where it takes many to leave the ranges of X and
    # accumulator.
    adds = (1 << max(config.acc_bits - 1, config.state_bits + 2 - shift)) // max(high, 1)
    segments = min(config.axons, 1 + adds // 48)
    # All add to one group, which is slower than the host: more events than the queue holds.
    events = min(most_events, max(48 + adds // segments, 2 * config.queue_depth))
    last = np.arange(config.axons)[:, None] % segments == 0
    _set(config, contents, "axon", group=rng.integers(case.groups), count=0, last=last)
    chains = rng.integers(0, config.axons // segments, 3 * events) * segments + 1
    return replace(case, contents=contents, groups=config.groups, length=0, events=TileEvents(
        1, 3, np.arange(4, dtype=np.int64) * events, (chains % config.axons).astype(np.int32)))


def quiet_case(seed: int, config: TileConfig) -> RawCase:
    """Memory contents with which potentials stay around zero and often are just at a limit."""
    rng = np.random.default_rng(seed)
    case = random_raw_case(Seeded(seed), config)
    contents = dict(case.contents)
    for name, low, high in (("synapse", -1, 1), ("bias", -2, 2), ("threshold", -2, 3),
                            ("v_reset", -1, 1)):
        value = rng.integers(low, high, contents[name].shape, endpoint=True).astype(np.uint64)
        width = config.weight_bits if name == "synapse" else config.state_bits
        contents[name] = value & np.uint64((1 << width) - 1)
    _set(config, contents, "group", shift=0, offset=0, model=_models(rng, config))
    return replace(case, contents=contents, length=0)


def crowded_case(seed: int, config: TileConfig) -> RawCase:
    """Short segments around one group and row: each meets the writes of those before it.

    Every neuron spikes in every step, so that groups wait for the FIFO and events for the queue.
    """
    rng = np.random.default_rng(seed)
    case = random_raw_case(Seeded(seed), config)
    contents = dict(case.contents)
    shape = (config.axons, 1)
    # Sequences of neighbouring groups and rows go up, down and over the end of a memory.
    _set(config, contents, "axon", group=rng.integers(-1, 2, shape) % config.groups,
         row=rng.integers(-1, 2, shape) % config.synapse_words,
         count=rng.integers(0, min(3, config.groups), shape), last=rng.random(shape) < 0.8)
    spiking = next(name for name in config.models if name not in SILENT_MODELS)
    _set(config, contents, "group", model=int(Model[spiking.upper()]), offset=0)
    _set(config, contents, "threshold", value=config.state_limits[0])
    steps, events = 6, 24
    axons = rng.integers(0, config.axons, steps * events)
    return replace(case, contents=contents, groups=config.groups, length=0, events=TileEvents(
        1, steps, np.arange(steps + 1, dtype=np.int64) * events, axons.astype(np.int32)))


def _models(rng: np.random.Generator, config: TileConfig) -> npt.NDArray[np.int64]:
    """A model that the tile has for every group."""
    codes = [int(Model[name.upper()]) for name in config.models]
    return rng.choice(codes, (config.groups, 1))


def _set(config: TileConfig, contents: dict[str, Any], name: str, **fields: Any) -> None:
    """Change these fields in all words of a memory."""
    word = next(memory.word for memory in memories(config) if memory.name == name)
    values = word.unpack(contents[name])
    for field, value in fields.items():
        values[field][:] = value
    contents[name] = word.pack(values)


def _case(seed: int, config: TileConfig) -> RawCase:
    if seed % 2 == 0:
        return _network_case(seed, config)
    if seed % 8 == 1:
        return quiet_case(seed, config)
    if seed % 8 == 3:
        # The first two reach every limit whatever it takes, the others within a moment.
        return loud_case(seed, config, 900 if seed in (3, 11) else 64)
    if seed % 8 == 5:
        return crowded_case(seed, config)
    return random_raw_case(Seeded(seed), config)


def run(engine: Any, case: RawCase, **options: Any) -> TileTrace:
    """Trace of ``case`` on an engine's ``run_tile``."""
    return engine.run_tile(case.config, case.contents, case.groups, case.length, case.events,
                           case.recorded, learning=case.learning, **options)


def checks(engine: Any, config: TileConfig, count: int) -> list[Check]:
    """``count`` seeded cases with what ``engine`` says about them.

    Half are mapped networks, the others random bits, some of them quiet and some loud.
    """
    found = []
    for seed in range(count):
        case = _case(seed, config)
        found.append(Check(f"{config.name} seed {seed}", case, run(engine, case)))
    return found
