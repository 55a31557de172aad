# SPDX-License-Identifier: Apache-2.0
"""Recorded runs of ODIN: the .npz file (docs/odin.md), read and checked."""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .odin import NEURONS, SYNAPSE_WORDS, neuron_fields, odin_events, odin_program, switches
from .spec import EventProgram, Events, UserError

__all__ = ["FORMAT", "OdinTrace", "load_trace"]

FORMAT = 1

Arrays = dict[str, npt.NDArray[Any]]

# dtype and shape of every array; a letter stands for the same length wherever it occurs.
_ARRAYS: dict[str, tuple[str, tuple[int | str, ...]]] = {
    "syn_sign": ("u1", (NEURONS,)), "neur0": ("<u8", (NEURONS, 2)),
    "syn0": ("<u4", (SYNAPSE_WORDS,)),
    "flags0": ("u1", (64,)), "events": ("<u4", ("n",)), "spk_ev": ("<u4", ("m",)),
    "spk_addr": ("u1", ("m",)), "crc": ("<u4", ("n", 3)), "flags": ("u1", ("n", 64)),
    "dump_ev": ("<u4", ("K",)), "dump_neur": ("<u8", ("K", NEURONS, 2)),
    "dump_syn": ("<u4", ("K", SYNAPSE_WORDS)), "dump_flags": ("u1", ("K", 64)),
    "cyc_total": ("<u4", ("n",)), "cyc_proc": ("<u4", ("n",)), "cyc_stall": ("<u4", ("n",))}
# Only in short traces; the three of a line together.
_CHANGES: tuple[dict[str, tuple[str, tuple[int | str, ...]]], ...] = (
    {"nd_ev": ("<u4", ("d",)), "nd_addr": ("u1", ("d",)), "nd_hi": ("<u8", ("d",))},
    {"sd_ev": ("<u4", ("s",)), "sd_addr": ("<u2", ("s",)), "sd_val": ("<u4", ("s",))})


@dataclass(frozen=True, eq=False)
class OdinTrace:
    """Stimulus of ODIN and what it did.

    Parameters
    ----------
    name, model : str
        As in the file; ``model`` is ``LIF`` or ``IZH``.
    config : dict of str to int
        ODIN's configuration registers.
    arrays : dict of str to ndarray
        All arrays of the file.
    program : EventProgram
        The same on a tile in event mode; the neurons' type is not looked at.
    events : Events
        Input events, each after the one before has ended.
    izhikevich : int
        Neurons whose type is Izhikevich.
    """

    name: str
    model: str
    config: dict[str, int]
    arrays: Arrays
    program: EventProgram
    events: Events
    izhikevich: int

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], *, where: str) -> "OdinTrace":
        """Trace of the members of an archive.

        Raises
        ------
        UserError
            Something is missing, has the wrong type, shape, length or value, or is not supported.
        """
        meta = _meta(arrays, where)
        held = _checked(arrays, where)
        if meta["n_events"] != len(held["events"]):
            raise UserError(f"{where}: meta promises {meta['n_events']!r} events, the file has "
                            f"{len(held['events'])}")
        _check_values(held, where)
        chosen = switches(meta["config"], where=where)
        return cls(
            name=str(meta["name"]), model=meta["model"], config=meta["config"], arrays=held,
            program=odin_program(held["neur0"], held["syn0"], held["syn_sign"], held["flags0"],
                                 chosen),
            events=odin_events(held["events"], where=where),
            izhikevich=int((neuron_fields(held["neur0"])["lif"] == 0).sum()))


def load_trace(path: Path) -> OdinTrace:
    """Trace in an .npz file.

    Raises
    ------
    UserError
        The file is missing, damaged, of another version, or holds something else.
    """
    try:
        with open(path, "rb") as file:
            if file.read(6) == b"\x93NUMPY":
                raise ValueError("it holds a single array")
            if not zipfile.is_zipfile(file):
                raise ValueError("it is no archive, or it is cut short")
            file.seek(0)
            archive = np.load(file, allow_pickle=False)
            arrays = {key: archive[key] for key in archive.files}
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise UserError(f"{path}: is a folder, not an .npz file") from None
    except Exception as error:  # numpy and zipfile raise many kinds for a damaged file
        raise UserError(f"{path}: not a readable .npz file: {error}") from None
    return OdinTrace.from_arrays(arrays, where=str(path))


