# SPDX-License-Identifier: Apache-2.0
"""Named tile configurations."""

from .config import MODELS, TileConfig

__all__ = ["PRESETS", "TEST_PRESETS"]

_DEFAULT = TileConfig(
    name="default", axons=256, neurons=256, lanes=8, weight_bits=8, synapse_words=8192,
    state_bits=16, acc_bits=20, decay_bits=12, shift_bits=3, models=MODELS, parameters="neuron",
    parameter_sets=16, queue_depth=256, spike_fifo_depth=8, integrate_stages=1, update_stages=3,
    step_bits=20, offset_bits=4, learning="none",
    delay="none", delay_bits=4)

_SMALL = _DEFAULT.replace(name="small", axons=64, neurons=32, lanes=4, synapse_words=256,
                          queue_depth=32, step_bits=8, offset_bits=3)

PRESETS = {
    config.name: config for config in (
        _DEFAULT,
        _DEFAULT.replace(name="wide", axons=2048, neurons=512, synapse_words=65536,
                         queue_depth=512),
        # Synapses that learn; chosen for networks that do.
        _DEFAULT.replace(name="learning", weight_bits=4, learning="sdsp"),
        # For an iCE40 UP5K: the weights fill one of its four SPRAM blocks; no multipliers.
        _DEFAULT.replace(name="up5k", lanes=4, weight_bits=4, synapse_words=16384,
                         models=("if", "sublif"), parameters="shared", acc_bits=16),
    )
}

# Small tiles that together reach every structural option (testbenches/test_spec.py checks this).
TEST_PRESETS = {
    config.name: config for config in (
        _SMALL.replace(name="test_all"),
        _SMALL.replace(name="test_one_lane", neurons=8, lanes=1, weight_bits=2, state_bits=8,
                       acc_bits=8, decay_bits=4, models=("if", "lif"), integrate_stages=2,
                       update_stages=1, shift_bits=1, spike_fifo_depth=2),
        _SMALL.replace(name="test_two_lanes", lanes=2, weight_bits=1, parameters="shared",
                       parameter_sets=4, update_stages=2, queue_depth=8, acc_bits=12),
        _SMALL.replace(name="test_deep_pipe", lanes=8, neurons=64, weight_bits=16, state_bits=32,
                       acc_bits=32, decay_bits=15, integrate_stages=2, update_stages=4,
                       shift_bits=4, queue_depth=64, offset_bits=8),
        _SMALL.replace(name="test_wide_lanes", lanes=16, neurons=64, weight_bits=4, state_bits=24,
                       models=("sublif",), spike_fifo_depth=4, queue_depth=4, integrate_stages=2,
                       offset_bits=1),
        _SMALL.replace(name="test_readout", models=("cubalif", "li", "cubali"), state_bits=12,
                       parameters="shared", parameter_sets=2, update_stages=4, axons=16),
    )
}
