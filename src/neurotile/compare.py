# SPDX-License-Identifier: Apache-2.0
"""Compares two run directories: everything that both have, bit by bit and cycle by cycle."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import rundir
from .spec import UserError

__all__ = ["Comparison", "Difference", "compare"]

Array = npt.NDArray[Any]
_SPIKE = ("spike_run", "spike_step", "spike_neuron", "spike_cycle")
_DIGITS = 12  # of a digest that are shown
_NEAR = 4  # steps and neurons shown on either side of a difference


@dataclass(frozen=True)
class Difference:
    """Where two runs differ in one array: how often, where first, and what surrounds it.

    ``when`` orders the differences of one run: (sample, step), as far as the array has them.
    """

    what: str
    count: int
    total: int
    when: tuple[float, float]
    place: str
    values: tuple[int | str, int | str]
    context: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Text for people."""
        return [f"{self.what}: {self.count:,} of {self.total:,} values differ",
                f"  first at {self.place}: A has {self.values[0]}, B has {self.values[1]}",
                *(f"  {line}" for line in self.context)]


@dataclass
class Comparison:
    """Outcome of :func:`compare`."""

    names: tuple[str, str]
    equal: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    @property
    def same(self) -> bool:
        """Nothing that both runs have differs."""
        return not self.differences

    def lines(self) -> list[str]:
        """Text for people: what is equal, what could not be compared, the differences."""
        found = [f"A  {self.names[0]}", f"B  {self.names[1]}"]
        found += [f"equal         {line}" for line in self.equal]
        found += [f"not compared  {line}" for line in self.skipped]
        for number, difference in enumerate(sorted(self.differences, key=lambda d: d.when)):
            first, *rest = difference.lines()
            found += [f"DIFFERENT     {first}", *(rest if number == 0 else rest[:1])]
        return found


def compare(a: Path, b: Path) -> Comparison:
    """Compare all that the runs in directories ``a`` and ``b`` have in common.

    Raises
    ------
    UserError
        One is no run directory, or the runs have different networks, quantisations, stimuli or
        treatment of states between samples.
    """
    one, two = rundir.read(a), rundir.read(b)
    _check_comparable(one, two)
    names = (f"{a} ({one.run['engine']})", f"{b} ({two.run['engine']})")
    result = Comparison(names)
    spikes = [{name: side.trace[name] for name in side.run["spiking"] if name in side.trace}
              for side in (one, two)]
    _check_all(result, "spikes", [
        (name, _in_time(name, "neuron", spikes[0][name], spikes[1][name]))
        for name in _common(result, "trace.npz", *spikes)])
    _check_all(result, "potentials", list(_potentials(result, one, two)))
    _check_all(result, "final states", [
        (key, _in_memory(key, one.memories[key], two.memories[key]))
        for key in _common(result, "memories.npz", one.memories, two.memories)
        if key.endswith((".v", ".i", ".calcium"))])
    _check_all(result, "final weights", [
        (key, _weights(key, one.memories[key], two.memories[key]))
        for key in sorted(set(one.memories) & set(two.memories)) if key.endswith(".w")])
    _check_all(result, "plastic weights", [
        (key, _weights(key, one.memories[key], two.memories[key]))
        for key in sorted(set(one.memories) & set(two.memories)) if key.endswith(".learnt")])
    _check_all(result, "weight log", [
        (key, _in_log(key, one.memories[key], two.memories[key]))
        for key in sorted(set(one.memories) & set(two.memories)) if key.endswith(".log")])
    if "digest" in one.memories and "digest" in two.memories:
        _check_all(result, "digests", [
            ("samples", _digests(one.memories["digest"], two.memories["digest"]))])
    _compare_tile(result, one, two)
    return result


