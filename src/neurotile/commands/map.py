# SPDX-License-Identifier: Apache-2.0
"""``neurotile map``: a NIR file in, its mapping to a mesh out."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ..mapped import MAP, Mapped
from ..mesh_options import MeshOptions
from ..models.mesh.costs import key_costs, memory_costs
from ..models.mesh.report import RESOURCES
from ..models.mesh.traffic import LINKS
from ..models.nir_import import parse_reset
from ..spec import MeshConfig, Stimulus
from ..spec.folders import check_folder
from .run import load_and_build, network_configuration
from .text import amount, count, line, percent, size

__all__ = ["map_command"]


def map_command(model: Path, out: Path, *, spikes: Path | None, preset_name: str | None,
                config: Path | None, weight_bits: int | None, state_bits: int | None,
                dt: float | None, reset: Sequence[str], mesh: MeshOptions | None) -> None:
    """Do the command.

    Raises
    ------
    UserError
        An argument or a file is wrong, or the network does not fit.
    """
    check_folder(out, MAP, inputs=(model, spikes, config))
    given = network_configuration(preset_name, config)
    if mesh is None:
        mesh = (MeshOptions(queue="fixed") if isinstance(given, MeshConfig) else MeshOptions())
    stimulus = None if spikes is None else Stimulus.from_file(spikes)
    made = load_and_build(model, given, weight_bits, state_bits, dt, parse_reset(reset),
                          mapped=True, mesh=mesh, profile=stimulus)
    options = {"weight_bits": weight_bits, "state_bits": state_bits, "dt": dt,
               "reset": list(reset), **asdict(mesh)}
    if isinstance(given, MeshConfig):
        options |= {"shape": [given.rows, given.cols], "routing": given.routing,
                    "delay": given.tile.delay}
    mapped = Mapped(made, options)
    _print(mapped)
    mapped.save(out)
    line("written", f"{out}, picture: {out / 'map.png'}, page: {out / 'map.html'}")


def _print(mapped: Mapped) -> None:
    use, traffic, config = mapped.use, mapped.traffic, mapped.config
    for label, name in RESOURCES:
        total, fullest = use.total(name), use.fullest(name)
        print(f"  {label:<16}{total.used:>9,} of {total.available:>9,}{percent(total.share):>9}"
              f"   fullest tile {percent(fullest.share):>7}")
    line("weights", f"{count(use.synapses, 'synapse')} are {count(use.weights.used)} stored "
         f"weights that are not 0: {mapped.sharing:.2f} synapses per weight, "
         f"{percent(use.stored.share)} of the synapse memory")
    tile, port = traffic.worst
    line("traffic", f"{amount(traffic.hops.sum())} packets per step arrive after "
         f"{traffic.mean_hops:.2f} hops on average "
         + ("(rates of a profile run)" if mapped.profiled else "(if every source is active)"))
    line("", f"worst link: tile {tile} {LINKS[port]}, {amount(traffic.links[tile, port])} packets "
             "per step")
    depth = config.tile.queue_depth
    line("queues", f"at most {mapped.queue_bound:,} entries can be in use, queue_depth is "
         f"{depth:,}: " + (
             "no stimulus can overflow them" if mapped.safe else
             "a busy stimulus could overflow them, which a run would tell"))
    if use.drain:
        line("drain", f"the answer is complete {count(use.drain, 'step')} after the last input")
    _print_costs(config)


def _print_costs(config: MeshConfig) -> None:
    costs = memory_costs(config)
    total = sum(cost.bits for cost in costs)
    line("memory", f"{size(total)} in all {count(config.tiles, 'tile')}")
    for cost in costs:
        print(f"  {cost.name:<16}{cost.words:>9,} x {cost.word:>2} b per tile{size(cost.bits):>14}"
              f"{percent(cost.bits / total):>9}")
    line("keys", "what it would cost or save to change one")
    for key in key_costs(config):
        sign, change = ("+" if key.change > 0 else "-"), size(abs(key.change))
        where = ", ".join(list(key.memories)[:3]) + (", ..." if len(key.memories) > 3 else "")
        print(f"  {key.key + ' ' + format(key.value, ',') + ' -> ' + format(key.tried, ','):<34}"
              f"{sign + change:>14}   {where}")
