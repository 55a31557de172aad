# SPDX-License-Identifier: Apache-2.0
"""A run against a recorded run of ODIN: every comparison, and the first difference in words."""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import numpy as np
import numpy.typing as npt

from . import odin
from .odin_trace import OdinTrace
from .spec import EventTrace
from .spec.event_formats import sdsp_synapse_word

__all__ = ["Checks", "Tally"]

Words = npt.NDArray[np.uint64]
Lines = list[str]

_SHOWN = 4


@dataclass
class Tally:
    """Comparisons of one sort, and where the first one failed."""

    checked: int = 0
    mismatches: int = 0
    first: int = -1
    lines: Lines = field(default_factory=list)


class Checks:
    """Compares what an engine does with what ODIN did.

    Parameters
    ----------
    trace : OdinTrace
        The recorded run.
    synapses_only : bool
        Compare only the synapse memory.

    Members
    -------
    tallies : dict of str to Tally
        From the sort that says most about an error to the one that says least.
    observed : int
        Events after which the memories were compared.
    """

    def __init__(self, trace: OdinTrace, *, synapses_only: bool = False) -> None:
        self._trace, self._arrays = trace, trace.arrays
        self._only = synapses_only
        present = {"spikes": not synapses_only,
                   "changed neuron words": "nd_ev" in self._arrays and not synapses_only,
                   "changed synapse words": "sd_ev" in self._arrays,
                   "flags": not synapses_only, "dumps": True,
                   "neuron checksums": not synapses_only, "synapse checksums": True,
                   "flag checksums": not synapses_only}
        self.tallies = {name: Tally() for name, there in present.items() if there}
        self._neurons = self._arrays["neur0"]
        self._synapses = self._arrays["syn0"]
        self.observed = 0

    @property
    def mismatches(self) -> int:
        """Comparisons that failed."""
        return sum(tally.mismatches for tally in self.tallies.values())

    def observe(self, k: int, memories: Mapping[str, Words]) -> None:
        """Compare the memories after event ``k``."""
        self.observed += 1
        synapses = odin.synapse_words(memories["synapse"])
        self._checksum("synapse checksums", k, 1, synapses)
        self._changes("changed synapse words", k, "sd", self._synapses, synapses,
                      _synapse_difference)
        dumps = np.flatnonzero(self._arrays["dump_ev"] == k)
        for dump in dumps:
            self._count("dumps", k, "synapse memory", _differences(
                synapses, self._arrays["dump_syn"][dump], _synapse_difference))
        self._synapses = synapses
        if self._only:
            return
        neurons = odin.neuron_words(self._arrays["neur0"], memories["state"])
        flags = odin.flag_bytes(memories["state"])
        self._checksum("neuron checksums", k, 0, neurons)
        self._checksum("flag checksums", k, 2, flags)
        self._count("flags", k, "flags", _flag_differences(flags, self._arrays["flags"][k]))
        self._changes("changed neuron words", k, "nd", self._neurons[:, 1], neurons[:, 1],
                      _neuron_difference)
        for dump in dumps:
            self._count("dumps", k, "neuron memory", _differences(
                neurons[:, 1], self._arrays["dump_neur"][dump, :, 1], _neuron_difference,
                neurons[:, 0] != self._arrays["dump_neur"][dump, :, 0]))
            self._count("dumps", k, "flags", _flag_differences(
                flags, self._arrays["dump_flags"][dump]))
        self._neurons = neurons

    def spikes(self, found: EventTrace) -> None:
        """Compare the output spikes, event by event and in order."""
        expected = self._arrays["spk_ev"].astype(np.int64), self._arrays["spk_addr"]
        tally = self.tallies["spikes"]
        ends = [np.searchsorted(event, np.arange(len(self._arrays["events"]) + 1))
                for event in (found.spike_event, expected[0])]
        for k in range(len(self._arrays["events"])):
            ours = found.spike_neuron[ends[0][k]:ends[0][k + 1]].tolist()
            theirs = expected[1][ends[1][k]:ends[1][k + 1]].tolist()
            if ours == theirs:
                tally.checked += len(ours)
                continue
            differ = [i for i, (a, b) in enumerate(zip_longest(ours, theirs)) if a != b]
            at = differ[0]
            self._note("spikes", k, max(len(ours), len(theirs)), len(differ), [
                f"spike {at} of this event: {_neuron_at(ours, at)}, expected "
                + _neuron_at(theirs, at),
                f"got       {_around(ours, at)}", f"expected  {_around(theirs, at)}"])

    def first_difference(self) -> tuple[int, str, Lines] | None:
        """Event, sort and description of the first difference."""
        failed = [(tally.first, name) for name, tally in self.tallies.items() if tally.mismatches]
        if not failed:
            return None
        event = min(first for first, _ in failed)
        name = next(n for first, n in failed if first == event)
        lines, dumps = list(self.tallies[name].lines), self.tallies["dumps"]
        if name.endswith("checksums") and dumps.mismatches:
            lines += [f"first memory dump that shows it, after event {dumps.first}:", *dumps.lines]
        return event, name, lines

    def _note(self, name: str, k: int, checked: int, mismatches: int, lines: Lines) -> None:
        tally = self.tallies[name]
        tally.checked += checked
        tally.mismatches += mismatches
        if mismatches and tally.first < 0:
            tally.first, tally.lines = k, lines

    def _count(self, name: str, k: int, what: str, differences: Lines) -> None:
        """One comparison of a whole memory."""
        self._note(name, k, 1, bool(differences), [f"{what}: {line}" for line in differences])

    def _checksum(self, name: str, k: int, column: int, words: npt.NDArray[Any]) -> None:
        found, expected = zlib.crc32(words.tobytes()), int(self._arrays["crc"][k, column])
        lines = []
        if found != expected:
            lines = [f"crc32 {found:#010x}, expected {expected:#010x}"]
        self._note(name, k, 1, len(lines), lines)

    def _changes(self, name: str, k: int, prefix: str, before: npt.NDArray[Any],
                 after: npt.NDArray[Any], describe: Any) -> None:
        """The words that event ``k`` changed."""
        if name not in self.tallies:
            return
        first, last = np.searchsorted(self._arrays[f"{prefix}_ev"], (k, k + 1))
        value = self._arrays["nd_hi" if prefix == "nd" else "sd_val"][first:last]
        expected = before.copy()
        expected[self._arrays[f"{prefix}_addr"][first:last]] = value
        wrong = int((after != expected).sum())
        lines = _differences(after, expected, describe) if wrong else []
        self._note(name, k, int(last - first), wrong, lines)


