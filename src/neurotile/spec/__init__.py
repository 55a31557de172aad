# SPDX-License-Identifier: Apache-2.0
"""Formats, configuration and files that every part of neurotile reads.

Plain Python and numpy: importing this package loads neither Amaranth nor numba nor nir.
"""

from .config import COUNTERS, MODELS, TileConfig
from .errors import UserError
from .network import InputPort, IntegerNetwork, Population, Projection
from .presets import PRESETS, TEST_PRESETS, preset
from .program import Placement, Program, TileEvents
from .stimulus import Stimulus
from .trace import Record, TileTrace, Trace, full_record, recorded_neurons, to_trace
from .word import Field, Word

__all__ = ["COUNTERS", "MODELS", "PRESETS", "TEST_PRESETS", "Field", "InputPort", "IntegerNetwork",
           "Placement", "Population", "Program", "Projection", "Record", "Stimulus", "TileConfig",
           "TileEvents", "TileTrace", "Trace", "UserError", "Word", "full_record", "preset",
           "recorded_neurons", "to_trace"]
