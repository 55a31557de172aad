# SPDX-License-Identifier: Apache-2.0
"""The network before quantisation, run beside the tile: what the integers cost."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..chunks import select
from ..metrics import accuracy, predictions
from ..spec import Trace

if TYPE_CHECKING:
    from ..pipeline import Result

__all__ = ["FloatCheck", "check_with_float"]

_WORK = 3e9  # multiplications that a report may cost


@dataclass(frozen=True)
class FloatCheck:
    """Outcome of the floating point run on the first ``samples`` samples.

    ``accuracy`` and ``tile_accuracy`` are those of the float model and of the run on these samples.
    ``spikes`` holds for each population the spikes in floating point, those in integers, and those
    in one of the two only.
    """

    samples: int
    accuracy: float | None
    tile_accuracy: float | None
    spikes: dict[str, tuple[int, int, int]]


def check_with_float(result: "Result") -> FloatCheck | None:
    """Run the float model as far as time allows; None without one, with kept state or learning."""
    source, trace, stimulus = result.build.source, result.trace, result.stimulus
    if source is None or trace.keep_state or result.build.network.learning is not None:
        return None
    per_sample = stimulus.steps * sum(e.weights.size for e in source.projections)
    samples = min(stimulus.samples, int(_WORK / max(per_sample, 1)))
    if samples == 0:
        return None
    from ..models.float_reference import simulate
    part = select(stimulus, range(samples), stimulus.steps)
    found = simulate(source, part.dense())
    spikes = {}
    for name, integer in trace.spikes.items():
        real, integer = found.spikes[name], integer[:samples]
        spikes[name] = (int(real.sum(dtype=np.int64)), int(integer.sum(dtype=np.int64)),
                        int((real != integer).sum()))
    share, tile_share = None, None
    if part.labels is not None:
        as_trace = Trace("float", trace.network, part.digest, False, found.spikes,
                         found.potentials, {}, {})  # type: ignore[arg-type]
        output = result.build.output
        share = accuracy(part.labels, predictions(output, as_trace))
        tile_share = accuracy(part.labels, predictions(output, trace)[:samples])
    return FloatCheck(samples, share, tile_share, spikes)
