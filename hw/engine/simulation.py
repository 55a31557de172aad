# SPDX-License-Identifier: Apache-2.0
"""A simulated tile: the library of harness.cpp with numpy arrays as arguments."""

import ctypes
from collections.abc import Callable
from ctypes import c_int, c_int64, c_uint64, c_void_p
from enum import IntEnum
from functools import lru_cache
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from ...spec import TileConfig, TileEvents, UserError
from ...spec.codes import MemoryId, Register
from ...spec.formats import host_request_word, input_word, output_word
from .build import library_of
from .interrupts import noted_interrupts

__all__ = ["Requests", "SimulatedTile", "Simulation", "StepLog", "TimedOut", "reads", "register",
           "writes"]

Requests = npt.NDArray[np.uint64]
_DONE, _TIMED_OUT, _HOST_STUCK, _STOPPED, _PROTOCOL = range(5)
_ProgressFunction = ctypes.CFUNCTYPE(c_int, c_int64)


class TimedOut(UserError):
    """A step did not end; ``run`` and ``step`` say which."""

    def __init__(self, run: int, step: int, limit: int) -> None:
        super().__init__(f"time-out: step {step} of run {run} did not end within {limit} cycles; "
                         "the segments of an axon may never reach 'last'")
        self.run, self.step = run, step


class StepLog:
    """What a run reads after some of its steps.

    Parameters
    ----------
    steps : ndarray of int64
        Ascending run * steps + step.
    requests : ndarray of uint64
        Host requests (reads).

    Attributes
    ----------
    values : ndarray of uint32, (steps, requests)
        The answers, after the run.
    """

    def __init__(self, steps: npt.NDArray[np.int64], requests: Requests) -> None:
        self.steps = np.ascontiguousarray(steps, np.int64)
        self.requests = np.ascontiguousarray(requests, np.uint64)
        self.values = np.zeros((self.steps.size, self.requests.size), np.uint32)


class _Job(ctypes.Structure):
    # Mirrors struct Job of harness.cpp.
    _fields_ = [
        ("runs", c_int64), ("steps", c_int64), ("start", c_void_p), ("axon", c_void_p),
        ("end_of_step", c_uint64), ("output_end_of_step", c_uint64),
        ("clear", c_uint64), ("status", c_uint64), ("run", c_uint64), ("status_phase", c_uint64),
        ("step_reads", c_void_p), ("step_read_count", c_int64),
        ("log_steps", c_void_p), ("log_count", c_int64),
        ("log_reads", c_void_p), ("log_read_count", c_int64),
        ("end_reads", c_void_p), ("end_read_count", c_int64), ("step_limit", c_int64),
        ("barrier", c_void_p), ("step_values", c_void_p), ("log_values", c_void_p),
        ("end_values", c_void_p),
        ("progress", _ProgressFunction), ("failed_run", c_int64), ("failed_step", c_int64)]


def writes(memory: IntEnum, index: npt.ArrayLike, data: npt.ArrayLike) -> Requests:
    """Host requests that write ``data`` (words of 32 bits, unsigned) to these indices."""
    return np.atleast_1d(host_request_word().pack(
        {"data": data, "index": index, "memory": int(memory), "write": 1}))


def reads(memory: IntEnum, index: npt.ArrayLike) -> Requests:
    """Host requests that read these indices."""
    return np.atleast_1d(host_request_word().pack(
        {"data": 0, "index": index, "memory": int(memory), "write": 0}))


def register(number: IntEnum, data: int | None = None) -> int:
    """Host request that reads a register, or writes ``data`` to it."""
    request = (reads(MemoryId.REGISTERS, int(number)) if data is None
               else writes(MemoryId.REGISTERS, int(number), data))
    return int(request[0])


