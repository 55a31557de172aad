# SPDX-License-Identifier: Apache-2.0
"""IntegerNetwork: a quantised network before it is mapped (docs/semantics.md, section 1)."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

from .codes import CURRENT_MODELS, DECAYING_MODELS, SILENT_MODELS
from .config import MODELS
from .digest import digest
from .errors import UserError
from .learning import CalciumRule, Sdsp, SdspSynapses

__all__ = ["InputPort", "IntegerNetwork", "Population", "Projection", "projection_names"]

Int = npt.NDArray[np.int64]


@dataclass(frozen=True)
class InputPort:
    """Lines on which the host sends spikes."""

    name: str
    size: int

    def __post_init__(self) -> None:
        _check_whole(f"input {self.name!r}", "size", self.size, 1, 1 << 24)


@dataclass(frozen=True, eq=False)
class Population:
    """Neurons of one model; array arguments are (size,) or one value for all.

    Parameters
    ----------
    name : str
        Name of the node, unique in the network.
    size : int
        Number of neurons.
    model : str
        One of ``neurotile.spec.config.MODELS``.
    threshold, v_reset, bias : array_like of int
        In units of the membrane potential. The leak of ``sublif`` is a negative bias.
    decay_v, decay_i : array_like of int, optional
        Decay coefficients times 2**decay_bits; only for models that decay.
    shift : int
        Left shift of the summed weights.
    reset : str
        ``zero`` loads v_reset, ``subtract`` subtracts the threshold.
    calcium : CalciumRule, optional
        When its plastic synapses learn; None: never.

    Raises
    ------
    UserError
        A value has the wrong shape, type or name.
    """

    name: str
    size: int
    model: str
    threshold: Int
    v_reset: Int = field(default_factory=lambda: np.zeros((), np.int64))
    bias: Int = field(default_factory=lambda: np.zeros((), np.int64))
    decay_v: Int = field(default_factory=lambda: np.zeros((), np.int64))
    decay_i: Int = field(default_factory=lambda: np.zeros((), np.int64))
    shift: int = 0
    reset: str = "zero"
    calcium: CalciumRule | None = None

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise UserError(f"population {self.name!r}: model must be one of {', '.join(MODELS)}, "
                            f"not {self.model!r}")
        if self.reset not in ("zero", "subtract"):
            raise UserError(f"population {self.name!r}: reset must be 'zero' or 'subtract', "
                            f"not {self.reset!r}")
        _check_whole(f"population {self.name!r}", "size", self.size, 1, 1 << 24)
        _check_whole(f"population {self.name!r}", "shift", self.shift, 0, 15)
        for key in ("threshold", "v_reset", "bias", "decay_v", "decay_i"):
            value = np.asarray(getattr(self, key))
            if value.dtype.kind not in "iu":
                raise UserError(f"population {self.name!r}: {key} must be integers, "
                                f"not {value.dtype}")
            _check_range(f"population {self.name!r}", key, value, -(1 << 31), (1 << 32) - 1)
            if value.shape not in ((), (self.size,)):
                raise UserError(f"population {self.name!r}: {key} must have shape "
                                f"({self.size},) or be one value, not {value.shape}")
            value = np.broadcast_to(value, (self.size,)).astype(np.int64)
            object.__setattr__(self, key, value)
        if self.calcium is not None:
            self.calcium.arrays(self.size, f"population {self.name!r}")

    @property
    def spikes(self) -> bool:
        """The model fires; otherwise it is read out as a membrane potential."""
        return self.model not in SILENT_MODELS

    @property
    def has_current(self) -> bool:
        """The model has a synaptic current."""
        return self.model in CURRENT_MODELS

    @property
    def decays(self) -> bool:
        """The model has decay coefficients."""
        return self.model in DECAYING_MODELS


@dataclass(frozen=True, eq=False)
class Projection:
    """Synapses from ``source`` to ``target``.

    Parameters
    ----------
    source, target : str
        Names of an input port or population, and of a population.
    weights : array_like of int, (targets, sources)
        Integer weights; 0 is no synapse.
    delay : int
        Steps from the source's spike to its effect; 0 is the same step.
    synapses : SdspSynapses, optional
        Makes it plastic, in a network that learns.
    """

    source: str
    target: str
    weights: npt.NDArray[np.int32]
    delay: int = 0
    synapses: SdspSynapses | None = None

    def __post_init__(self) -> None:
        weights = np.asarray(self.weights)
        if weights.dtype.kind not in "iu":
            raise UserError(f"projection {self.name!r}: weights must be integers, "
                            f"not {weights.dtype}")
        _check_range(f"projection {self.name!r}", "weights", weights, -(1 << 15), (1 << 15) - 1)
        object.__setattr__(self, "weights", weights.astype(np.int32, copy=False))
        _check_whole(f"projection {self.name!r}", "delay", self.delay, 0, 1 << 24)
        if self.synapses is not None:
            self.synapses.check(self.weights, f"projection {self.name!r}")

    @property
    def name(self) -> str:
        """``SOURCE->TARGET``; shared by projections that differ in their delay alone.

        :func:`projection_names` tells these apart; a plastic projection shares its name with none.
        """
        return f"{self.source}->{self.target}"


class _Named(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def delay(self) -> int: ...


def projection_names(projections: Iterable[_Named]) -> list[str]:
    """``SOURCE->TARGET`` of each projection, with ``@DELAY`` where that alone would be twofold."""
    projections = tuple(projections)
    names = [e.name for e in projections]
    return [e.name if names.count(e.name) == 1 else f"{e.name}@{e.delay}" for e in projections]


@dataclass(frozen=True, eq=False)
class IntegerNetwork:
    """A network in integers, ready for the golden model and for the mapper.

    Parameters
    ----------
    inputs : tuple of InputPort
        Input lines; a stimulus numbers them through in this order.
    populations : tuple of Population
        Neurons; the order decides their place on the tile.
    projections : tuple of Projection
        Synapses; several between one pair of nodes may differ in their delay.
    weight_bits, state_bits, decay_bits : int
        Number formats of weights, states and decay coefficients.
    name : str
        For people.
    dt : float, optional
        Length of a step in seconds, for reports.
    scales : dict, optional
        Population name to the factor from the float model's potential to integers, for reports.
    learning : Sdsp, optional
        The tile's synapses are those of SDSP, of 3 bits and a sign; ``weight_bits`` is 4.

    Raises
    ------
    UserError
        A name is unknown or repeated, a shape does not fit, a number is out of its format,
        or projections without delay form a cycle.
    """

    inputs: tuple[InputPort, ...]
    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    weight_bits: int = 8
    state_bits: int = 16
    decay_bits: int = 12
    name: str = "network"
    dt: float | None = None
    scales: dict[str, float] = field(default_factory=dict)
    learning: Sdsp | None = None

    def __post_init__(self) -> None:
        _check_whole(self.name, "weight_bits", self.weight_bits, 1, 16)
        _check_whole(self.name, "state_bits", self.state_bits, 8, 32)
        _check_whole(self.name, "decay_bits", self.decay_bits, 4, 15)
        names = [port.name for port in self.inputs] + [p.name for p in self.populations]
        if repeated := {name for name in names if names.count(name) > 1}:
            raise UserError(f"{self.name}: the name {sorted(repeated)[0]!r} is used twice")
        if not self.populations:
            raise UserError(f"{self.name}: a network needs at least one population")
        low, high = -(1 << self.state_bits - 1), (1 << self.state_bits - 1) - 1
        for population in self.populations:
            for key in ("threshold", "v_reset", "bias"):
                _check_range(population.name, key, getattr(population, key), low, high)
            for key in ("decay_v", "decay_i"):
                _check_range(population.name, key, getattr(population, key),
                             0, (2 << self.decay_bits) - 1)
        self._check_projections()
        self._check_learning(low, high)
        self.order  # noqa: B018  (raises when there is none)

    def _check_projections(self) -> None:
        limit = 1 << self.weight_bits - 1
        low, high = (-1, 1) if self.weight_bits == 1 else (-limit, limit - 1)
        for name, projection in zip(projection_names(self.projections), self.projections,
                                    strict=True):
            where = f"projection {name!r}"
            if projection.source not in self.sizes:
                raise UserError(f"{where}: there is no source {projection.source!r}")
            if projection.target not in self.population_names:
                raise UserError(f"{where}: there is no population {projection.target!r}")
            source = self.population_names.get(projection.source)
            if source is not None and not source.spikes:
                raise UserError(f"{where}: {projection.source!r} is a {source.model} readout and "
                                "sends no spikes")
            shape = (self.sizes[projection.target], self.sizes[projection.source])
            if projection.weights.shape != shape:
                raise UserError(f"{where}: weights must have shape {shape}, "
                                f"not {projection.weights.shape}")
            _check_range(where, "weights", projection.weights, low, high)

    def with_weights(self, weights: Mapping[str, Int]) -> "IntegerNetwork":
        """Copy in which projections have these weights, (targets, sources).

        Parameters
        ----------
        weights : dict of str to array_like of int
            By name, as :func:`projection_names` gives it.

        Raises
        ------
        UserError
            There is no such projection, or more than one, or the weights do not fit it.
        """
        names = projection_names(self.projections)
        for name in sorted(weights):
            if names.count(name) != 1:
                found = "is no" if name not in names else "is more than one"
                raise UserError(f"{self.name}: there {found} projection {name!r}; there are "
                                f"{', '.join(dict.fromkeys(names))}")
        made = []
        for name, e in zip(names, self.projections, strict=True):
            shape = np.shape(weights.get(name, e.weights))
            if shape != e.weights.shape:
                raise UserError(f"projection {name!r}: weights must have shape "
                                f"{e.weights.shape}, not {shape}")
            made.append(replace(e, weights=np.asarray(weights[name])) if name in weights else e)
        return replace(self, projections=tuple(made))

    def _check_learning(self, low: int, high: int) -> None:
        names = [e.name for e in self.projections]
        for projection in self.projections:
            if projection.synapses is not None and names.count(projection.name) > 1:
                raise UserError(f"projection {projection.name!r}: is plastic and must be the only "
                                "one between its ends")
        if self.learning is not None:
            _check_whole(self.name, "weight_bits", self.weight_bits, 4, 4)
            for projection in self.projections:
                _check_range(f"projection {projection.name!r}", "weights", projection.weights,
                             -7, 7)
        for name, item in [*((f"projection {e.name!r}", e.synapses) for e in self.projections),
                           *((f"population {p.name!r}", p.calcium) for p in self.populations)]:
            if item is not None and self.learning is None:
                raise UserError(f"{name}: plasticity needs a network with learning = Sdsp(...)")
        for p in self.populations:
            if p.calcium is not None:
                _check_range(f"population {p.name!r}", "theta_mem",
                             np.asarray(p.calcium.theta_mem), low, high)

    @cached_property
    def population_names(self) -> dict[str, Population]:
        """Populations by name."""
        return {population.name: population for population in self.populations}

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Number of lines or neurons of every node."""
        return ({port.name: port.size for port in self.inputs}
                | {population.name: population.size for population in self.populations})

    @property
    def input_size(self) -> int:
        """Number of input lines over all ports."""
        return sum(port.size for port in self.inputs)

    @cached_property
    def order(self) -> tuple[Population, ...]:
        """Populations such that every projection without delay goes forward."""
        waits = {p.name: {e.source for e in self.projections
                          if e.target == p.name and e.delay == 0} & set(self.population_names)
                 for p in self.populations}
        done: list[Population] = []
        while waits:
            ready = [name for name, sources in waits.items() if not sources & set(waits)]
            if not ready:
                raise UserError(f"{self.name}: the projections without delay between "
                                f"{', '.join(sorted(waits))} form a cycle; one needs delay >= 1")
            for name in ready:
                done.append(self.population_names[name])
                del waits[name]
        return tuple(done)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that decides spikes and states."""
        items: list[tuple[str, object]] = [
            ("formats", [self.weight_bits, self.state_bits, self.decay_bits]),
            ("inputs", [[port.name, port.size] for port in self.inputs])]
        for p in self.populations:
            items.append(("population", [p.name, p.size, p.model, p.shift, p.reset]))
            items += [(key, getattr(p, key))
                      for key in ("threshold", "v_reset", "bias", "decay_v", "decay_i")]
            if p.calcium is not None:
                items += p.calcium.arrays(p.size, p.name).items()
        if self.learning is not None:
            items.append(("learning", asdict(self.learning)))
        for e in self.projections:
            items.append(("projection", [e.source, e.target, e.delay]))
            items.append(("weights", e.weights.astype(np.int32)))
            if e.synapses is not None:
                items += [("inhibitory", e.synapses.inhibitory), ("mapped", e.synapses.mapped)]
        return digest(items)


def _check_whole(where: str, key: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not (
            low <= value <= high):
        raise UserError(f"{where}: {key} must be an integer in {low}..{high}, not {value!r}")


def _check_range(where: str, key: str, value: npt.NDArray[np.integer], low: int, high: int) -> None:
    wrong = (value < low) | (value > high)
    if wrong.any():
        raise UserError(f"{where}: {key} must be in {low}..{high}, not {value[wrong][0]}")
