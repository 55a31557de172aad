# SPDX-License-Identifier: Apache-2.0
"""Formats, configuration and files that every part of neurotile reads.

Plain Python and numpy: importing this package loads neither Amaranth nor numba nor nir.
"""

from .any_config import (
    AnyConfig,
    any_preset,
    configuration_from_toml,
    network_config,
    network_tile,
    preset,
    single_tile,
)
from .config import COUNTERS, MODELS, TileConfig
from .errors import UserError
from .event_config import (
    EVENT_COUNTERS,
    EVENT_PRESETS,
    TEST_EVENT_PRESETS,
    EventConfig,
)
from .event_run import EventProgram, Events, EventTrace, Switches
from .learning import CalciumRule, Sdsp, SdspSynapses, TileLearning
from .mesh_config import MESH_COUNTERS, MESH_PRESETS, TEST_MESH_PRESETS, MeshConfig
from .mesh_program import MeshPlacement, MeshProgram, as_tile_trace
from .mesh_run import MeshEvents, MeshTimeline, MeshTrace
from .network import InputPort, IntegerNetwork, Population, Projection, projection_names
from .presets import PRESETS, TEST_PRESETS
from .program import Placement, Program, TileEvents
from .stimulus import Stimulus
from .trace import Record, TileTrace, Trace, full_record, recorded_neurons, to_trace
from .word import Field, Word

__all__ = ["COUNTERS", "EVENT_COUNTERS", "EVENT_PRESETS", "MESH_COUNTERS", "MESH_PRESETS",
           "MODELS", "PRESETS", "TEST_EVENT_PRESETS", "TEST_MESH_PRESETS", "TEST_PRESETS",
           "AnyConfig", "CalciumRule", "EventConfig", "EventProgram", "EventTrace", "Events",
           "Field", "InputPort", "IntegerNetwork", "MeshConfig", "MeshEvents", "MeshPlacement",
           "MeshProgram", "MeshTimeline", "MeshTrace", "Placement", "Population", "Program",
           "Projection", "Record", "Sdsp", "SdspSynapses", "Stimulus", "Switches", "TileConfig",
           "TileEvents", "TileLearning", "TileTrace", "Trace", "UserError", "Word", "any_preset",
           "as_tile_trace", "configuration_from_toml", "full_record", "network_config",
           "network_tile", "preset", "projection_names", "recorded_neurons", "single_tile",
           "to_trace"]
