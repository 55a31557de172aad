# SPDX-License-Identifier: Apache-2.0
"""What runs on a tile in event mode: program, events, trace."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from .digest import digest
from .errors import UserError
from .event_config import EventConfig
from .event_formats import EventKind, event_word, event_words, switches_word

__all__ = ["EventProgram", "EventTrace", "Events", "Observer", "Switches"]

Words = npt.NDArray[np.uint64]

Observer = Callable[[int, Mapping[str, Words]], None]
"""Called after event k is completely processed, with k and the words, (rows, lanes), of ``synapse``
and ``state``; the arrays are only valid during the call."""


@dataclass(frozen=True, kw_only=True)
class Switches:
    """Register SWITCHES (docs/event_mode.md, section 2)."""

    open_loop: bool = True
    update_unmapped: bool = False
    propagate_unmapped: bool = False
    learn_on_synapse: bool = False
    source: bool = False
    learn: bool = True

    @property
    def word(self) -> int:
        """Value of the register."""
        return int(switches_word().pack({k: int(v) for k, v in asdict(self).items()}))


@dataclass(frozen=True, eq=False)
class EventProgram:
    """Everything that is loaded into a tile in event mode.

    Parameters
    ----------
    config : EventConfig
        The tile.
    memories : dict of str to ndarray of uint64, (rows, lanes)
        Words of every memory; any bit patterns within the width of a word.
    switches : Switches
        Register SWITCHES.

    Raises
    ------
    UserError
        A memory is missing or unknown, has the wrong shape, or a word is too wide.
    """

    config: EventConfig
    memories: dict[str, Words]
    switches: Switches

    def __post_init__(self) -> None:
        shapes = {id.name.lower(): shape for id, shape in event_words(self.config).items()}
        if set(shapes) != set(self.memories):
            raise UserError(f"{self.config.name}: memories must be {', '.join(shapes)}, "
                            f"not {', '.join(self.memories) or 'none'}")
        for name, (word, rows, lanes) in shapes.items():
            array = self.memories[name]
            if array.shape != (rows, lanes) or array.dtype.kind not in "iu":
                raise UserError(f"{self.config.name}: memory {name} must hold {rows} x {lanes} "
                                f"integers, not {array.dtype} {array.shape}")
            if array.size and not 0 <= int(array.min()) <= int(array.max()) < 1 << word.width:
                raise UserError(f"{self.config.name}: memory {name} has words of {word.width} "
                                f"bits; {array.max()} is too large or {array.min()} negative")

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that decides spikes, states and cycles."""
        return digest([("config", self.config.digest), ("switches", self.switches.word),
                       *sorted(self.memories.items())])


@dataclass(frozen=True, eq=False)
class Events:
    """Host events in order.

    Parameters
    ----------
    words : ndarray of uint64, (n,)
        Words of ``event_formats.event_word``.
    wait : bool
        The host presents an event when the tile is idle, else as early as it is accepted.
    """

    words: Words
    wait: bool = True

    @classmethod
    def make(cls, config: EventConfig, kind: npt.ArrayLike, *, pre: npt.ArrayLike = 0,
             post: npt.ArrayLike = 0, weight: npt.ArrayLike = 0, inhibitory: npt.ArrayLike = 0,
             wait: bool = True) -> "Events":
        """Events of these fields, each one value or one per event.

        Raises
        ------
        UserError
            A value does not fit the tile, or lengths differ.
        """
        try:
            arrays = np.broadcast_arrays(*(np.atleast_1d(x) for x in
                                           (pre, post, weight, inhibitory, kind)))
            names = ("pre", "post", "weight", "inhibitory", "kind")
            words = event_word(config).pack(dict(zip(names, arrays, strict=True)))
        except ValueError as error:
            raise UserError(f"events: {error}") from None
        return cls(np.atleast_1d(words), wait)

    def fields(self, config: EventConfig) -> dict[str, npt.NDArray[np.int64]]:
        """Arrays ``kind``, ``pre``, ``post``, ``weight`` and ``inhibitory``."""
        return event_word(config).unpack(self.words)

    def synaptic_operations(self, config: EventConfig) -> int:
        """Synapses that the events read when no neuron's spike enters the scheduler."""
        kinds = self.fields(config)["kind"]
        return int((kinds == EventKind.SPIKE).sum() * config.neurons
                   + (kinds == EventKind.SYNAPSE).sum())


@dataclass(frozen=True, eq=False)
class EventTrace:
    """What an engine reports in event mode.

    Parameters
    ----------
    engine : str
        ``golden``, ``fast`` or ``rtl``.
    spike_event, spike_neuron : ndarray of int64, (spikes,)
        Output in order: number of the last event accepted before the spike, and the neuron.
    memories : dict of str to ndarray of uint64, (rows, lanes)
        ``synapse`` and ``state`` at the end.
    counters : dict of str to int
        The counters of docs/event_mode.md; golden has only those that do not depend on cycles.
    accepted : ndarray of int64, (events,), optional
        Cycle in which each event was accepted; golden has none, nor the following.
    end : int, optional
        First cycle after the last acceptance in which the tile is idle.
    spike_cycle : ndarray of int64, (spikes,), optional
        Cycle of each output transfer.
    """

    engine: str
    spike_event: npt.NDArray[np.int64]
    spike_neuron: npt.NDArray[np.int64]
    memories: dict[str, Words]
    counters: dict[str, int]
    accepted: npt.NDArray[np.int64] | None = None
    end: int | None = None
    spike_cycle: npt.NDArray[np.int64] | None = None
