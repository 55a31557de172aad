# SPDX-License-Identifier: Apache-2.0
"""``neurotile presets``: the tiles that have a name."""

from ..spec import PRESETS, preset
from ..spec.formats import memories
from .text import size

__all__ = ["presets_command"]


def presets_command(toml: str | None) -> None:
    """List the presets, or print one as TOML.

    Raises
    ------
    UserError
        There is no such preset.
    """
    if toml is not None:
        print(preset(toml).to_toml(), end="")
        return
    print(f"{'preset':<10}{'axons':>7}{'neurons':>9}{'lanes':>7}{'weights':>18}{'state':>8}"
          f"{'memory':>12}  models")
    for config in PRESETS.values():
        weights = f"{config.synapse_words * config.lanes:,} x {config.weight_bits} b"
        memory = size(sum(m.bits for m in memories(config)))
        print(f"{config.name:<10}{config.axons:>7}{config.neurons:>9}{config.lanes:>7}"
              f"{weights:>18}{config.state_bits:>6} b{memory:>12}  {' '.join(config.models)}")
