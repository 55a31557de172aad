# SPDX-License-Identifier: Apache-2.0
"""``neurotile info``: what a network contains, what it needs, whether it fits."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..mesh_options import MeshOptions
from ..models.describe import describe
from ..models.learning_plan import read_plan
from ..models.mesh.report import RESOURCES, MeshReport, mesh_report
from ..models.nir_import import parse_reset
from ..models.occupancy import MappingReport, mapping_report
from ..pipeline import Build, build, load
from ..spec import MeshProgram, UserError
from .run import network_configuration
from .text import count, learning_line, line, percent, quantity, tile_line

__all__ = ["info_command"]


def info_command(model: Path, *, preset_name: str | None, config: Path | None,
                 weight_bits: int | None, state_bits: int | None, dt: float | None,
                 reset: Sequence[str], learn: Path | None = None,
                 mesh: MeshOptions | None = None) -> None:
    """Print it; a network that no tile takes is a fact here, not an error.

    Raises
    ------
    UserError
        The file is damaged or holds what is not supported, or an argument is wrong.
    """
    tile, rules = network_configuration(preset_name, config), parse_reset(reset)
    found = describe(model, dt=dt)
    _print_content(found, dt, rules)
    if found["needs_dt"] and found["dt"] is None and dt is None:
        line("fits", "is known once the length of a step is: --dt SECONDS")
        return
    network = load(model, dt=dt, reset=rules)
    for note in network.warnings:
        line("note", note)
    plan = read_plan(learn, network, weight_bits)
    try:
        made = build(network, config=tile, weight_bits=weight_bits, state_bits=state_bits,
                     learning=plan, mesh=mesh)
    except UserError as error:
        line("fits", f"no: {error}")
        return
    if made.network.learning is not None:
        line("learning", learning_line(made.network))
    _print_fit(made)


def _print_content(found: dict[str, Any], dt: float | None, rules: Mapping[str, str]) -> None:
    types: dict[str, int] = {}
    for node in found["nodes"]:
        types[node["type"]] = types.get(node["type"], 0) + 1
    line("name", found["name"])
    line("nodes", ", ".join(f"{number} {kind}" for kind, number in types.items()))
    line("step", _step(found, dt))
    print(f"\n  {'population':<20}{'type':<10}{'neurons':>8}{'fan-in':>8}{'fan-out':>9}")
    for p in found["populations"]:
        print(f"  {p['name']:<20}{p['type']:<10}{p['size']:>8,}{p['fan_in']:>8,}"
              f"{p['fan_out']:>9,}{'  recurrent' if p['recurrent'] else ''}")
    print(f"\n  {'projection':<30}{'delay':>8}{'synapses':>10}")
    for e in found["projections"]:
        print(f"  {e['source'] + ' -> ' + e['target']:<30}{e['delay']:>8}{e['synapses']:>10,}")
    print()
    needs = found["needs"]
    line("needs", f"{count(needs['inputs'], 'input')}, {count(needs['neurons'], 'neuron')}, "
                  f"{count(needs['axons'], 'axon')}, {count(needs['synapses'], 'synapse')}")
    unknown = [name for name in found["unknown_reset"] if not {name, ""} & set(rules)]
    if unknown:
        line("reset", f"not in the file for {', '.join(unknown)}: "
                      "--reset zero or --reset subtract")


def _step(found: dict[str, Any], dt: float | None) -> str:
    said = None if found["dt"] is None else quantity(found["dt"], "s")
    if dt is not None:
        other = "" if said in (None, quantity(dt, "s")) else f"; the file says {said}"
        return f"{quantity(dt, 's')} (--dt{other})"
    if said is None:
        return "not in the file" + ("" if found["needs_dt"] else ", and not needed")
    return said


def _print_fit(made: Build) -> None:
    assert made.program is not None
    note = next(note for note in made.notes if note.startswith("tile:"))
    line("fits", "yes, " + note.removeprefix("tile: "))
    use: MappingReport | MeshReport
    if isinstance(made.program, MeshProgram):
        line("", tile_line(made.program))
        use = mesh_report(made.program)
        parts = [(label, use.total(name)) for label, name in RESOURCES]
    else:
        use = mapping_report(made.program)
        parts = [("neurons", use.neurons), ("axons", use.axons),
                 ("synapse words", use.synapse_words)]
    for label, part in parts:
        print(f"  {label:<16}{part.used:>9,} of {part.available:>9,}{percent(part.share):>9}")
    if use.relays:
        print(f"  {use.relays:,} of the neurons are relays that delay spikes")
    if use.drain:
        print(f"  the answer is complete {count(use.drain, 'step')} after the last input")
