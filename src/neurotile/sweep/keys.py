# SPDX-License-Identifier: Apache-2.0
"""What a sweep can vary, and the values that each key takes."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..mesh_options import DELAYS, QUEUES, ROUTINGS, MeshOptions
from ..spec import MODELS, MeshConfig, TileConfig, UserError

__all__ = ["MAPPER", "QUANTISER", "Key", "known_keys"]

QUANTISER = ("weight_bits", "state_bits")
"""Number formats of the network, which the tile follows, as with ``neurotile run``."""

MAPPER = ("share", "spread", "queue", "margin")
"""Options of the mapper of meshes."""

# A mesh that is chosen for the network takes these from its tile; the rest follows the network.
_CHOSEN = ("axons", "neurons", "lanes", "synapse_words", "decay_bits", "shift_bits", "parameters",
           "parameter_sets", "spike_fifo_depth", "integrate_stages", "update_stages", "step_bits")
_FIXED = ("name", "tile", "learning")  # a sweep has no file that says what learns


@dataclass(frozen=True)
class Key:
    """A key and the values that it takes, in words and as a test."""

    legal: str
    test: Callable[[Any], bool]

    def check(self, where: str, name: str, value: Any) -> None:
        """Refuse a value out of range.

        Raises
        ------
        UserError
            It is not legal.
        """
        if not self.test(value):
            raise UserError(f"{where}: {name} must be {self.legal}, not {value!r}")


def known_keys(base: TileConfig | MeshConfig, *, chosen: bool) -> dict[str, Key]:
    """Keys that can be varied from this base, in the order in which they are listed.

    Parameters
    ----------
    chosen : bool
        The mesh is chosen for the network, with ``base`` as its tile.
    """
    tile = _fields(TileConfig)
    tile |= {"parameters": _one_of("neuron", "shared"), "models": Key(
        f"a list of {', '.join(MODELS)}",
        lambda v: isinstance(v, list) and bool(v) and set(map(str, v)) <= set(MODELS))}
    tile["weight_bits"] = _integer(1, 16)
    mapper = {"share": _BOOLEAN, "spread": _BOOLEAN, "queue": _one_of(*QUEUES), "margin": Key(
        "a number in 1..16",
        lambda v: isinstance(v, int | float) and not isinstance(v, bool) and 1 <= v <= 16)}
    if chosen:
        mapper["queue"] = _one_of("worst_case", "profiled")
        return {"mesh": Key("'auto' or a size like '4x4', of at most 16x16", _is_mesh),
                "routing": _one_of(*ROUTINGS), "delay": _one_of(*DELAYS), **mapper,
                **{name: tile[name] for name in (*QUANTISER, *_CHOSEN)}}
    if isinstance(base, MeshConfig):
        return {**_fields(MeshConfig), "routing": _one_of(*ROUTINGS), "link_parity": _BOOLEAN,
                **tile, "delay": _one_of("none", *DELAYS), **mapper}
    return {name: key for name, key in tile.items() if name != "delay_bits"}


def _fields(kind: type[TileConfig] | type[MeshConfig]) -> dict[str, Key]:
    return {field.name: Key(field.metadata["legal"], _whole(field.metadata["test"]))
            for field in dataclasses.fields(kind)
            if "legal" in field.metadata and field.name not in _FIXED}


def _whole(test: Callable[[int], bool]) -> Callable[[Any], bool]:
    return lambda v: isinstance(v, int) and not isinstance(v, bool) and test(v)


def _integer(low: int, high: int) -> Key:
    return Key(f"an integer in {low}..{high}", _whole(lambda v: low <= v <= high))


def _one_of(*names: str) -> Key:
    return Key(" or ".join(map(repr, names)), lambda v: isinstance(v, str) and v in names)


def _is_mesh(value: Any) -> bool:
    try:
        return isinstance(value, str) and MeshOptions.parse(value) is not None
    except UserError:
        return False


_BOOLEAN = Key("true or false", lambda v: isinstance(v, bool))