def _meta(arrays: Mapping[str, npt.NDArray[Any]], where: str) -> dict[str, Any]:
    if "meta" not in arrays:
        raise UserError(f"{where}: not an ODIN trace: it has no 'meta'")
    text = arrays["meta"]
    if text.dtype.kind != "U" or text.shape != ():
        raise UserError(f"{where}: 'meta' must be one string of JSON, not {text.dtype} "
                        f"{text.shape}")
    try:
        meta = json.loads(str(text))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: 'meta' is not JSON: {error}") from None
    if not isinstance(meta, dict):
        raise UserError(f"{where}: 'meta' must be a JSON object, not {type(meta).__name__}")
    if "format" in meta and (type(meta["format"]) is not int or meta["format"] != FORMAT):
        raise UserError(f"{where}: format {meta['format']!r}; this version reads format {FORMAT}")
    for key in ("format", "name", "model", "config", "n_events"):
        if key not in meta:
            raise UserError(f"{where}: 'meta' has no {key!r}")
    if not isinstance(meta["name"], str):
        raise UserError(f"{where}: 'name' in 'meta' must be a text, not {meta['name']!r}")
    if meta["model"] not in ("LIF", "IZH"):
        raise UserError(f"{where}: 'model' must be 'LIF' or 'IZH', not {meta['model']!r}")
    if not isinstance(meta["config"], dict):
        raise UserError(f"{where}: 'config' in 'meta' must be a JSON object")
    return meta


def _checked(arrays: Mapping[str, npt.NDArray[Any]], where: str) -> Arrays:
    """The arrays of the format, each of the right type and shape."""
    wanted = dict(_ARRAYS)
    for group in _CHANGES:
        if any(key in arrays for key in group):
            wanted |= group
    lengths: dict[int | str, tuple[int, str]] = {}
    for key, (dtype, shape) in wanted.items():
        if key not in arrays:
            raise UserError(f"{where}: not a complete ODIN trace: it has no {key!r}")
        array = arrays[key]
        for letter, size in zip(shape, array.shape, strict=False):
            if isinstance(letter, str):
                lengths.setdefault(letter, (size, key))
        right = tuple(lengths[x][0] if x in lengths else x for x in shape)
        if array.dtype != np.dtype(dtype) or array.shape != right:
            like = next((f", as {lengths[x][1]!r} has {lengths[x][0]}" for x in shape
                         if x in lengths and lengths[x][1] != key), "")
            raise UserError(f"{where}: {key!r} must be {np.dtype(dtype).name} "
                            f"{_shape(right)}{like}; it is {array.dtype} {_shape(array.shape)}")
    return {key: arrays[key] for key in wanted}


def _shape(shape: tuple[int | str, ...]) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _check_values(held: Arrays, where: str) -> None:
    n = len(held["events"])
    if n == 0:
        raise UserError(f"{where}: 'events' is empty")
    if (held["syn_sign"] > 1).any():
        raise UserError(f"{where}: 'syn_sign' must hold 0 and 1, not {held['syn_sign'].max()}")
    for key in ("spk_ev", "dump_ev", "nd_ev", "sd_ev"):
        events = held.get(key, np.zeros(0, np.uint32))
        if (events >= n).any() or (events[1:] < events[:-1]).any():
            raise UserError(f"{where}: {key!r} must ascend within 0..{n - 1}")
    if not held["dump_ev"].size or held["dump_ev"][-1] != n - 1:
        raise UserError(f"{where}: 'dump_ev' must end with the last event, {n - 1}")
    if "sd_addr" in held and (held["sd_addr"] >= SYNAPSE_WORDS).any():
        raise UserError(f"{where}: 'sd_addr' must be in 0..{SYNAPSE_WORDS - 1}, "
                        f"not {held['sd_addr'].max()}")
