# SPDX-License-Identifier: Apache-2.0
"""neurotile: generator, simulator and verification environment for a neuromorphic tile.

    import neurotile
    net = neurotile.load("model.nir")
    result = neurotile.run(net, spikes, labels=labels)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .compare import compare as compare_runs
    from .mesh_options import MeshOptions
    from .pipeline import Build, Result, build, load, run
    from .spec import (
        IntegerNetwork,
        Population,
        Projection,
        Stimulus,
        TileConfig,
        UserError,
        preset,
    )

__version__ = "0.1.0"

__all__ = ["Build", "IntegerNetwork", "MeshOptions", "Population", "Projection", "Result",
           "Stimulus", "TileConfig", "UserError", "build", "compare_runs", "load", "preset", "run"]

# Loaded at first use, so that importing a part of the package does not load the others.
_HOMES = {
    "compare_runs": "compare:compare",
    "MeshOptions": "mesh_options:MeshOptions",
    **{name: f"pipeline:{name}" for name in ("Build", "Result", "build", "load", "run")},
    **{name: f"spec:{name}" for name in ("IntegerNetwork", "Population", "Projection", "Stimulus",
                                         "TileConfig", "UserError", "preset")}}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    return getattr(import_module(f".{module}", __name__), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
