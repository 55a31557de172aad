# SPDX-License-Identifier: Apache-2.0
"""Random networks, tiles, stimuli and memory contents for checks of the engines against each other.

One generator serves both sources of chance: :class:`Seeded` for many cases that are named by their
seed, :class:`Drawn` for hypothesis, which shrinks a failure to a small case.
"""

from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from neurotile.models.map import map_network
from neurotile.spec import (
    MODELS,
    InputPort,
    IntegerNetwork,
    Population,
    Program,
    Projection,
    Record,
    Stimulus,
    TileConfig,
    TileEvents,
    TileLearning,
    UserError,
)
from neurotile.spec.codes import DECAYING_MODELS, SILENT_MODELS
from neurotile.spec.formats import axon_word, group_word, memories, step_calcium_rule_word

__all__ = ["Case", "Choices", "Drawn", "RawCase", "Seeded", "cases", "random_case",
           "random_config", "random_network", "random_raw_case", "random_stimulus", "raw_cases"]

T = TypeVar("T")
Int = npt.NDArray[np.int64]


class Choices(Protocol):
    """Source of chance."""

    def integer(self, low: int, high: int) -> int:
        """Number in low..high; low is the simplest."""

    def pick(self, options: "list[T]") -> T:
        """One of the options; the first is the simplest."""

    def numbers(self) -> np.random.Generator:
        """Generator for the content of arrays."""