def _check_comparable(one: rundir.RunFiles, two: rundir.RunFiles) -> None:
    a, b = one.run, two.run
    if a["stimulus"] != b["stimulus"]:
        raise UserError(f"{one.path} and {two.path} had different stimuli: "
                        f"{_shape(a)} and {_shape(b)}, digests {a['stimulus'][:8]} and "
                        f"{b['stimulus'][:8]}")
    if a["network"] != b["network"]:
        for key in ("weight_bits", "state_bits", "decay_bits"):
            if a[key] != b[key]:
                raise UserError(f"{one.path} and {two.path} have different quantisations: {key} "
                                f"is {a[key]} and {b[key]}")
        what = "quantisations" if a["model"] and a["model"] == b["model"] else "networks"
        raise UserError(f"{one.path} and {two.path} have different {what}: digests "
                        f"{a['network'][:8]} and {b['network'][:8]}")
    if a["keep_state"] != b["keep_state"]:
        raise UserError(f"{one.path} and {two.path} cannot be compared: only one kept the state "
                        "from sample to sample (--keep-state)")


def _shape(run: dict[str, Any]) -> str:
    return f"{run['samples']} samples of {run['steps']} steps"


def _common(result: Comparison, what: str, one: dict[str, Array], two: dict[str, Array]
            ) -> list[str]:
    for side, mine, other in (("A", one, two), ("B", two, one)):
        if alone := sorted(set(mine) - set(other)):
            result.skipped.append(f"{', '.join(alone)} in {what}: only {side} has it")
    return sorted(set(one) & set(two))


def _check_all(result: Comparison, what: str, parts: list[tuple[str, Difference | int]]) -> None:
    equal = [(name, part) for name, part in parts if isinstance(part, int)]
    result.differences += [part for _, part in parts if isinstance(part, Difference)]
    if equal:
        total = sum(part for _, part in equal)
        result.equal.append(f"{what}: {', '.join(name for name, _ in equal)} ({total:,} values)")


def _potentials(result: Comparison, one: rundir.RunFiles, two: rundir.RunFiles
                ) -> Iterator[tuple[str, Difference | int]]:
    a, b = ({node: index for node, index in side.run["record"].items()
             if f"{node}.v" in side.trace} for side in (one, two))
    for node in sorted(set(a) | set(b)):
        index, of_one, of_two = np.intersect1d(np.array(a.get(node, []), np.int64),
                                               np.array(b.get(node, []), np.int64),
                                               return_indices=True)
        left_out = len(set(a.get(node, [])) ^ set(b.get(node, [])))
        if left_out:
            result.skipped.append(f"potentials of {left_out} neurons of {node}: recorded in one "
                                  "run only")
        if index.size:
            name = f"{node}.v"
            yield name, _in_time(name, "neuron", one.trace[name][..., of_one],
                                 two.trace[name][..., of_two], index)


def _in_time(name: str, unit: str, a: Array, b: Array, index: Array | None = None
             ) -> Difference | int:
    """Compare arrays (samples, steps, neurons); ``index`` names the neurons."""
    if a.shape != b.shape:
        return _shapes(name, a, b)
    wrong = a != b
    if not wrong.any():
        return int(a.size)
    s, t, n = (int(k) for k in np.unravel_index(int(wrong.argmax()), wrong.shape))
    neurons = np.arange(a.shape[2]) if index is None else index
    steps = slice(max(0, t - _NEAR), t + _NEAR + 1)
    near = slice(max(0, n - _NEAR), n + _NEAR + 1)
    context = (
        f"{unit} {neurons[n]} in steps {steps.start}..{min(steps.stop, a.shape[1]) - 1}",
        f"    A {_row(a[s, steps, n])}", f"    B {_row(b[s, steps, n])}",
        f"{unit}s {', '.join(map(str, neurons[near]))} in step {t}",
        f"    A {_row(a[s, t, near])}", f"    B {_row(b[s, t, near])}",
        f"in this step {int(wrong[s, t].sum())} of {a.shape[2]} {unit}s differ",
        f"{int(wrong.any(axis=(1, 2)).sum())} of {a.shape[0]} samples differ somewhere")
    return Difference(name, int(wrong.sum()), int(a.size), (s, t),
                      f"node {name.removesuffix('.v')}, sample {s}, step {t}, {unit} {neurons[n]}",
                      (int(a[s, t, n]), int(b[s, t, n])), context)


