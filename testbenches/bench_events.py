# SPDX-License-Identifier: Apache-2.0
"""Speed of the fast engine in event mode, with learning.

``python -m neurotile.testbenches.bench_events [TRACE.npz]``: synaptic operations per CPU-second on
a recorded run of ODIN, or on a random one of the same kind. Every run starts from the same memories
and gives all spikes with their cycles; loading and compiling do not count.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from neurotile.models.golden import event_engine as golden
from neurotile.odin_trace import load_trace
from neurotile.sim.event_engine import LoadedEventTile
from neurotile.spec import EVENT_PRESETS, EventProgram, Events, Switches, UserError
from neurotile.spec.event_formats import (
    EventKind,
    calcium_rule_word,
    neuron_word,
    sdsp_synapse_word,
    state_word,
)

__all__ = ["EventSpeed", "main", "measure_events", "random_run"]

_RUNS, _CPU_SECONDS = 20, 2.0


@dataclass(frozen=True)
class EventSpeed:
    """Medians over the runs, and what was run."""

    operations: int
    """Synapses that were read to deliver their weights."""
    cpu_seconds: float
    seconds: float
    runs: int
    cycles: int
    spike_neuron: npt.NDArray[np.int64]
    weights_changed: int

    @property
    def rate(self) -> float:
        """Synaptic operations per CPU-second."""
        return self.operations / self.cpu_seconds


def measure_events(program: EventProgram, events: Events, *, runs: int = _RUNS,
                   cpu_seconds: float = _CPU_SECONDS) -> EventSpeed:
    """Measure the fast engine.

    Parameters
    ----------
    runs : int
        At least so many runs.
    cpu_seconds : float
        At least so much CPU time in all.
    """
    tile = LoadedEventTile(program)
    done = tile.process(events)  # compiles
    counters, changed = tile.counters(), tile.synapse.copy()
    wall: list[float] = []
    cpu: list[float] = []
    while len(cpu) < runs or sum(cpu) < cpu_seconds:
        tile.reset()
        started, cpu_started = time.perf_counter(), time.process_time()
        tile.process(events)
        cpu.append(time.process_time() - cpu_started)
        wall.append(time.perf_counter() - started)
    tile.reset()
    kinds = events.fields(program.config)["kind"]
    # Every event is one pass; the other passes are spikes from the scheduler.
    spikes = int((kinds == EventKind.SPIKE).sum()) + counters["passes"] - counters["events"]
    operations = spikes * program.config.neurons + int((kinds == EventKind.SYNAPSE).sum())
    return EventSpeed(
        operations=operations, cpu_seconds=float(np.median(cpu)), seconds=float(np.median(wall)),
        runs=len(cpu), cycles=done.end, spike_neuron=done.spike_neuron,
        weights_changed=int((changed != tile.synapse).sum()))


def random_run(events: int = 6600, seed: int = 1) -> tuple[EventProgram, Events]:
    """Learning tile of 256 neurons: ten spike events, then one time reference of all neurons.

    About four neurons fire in an event, and the mapped half of the synapses learns.
    """
    config, rng = EVENT_PRESETS["odin"], np.random.default_rng(seed)
    shape = config.groups, config.lanes
    threshold = rng.integers(40, 160, shape)
    neuron = neuron_word().pack({
        "leak": rng.integers(0, 8, shape), "leak_enable": 1, "threshold": threshold, "disable": 0})
    rule = calcium_rule_word().pack({
        "enable": 1, "theta_mem": threshold // 2, "theta1": rng.integers(0, 2, shape),
        "theta2": rng.integers(4, 8, shape), "theta3": rng.integers(5, 8, shape),
        "leak": rng.integers(1, 4, shape)})
    state = state_word().pack({"v": rng.integers(0, 40, shape), "calcium": 0, "leak_count": 0,
                               "up": 0, "down": 0})
    synapses = config.synapse_words, config.lanes
    synapse = sdsp_synapse_word().pack({"weight": rng.integers(0, 8, synapses),
                                        "mapped": rng.integers(0, 2, synapses)})
    kinds = np.where(np.arange(events) % 11 < 10, EventKind.SPIKE, EventKind.TIME_ALL)
    program = EventProgram(config, {
        "synapse": synapse, "sign": np.zeros((config.neurons, 1), np.uint64), "neuron": neuron,
        "calcium_rule": rule, "state": state}, Switches(open_loop=True, learn=True))
    return program, Events.make(config, kinds, pre=rng.integers(0, config.neurons, events))


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 1 if the spikes are not those of the trace or of golden."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("trace", type=Path, nargs="?", help="recorded run of ODIN")
    options = parser.parse_args(arguments)
    if options.trace:
        try:
            trace = load_trace(options.trace)
        except UserError as error:
            parser.exit(2, f"{error}\n")
        if trace.izhikevich:
            parser.exit(2, f"{options.trace}: Izhikevich neurons are not supported\n")
        name, program, events = trace.name, trace.program, trace.events
        expected = trace.arrays["spk_addr"].astype(np.int64)
    else:
        name, (program, events) = "random run", random_run()
        expected = golden.run(program, events).spike_neuron
    speed = measure_events(program, events)
    exact = np.array_equal(speed.spike_neuron, expected)
    print(f"{name}: {events.words.size:,} events, {speed.spike_neuron.size:,} output spikes "
          f"({'exact' if exact else 'they differ'}), {speed.weights_changed:,} weights changed")
    print(f"{speed.operations / 1e6:,.2f} M synaptic operations in {speed.cpu_seconds * 1e3:.3f} "
          f"ms CPU, {speed.seconds * 1e3:.3f} ms wall (medians of {speed.runs} runs): "
          f"{speed.rate / 1e6:,.0f} M per CPU-second; "
          f"{speed.cycles / speed.cpu_seconds / 1e6:,.0f} M cycles of the tile per CPU-second")
    return 0 if exact else 1


if __name__ == "__main__":
    raise SystemExit(main())
