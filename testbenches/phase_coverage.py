# SPDX-License-Identifier: Apache-2.0
"""Phases and transitions that a cocotb run reached, for its test and for the report of pytest."""

import json
from collections.abc import Callable, Collection
from pathlib import Path

__all__ = ["PROPERTY", "note", "report"]

PROPERTY = "phase coverage"
"""Name under which pytest's reports hold the line of :func:`report`."""

_FILE = Path("phases.json")
_PHASES = ("HOLD", "CLEAR", "INTEGRATE", "UPDATE")
Transition = tuple[str, str]


def note(transitions: Collection[Transition]) -> None:
    """On the cocotb side: add (before, after) pairs to what this run has reached."""
    known = json.loads(_FILE.read_text()) if _FILE.exists() else []
    _FILE.write_text(json.dumps(sorted({*map(tuple, known), *transitions})))


def report(folder: Path, label: str, wanted: Collection[Transition],
           record_property: Callable[[str, object], None]) -> set[Transition]:
    """On the pytest side: put the figures on record.

    Parameters
    ----------
    folder : Path
        Where the cocotb tests ran.
    label : str
        Component and case.
    wanted : collection of (str, str)
        Transitions that count.
    record_property : callable
        The fixture of that name.

    Returns
    -------
    set of (str, str)
        Transitions that were reached, also those that do not count.
    """
    seen: set[Transition] = {(a, b) for a, b in json.loads((folder / _FILE).read_text())}
    phases = {phase for pair in seen for phase in pair}
    record_property(PROPERTY, f"{label}: {len(phases & set(_PHASES))} of {len(_PHASES)} phases, "
                              f"{len(seen & set(wanted))} of {len(wanted)} transitions")
    return seen