class Seeded:
    """Chance from a seed."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def integer(self, low: int, high: int) -> int:
        """Uniform."""
        return int(self._rng.integers(low, high, endpoint=True))

    def pick(self, options: list[T]) -> T:
        """Uniform."""
        return options[int(self._rng.integers(len(options)))]

    def numbers(self) -> np.random.Generator:
        """The generator itself."""
        return self._rng


class Drawn:
    """Chance from hypothesis; the content of arrays comes from a drawn seed."""

    def __init__(self, draw: Any) -> None:
        self._draw = draw

    def integer(self, low: int, high: int) -> int:
        """Drawn."""
        return int(self._draw(st.integers(low, high)))

    def pick(self, options: list[T]) -> T:
        """Drawn."""
        return self._draw(st.sampled_from(options))

    def numbers(self) -> np.random.Generator:
        """A new generator."""
        return np.random.default_rng(self.integer(0, 2**32 - 1))


@dataclass(frozen=True, eq=False)
class Case:
    """A network that fits a tile, and what to do with it."""

    program: Program
    stimulus: Stimulus
    record: Record
    keep_state: bool
    weights_every: int = 0

    @property
    def network(self) -> IntegerNetwork:
        """Of the program."""
        return self.program.network

    def __repr__(self) -> str:
        nodes = ", ".join(f"{p.name}: {p.size} {p.model}/{p.reset}"
                          for p in self.network.populations)
        edges = ", ".join(f"{e.name} d={e.delay}" for e in self.network.projections)
        s = self.stimulus
        return (f"<{self.program.config.name}; {nodes}; {edges}; {s.samples} x {s.steps} steps, "
                f"{len(s.line)} spikes; keep_state={self.keep_state}>")


@dataclass(frozen=True, eq=False)
class RawCase:
    """Memory contents of any bit pattern, and host events."""

    config: TileConfig
    contents: dict[str, npt.NDArray[np.uint64]]
    groups: int
    length: int
    recorded: Int
    events: TileEvents
    learning: TileLearning | None = None
    log: Int | None = None

    def __repr__(self) -> str:
        learning = f"; {self.learning}" if self.learning else ""
        return (f"<{self.config.name}; {self.groups} groups; length {self.length}; "
                f"{self.events.runs} x {self.events.steps} steps, {len(self.events.axon)} events"
                f"{learning}>")


def random_case(choices: Choices, config: TileConfig, *, attempts: int = 40) -> Case:
    """Case whose network fits the tile; what does not fit is drawn again, smaller."""
    for attempt in range(attempts):
        try:
            network = random_network(choices, config, room=1 / (1 + attempt / 4))
            program = map_network(network, config)
        except UserError:
            continue
        stimulus = random_stimulus(choices, network, (1 << config.step_bits) - 1 - program.drain)
        record = {p.name: np.flatnonzero(choices.numbers().random(p.size) < 0.5)
                  for p in network.populations if choices.integer(0, 1)}
        return Case(program, stimulus, record, bool(choices.integer(0, 1)))
    raise AssertionError(f"no network that fits {config.name} in {attempts} attempts")


@st.composite
def cases(draw: Any, config: TileConfig) -> Case:
    """Hypothesis strategy of cases for a tile."""
    return random_case(Drawn(draw), config)


@st.composite
def raw_cases(draw: Any, config: TileConfig) -> RawCase:
    """Hypothesis strategy of memory contents for a tile."""
    return random_raw_case(Drawn(draw), config)


def random_network(choices: Choices, config: TileConfig, room: float) -> IntegerNetwork:
    """Network that may fit the tile, of which it asks for a share ``room``."""
    count = choices.integer(1, max(1, round(4 * room)))
    groups = max(1, int(config.groups * room))
    populations: list[Population] = []
    for number in range(count):
        most = max(1, groups // count) * config.lanes
        new = _population(choices, config, f"p{number}", choices.integer(1, most))
        if config.shared and populations and choices.integer(0, 4):
            new = _with_parameters_of(new, populations[-1])
        populations.append(new)
    inputs = [InputPort(f"i{k}", choices.integer(1, max(1, round(12 * room))))
              for k in range(choices.integer(1, 2))]
    bits = choices.pick([config.weight_bits, config.weight_bits,
                         choices.integer(1, config.weight_bits)])
    projections: list[Projection] = []

    def connect(source: InputPort | Population, target: Population, delay: int) -> None:
        weights = _weights(choices, config, bits, target.size, source.size)
        projections.append(Projection(source.name, target.name, weights, delay))

    for number, target in enumerate(populations):
        for port in inputs:
            if choices.integer(0, 2) or number == 0:
                connect(port, target, choices.pick([0, 0, 0, 1, 2, 5]))
        for k, source in enumerate(populations):
            if not source.spikes:
                continue
            if k < number and (k == number - 1 or choices.integer(0, 2) == 0):
                connect(source, target, choices.pick([0, 0, 0, 1, 2, 3]))
            elif k >= number and choices.integer(0, 2) == 0:
                # One step per projection of any loop through here, and now and then more.
                connect(source, target, k - number + 1 + choices.pick([0, 0, 0, 1]))
    return IntegerNetwork(tuple(inputs), tuple(populations), tuple(projections), weight_bits=bits,
                          state_bits=config.state_bits, decay_bits=config.decay_bits)


def _population(choices: Choices, config: TileConfig, name: str, size: int) -> Population:
    fires = [model for model in config.models if model not in SILENT_MODELS]
    model = choices.pick([*fires, *fires, *config.models])
    rng = choices.numbers()
    low, high = config.state_limits
    lively = choices.integer(0, 4) > 0
    shift = choices.pick([0, 0, 0, choices.integer(0, (1 << config.shift_bits) - 1)])
    # Roughly what a handful of synapses brings, so that spikes are neither absent nor everywhere.
    drive = min(high, max(2, (config.weight_limits[1] << shift) * choices.pick([1, 3, 8])))

    def around(least: int, most: int) -> Int:
        """Per neuron, or one value per population; now and then anything, limits included."""
        if not lively:
            least, most = low, high
        shape = 1 if config.shared else size
        value = rng.integers(max(least, low), min(most, high), shape, endpoint=True)
        if not lively:
            value = np.where(rng.random(shape) < 0.4, rng.choice([low, -1, 0, high], shape), value)
        return np.broadcast_to(value, (size,)).astype(np.int64)

    def decay() -> Int:
        one = 1 << config.decay_bits
        usual = (one // 2, one)
        least, most = choices.pick([usual, usual, usual, (0, one), (one, 2 * one - 1)])
        shape = 1 if config.shared else size
        value = rng.integers(least, most, shape, endpoint=True)
        return np.broadcast_to(value, (size,)).astype(np.int64)

    bias = choices.pick([0, 0, drive // 4 + 1])
    decays = model in DECAYING_MODELS
    return Population(
        name, size, model, threshold=around(0, drive),
        v_reset=around(-drive // 2, drive // 2) if choices.integer(0, 1) else np.zeros((), int),
        bias=around(-bias, bias), decay_v=decay() if decays else np.zeros((), int),
        decay_i=decay() if model.startswith("cuba") else np.zeros((), int), shift=shift,
        reset=choices.pick(["zero", "subtract"]))


def _with_parameters_of(population: Population, other: Population) -> Population:
    """So that more populations than parameter sets fit a tile."""
    shared = {name: getattr(other, name)[:1].repeat(population.size)
              for name in ("threshold", "v_reset", "bias", "decay_v", "decay_i")}
    return replace(population, model=other.model, reset=other.reset, **shared)


def _weights(choices: Choices, config: TileConfig, bits: int, targets: int, sources: int
             ) -> npt.NDArray[np.int32]:
    rng = choices.numbers()
    low, high = (-1, 1) if bits == 1 else (-(1 << bits - 1), (1 << bits - 1) - 1)
    scale = choices.pick([1.0, 1.0, 0.3])
    weights = rng.integers(int(low * scale), max(1, int(high * scale)), (targets, sources),
                           endpoint=True)
    if choices.integer(0, 9) == 0:
        weights = np.where(rng.random(weights.shape) < 0.5, low, high)
    if config.weight_bits == 1:
        weights = np.where(weights == 0, 1, weights)
    elif choices.integer(0, 1):
        weights = weights * (rng.random(weights.shape) < choices.pick([0.5, 0.1]))
    if choices.integer(0, 1):
        # Whole groups away: axons of several segments, and some lines without any.
        groups = -(-targets // config.lanes)
        kept = rng.random((groups, sources)) < choices.pick([0.7, 0.3])
        weights = weights * np.repeat(kept, config.lanes, axis=0)[:targets]
    return weights.astype(np.int32)


def random_stimulus(choices: Choices, network: IntegerNetwork, most_steps: int) -> Stimulus:
    """Up to three samples of up to ``most_steps`` steps in all, and no more than 20 each."""
    samples = choices.integer(1, 3)
    steps = choices.integer(1, min(20, most_steps // samples))
    density = choices.pick([0.3, 0.3, 0.1, 0.8, 1.0, 0.0])
    shape = (samples, steps, network.input_size)
    return Stimulus.from_dense((choices.numbers().random(shape) < density).astype(np.uint8))


def random_raw_case(choices: Choices, config: TileConfig) -> RawCase:
    """Random bits in every memory; some axon descriptors end, so every chain of them does."""
    rng = choices.numbers()
    contents = {}
    for memory in memories(config):
        shape = (memory.rows, memory.lanes)
        contents[memory.name] = rng.integers(0, 1 << memory.word.width, shape, dtype=np.uint64)
    word = axon_word(config)
    fields = word.unpack(contents["axon"][:, 0])
    most = choices.pick([config.groups, 1, 2])
    ending = choices.pick([0.7, 1.0, 0.3])
    fields["count"] %= most
    fields["last"] = (rng.random(config.axons) < ending).astype(np.int64)
    fields["last"][rng.integers(config.axons)] = 1
    contents["axon"] = word.pack(fields)[:, None]
    if choices.integer(0, 7):
        # Windows of wide offsets open long after the last step: most cases have early ones.
        word = group_word(config)
        fields = word.unpack(contents["group"])
        fields["offset"] %= choices.pick([1, 2, 4])
        contents["group"] = word.pack(fields)
    if choices.integer(0, 1):
        # Thresholds and states of full width hardly ever meet: small ones do.
        for name in ("threshold", "bias", "v_reset"):
            small = rng.integers(-8, 40, contents[name].shape)
            contents[name] = small.astype(np.uint64) & np.uint64((1 << config.state_bits) - 1)
    for name in ("membrane", "current", "accumulator"):
        if name in contents:
            contents[name][:] = 0
    runs, steps = choices.integer(1, 3), choices.integer(1, 8)
    density = choices.pick([0.1, 0.0, 0.5, 1.0])
    per_step = [np.sort(rng.integers(0, config.axons, rng.binomial(16, density)))
                for _ in range(runs * steps)]
    start = np.cumsum([0] + [len(axons) for axons in per_step])
    case = RawCase(
        config=config, contents=contents, groups=choices.integer(1, config.groups),
        length=choices.pick([0, steps, choices.integer(0, 15)]),
        recorded=np.flatnonzero(rng.random(config.neurons) < 0.3),
        events=TileEvents(runs, steps, start.astype(np.int64),
                          np.concatenate(per_step).astype(np.int32)))
    return _with_learning(choices, case) if config.learns else case


def _with_learning(choices: Choices, case: RawCase) -> RawCase:
    """Rules that raise flags, rows that several axons share, axons that come again, registers."""
    rng, config, contents = choices.numbers(), case.config, case.contents
    steps = case.events.runs * case.events.steps
    if choices.integer(0, 3):
        # Of random rules few ever set a flag.
        shape = contents["calcium_rule"].shape
        contents["calcium_rule"] = step_calcium_rule_word().pack({
            "enable": (rng.random(shape) < 0.9).astype(np.int64),
            "theta1": rng.integers(0, choices.pick([1, 2, 4]), shape),
            "theta2": rng.integers(1, 8, shape), "theta3": rng.integers(1, 8, shape),
            "leak": rng.integers(0, choices.pick([2, 1, 5, 32]), shape)})
        small = rng.integers(-20, 40, contents["theta_mem"].shape)
        contents["theta_mem"] = small.astype(np.uint64) & np.uint64((1 << config.state_bits) - 1)
    word = axon_word(config)
    fields = word.unpack(contents["axon"])
    fields["row"] %= choices.pick([config.synapse_words, 8, 2])
    fields["plastic"] |= (rng.random(fields["plastic"].shape)
                          < choices.pick([0.0, 0.7])).astype(np.int64)
    contents["axon"] = word.pack(fields)
    events = case.events
    if choices.integer(0, 1):
        # A host never sends an axon twice in a step, but that is legal.
        few = rng.integers(0, config.axons, choices.pick([2, 6]))
        axon = few[rng.integers(0, few.size, events.axon.size)].astype(np.int32)
        for row in range(steps):
            axon[events.start[row]:events.start[row + 1]].sort()
        events = replace(events, axon=axon)
    learning = TileLearning(
        switches=choices.integer(0, 7) | choices.pick([1, 1, 0]),
        offset=choices.pick([0, 0, 1, choices.integer(0, (1 << config.offset_bits) - 1)]),
        period=choices.pick([0, 1, 2, 3, choices.integer(0, 12)]),
        rows=choices.pick([config.synapse_words, choices.integer(1, config.synapse_words)]))
    log = np.flatnonzero(rng.random(steps) < choices.pick([0.0, 0.5]))
    return replace(case, events=events, learning=learning,
                   log=log if choices.integer(0, 1) else None)


def random_config(choices: Choices, name: str, *, learning: str = "none") -> TileConfig:
    """Tile of random structure, small enough to be built in seconds."""
    lanes = choices.pick([1, 2, 4, 8, 16])
    models = tuple(m for m in MODELS if choices.integer(0, 1)) or (choices.pick(list(MODELS)),)
    if not set(models) - SILENT_MODELS:
        models = tuple(m for m in MODELS if m in (*models, "lif"))
    step_bits = choices.integer(5, 12)
    return TileConfig(
        name=name, axons=choices.pick([8, 16, 32, 64]),
        neurons=max(2, choices.pick([2, 4, 8])) * lanes, lanes=lanes,
        weight_bits=4 if learning == "sdsp" else choices.pick([1, 2, 4, 8, 16]),
        synapse_words=choices.pick([2, 8, 64] if learning == "sdsp" else [32, 64, 256]),
        state_bits=choices.integer(8, 32), acc_bits=choices.integer(8, 32),
        decay_bits=choices.integer(4, 15), shift_bits=choices.integer(1, 4), models=models,
        parameters=choices.pick(["neuron", "shared"]), parameter_sets=choices.pick([2, 4, 8]),
        queue_depth=choices.pick([2, 4, 16, 64]), spike_fifo_depth=choices.pick([2, 4, 8]),
        integrate_stages=choices.integer(1, 2), update_stages=choices.integer(1, 4),
        step_bits=step_bits, offset_bits=choices.integer(1, min(8, step_bits)),
        learning=learning, delay="none", delay_bits=4)
