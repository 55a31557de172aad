# SPDX-License-Identifier: Apache-2.0
"""Recorded runs of ODIN again, on an engine, compared in everything that the file has."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from . import odin
from .odin_checks import Checks
from .odin_trace import OdinTrace
from .spec import EventProgram, Events, EventTrace, UserError
from .spec.event_formats import EventKind

__all__ = ["ENGINES", "Replay", "engine_run", "replay"]

Progress = Callable[[int, int], None]

ENGINES = {"golden": "neurotile.models.golden.event_engine",
           "fast": "neurotile.sim.event_engine", "rtl": "neurotile.hw.engine.event_engine"}

_CPU_SECONDS, _RUNS = 1.0, 50


def engine_run(engine: str) -> Callable[..., EventTrace]:
    """Function ``run(program, events, *, observe, progress)`` of an engine."""
    found: Callable[..., EventTrace] = import_module(ENGINES[engine]).run
    return found


@dataclass(frozen=True, eq=False)
class Replay:
    """What a replay found.

    Parameters
    ----------
    trace : OdinTrace
        The recorded run.
    checks : Checks
        All comparisons.
    found : EventTrace or None
        What the engine did; None if only synapses were replayed.
    engine : str
        Its name.
    seconds : float
        Wall time of the replay with all comparisons.
    cpu_seconds : float or None
        CPU time of the engine alone, if it was measured.
    """

    trace: OdinTrace
    checks: Checks
    found: EventTrace | None
    engine: str
    seconds: float
    cpu_seconds: float | None = None

    @property
    def kinds(self) -> dict[str, int]:
        """Number of input events of each kind that occurs."""
        kinds = self.trace.events.fields(self.trace.program.config)["kind"]
        count = Counter(kinds.tolist())
        return {kind.name: count[kind] for kind in EventKind if count[kind]}

    @property
    def synaptic_operations(self) -> int | None:
        """Synapses that were read to deliver their weights."""
        if self.found is None:
            return None
        kinds, n = self.kinds, len(self.trace.events.words)
        # Every input event is one pass; the other passes are spikes from the scheduler.
        spikes = self.found.counters["passes"] - n + kinds.get("SPIKE", 0)
        return spikes * self.trace.program.config.neurons + kinds.get("SYNAPSE", 0)

    @property
    def cycles(self) -> npt.NDArray[np.int64] | None:
        """Cycles of every event, (events,): from its acceptance to that of the next."""
        found = self.found
        if found is None or found.accepted is None or found.end is None:
            return None
        return np.diff(np.append(found.accepted, found.end))

    def cycles_by_kind(self) -> dict[str, tuple[int, int]]:
        """Cycles of an event without output spikes, here and in ODIN, by kind."""
        if (cycles := self.cycles) is None:
            return {}
        quiet = np.ones(len(cycles), np.bool_)
        quiet[self.trace.arrays["spk_ev"]] = False
        kinds = self.trace.events.fields(self.trace.program.config)["kind"]
        theirs = self.trace.arrays["cyc_proc"]
        return {kind.name: (int(cycles[these].min()), int(theirs[these].min()))
                for kind in EventKind if (these := quiet & (kinds == kind)).any()}

    def to_dict(self) -> dict[str, Any]:
        """All figures, for JSON."""
        first, found, cycles = self.checks.first_difference(), self.found, self.cycles
        theirs = self.trace.arrays
        return {
            "trace": self.trace.name, "model": self.trace.model, "engine": self.engine,
            "synapses_only": found is None, "events": len(theirs["events"]), "kinds": self.kinds,
            "synaptic_operations": self.synaptic_operations,
            "spikes": None if found is None else len(found.spike_neuron),
            "checks": {name: {"checked": tally.checked, "mismatches": tally.mismatches}
                       for name, tally in self.checks.tallies.items()},
            "mismatches": self.checks.mismatches,
            "first_difference": None if first is None else {
                "event": first[0], "kind": self.event(first[0]), "what": first[1],
                "lines": first[2]},
            "drops": None if found is None else found.counters["drops"],
            "counters": None if found is None else found.counters,
            "cycles": None if cycles is None else int(cycles.sum()),
            "odin_cycles": {key: int(theirs[f"cyc_{key}"].sum(dtype=np.int64))
                            for key in ("total", "proc", "stall")},
            "cycles_by_kind": {name: {"tile": ours, "odin": odins} for name, (ours, odins)
                               in self.cycles_by_kind().items()},
            "seconds": self.seconds, "cpu_seconds": self.cpu_seconds,
            "synaptic_operations_per_cpu_s":
                None if not self.cpu_seconds or self.synaptic_operations is None
                else self.synaptic_operations / self.cpu_seconds}

    def event(self, k: int) -> str:
        """Input event ``k`` in words."""
        return (f"{odin.describe_event(int(self.trace.events.words[k]))}, "
                f"code {int(self.trace.arrays['events'][k]):#07x}")


def replay(trace: OdinTrace, *, engine: str = "fast", synapses_only: bool = False,
           measure: bool = False, progress: Progress | None = None) -> Replay:
    """Run a trace's events and compare everything.

    Parameters
    ----------
    engine : str
        ``golden``, ``fast`` or ``rtl``.
    synapses_only : bool
        Replay the synapse memory alone, with the recorded flags before every event. Works for
        neurons of any model, but only in open loop.
    measure : bool
        Run again without comparing, for the engine's speed.
    progress : callable, optional
        Called with (events done, events).

    Raises
    ------
    UserError
        The trace has neurons that are not supported, or the engine cannot run.
    """
    run, checks = engine_run(engine), Checks(trace, synapses_only=synapses_only)
    found, cpu = None, None
    started = time.perf_counter()
    if synapses_only:
        _replay_synapses(trace, run, checks, progress)
    else:
        if trace.izhikevich or trace.model != "LIF":
            why = (f"{trace.izhikevich} of {odin.NEURONS} neurons are Izhikevich (bit 0 of the "
                   "word is 0)" if trace.izhikevich else f"'meta' says model {trace.model!r}")
            raise UserError(f"{trace.name}: not supported: {why}, the tile has LIF neurons; "
                            "--synapses-only replays the synapse memory of an open-loop trace")
        found = run(trace.program, trace.events, observe=checks.observe, progress=progress)
        checks.spikes(found)
    seconds = time.perf_counter() - started
    if checks.observed != len(trace.events.words):  # what was not compared must not pass
        raise RuntimeError(f"engine {engine} showed {checks.observed} of "
                           f"{len(trace.events.words)} events")
    if measure and not synapses_only:
        cpu = _cpu_seconds(run, trace)
    return Replay(trace, checks, found, engine, seconds, cpu)


def _replay_synapses(trace: OdinTrace, run: Callable[..., EventTrace], checks: Checks,
                     progress: Progress | None) -> None:
    """Every event as a run of its own that starts from the recorded flags."""
    if not trace.program.switches.open_loop:
        raise UserError(f"{trace.name}: --synapses-only needs an open-loop trace: in closed loop "
                        "flags change within an event")
    program, arrays, words = trace.program, trace.arrays, trace.events.words
    synapse = program.memories["synapse"]
    for k in range(len(words)):
        state = odin.state_memory(arrays["neur0"], arrays["flags"][k - 1] if k else
                                  arrays["flags0"])
        memories = {**program.memories, "synapse": synapse, "state": state}
        found = run(EventProgram(program.config, memories, program.switches),
                    Events(words[k:k + 1]))
        synapse = found.memories["synapse"]
        checks.observe(k, {"synapse": synapse})
        if progress is not None:
            progress(k + 1, len(words))


def _cpu_seconds(run: Callable[..., EventTrace], trace: OdinTrace) -> float:
    """Median CPU time of a run without observer."""
    times: list[float] = []
    while not times or (sum(times) < _CPU_SECONDS and len(times) < _RUNS):
        started = time.process_time()
        run(trace.program, trace.events)
        times.append(time.process_time() - started)
    return float(np.median(times))
