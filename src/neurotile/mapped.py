# SPDX-License-Identifier: Apache-2.0
"""A network on a mesh as `neurotile map` reports it: numbers, pictures, configuration."""

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from . import __version__
from .built import Build
from .models.mesh.costs import key_costs, memory_costs
from .models.mesh.report import RESOURCES, MeshReport, TileUse, mesh_report
from .models.mesh.traffic import LINKS, MeshTraffic, mesh_traffic
from .rundir import write_json
from .spec import MeshConfig, MeshProgram
from .spec.folders import FolderKind, new_folder

__all__ = ["MAP", "Mapped"]

MAP = FolderKind("neurotile map", "map.json", ("map.json", "map.png", "map.html", "mesh.toml"))


@dataclass(frozen=True, eq=False)
class Mapped:
    """A network on a mesh, and what can be said about it without running it.

    Parameters
    ----------
    build : Build
        Whose program is one of a mesh.
    options : dict
        What was asked for, for ``map.json``.
    """

    build: Build
    options: dict[str, Any]

    @property
    def program(self) -> MeshProgram:
        """Memory contents of the tiles."""
        assert isinstance(self.build.program, MeshProgram)
        return self.build.program

    @property
    def config(self) -> MeshConfig:
        """The mesh."""
        return self.program.config

    @cached_property
    def use(self) -> MeshReport:
        """What every tile has in use."""
        return mesh_report(self.program)

    @cached_property
    def traffic(self) -> MeshTraffic:
        """Packets by the rates of the profile run, else with every source active in every step."""
        return mesh_traffic(self.program, self.build.rates)

    @property
    def profiled(self) -> bool:
        """Packets are counted by a profile run."""
        return self.build.rates is not None

    @property
    def sharing(self) -> float:
        """Synapses of the network per weight that is stored and not 0."""
        stored = self.use.weights.used
        return self.use.synapses / stored if stored else 0.0

    @property
    def queue_bound(self) -> int:
        """Entries that no queue ever exceeds, whatever the stimulus."""
        return int(self.traffic.queue.max())

    @property
    def safe(self) -> bool:
        """No stimulus overflows a queue."""
        return self.queue_bound <= self.config.tile.queue_depth

    def save(self, path: Path) -> Path:
        """Write all files into directory ``path``, or none.

        Raises
        ------
        UserError
            ``path`` holds something else.
        """
        from .report.mesh_drawing import write_png
        from .report.mesh_page import map_drawing, map_title, render_map
        with new_folder(path, MAP) as folder:
            write_json(folder / "map.json", self.description())
            (folder / "mesh.toml").write_text(self.config.to_toml())
            write_png(map_drawing(self), folder / "map.png", title=map_title(self))
            (folder / "map.html").write_text(render_map(self), encoding="utf-8")
        return path

    def description(self) -> dict[str, Any]:
        """Content of map.json (docs/cli.md)."""
        traffic, config, use = self.traffic, self.config, self.use
        tile, port = traffic.worst
        return {
            "made_by": MAP.mark, "version": __version__, "model": self.build.digest,
            "name": self.build.network.name, "network": self.build.network.digest,
            "program": self.program.digest, "config": config.to_dict(),
            "options": self.options, "notes": list(self.build.notes),
            "tiles": [_tile(number, part, int(bound), config) for number, (part, bound) in
                      enumerate(zip(use.tiles, traffic.queue, strict=True))],
            "used_tiles": asdict(use.used), "relays": use.relays,
            "stored": {"synapses": use.synapses, "weights_not_0": use.weights.used,
                       "share_of_memory": use.stored.share, "synapses_per_weight": self.sharing},
            "traffic": {
                "rates": "profile" if self.profiled else "every source in every step",
                "links": {name: traffic.links[:, k].tolist() for k, name in enumerate(LINKS)},
                "entering": traffic.entering.tolist(), "hops": traffic.hops.tolist(),
                "mean_hops": traffic.mean_hops,
                "worst": {"tile": tile, "link": LINKS[port],
                          "packets": float(traffic.links[tile, port])}},
            "queue": {"bound": self.queue_bound, "depth": config.tile.queue_depth,
                      "can_overflow": not self.safe},
            "drain": use.drain,
            "memories": [asdict(cost) | {"bits": cost.bits} for cost in memory_costs(config)],
            "keys": [asdict(cost) for cost in key_costs(config)]}


def _tile(number: int, use: TileUse, bound: int, config: MeshConfig) -> dict[str, Any]:
    resources = (*(name for _, name in RESOURCES), "weights")
    return {"tile": number, "column": number % config.cols, "row": number // config.cols,
            "populations": use.populations, "queue_bound": bound,
            **{name: asdict(getattr(use, name)) for name in resources}}