def _in_memory(name: str, a: Array, b: Array) -> Difference | int:
    """Compare final states (runs, neurons)."""
    if a.shape != b.shape:
        return _shapes(name, a, b)
    wrong = a != b
    if not wrong.any():
        return int(a.size)
    r, n = (int(k) for k in np.unravel_index(int(wrong.argmax()), wrong.shape))
    near = slice(max(0, n - _NEAR), n + _NEAR + 1)
    context = (f"neurons {near.start}..{min(near.stop, a.shape[1]) - 1} of run {r}",
               f"    A {_row(a[r, near])}", f"    B {_row(b[r, near])}")
    return Difference(f"final {name}", int(wrong.sum()), int(a.size), (r, np.inf),
                      f"node {name.rpartition('.')[0]}, end of run {r}, neuron {n}",
                      (int(a[r, n]), int(b[r, n])), context)


def _digests(a: Array, b: Array) -> Difference | int:
    """Compare the digests of the samples (samples,)."""
    if a.shape != b.shape:
        return _shapes("digests", a, b)
    wrong = a != b
    if not wrong.any():
        return int(a.size)
    s = int(wrong.argmax())
    return Difference("digests", int(wrong.sum()), int(a.size), (s, np.inf), f"sample {s}",
                      (str(a[s])[:_DIGITS], str(b[s])[:_DIGITS]))


def _weights(key: str, a: Array, b: Array) -> Difference | int:
    """Compare weights (targets, sources)."""
    if a.shape != b.shape:
        return _shapes(key, a, b)
    wrong = a != b
    if not wrong.any():
        return int(a.size)
    j, k = (int(i) for i in np.unravel_index(int(wrong.argmax()), wrong.shape))
    near = slice(max(0, k - _NEAR), k + _NEAR + 1)
    context = (f"sources {near.start}..{min(near.stop, a.shape[1]) - 1} of target {j}",
               f"    A {_row(a[j, near])}", f"    B {_row(b[j, near])}")
    key = key.rpartition(".")[0]
    return Difference(f"weights {key}", int(wrong.sum()), int(a.size), (np.inf, 0),
                      f"projection {key}, target {j}, source {k}",
                      (int(a[j, k]), int(b[j, k])), context)


def _in_log(key: str, a: Array, b: Array) -> Difference | int:
    """Compare logged weights (logged, targets, sources)."""
    if a.shape != b.shape:
        return _shapes(key, a, b)
    wrong = a != b
    if not wrong.any():
        return int(a.size)
    i, j, k = (int(n) for n in np.unravel_index(int(wrong.argmax()), wrong.shape))
    return Difference(f"logged weights {key.rpartition('.')[0]}", int(wrong.sum()), int(a.size),
                      (np.inf, i), f"entry {i} of the log, target {j}, source {k}",
                      (int(a[i, j, k]), int(b[i, j, k])))


def _compare_tile(result: Comparison, one: rundir.RunFiles, two: rundir.RunFiles) -> None:
    for side, files in (("A", one), ("B", two)):
        if not files.cycles:
            result.skipped.append(f"cycles and counters: the {files.run['engine']} engine ({side}) "
                                  "has none")
            return
    if one.run["program"] != two.run["program"]:
        names = [files.run["config"]["name"] for files in (one, two)]
        result.skipped.append("cycles and counters: the tiles or their memory contents are not "
                              f"the same ({names[0]} and {names[1]})")
        return
    a, b = one.cycles, two.cycles
    shared = _common(result, "cycles.npz", a, b)
    if "barrier" in shared:
        _check_all(result, "step cycles", [("barrier", _barrier(a["barrier"], b["barrier"]))])
    if set(_SPIKE) <= set(shared):
        _check_all(result, "spike cycles", [("cycle of every output spike", _spike_cycles(a, b))])
    _check_all(result, "counters", [
        (key.removeprefix("counter."), _counter(key, a[key], b[key]))
        for key in shared if key.startswith("counter.")])
    _check_all(result, "counters of the tiles", [
        (key.removeprefix("tiles."), _tile_counter(key, a[key], b[key]))
        for key in shared if key.startswith("tiles.")])


