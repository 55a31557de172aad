# SPDX-License-Identifier: Apache-2.0
"""A simulated tile in event mode: the library of event_harness.cpp with numpy arrays."""

import ctypes
from collections.abc import Callable, Mapping
from ctypes import c_char_p, c_int, c_int64, c_uint64, c_void_p
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...spec import EVENT_COUNTERS, EventConfig, Events, Switches, UserError
from ...spec.event_formats import EventMemoryId, EventPhase, EventRegister
from ...spec.event_run import Observer, Words
from ...spec.formats import memories
from .event_build import OBSERVED, event_library_of
from .interrupts import noted_interrupts
from .simulation import SimulatedTile, reads, register, writes

__all__ = ["EventSimulation", "Processed"]

_DONE, _TIMED_OUT, _STUCK, _STOPPED = range(4)
_Callback = ctypes.CFUNCTYPE(c_int, c_int64)


class _Image(ctypes.Structure):
    # Mirrors struct Image of event_harness.cpp.
    _fields_ = [("scope", c_char_p), ("name", c_char_p), ("rows", c_int64), ("lanes", c_int64),
                ("width", c_int64), ("words", c_void_p)]


class _Job(ctypes.Structure):
    # Mirrors struct EventJob of event_harness.cpp.
    _fields_ = [
        ("count", c_int64), ("words", c_void_p), ("wait", c_int64), ("run", c_uint64),
        ("stop", c_uint64), ("limit", c_int64), ("images", ctypes.POINTER(_Image)),
        ("image_count", c_int64), ("accepted", c_void_p), ("end", c_int64),
        ("progress", _Callback), ("observe", _Callback), ("failed_event", c_int64)]


@dataclass(frozen=True, eq=False)
class Processed:
    """What a tile says about a list of events; fields as in ``spec.EventTrace``."""

    spike_event: npt.NDArray[np.int64]
    spike_neuron: npt.NDArray[np.int64]
    spike_cycle: npt.NDArray[np.int64]
    accepted: npt.NDArray[np.int64]
    end: int


