# SPDX-License-Identifier: Apache-2.0
"""LearningPlan: which projections of a NIR file learn, and how (docs/cli.md, "Learning")."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..spec import (
    CalciumRule,
    IntegerNetwork,
    Population,
    Projection,
    Sdsp,
    SdspSynapses,
    UserError,
)
from ..spec.configuration import read_toml
from .float_network import FloatNetwork

__all__ = ["LearningPlan", "read_plan"]

Values = dict[str, Any]

_RULE = tuple(f.name for f in fields(Sdsp))
_PROJECTION = ("name", "inhibitory", "mapped")
_POPULATION = ("theta_mem", "theta1", "theta2", "theta3", "leak", "enable", "largest_weight")
_NEEDED = ("theta_mem", "theta1", "theta2", "theta3")
_WHOLE = {"theta1": 7, "theta2": 7, "theta3": 7, "leak": 31}
# A product a hair above an integer is meant to be that integer.
_SLACK = 1e-9


@dataclass(frozen=True, eq=False)
class LearningPlan:
    """What a learning file says; names are checked when it meets a network.

    Parameters
    ----------
    where : str
        File that messages name.
    rule : Sdsp
        How the network learns.
    projections : dict of str to dict
        By ``source->target``: ``inhibitory`` (list of sources, optional) and ``mapped``.
    populations : dict of str to dict
        By name: keys of CalciumRule, ``theta_mem`` in units of the file, and ``largest_weight``.
    """

    where: str
    rule: Sdsp
    projections: dict[str, Values]
    populations: dict[str, Values] = field(default_factory=dict)

    @classmethod
    def read(cls, path: str | Path) -> "LearningPlan":
        """Plan in a TOML file.

        Raises
        ------
        UserError
            The file is missing, not TOML, or has a wrong key or value.
        """
        return cls.from_dict(read_toml(Path(path)), where=str(path))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str) -> "LearningPlan":
        """Plan of the values of such a file; ``where`` names the source in messages.

        Raises
        ------
        UserError
            A key is unknown or missing, or a value out of range.
        """
        _check_keys(where, values, ("learning", "projection", "population"))
        rule = _table(f"{where}: [learning]", values.get("learning", {}))
        _check_keys(f"{where}: [learning]", rule, _RULE)
        for key, value in rule.items():
            if key == "bistability":
                _check_whole(f"{where}: [learning]", key, value, 0, 65535)
            else:
                _check_bool(f"{where}: [learning]", key, value)
        entries = values.get("projection", [])
        if not isinstance(entries, list) or not entries:
            raise UserError(f"{where}: at least one [[projection]] with a name must say what "
                            "learns")
        projections = {}
        for entry in entries:
            name, item = _projection(where, _table(f"{where}: [[projection]]", entry))
            if name in projections:
                raise UserError(f"{where}: [[projection]] {name!r} is there twice")
            projections[name] = item
        populations = {name: _population(f"{where}: [population.{name}]", item) for name, item in
                       _table(f"{where}: [population]", values.get("population", {})).items()}
        return cls(where, Sdsp(**rule), projections, populations)

    def largest_weights(self) -> dict[str, float]:
        """By population, what a spike over a synapse of weight 7 adds, where the plan says it."""
        return {name: float(item["largest_weight"]) for name, item in self.populations.items()
                if "largest_weight" in item}

    def check_names(self, projections: Iterable[str], populations: Iterable[str]) -> None:
        """Refuse names that a network does not have.

        Raises
        ------
        UserError
            The message lists those that there are.
        """
        for kind, mine, known in (("[[projection]]", self.projections, list(projections)),
                                  ("population", self.populations, list(populations))):
            for name in mine:
                if name not in known:
                    near = difflib.get_close_matches(name, known, 1)
                    hint = f"did you mean {near[0]!r}? " if near else ""
                    raise UserError(f"{self.where}: the network has no "
                                    f"{kind.strip('[]')} {name!r}; {hint}"
                                    f"there are {', '.join(known)}")

    def apply(self, network: IntegerNetwork) -> IntegerNetwork:
        """Copy of a quantised network that learns.

        Raises
        ------
        UserError
            A name is unknown, a source has weights of both signs, or a value does not fit.
        """
        self.check_names([e.name for e in network.projections], network.population_names)
        return replace(
            network, learning=self.rule,
            projections=tuple(self._plastic(e) if e.name in self.projections else e
                              for e in network.projections),
            populations=tuple(self._taught(p, network) if p.name in self.populations else p
                              for p in network.populations))

    def _plastic(self, e: Projection) -> Projection:
        item, sources = self.projections[e.name], e.weights.shape[1]
        where = f"{self.where}: [[projection]] {e.name!r}"
        inhibitory = np.any(e.weights < 0, axis=0)
        if "inhibitory" in item:
            for number in item["inhibitory"]:
                _check_whole(where, "inhibitory", number, 0, sources - 1, "a list of integers")
            inhibitory = np.isin(np.arange(sources), item["inhibitory"])
        wrong = (np.where(inhibitory, -e.weights, e.weights) < 0)
        if wrong.any():
            target, source = (int(k) for k in np.argwhere(wrong)[0])
            signs = ("both signs" if (e.weights[:, source] > 0).any()
                     and (e.weights[:, source] < 0).any() else "the other sign than it says")
            raise UserError(
                f"{where}: source {source} has weights of {signs}, {e.weights[target, source]} to "
                f"target {target} among them; all plastic weights of a source must be in "
                f"{'-7..0 (inhibitory)' if inhibitory[source] else '0..7'}")
        mapped = (np.ones(e.weights.shape, np.bool_) if item["mapped"] == "all"
                  else e.weights != 0)
        return replace(e, synapses=SdspSynapses(inhibitory, mapped))

    def _taught(self, p: Population, network: IntegerNetwork) -> Population:
        item = {k: v for k, v in self.populations[p.name].items() if k != "largest_weight"}
        where = f"{self.where}: [population.{p.name}]"
        if not item:
            return p
        for key, value in item.items():
            if isinstance(value, list) and len(value) != p.size:
                raise UserError(f"{where}: {key} must be one value or a list of {p.size}, one per "
                                f"neuron, not of {len(value)}")
        scale = network.scales.get(p.name, 1.0)
        exact = np.asarray(item["theta_mem"], np.float64) * scale
        # v is an integer, so v >= ceil(x) is the same as v >= x.
        theta = np.ceil(exact - _SLACK * np.abs(exact))
        limit = 1 << network.state_bits - 1
        if (np.abs(theta) >= limit).any():
            raise UserError(f"{where}: theta_mem must be in {-limit / scale:.4g}.."
                            f"{(limit - 1) / scale:.4g}, which {network.state_bits} bits of state "
                            f"hold, not {item['theta_mem']}")
        rest: dict[str, npt.NDArray[Any]] = {k: np.asarray(v) for k, v in item.items()}
        return replace(p, calcium=CalciumRule(**{**rest, "theta_mem": theta.astype(np.int64)}))


def read_plan(plan: str | Path | LearningPlan | None, network: FloatNetwork,
              weight_bits: int | None) -> LearningPlan | None:
    """Plan for a network that is still in real numbers; a path is read.

    Raises
    ------
    UserError
        The file or a name in it is wrong, or ``weight_bits`` is not what plastic weights have.
    """
    if plan is None:
        return None
    if weight_bits not in (None, 4):
        raise UserError(f"weight_bits must be 4 in a network that learns, not {weight_bits}")
    found = plan if isinstance(plan, LearningPlan) else LearningPlan.read(plan)
    found.check_names([e.name for e in network.projections], [p.name for p in network.populations])
    return found


def _projection(where: str, item: Values) -> tuple[str, Values]:
    given = item.get("name")
    if not isinstance(given, str):
        raise UserError(f"{where}: [[projection]] must have a name like \"input->lif\", "
                        f"not {given!r}")
    name = "->".join(part.strip() for part in given.split("->"))
    where = f"{where}: [[projection]] {name!r}"
    _check_keys(where, item, _PROJECTION)
    mapped = item.get("mapped", "all")
    if mapped not in ("all", "nonzero"):
        raise UserError(f"{where}: mapped must be \"all\" or \"nonzero\", not {mapped!r}")
    found = {"mapped": mapped}
    if "inhibitory" in item:
        if not isinstance(item["inhibitory"], list):
            raise UserError(f"{where}: inhibitory must be a list of sources, "
                            f"not {item['inhibitory']!r}")
        found["inhibitory"] = item["inhibitory"]
    return name, found


def _population(where: str, item: object) -> Values:
    values = _table(where, item)
    _check_keys(where, values, _POPULATION)
    if set(values) != {"largest_weight"}:
        if missing := [key for key in _NEEDED if key not in values]:
            raise UserError(f"{where}: missing key {missing[0]!r}")
    for key, value in values.items():
        if value == []:
            raise UserError(f"{where}: {key} must be one value or a list, not []")
        for one in value if isinstance(value, list) and key != "largest_weight" else [value]:
            if key in _WHOLE:
                _check_whole(where, key, one, 0, _WHOLE[key])
            elif key == "enable":
                _check_bool(where, key, one)
            elif isinstance(one, bool) or not isinstance(one, int | float) or not (
                    np.isfinite(one)) or key == "largest_weight" and one <= 0:
                kind = "a number above 0" if key == "largest_weight" else "numbers"
                raise UserError(f"{where}: {key} must be {kind}, not {one!r}")
    return values


def _table(where: str, value: object) -> Values:
    if not isinstance(value, dict):
        raise UserError(f"{where} must be a table of keys and values, not {value!r}")
    return value


def _check_keys(where: str, values: Mapping[str, Any], known: tuple[str, ...]) -> None:
    if unknown := sorted(set(values) - set(known)):
        raise UserError(f"{where}: unknown key {unknown[0]!r}; known are {', '.join(known)}")


def _check_whole(where: str, key: str, value: object, low: int, high: int,
                 what: str = "an integer") -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise UserError(f"{where}: {key} must be {what} in {low}..{high}, not {value!r}")


def _check_bool(where: str, key: str, value: object) -> None:
    if not isinstance(value, bool):
        raise UserError(f"{where}: {key} must be true or false, not {value!r}")
