# SPDX-License-Identifier: Apache-2.0
"""A simulated mesh: the library of mesh_harness.cpp with numpy arrays as arguments."""

import ctypes
from collections.abc import Callable
from ctypes import c_char_p, c_int, c_int64, c_uint64, c_void_p
from enum import IntEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...spec import MeshConfig
from ...spec.mesh_config import MeshMemoryId, MeshRegister, mesh_request_word
from ...spec.mesh_run import MeshEvents
from .interrupts import noted_interrupts
from .mesh_build import mesh_library_of
from .simulation import Requests, SimulatedTile, TimedOut

__all__ = ["MeshSimulation", "mesh_reads", "mesh_writes"]

_DONE, _TIMED_OUT, _HOST_STUCK = range(3)
_ProgressFunction = ctypes.CFUNCTYPE(c_int, c_int64)
_TILE_SHIFT = 16  # as in mesh_harness.cpp
_NONE = np.zeros(0, np.int64)


# Mirrors struct Place of mesh_harness.cpp.
_PLACE = np.dtype([("from", np.int64), ("bytes", np.int64), ("shift", np.int64)])


class _Job(ctypes.Structure):
    # Mirrors struct Job of mesh_harness.cpp.
    _fields_ = [
        ("runs", c_int64), ("steps", c_int64), ("rows", c_int64), ("start", c_void_p),
        ("word", c_void_p), ("target_bits", c_int64), ("value_bits", c_int64),
        ("clear", c_uint64), ("status", c_uint64), ("run", c_uint64),
        ("end_reads", c_void_p), ("end_read_count", c_int64), ("step_limit", c_int64),
        ("recorded", c_void_p), ("recorded_count", c_int64),
        ("barrier", c_void_p), ("end", c_void_p), ("end_values", c_void_p),
        ("recorded_words", c_void_p),
        ("progress", _ProgressFunction), ("failed_run", c_int64), ("failed_step", c_int64)]


def mesh_writes(tile: int, memory: IntEnum, index: npt.ArrayLike, data: npt.ArrayLike) -> Requests:
    """Host requests that write ``data`` (words of 32 bits, unsigned) to these indices."""
    return np.atleast_1d(mesh_request_word().pack(
        {"data": data, "index": index, "memory": int(memory), "tile": tile, "write": 1}))


def mesh_reads(tile: int, memory: IntEnum, index: npt.ArrayLike) -> Requests:
    """Host requests that read these indices."""
    return np.atleast_1d(mesh_request_word().pack(
        {"data": 0, "index": index, "memory": int(memory), "tile": tile, "write": 0}))