def _differences(found: npt.NDArray[Any], expected: npt.NDArray[Any], describe: Any,
                 more: Any = False) -> Lines:
    """Descriptions of the first words that differ."""
    where = np.flatnonzero((found != expected) | more)
    lines = [text for i in where[:_SHOWN]
             for text in describe(int(i), int(found[i]), int(expected[i]))]
    if len(where) > _SHOWN:
        lines.append(f"and {len(where) - _SHOWN:,} more words")
    return lines


def _neuron_difference(number: int, found: int, expected: int) -> Iterator[str]:
    names = ("v", "calcium", "leak_count")
    ours, theirs = ({k: int(v) for k, v in odin.neuron_fields(np.array([0, word], np.uint64))
                     .items()} for word in (found, expected))
    parts = [f"{k} {ours[k]}, expected {theirs[k]}" for k in names if ours[k] != theirs[k]]
    yield f"neuron {number}: " + ("; ".join(parts) or "bits that events do not change")


def _synapse_difference(address: int, found: int, expected: int) -> Iterator[str]:
    for k in range(8):
        a, b = (sdsp_synapse_word().unpack(word >> 4 * k & 0xF) for word in (found, expected))
        parts = [f"{name} {int(a[name])}, expected {int(b[name])}" for name in a
                 if a[name] != b[name]]
        if parts:
            yield (f"word {address}, synapse {address // 32} to {address % 32 * 8 + k}: "
                   + "; ".join(parts))


def _flag_differences(found: npt.NDArray[np.uint8], expected: npt.NDArray[np.uint8]) -> Lines:
    if np.array_equal(found, expected):
        return []
    bits = [np.unpackbits(x, bitorder="little") for x in (found, expected)]
    where = np.flatnonzero(bits[0] != bits[1])
    lines = [f"neuron {i % 256}: {'up' if i < 256 else 'down'} {bits[0][i]}, expected {bits[1][i]}"
             for i in where[:_SHOWN]]
    return lines + ([f"and {len(where) - _SHOWN:,} more"] if len(where) > _SHOWN else [])


def _neuron_at(neurons: list[int], at: int) -> str:
    return f"neuron {neurons[at]}" if at < len(neurons) else "none"


def _around(neurons: list[int], at: int) -> str:
    first, last = max(at - 4, 0), at + 5
    return " ".join(["..."] * (first > 0) + [str(n) for n in neurons[first:last]]
                    + ["..."] * (last < len(neurons))) or "no spikes"
