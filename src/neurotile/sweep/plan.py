# SPDX-License-Identifier: Apache-2.0
"""The TOML file of a sweep: what runs, on what, and which keys take which values."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..spec import (
    MeshConfig,
    Stimulus,
    TileConfig,
    UserError,
    any_preset,
    configuration_from_toml,
    network_config,
)
from ..spec.configuration import read_toml
from .keys import known_keys

__all__ = ["MOST", "Plan", "read_plan"]

MOST = 10_000
"""Points of a sweep."""

_ZOO = "zoo:"
_KINDS: dict[str, tuple[type, ...]] = {
    "model": (str,), "input": (str,), "samples": (int,), "preset": (str,), "config": (str,),
    "mesh": (str,), "mode": (str,), "dt": (int, float), "reset": (str, dict)}
_NAMES = {str: "a text", int: "an integer", float: "a number", dict: "a table"}


@dataclass(frozen=True)
class Plan:
    """What a file of a sweep asks for.

    Parameters
    ----------
    model : Path
        The NIR file.
    data : str or Path
        Name in the zoo, or the .npz file, of the input.
    base : TileConfig or MeshConfig
        What is varied; with ``chosen`` the tile of the mesh that is chosen for the network.
    points : tuple of dict
        Keys and values of every point; all have the same keys, ``mesh`` first if it is chosen.
    samples : int, optional
        Only the first of the input.
    dt, reset
        As for :func:`neurotile.load`.
    """

    model: Path
    data: str | Path
    base: TileConfig | MeshConfig
    chosen: bool
    points: tuple[dict[str, Any], ...]
    samples: int | None = None
    dt: float | None = None
    reset: str | dict[str, str] | None = None
    files: tuple[Path, ...] = field(default=())
    """Files that are read, this one first."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of every point."""
        return tuple(self.points[0])

    @property
    def differing(self) -> tuple[str, ...]:
        """Keys that do not have one value for all points."""
        return tuple(key for key in self.keys
                     if any(point[key] != self.points[0][key] for point in self.points))

    def stimulus(self) -> Stimulus:
        """The input.

        Raises
        ------
        UserError
            The file is missing, damaged or holds something else.
        """
        if isinstance(self.data, Path):
            found = Stimulus.from_file(self.data)
        else:
            from ..models import zoo
            found = Stimulus.from_dense(*zoo.test_set(self.data))
        return found if self.samples is None else found.first(self.samples)


def read_plan(path: Path) -> Plan:
    """Plan in a TOML file with the tables ``sweep`` and ``vary``; paths in it are relative to it.

    Raises
    ------
    UserError
        The file is missing or not TOML, a key is unknown or missing, a value out of range, or there
        are no points or more than ``MOST``.
    """
    path = Path(path)
    found = read_toml(path)
    if unknown := sorted(set(found) - {"sweep", "vary"}):
        raise UserError(f"{path}: unknown key {unknown[0]!r}; known are the tables sweep and vary")
    for name in ("sweep", "vary"):
        if not isinstance(found.get(name), dict):
            raise UserError(f"{path}: needs a table [{name}]")
    settings = _settings(found["sweep"], f"{path}: [sweep]")
    base, chosen = _base(settings, found["vary"], path)
    points = _points(found["vary"], base, chosen, settings, f"{path}: [vary]")
    model, data = _sources(settings, path)
    files = tuple(file for file in (path, model, data) if isinstance(file, Path))
    if "config" in settings:
        files += (path.parent / settings["config"],)
    return Plan(model, data, base, chosen, points, settings.get("samples"), settings.get("dt"),
                settings.get("reset"), files)


def _settings(table: dict[str, Any], where: str) -> dict[str, Any]:
    for key, value in table.items():
        if key not in _KINDS:
            raise UserError(f"{where}: unknown key {key!r}; known are {', '.join(_KINDS)}")
        if not isinstance(value, _KINDS[key]) or isinstance(value, bool):
            raise UserError(f"{where}: {key} must be {_NAMES[_KINDS[key][-1]]}, not {value!r}")
    if "model" not in table:
        raise UserError(f"{where}: missing key 'model', a NIR file or '{_ZOO}digits'")
    if table.get("samples", 1) < 1:
        raise UserError(f"{where}: samples must be 1 or more, not {table['samples']}")
    if table.get("mode", "grid") not in ("grid", "zip"):
        raise UserError(f"{where}: mode must be 'grid' or 'zip', not {table['mode']!r}")
    if "preset" in table and "config" in table:
        raise UserError(f"{where}: preset and config exclude each other")
    return table


