# SPDX-License-Identifier: Apache-2.0
"""What two engines say differently about one run in event mode."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy.typing as npt

from neurotile.hw.engine import event_engine as rtl
from neurotile.models.golden import event_engine as golden
from neurotile.sim import event_engine as fast
from neurotile.spec import EventProgram, Events, EventTrace

from .equality import array_differences, dictionary_differences
from .event_strategies import EventCase

__all__ = ["event_case_differences", "event_differences", "observed_differences"]


def event_case_differences(case: EventCase, *, with_rtl: bool = True
                           ) -> tuple[list[str], EventTrace]:
    """What golden, fast and rtl say differently about a case, and what fast says.

    Golden runs the events as if they waited for each other, for it has no cycles.
    """
    one = fast.run(case.program, case.events)
    waiting = replace(case.events, wait=True)
    found = event_differences(golden.run(case.program, waiting),
                              one if case.events.wait else fast.run(case.program, waiting))
    if with_rtl:
        found += event_differences(one, rtl.run(case.program, case.events))
    return found, one


def event_differences(a: EventTrace, b: EventTrace) -> list[str]:
    """What differs, the first of each array; cycles and their counters if both have them."""
    found = array_differences("spike_event", a.spike_event, b.spike_event)
    found += array_differences("spike_neuron", a.spike_neuron, b.spike_neuron)
    found += dictionary_differences("memories", a.memories, b.memories)
    common = set(a.counters) & set(b.counters)
    if "golden" not in (a.engine, b.engine):
        common = set(a.counters) | set(b.counters)
        for name in ("accepted", "spike_cycle", "end"):
            found += array_differences(name, getattr(a, name), getattr(b, name))
    found += dictionary_differences(
        "counters", *({k: v for k, v in x.counters.items() if k in common} for x in (a, b)))
    return [f"{a.engine}, {b.engine}: {line}" for line in found]


def observed_differences(case: EventCase) -> list[str]:
    """What golden, fast and rtl say differently about the memories after every event."""
    events = replace(case.events, wait=True)
    seen = [_observed(engine.run, case.program, events) for engine in (golden, fast, rtl)]
    return [line for name, other in (("golden", seen[0]), ("rtl", seen[2]))
            for line in dictionary_differences(f"fast, {name}: after event", seen[1], other)]


def _observed(run: Callable[..., Any], program: EventProgram, events: Events) -> dict[str, str]:
    """Digest of the memories after every event."""
    seen: dict[str, str] = {}

    def observe(number: int, memories: Mapping[str, npt.NDArray[Any]]) -> None:
        state = hashlib.sha256()
        for name in sorted(memories):
            state.update(f"{name} {memories[name].shape} {memories[name].dtype}".encode())
            state.update(memories[name].tobytes())
        seen[str(number)] = state.hexdigest()

    run(program, events, observe=observe)
    return seen