def _barrier(a: Array, b: Array) -> Difference | int:
    if a.shape != b.shape:
        return _shapes("barrier", a, b)
    wrong = a != b
    if not wrong.any():
        return int(a.size)
    r, t = (int(k) for k in np.unravel_index(int(wrong.argmax()), wrong.shape))
    steps = slice(max(0, t - _NEAR), t + _NEAR + 1)
    context = (f"barriers of steps {steps.start}..{min(steps.stop, a.shape[1]) - 1}",
               f"    A {_row(a[r, steps])}", f"    B {_row(b[r, steps])}")
    return Difference("cycle of the barrier", int(wrong.sum()), int(a.size), (r, t),
                      f"run {r}, tile step {t}", (int(a[r, t]), int(b[r, t])), context)


def _spike_cycles(a: dict[str, Array], b: dict[str, Array]) -> Difference | int:
    one, two = (np.stack([side[key] for key in _SPIKE], axis=1) for side in (a, b))
    shared = min(len(one), len(two))
    wrong = (one[:shared] != two[:shared]).any(axis=1)
    count = int(wrong.sum()) + abs(len(one) - len(two))
    if not count:
        return len(one)
    k = int(wrong.argmax()) if wrong.any() else shared
    near = slice(max(0, k - _NEAR), k + _NEAR + 1)

    def row(side: Array) -> str:
        return "  ".join(f"{n}@{c}" for _, _, n, c in side[near])

    cycles = [int(side[k, 3]) if k < len(side) else -1 for side in (one, two)]
    holder = one if k < len(one) else two
    run, step, neuron = (int(v) for v in holder[k, :3])
    context = ("tile neuron @ cycle of the spikes around it (-1: no such spike)",
               f"    A {row(one)}", f"    B {row(two)}")
    return Difference("cycle of an output spike", count, max(len(one), len(two)),
                      (run, step), f"spike number {k}: run {run}, tile step {step}, "
                      f"tile neuron {neuron}", (cycles[0], cycles[1]), context)


def _counter(key: str, a: Array, b: Array) -> Difference | int:
    if a.shape != b.shape:
        return _shapes(key, a, b)
    wrong = a != b
    if not wrong.any():
        return int(a.size)
    r = int(wrong.argmax())
    return Difference(key.replace(".", " "), int(wrong.sum()), int(a.size), (r, np.inf),
                      f"end of run {r}", (int(a[r]), int(b[r])))


def _tile_counter(key: str, a: Array, b: Array) -> Difference | int:
    """Compare a counter of all tiles (runs, tiles)."""
    if a.shape != b.shape:
        return _shapes(key, a, b)
    wrong = a != b
    if not wrong.any():
        return int(a.size)
    r, t = (int(k) for k in np.unravel_index(int(wrong.argmax()), wrong.shape))
    near = slice(max(0, t - _NEAR), t + _NEAR + 1)
    context = (f"tiles {near.start}..{min(near.stop, a.shape[1]) - 1} of run {r}",
               f"    A {_row(a[r, near])}", f"    B {_row(b[r, near])}")
    return Difference(f"counter {key.removeprefix('tiles.')} of a tile", int(wrong.sum()),
                      int(a.size), (r, np.inf), f"end of run {r}, tile {t}",
                      (int(a[r, t]), int(b[r, t])), context)


def _shapes(name: str, a: Array, b: Array) -> Difference:
    return Difference(name, 1, 1, (0, 0), f"the shapes {a.shape} and {b.shape}", (a.size, b.size))


def _row(values: Array) -> str:
    return " ".join(f"{int(v):>6}" for v in values)