def _base(settings: dict[str, Any], vary: Mapping[str, Any], path: Path
          ) -> tuple[TileConfig | MeshConfig, bool]:
    chosen = "mesh" in settings or "mesh" in vary
    if "config" in settings:
        base = network_config(configuration_from_toml(path.parent / settings["config"]))
    elif chosen and "preset" not in settings:
        base = network_config(any_preset("mesh_4x4"))
        assert isinstance(base, MeshConfig)
        return base.tile, True
    else:
        base = network_config(any_preset(settings.get("preset", "default")))
    if chosen and isinstance(base, MeshConfig):
        raise UserError(f"{path}: [sweep]: {base.name} is a mesh already: leave out mesh, or "
                        "name a tile")
    return base, chosen


def _points(vary: dict[str, Any], base: TileConfig | MeshConfig, chosen: bool,
            settings: dict[str, Any], where: str) -> tuple[dict[str, Any], ...]:
    known, grid = known_keys(base, chosen=chosen), settings.get("mode", "grid") == "grid"
    lists: dict[str, list[Any]] = {}
    for key, given in vary.items():
        if key not in known:
            what = ("a mesh that is chosen" if chosen else
                    "a mesh" if isinstance(base, MeshConfig) else "a tile")
            raise UserError(f"{where}: unknown key {key!r}; of {what}, known are "
                            f"{', '.join(known)}")
        values = given if isinstance(given, list) else [given]
        if not values:
            raise UserError(f"{where}: {key} has no values")
        for number, value in enumerate(values):
            known[key].check(where, key, value)
            if grid and value in values[:number]:
                raise UserError(f"{where}: {key} has the value {value!r} twice")
        if isinstance(given, list) or grid:
            lists[key] = values
    if not any(isinstance(given, list) for given in vary.values()):
        raise UserError(f"{where}: has no list of values, so there is nothing to vary; like "
                        "lanes = [4, 8]")
    lengths = {key: len(values) for key, values in lists.items()}
    count = math.prod(lengths.values()) if grid else max(lengths.values())
    if count > MOST:
        raise UserError(f"{where}: makes {count:,} points, {MOST:,} are the most")
    if not grid:
        first = next(iter(lengths))
        for key, length in lengths.items():
            if length != lengths[first]:
                raise UserError(f"{where}: with mode = 'zip' lists have one length: {first} has "
                                f"{lengths[first]} values, {key} has {length}")
        lists = {key: lists.get(key, [vary[key]] * count) for key in vary}
    combined = itertools.product(*lists.values()) if grid else zip(*lists.values(), strict=True)
    fixed = {"mesh": settings["mesh"]} if chosen and "mesh" not in vary else {}
    if fixed:
        known["mesh"].check(where.replace("[vary]", "[sweep]"), "mesh", fixed["mesh"])
    if "mesh" in settings and "mesh" in vary:
        raise UserError(f"{where}: mesh is in [sweep] as well")
    if "queue_depth" in vary and "profiled" in lists.get("queue", ()):
        raise UserError(f"{where}: queue_depth has no meaning where queue is 'profiled'")
    return tuple(fixed | dict(zip(lists, values, strict=True)) for values in combined)


def _sources(settings: dict[str, Any], path: Path) -> tuple[Path, str | Path]:
    from ..models import zoo
    where, model, data = f"{path}: [sweep]", settings["model"], settings.get("input")
    if model.startswith(_ZOO):
        data = model if data is None else data
        if model.removeprefix(_ZOO) not in zoo.names():
            raise UserError(f"{where}: model: there are "
                            f"{', '.join(_ZOO + name for name in zoo.names())}, not {model!r}")
        file = zoo.path(model.removeprefix(_ZOO))
    else:
        file = path.parent / model
    if data is None:
        raise UserError(f"{where}: missing key 'input', an .npz file with spikes")
    if not data.startswith(_ZOO):
        return file, path.parent / data
    if (name := data.removeprefix(_ZOO)) not in ("digits", "yinyang"):
        raise UserError(f"{where}: input: the test sets {_ZOO}digits and {_ZOO}yinyang are here, "
                        f"not {data!r}; else an .npz file with spikes")
    return file, name