@lru_cache
def _load(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    for name, result, arguments in (
            ("tile_new", c_void_p, []), ("tile_free", None, [c_void_p]),
            ("tile_cycles", c_uint64, [c_void_p]),
            ("tile_host", c_int, [c_void_p, c_void_p, c_int64, c_void_p, c_int64]),
            ("tile_spike_count", c_int64, [c_void_p]),
            ("tile_spikes", None, [c_void_p] * 5)):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class SimulatedTile:
    """One tile after reset; free it with :meth:`close` or use it in a ``with`` statement.

    Parameters
    ----------
    library : Path
        What :mod:`~neurotile.hw.engine.build` made.
    """

    request_word = host_request_word()
    """Format of a request at its host port."""

    def __init__(self, library: Path) -> None:
        self.library = _load(library)
        self._tile: int | None = self.library.tile_new()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the simulator; later calls of other methods are errors."""
        if self._tile is not None:
            self.library.tile_free(self._tile)
            self._tile = None

    @property
    def cycles(self) -> int:
        """Clock cycles simulated since reset, with those for host access."""
        return int(self.library.tile_cycles(self._tile))

    def host(self, requests: Requests) -> npt.NDArray[np.uint32]:
        """Sends requests in order; the answers to the reads among them."""
        requests = np.ascontiguousarray(requests, np.uint64)
        answers = np.zeros(int((self.request_word.unpack(requests)["write"] == 0).sum()),
                           np.uint32)
        result = self.library.tile_host(self._tile, requests.ctypes.data, requests.size,
                                        answers.ctypes.data, answers.size)
        if result != _DONE:
            raise RuntimeError("the tile's host port does not answer")
        return answers


class Simulation(SimulatedTile):
    """A tile that runs steps.

    Parameters
    ----------
    config : TileConfig
        The tile, for the formats of its streams.
    library : Path, optional
        What :func:`~neurotile.hw.engine.build.build_library` made; by default of ``config``.
    """

    def __init__(self, config: TileConfig, library: Path | None = None) -> None:
        self.config = config
        super().__init__(library or library_of(config))
        run = self.library.tile_run
        run.restype, run.argtypes = c_int, [c_void_p, ctypes.POINTER(_Job)]

    def run(self, events: TileEvents, *, step_reads: Requests, end_reads: Requests,
            step_limit: int, progress: Callable[[int, int], None] | None = None,
            log: StepLog | None = None
            ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.uint32],
                       npt.NDArray[np.uint32]]:
        """Every run of ``events`` with the reference stimulus, each after CLEAR.

        Parameters
        ----------
        step_reads, end_reads : ndarray of uint64
            Host requests (reads) after each step and after each run.
        step_limit : int
            Clock cycles from one barrier to the next after which the run counts as endless.
        progress : callable, optional
            Called with (steps done, steps) now and then.
        log : StepLog, optional
            What is read after some of the steps.

        Returns
        -------
        barrier : ndarray of int64, (runs, steps)
        spikes : ndarray of int64, (4, spikes)
            Run, step, neuron and cycle of every output spike.
        step_values : ndarray of uint32, (runs, steps, step_reads)
        end_values : ndarray of uint32, (runs, end_reads)

        Raises
        ------
        TimedOut
            A step takes longer than ``step_limit``; the simulation can then only be closed.
        """
        config, total = self.config, events.runs * events.steps
        axon = np.ascontiguousarray(events.axon, np.int32)
        start = np.ascontiguousarray(events.start, np.int64)
        if axon.size and not (axon.min() >= 0 and axon.max() < config.axons):
            raise UserError(f"events: axons must be in 0..{config.axons - 1}")
        step_reads = np.ascontiguousarray(step_reads, np.uint64)
        log = log or StepLog(np.zeros(0, np.int64), np.zeros(0, np.uint64))
        end_reads = np.ascontiguousarray(end_reads, np.uint64)
        barrier = np.zeros((events.runs, events.steps), np.int64)
        step_values = np.zeros((events.runs, events.steps, step_reads.size), np.uint32)
        end_values = np.zeros((events.runs, end_reads.size), np.uint32)
        failure: list[BaseException] = []

        def report(done: int) -> int:
            try:
                if progress is not None:
                    progress(done, total)
            except BaseException as error:
                failure.append(error)
            return len(failure)

        job = _Job(
            runs=events.runs, steps=events.steps, start=start.ctypes.data, axon=axon.ctypes.data,
            end_of_step=int(input_word(config).pack({"axon": 0, "end_of_step": 1})),
            output_end_of_step=int(output_word(config).pack({"neuron": 0, "end_of_step": 1})),
            clear=register(Register.CLEAR, 1), status=register(Register.STATUS),
            run=register(Register.RUN, 0), status_phase=3,
            step_reads=step_reads.ctypes.data, step_read_count=step_reads.size,
            log_steps=log.steps.ctypes.data, log_count=log.steps.size,
            log_reads=log.requests.ctypes.data, log_read_count=log.requests.size,
            end_reads=end_reads.ctypes.data, end_read_count=end_reads.size, step_limit=step_limit,
            barrier=barrier.ctypes.data, step_values=step_values.ctypes.data,
            log_values=log.values.ctypes.data, end_values=end_values.ctypes.data,
            progress=_ProgressFunction(report))
        with noted_interrupts(failure):
            result = self.library.tile_run(self._tile, ctypes.byref(job))
        if result == _TIMED_OUT:
            raise TimedOut(job.failed_run, job.failed_step, step_limit)
        if failure:
            raise failure[0]
        if result != _DONE:
            raise RuntimeError(f"run {job.failed_run}: " + (
                "the tile's host port does not answer" if result == _HOST_STUCK
                else "the tile breaks the protocol of barrier and END_OF_STEP"))
        if progress is not None:
            progress(total, total)
        spikes = np.zeros((4, self.library.tile_spike_count(self._tile)), np.int64)
        self.library.tile_spikes(self._tile, *(row.ctypes.data for row in spikes))
        return barrier, spikes, step_values, end_values
