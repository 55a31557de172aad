# SPDX-License-Identifier: Apache-2.0
"""Small tiles that learn."""

from neurotile.spec import TEST_PRESETS, TileConfig

__all__ = ["LEARNING_PRESETS"]

_LEARNING = TEST_PRESETS["test_all"].replace(
    name="test_learning", learning="sdsp", weight_bits=4, synapse_words=64)

LEARNING_PRESETS: dict[str, TileConfig] = {
    config.name: config for config in (
        _LEARNING,
        _LEARNING.replace(name="test_learning_deep", lanes=8, integrate_stages=2, update_stages=2,
                          parameters="shared", parameter_sets=4, synapse_words=32),
    )
}
"""One with own parameters, and one with shared parameters and a synapse memory of two stages."""