class MeshSimulation(SimulatedTile):
    """A mesh after reset.

    Parameters
    ----------
    config : MeshConfig
        The mesh.
    library : Path, optional
        What :mod:`~neurotile.hw.engine.mesh_build` made; by default of ``config``.
    """

    request_word = mesh_request_word()

    def __init__(self, config: MeshConfig, library: Path | None = None) -> None:
        self.config = config
        super().__init__(library or mesh_library_of(config))
        run = self.library.mesh_run
        run.restype, run.argtypes = c_int, [c_void_p, ctypes.POINTER(_Job)]
        site = self.library.tile_site
        site.restype = c_int64
        site.argtypes = [c_void_p, c_char_p, c_char_p, ctypes.POINTER(c_void_p)]

    def _places(self, neurons: npt.NDArray[np.int64]) -> npt.NDArray[np.void]:
        """Where the model keeps the potentials of these neurons (tile * neurons + neuron)."""
        tile, found = self.config.tile, np.zeros(neurons.size, _PLACE)
        for number in np.unique(neurons // tile.neurons).tolist():
            storage = c_void_p()
            row_bytes = self.library.tile_site(
                self._tile, f"bench.mesh.tile_{number}.membrane_memory".encode(), b"membrane",
                ctypes.byref(storage))
            if not row_bytes or storage.value is None:
                raise RuntimeError(f"the simulator does not show the potentials of tile {number}")
            mine = neurons // tile.neurons == number
            row, lane = np.divmod(neurons[mine] % tile.neurons, tile.lanes)
            byte, shift = np.divmod(lane * tile.state_bits, 8)
            found["from"][mine] = storage.value + row * row_bytes + byte
            found["bytes"][mine] = np.minimum(row_bytes - byte, 8)
            found["shift"][mine] = shift
        return found

    def run(self, events: MeshEvents, *, end_reads: Requests, step_limit: int,
            recorded: npt.NDArray[np.int64] = _NONE,
            progress: Callable[[int, int], None] | None = None
            ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64],
                       npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
        """Every run of ``events`` with the reference stimulus, each after CLEAR.

        Parameters
        ----------
        end_reads : ndarray of uint64
            Host requests (reads) after each run.
        step_limit : int
            Cycles from one barrier to the next, or to the end, that count as endless.
        recorded : ndarray of int64
            Neurons (tile * neurons + neuron) whose potential is read after each step, which costs
            no cycles.
        progress : callable, optional
            Called with (steps done, steps) now and then.

        Returns
        -------
        barrier : ndarray of int64, (runs, steps)
        end : ndarray of int64, (runs,)
        spikes : ndarray of int64, (5, spikes)
            Run, step, tile, neuron and cycle of every packet at a host port.
        end_values : ndarray of uint32, (runs, end_reads)
        membrane : ndarray of int64, (runs, steps, recorded)

        Raises
        ------
        TimedOut
            A step takes longer than ``step_limit``; the simulation can then only be closed.
        """
        config, events = self.config, events.checked(self.config)
        total = events.runs * events.steps
        end_reads = np.ascontiguousarray(end_reads, np.uint64)
        barrier = np.zeros((events.runs, events.steps), np.int64)
        end = np.zeros(events.runs, np.int64)
        end_values = np.zeros((events.runs, end_reads.size), np.uint32)
        places = self._places(recorded)
        words = np.zeros((events.runs, events.steps, places.size), np.uint64)
        failure: list[BaseException] = []

        def report(done: int) -> int:
            try:
                if progress is not None:
                    progress(done, total)
            except BaseException as error:
                failure.append(error)
            return len(failure)

        mesh = MeshMemoryId.MESH
        job = _Job(
            runs=events.runs, steps=events.steps, rows=config.rows, start=events.start.ctypes.data,
            word=events.word.ctypes.data, target_bits=config.target_bits,
            value_bits=config.value_bits,
            clear=int(mesh_writes(0, mesh, MeshRegister.CLEAR, 1)[0]),
            status=int(mesh_reads(0, mesh, MeshRegister.STATUS)[0]),
            run=int(mesh_writes(0, mesh, MeshRegister.RUN, events.steps)[0]),
            end_reads=end_reads.ctypes.data, end_read_count=end_reads.size, step_limit=step_limit,
            recorded=places.ctypes.data, recorded_count=places.size,
            barrier=barrier.ctypes.data, end=end.ctypes.data, end_values=end_values.ctypes.data,
            recorded_words=words.ctypes.data, progress=_ProgressFunction(report))
        with noted_interrupts(failure):
            result = self.library.mesh_run(self._tile, ctypes.byref(job))
        if result == _TIMED_OUT:
            raise TimedOut(job.failed_run, job.failed_step, step_limit)
        if failure:
            raise failure[0]
        if result != _DONE:
            raise RuntimeError(f"run {job.failed_run}: " + (
                "the mesh's host port does not answer" if result == _HOST_STUCK
                else "the mesh breaks the protocol of barrier and END_OF_STEP"))
        found = np.zeros((4, self.library.tile_spike_count(self._tile)), np.int64)
        self.library.tile_spikes(self._tile, *(row.ctypes.data for row in found))
        run, step, source, cycle = found
        place, neuron = source >> _TILE_SHIFT, source & (1 << _TILE_SHIFT) - 1
        tile = (place >> config.x_bits) * config.cols + (place & (1 << config.x_bits) - 1)
        sign = np.int64(1) << config.tile.state_bits - 1
        membrane = (words.view(np.int64) & 2 * sign - 1 ^ sign) - sign
        return barrier, end, np.array([run, step, tile, neuron, cycle]), end_values, membrane