class EventSimulation(SimulatedTile):
    """A tile in event mode, for any number of event lists; in HOLD between them.

    Parameters
    ----------
    config : EventConfig
        The tile.
    library : Path, optional
        What :func:`~neurotile.hw.engine.event_build.build_event_library` made; by default of
        ``config``.
    """

    def __init__(self, config: EventConfig, library: Path | None = None) -> None:
        self.config = config
        self.memories = {memory.name: memory for memory in memories(config)}
        super().__init__(library or event_library_of(config))
        for function, argument in ((self.library.tile_process, _Job),
                                   (self.library.tile_image, _Image)):
            function.restype, function.argtypes = c_int, [c_void_p, ctypes.POINTER(argument)]

    def write_register(self, number: EventRegister, value: int) -> None:
        """Write a register through the host port."""
        self.host(np.array([register(number, value)], np.uint64))

    def read_register(self, number: int) -> int:
        """Read a register through the host port."""
        return int(self.host(reads(EventMemoryId.REGISTERS, number))[0])

    def switch(self, switches: Switches) -> None:
        """Write register SWITCHES."""
        self.write_register(EventRegister.SWITCHES, switches.word)

    def clear(self) -> None:
        """What register CLEAR does: states, scheduler and counters become 0."""
        self._hold()
        self.write_register(EventRegister.CLEAR, 1)
        self._hold()

    def _hold(self) -> None:
        """Wait until the phase is HOLD; RUN is 0, so that a pass and CLEAR end in it."""
        while self.read_register(EventRegister.STATUS) & 3 != EventPhase.HOLD:
            pass

    def load(self, contents: Mapping[str, Words]) -> None:
        """Write all words of these memories, (rows, lanes), through the host port."""
        for name, words in contents.items():
            self.host(writes(self.memories[name].id, np.arange(words.size),
                             words.reshape(-1).astype(np.int64)))

    def read(self, name: str) -> Words:
        """Words of a memory, (rows, lanes), through the host port."""
        memory = self.memories[name]
        words = self.host(reads(memory.id, np.arange(memory.rows * memory.lanes)))
        return words.astype(np.uint64).reshape(memory.rows, memory.lanes)

    def counters(self) -> dict[str, int]:
        """Counters since reset or CLEAR."""
        values = self.host(reads(EventMemoryId.REGISTERS,
                                 EventRegister.COUNTERS + np.arange(len(EVENT_COUNTERS))))
        return dict(zip(EVENT_COUNTERS, values.tolist(), strict=True))

    def peek(self, name: str) -> Words:
        """Words of ``synapse`` or ``state`` without the host port, in no cycles.

        Raises
        ------
        RuntimeError
            The simulator does not show this memory.
        """
        image, words = self._image(name)
        if self.library.tile_image(self._tile, ctypes.byref(image)) != _DONE:
            raise RuntimeError(f"the simulator does not show memory {name}")
        return words

    def _image(self, name: str) -> tuple[_Image, Words]:
        memory = self.memories[name]
        words = np.zeros((memory.rows, memory.lanes), np.uint64)
        return _Image(b"bench.tile." + f"{name}_memory".encode(), name.encode(), memory.rows,
                      memory.lanes, memory.word.width, words.ctypes.data), words

    def process(self, events: Events, *, observe: Observer | None = None,
                progress: Callable[[int, int], None] | None = None, limit: int) -> Processed:
        """Process events with the reference stimulus; cycle 0 is the first in FREE.

        Parameters
        ----------
        observe : callable, optional
            Called after every event is completely processed; only with ``events.wait``.
        progress : callable, optional
            Called with (events accepted, events) now and then.
        limit : int
            Cycles after an accepted event without another one or ``idle`` that count as endless.

        Raises
        ------
        UserError
            ``observe`` was given without ``events.wait``, or an event takes longer than ``limit``;
            what it did is undone by :meth:`clear` and :meth:`load`.
        """
        if observe and not events.wait:
            raise UserError("events: only events with wait=True can be observed, because others "
                            "overlap")
        words, total = np.ascontiguousarray(events.words, np.uint64), events.words.size
        accepted = np.zeros(total, np.int64)
        shown = {name: self._image(name) for name in (OBSERVED if observe else ())}
        failure: list[BaseException] = []

        def guarded(call: Callable[[int], None]) -> Callable[[int], int]:
            def guard(number: int) -> int:
                try:
                    call(number)
                except BaseException as error:
                    failure.append(error)
                return len(failure)
            return guard

        def report(done: int) -> None:
            if progress is not None:
                progress(done, total)

        def look(event: int) -> None:
            assert observe is not None
            observe(event, {name: words for name, (_, words) in shown.items()})

        job = _Job(
            count=total, words=words.ctypes.data, wait=events.wait,
            run=register(EventRegister.RUN, 1), stop=register(EventRegister.RUN, 0), limit=limit,
            images=(_Image * len(shown))(*(image for image, _ in shown.values())),
            image_count=len(shown), accepted=accepted.ctypes.data,
            progress=_Callback(guarded(report)),
            observe=_Callback(guarded(look)) if observe else _Callback())
        with noted_interrupts(failure):
            result = self.library.tile_process(self._tile, ctypes.byref(job))
        if result == _TIMED_OUT:
            raise UserError(
                f"{self.config.name}: event {job.failed_event}: the tile is still busy after "
                f"{limit} cycles; give the closed loop less weight, or set open_loop")
        if failure:
            raise failure[0]
        if result != _DONE:
            raise RuntimeError("the tile's host port does not answer" if result == _STUCK
                               else "the tile breaks the protocol of events and idle")
        report(total)
        spikes = np.zeros((4, self.library.tile_spike_count(self._tile)), np.int64)
        self.library.tile_spikes(self._tile, *(row.ctypes.data for row in spikes))
        return Processed(spike_event=spikes[1], spike_neuron=spikes[2], spike_cycle=spikes[3],
                         accepted=accepted, end=int(job.end))
