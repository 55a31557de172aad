# SPDX-License-Identifier: Apache-2.0
"""``neurotile odin-replay``: recorded runs of ODIN again, compared bit by bit."""

import json
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from ..odin_replay import Replay, replay
from ..odin_trace import OdinTrace, load_trace
from ..spec import UserError
from .text import count, line

__all__ = ["odin_replay_command"]

_PATIENCE = 4.0
_BUILDING = {"golden": "the golden model is at work",
             "fast": "the fast engine compiles itself; it does so once, for up to half a minute",
             "rtl": "Verilator builds the simulator of this tile; it does so once"}


def odin_replay_command(paths: Sequence[Path], *, engine: str, as_json: bool, example: bool,
                        synapses_only: bool, measure: bool) -> int:
    """Replay, print, and return the exit code: 1 with mismatches, else 2 if a trace was refused.

    Raises
    ------
    UserError
        There is no trace, or the only one is wrong or not supported.
    """
    if bool(paths) == example:
        raise UserError("odin-replay needs TRACE.npz files or --example, not both"
                        if paths else "odin-replay needs a TRACE.npz, or --example")
    wrong = refused = checked = 0
    for number, path in enumerate(paths or [None]):
        try:
            trace = _example() if path is None else load_trace(path)
            found = _shown(trace, engine, synapses_only, measure, quiet=as_json)
        except UserError as error:
            if len(paths) < 2:
                raise
            print("neurotile:", " ".join(str(error).split()), file=sys.stderr, flush=True)
            refused += 1
            continue
        wrong += found.checks.mismatches > 0
        checked += 1
        if as_json:
            print(json.dumps(found.to_dict()), flush=True)
        else:
            if number:
                print()
            _print(found)
    if len(paths) > 1 and not as_json:
        print()
        line("total", f"{count(checked, 'trace')} replayed, {wrong} with mismatches, "
                      f"{refused} refused")
    return 1 if wrong else 2 if refused else 0


def _example() -> OdinTrace:
    from ..odin_example import example_trace
    return OdinTrace.from_arrays(example_trace(), where="the example")


def _shown(trace: OdinTrace, engine: str, synapses_only: bool, measure: bool, *,
           quiet: bool) -> Replay:
    """Replay with a progress bar."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar
    bar = Bar(TextColumn(f"{trace.name} {engine}"), BarColumn(),
              TextColumn("{task.completed:,.0f} of {task.total:,} events"), TimeRemainingColumn(),
              console=Console(stderr=True), transient=True, redirect_stdout=False,
              disable=not sys.stderr.isatty())
    task = bar.add_task(engine, total=len(trace.events.words))
    # Kernels and simulators are built once and then kept; that is the only long silence.
    patience = threading.Timer(_PATIENCE, line, ("wait", _BUILDING[engine]))
    patience.daemon = True

    def progress(done: int, total: int) -> None:
        patience.cancel()
        bar.update(task, completed=done, total=total)

    if not quiet:
        patience.start()
    try:
        with bar:
            return replay(trace, engine=engine, synapses_only=synapses_only, measure=measure,
                          progress=progress)
    finally:
        patience.cancel()


def _print(found: Replay) -> None:
    trace, checks = found.trace, found.checks
    line("trace", f"{trace.name}: {count(len(trace.events.words), 'event')}")
    kinds = ", ".join(f"{n:,} {kind}" for kind, n in found.kinds.items())
    line("", kinds)
    if found.found is not None and found.synaptic_operations is not None:
        line("", f"{count(found.synaptic_operations, 'synaptic operation')}, "
                 f"{count(len(found.found.spike_neuron), 'output spike')}, "
                 f"{count(found.found.counters['drops'], 'spike')} dropped from the scheduler")
    line("checked", ", ".join(f"{tally.checked:,} {name}" for name, tally
                              in checks.tallies.items()))
    _print_cycles(found)
    line("time", f"{found.seconds:.2f} s in the {found.engine} engine, with all comparisons")
    if found.cpu_seconds is not None and found.synaptic_operations is not None:
        line("speed", f"{found.synaptic_operations / found.cpu_seconds / 1e6:,.1f} million "
                      "synaptic operations per CPU-second, without comparing")
    bad = ", ".join(f"{tally.mismatches:,} {name}" for name, tally in checks.tallies.items()
                    if tally.mismatches)
    line("result", f"{count(checks.mismatches)} MISMATCHES: {bad}" if bad else
         "0 mismatches" + (" (synapse memory only)" if found.found is None else ""))
    first = checks.first_difference()
    if first is not None:
        event, what, lines = first
        line("first", f"{what}, event {event}: {found.event(event)}")
        for text in lines:
            line("", text)


def _print_cycles(found: Replay) -> None:
    cycles, theirs = found.cycles, found.trace.arrays
    if cycles is None:
        return
    total, processing = (int(theirs[f"cyc_{key}"].sum(dtype="i8")) for key in ("total", "proc"))
    if not total:  # not recorded from ODIN
        line("cycles", count(int(cycles.sum())))
        return
    line("cycles", f"{count(int(cycles.sum()))}; ODIN {count(total)} with its handshakes, "
                   f"{count(processing)} of them processing")
    by_kind = [f"{name} {ours:,} (ODIN {odins:,})" for name, (ours, odins)
               in found.cycles_by_kind().items()]
    if by_kind:
        line("", "an event without spikes: " + ", ".join(by_kind))
