# SPDX-License-Identifier: Apache-2.0
"""One point of a sweep: its tile or mesh is made, runs on the fast engine, and is measured."""

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from ..memory_bits import memory_bits
from ..mesh_options import MeshOptions
from ..pipeline import Result, build, run
from ..spec import MeshConfig, MeshProgram, Stimulus, TileConfig, UserError
from .keys import MAPPER, QUANTISER
from .plan import Plan

if TYPE_CHECKING:
    from ..built import Build
    from ..models.float_network import FloatNetwork

__all__ = ["MEASURES", "Row", "run_point"]

MEASURES = ("accuracy", "cycles_per_sample", "memory_bits", "pj_per_sample")
"""What the picture weighs against each other; of accuracy more is better, of the others less."""


@dataclass(frozen=True)
class Row:
    """What came out of a point.

    Parameters
    ----------
    status : str
        ``ok``; ``dropped``: spikes met a full queue, so that this is not the network's result;
        ``refused``: see ``reason``.
    accuracy : float, optional
        Share of samples classified as labelled, 0..1.
    cycles_per_sample, cycles_per_step : float, optional
        Clock cycles; a step is one of the tile.
    memory_bits : int, optional
        All memories and queues of the tile, or of all tiles and routers of the mesh.
    pj_per_sample : float, optional
        Energy by the model of docs/energy.md.
    drops, queue_high_water : int, optional
        Lost events, and largest level of a queue.
    tiles_used, tiles : int, optional
        Tiles with neurons, and all.
    queue_depth : int, optional
        Entries of a queue, which the mapper of meshes may have chosen.
    """

    status: str
    accuracy: float | None = None
    cycles_per_sample: float | None = None
    cycles_per_step: float | None = None
    memory_bits: int | None = None
    pj_per_sample: float | None = None
    drops: int | None = None
    queue_high_water: int | None = None
    tiles_used: int | None = None
    tiles: int | None = None
    queue_depth: int | None = None
    reason: str = ""

    @classmethod
    def columns(cls) -> tuple[str, ...]:
        """Names in the order of the table."""
        return tuple(field.name for field in fields(cls))

    def values(self) -> dict[str, Any]:
        """Values by name."""
        return asdict(self)


def run_point(plan: Plan, number: int, network: "FloatNetwork", stimulus: Stimulus) -> Row:
    """Make, run and measure point ``number``."""
    try:
        return _measured(run(_build(plan, plan.points[number], network, stimulus), stimulus))
    except UserError as error:
        return Row("refused", reason=" ".join(str(error).split()))


def _build(plan: Plan, point: dict[str, Any], network: "FloatNetwork", stimulus: Stimulus
           ) -> "Build":
    mesh_keys = {name: value for name, value in point.items()
                 if name in MAPPER or plan.chosen and name in ("routing", "delay")}
    others = {name: value for name, value in point.items()
              if name != "mesh" and name not in mesh_keys}
    formats = {name: others.pop(name) for name in QUANTISER if name in others}
    if plan.chosen:
        options = MeshOptions.parse(point["mesh"], **mesh_keys)
    elif isinstance(plan.base, MeshConfig):
        # The size is that of the mesh that is given.
        options = MeshOptions(**{"queue": "fixed", "shape": (16, 16), **mesh_keys})
    else:
        options = None
    return build(network, config=_varied(plan.base, others, formats.get("weight_bits")),
                 mesh=options, profile=stimulus if options else None, **formats)


def _varied(base: TileConfig | MeshConfig, changes: dict[str, Any], weight_bits: int | None
            ) -> TileConfig | MeshConfig:
    """The base with these keys; an ``acc_bits`` that is among them stays what it is."""
    names = {field.name for field in fields(TileConfig)}
    of_tile = {name: tuple(value) if name == "models" else value
               for name, value in changes.items() if name in names}
    tile = base.tile if isinstance(base, MeshConfig) else base
    if weight_bits is not None and "acc_bits" in changes:
        # Else accumulators would grow with the weights.
        of_tile["weight_bits"] = 1 << (weight_bits - 1).bit_length()
    tile = tile.replace(**of_tile)
    if isinstance(base, TileConfig):
        return tile
    return base.replace(tile=tile, **{name: value for name, value in changes.items()
                                      if name not in names})


def _measured(result: Result) -> Row:
    found, program = result.metrics, result.build.program
    assert program is not None
    used = total = 1
    if isinstance(program, MeshProgram):
        from ..models.mesh.report import mesh_report
        used, total = mesh_report(program).used.used, program.config.tiles
    return Row(
        "dropped" if result.dropped else "ok", accuracy=found.get("accuracy"),
        cycles_per_sample=found["cycles"] / found["samples"],
        cycles_per_step=found["cycles_per_step"]["mean"],
        memory_bits=sum(memory_bits(program.config).values()),
        pj_per_sample=found["energy"]["pj_per_sample"], drops=result.dropped,
        queue_high_water=found["counters"]["queue_high_water"], tiles_used=used, tiles=total,
        queue_depth=program.tile.queue_depth)
