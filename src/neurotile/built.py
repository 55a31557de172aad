# SPDX-License-Identifier: Apache-2.0
"""Build: a network made ready for the engines, on its tile if it has one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from . import metrics
from .mesh_options import MeshOptions
from .spec import (
    MESH_PRESETS,
    PRESETS,
    IntegerNetwork,
    MeshConfig,
    MeshProgram,
    Population,
    Program,
    Stimulus,
    TileConfig,
    UserError,
)

if TYPE_CHECKING:
    from .models.float_network import FloatNetwork
    from .models.quantisation_report import QuantisationReport

__all__ = ["Build", "place"]


@dataclass(frozen=True, eq=False)
class Build:
    """A network made ready for the engines.

    Parameters
    ----------
    network : IntegerNetwork
        What runs.
    config, program : TileConfig and Program, or MeshConfig and MeshProgram, optional
        The tile or mesh and its memory contents; missing if only the golden engine can run the
        network.
    source : FloatNetwork, optional
        The network before quantisation.
    quantisation : QuantisationReport, optional
        What quantisation changed.
    digest : str, optional
        SHA-256 of the file that the network came from.
    notes : tuple of str
        What was chosen and what to be aware of, one line each.
    rates : dict of str to ndarray of float64, optional
        Spikes per step of input lines and neurons by which a mesh was placed.
    """

    network: IntegerNetwork
    config: TileConfig | MeshConfig | None = None
    program: Program | MeshProgram | None = None
    source: "FloatNetwork | None" = None
    quantisation: "QuantisationReport | None" = None
    digest: str | None = None
    notes: tuple[str, ...] = ()
    rates: Mapping[str, npt.NDArray[np.float64]] | None = None

    def with_weights(self, weights: Mapping[str, npt.NDArray[np.int64]]) -> "Build":
        """Copy whose plastic projections have these weights, (targets, sources).

        With ``Result.learnt`` a run goes on where another one ended, weights changed or not.

        Raises
        ------
        UserError
            There is no such plastic projection, or the weights do not fit it.
        """
        if isinstance(self.program, MeshProgram):
            raise UserError(f"{self.network.name}: the tiles of a mesh do not learn, so there are "
                            "no plastic projections to change")
        program = None if self.program is None else self.program.with_weights(weights)
        network = self.network.with_weights(weights) if program is None else program.network
        return replace(self, network=network, program=program)

    def switched(self, **rule: bool | int) -> "Build":
        """Copy with other switches of learning, on the same tile: ``made.switched(learn=False)``.

        Keywords are fields of ``Sdsp``. A network that does not learn raises :class:`UserError`.
        """
        if self.network.learning is None:
            raise UserError(f"{self.network.name}: does not learn, so there is nothing to switch")
        learning = replace(self.network.learning, **rule)  # type: ignore[arg-type]
        made = replace(self, network=replace(self.network, learning=learning), notes=tuple(
            note for note in self.notes if not note.startswith("tile:")))
        return place(made, self.config, self.program is not None)

    @property
    def mesh(self) -> MeshProgram:
        """The program of a mesh; a :class:`UserError` if there is none."""
        if not isinstance(self.program, MeshProgram):
            raise UserError(f"{self.network.name}: is on no mesh; build(..., mesh='auto') puts it "
                            "on one")
        return self.program

    @property
    def output(self) -> Population:
        """The population that is read as the answer."""
        shown = [] if self.source is None else [
            name for names in self.source.outputs.values() for name in names]
        return metrics.output_population(self.network, shown)


def place(made: Build, config: TileConfig | MeshConfig | None, mapped: bool,
          mesh: MeshOptions | None = None, profile: Stimulus | None = None) -> Build:
    """``made`` on a tile, the smallest preset that fits if none is given; or on a mesh.

    Parameters
    ----------
    config : TileConfig or MeshConfig, optional
        With ``mesh`` a TileConfig is every tile of it.
    mapped : bool
        False: a network that does not fit stays unmapped.
    mesh : MeshOptions, optional
        Asks for a mesh; for a MeshConfig these are the options of its mapper.
    profile : Stimulus, optional
        See :func:`neurotile.mesh_place.place_on_mesh`.

    Raises
    ------
    UserError
        It does not fit, and ``mapped`` says that it must.
    """
    try:
        if isinstance(config, MeshConfig):
            options = mesh or MeshOptions(queue="fixed")
            return _on_mesh(made, options, profile, config=config)
        if mesh is not None:
            return _on_mesh(made, mesh, profile, tile=config)
        return _on_tile(made, config)
    except UserError as error:
        if mapped:
            raise
        return replace(made, notes=(*made.notes, f"not mapped: {error}"))


def _on_tile(made: Build, config: TileConfig | None) -> Build:
    from .models.map import choose_preset, map_network
    if config is None:
        config = choose_preset(made.network)
        note = "preset {} (the smallest that fits)"
    else:
        note = "preset {}" if config.name in PRESETS else "{}"
    program = map_network(made.network, config)
    note = note.format(config.name) + _changes(config)
    return replace(made, config=config, program=program, notes=(*made.notes, f"tile: {note}"))


def _on_mesh(made: Build, options: MeshOptions, profile: Stimulus | None, *,
             config: MeshConfig | None = None, tile: TileConfig | None = None) -> Build:
    from .mesh_place import place_on_mesh, spike_rates
    rates = None if profile is None else spike_rates(made.network, profile)
    program = place_on_mesh(made.network, options, config=config, tile=tile, profile=profile,
                            rates=rates)
    found = program.config
    note = (f"preset {found.name}" if found == MESH_PRESETS.get(found.name) else found.name)
    if config is None and options.shape is None:
        note = f"mesh of {found.rows} x {found.cols} (the smallest that fits)"
    return replace(made, config=found, program=program, rates=rates,
                   notes=(*made.notes, f"tile: {note}"))


def _changes(config: TileConfig) -> str:
    """How ``config`` differs from the preset of its name, as text."""
    base = PRESETS.get(config.name)
    if base is None or base == config:
        return ""
    old = base.to_dict()
    return " with " + ", ".join(f"{key} {value}" for key, value in config.to_dict().items()
                                if value != old[key])
