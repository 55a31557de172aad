# SPDX-License-Identifier: Apache-2.0
"""A small trace in the format of recorded ODIN runs, made by the golden engine.

It shows the replay where no recorded run is at hand; what it says of ODIN is only as true as the
golden engine.
"""

import json
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from . import odin
from .models.golden.event_engine import run
from .odin_trace import FORMAT

__all__ = ["example_trace"]

_CONFIG = {"open_loop": 0, "update_unmapped": 0, "propagate_unmapped": 0, "sdsp_on_syn": 1,
           "aer_src": 0, "mon_neur": 0, "burst_timeref": 0}


def example_trace(seed: int = 1, *, events: int = 120, codes: npt.ArrayLike | None = None,
                  **config: int) -> dict[str, npt.NDArray[Any]]:
    """Members of the archive.

    Parameters
    ----------
    seed : int
        Of memories and events.
    events : int
        Their number; all kinds occur.
    codes : array_like of int, (n,), optional
        17-bit event codes, instead of random ones.
    config : int
        Registers that differ from those of the example, such as ``open_loop=1``.
    """
    rng = np.random.default_rng(seed)
    neurons = rng.integers(0, 1 << 64, (256, 2), np.uint64, endpoint=False)
    # LIF. Thresholds and few mapped synapses let neurons fire, and activity die out.
    threshold = rng.integers(8, 48, 256, np.uint64)
    neurons[:, 0] = neurons[:, 0] & ~np.uint64(0xFF << 9) | threshold << np.uint64(9) | np.uint64(1)
    neurons[:, 1] &= ~np.uint64(0x3FF << 11)  # potentials below 32
    mapped = rng.random((8192, 8)) < 1 / 12
    nibbles = rng.integers(0, 8, (8192, 8)) | mapped << 3
    synapses = (nibbles << np.arange(0, 32, 4)).sum(axis=1).astype(np.uint32)
    signs = (rng.random(256) < 0.4).astype(np.uint8)
    flags = rng.integers(0, 256, 64, np.uint8)
    flags[32:] &= ~flags[:32]  # never both
    chosen = _codes(rng, events) if codes is None else np.asarray(codes, np.uint32)
    settings = {**_CONFIG, **config}

    program = odin.odin_program(neurons, synapses, signs, flags,
                                odin.switches(settings, where="example"))
    crc, flag_log = [], []
    neuron_log: list[tuple[Any, ...]] = []
    synapse_log: list[tuple[Any, ...]] = []
    before = [neurons[:, 1], synapses]

    def observe(k: int, memories: Any) -> None:
        words = odin.neuron_words(neurons, memories["state"])
        packed, bits = odin.synapse_words(memories["synapse"]), odin.flag_bytes(memories["state"])
        crc.append([zlib.crc32(x.tobytes()) for x in (words, packed, bits)])
        flag_log.append(bits)
        for log, old, new in ((neuron_log, before[0], words[:, 1]),
                              (synapse_log, before[1], packed)):
            log.extend((k, i, new[i]) for i in np.flatnonzero(old != new))
        before[:] = words[:, 1], packed

    found = run(program, odin.odin_events(chosen, where="example"), observe=observe)
    last = odin.neuron_words(neurons, found.memories["state"])
    counted = np.zeros(len(chosen), np.uint32)  # there was no ODIN whose cycles could be counted
    meta = {"name": "example", "description": "made by the golden engine", "model": "LIF",
            "config": settings, "seed": seed, "format": FORMAT, "n_events": len(chosen)}
    arrays = {
        "meta": np.array(json.dumps(meta)), "syn_sign": signs, "neur0": neurons, "syn0": synapses,
        "flags0": flags, "events": chosen, "spk_ev": found.spike_event.astype(np.uint32),
        "spk_addr": found.spike_neuron.astype(np.uint8), "crc": np.array(crc, np.uint32),
        "flags": np.array(flag_log, np.uint8),
        "dump_ev": np.array([len(chosen) - 1], np.uint32), "dump_neur": last[np.newaxis],
        "dump_syn": odin.synapse_words(found.memories["synapse"])[np.newaxis],
        "dump_flags": odin.flag_bytes(found.memories["state"])[np.newaxis],
        "cyc_total": counted, "cyc_proc": counted, "cyc_stall": counted}
    for names, log in (
            ((("nd_ev", np.uint32), ("nd_addr", np.uint8), ("nd_hi", np.uint64)), neuron_log),
            ((("sd_ev", np.uint32), ("sd_addr", np.uint16), ("sd_val", np.uint32)), synapse_log)):
        for column, (name, dtype) in enumerate(names):
            arrays[name] = np.array([entry[column] for entry in log], dtype)
    return arrays


def _codes(rng: np.random.Generator, events: int) -> npt.NDArray[np.uint32]:
    """Event codes of every kind; most are spikes of a few neurons, so that those learn."""
    high = rng.integers(0, 16, events)
    low = rng.choice([0x07, 0x7F, 0xFF, 0x80, 0x00, 0x11, 0x09, 0x5A], events,
                     p=[0.55, 0.05, 0.05, 0.05, 0.02, 0.1, 0.08, 0.1])
    single = rng.random(events) < 0.2
    post = rng.integers(0, 256, events)
    return np.where(single, 1 << 16 | high << 8 | post, high << 8 | low).astype(np.uint32)
