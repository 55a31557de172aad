# SPDX-License-Identifier: Apache-2.0
"""Relay neurons: they hand a population's spikes on, a step later per stage, to late targets."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..spec import IntegerNetwork, Population, Projection, TileConfig, UserError
from .retime import Schedule

__all__ = ["Stage", "relay_population", "relay_stages"]

# Threshold with which a neuron fires in the step of a spike of weight 1, and in no other. The
# models that decay get the coefficient 0: nothing stays from one step to the next.
_THRESHOLD = {"if": 0, "sublif": 1, "lif": 0, "cubalif": 0}


@dataclass(frozen=True, eq=False)
class Stage:
    """One stage of the relay chain of a population.

    Parameters
    ----------
    source : str
        Population whose spikes are handed on.
    number : int
        1 fires a step after the source, 2 another step later.
    sources : ndarray of int, (size,)
        Neurons of the source for which there is a relay, ascending.
    offset : int
        First step in which the stage is updated.
    targets : tuple of Projection
        Projections that this stage drives.
    """

    source: str
    number: int
    sources: npt.NDArray[np.int64]
    offset: int
    targets: tuple[Projection, ...]

    @property
    def name(self) -> str:
        """Name in messages."""
        return f"{self.source}+{self.number}"


def relay_stages(network: IntegerNetwork, schedule: Schedule) -> list[Stage]:
    """All stages that the projections with a tile delay above 1 need, chain by chain."""
    stages = []
    for p in network.populations:
        late = [e for e in network.projections
                if e.source == p.name and schedule.tile_delay(e) > 1 and (
                    e.weights.any() or e.synapses is not None)]
        for e in late:
            if e.synapses is not None:
                raise UserError(
                    f"the plastic projection {e.name!r} needs a delay of "
                    f"{schedule.tile_delay(e)} steps on the tile, and relays cannot hand on what a "
                    "synapse learns; only 1 is possible")
        for number in range(1, max([schedule.tile_delay(e) for e in late], default=1)):
            served = [e for e in late if schedule.tile_delay(e) > number]
            used = np.any([(e.weights != 0).any(axis=0) for e in served], axis=0)
            # A window of T steps must last until the spike that its latest reader can still use:
            # the reader ends at model step T - 1, so spikes sent after T - 1 - d are for nobody.
            offset = max(schedule.offset[p.name] + number - e.delay for e in served)
            stages.append(Stage(
                p.name, number, np.flatnonzero(used), max(offset, 0),
                tuple(e for e in served if schedule.tile_delay(e) == number + 1)))
    return stages


def relay_population(stage: Stage, config: TileConfig) -> Population:
    """Neurons that fire exactly when a spike of weight 1 arrives.

    Raises
    ------
    UserError
        No model that fires is built into the tile.
    """
    for model, threshold in _THRESHOLD.items():
        if model in config.models:
            return Population(stage.name, len(stage.sources), model, np.array(threshold))
    raise UserError(f"{config.name}: the spikes of {stage.source!r} must be delayed by relay "
                    f"neurons, and no model that fires is built in "
                    f"(models = {', '.join(config.models)})")
