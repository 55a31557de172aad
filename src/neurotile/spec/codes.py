# SPDX-License-Identifier: Apache-2.0
"""Codes that RTL, simulators and host agree on (docs/semantics.md, sections 5 and 8)."""

from enum import IntEnum

__all__ = ["CURRENT_MODELS", "DECAYING_MODELS", "ID_VALUE", "SILENT_MODELS", "VERSION_VALUE",
           "MemoryId", "Model", "Phase", "Register"]

ID_VALUE = 0x4E54494C
VERSION_VALUE = 0x0001_0000


class Model(IntEnum):
    """Neuron model of a group; 0 and 7 do nothing."""

    IDLE = 0
    IF = 1
    LIF = 2
    CUBALIF = 3
    LI = 4
    CUBALI = 5
    SUBLIF = 6


CURRENT_MODELS = frozenset({"cubalif", "cubali"})
DECAYING_MODELS = frozenset({"lif", "cubalif", "li", "cubali"})
SILENT_MODELS = frozenset({"li", "cubali"})


class MemoryId(IntEnum):
    """What the ``memory`` field of a host request addresses."""

    REGISTERS = 0
    AXON = 1
    SYNAPSE = 2
    GROUP = 3
    THRESHOLD = 4
    V_RESET = 5
    BIAS = 6
    DECAY = 7
    MEMBRANE = 8
    CURRENT = 9
    ACCUMULATOR = 10
    ROUTE = 11
    THETA_MEM = 12
    CALCIUM_RULE = 13
    CALCIUM = 14


class Register(IntEnum):
    """Index of a register behind memory id 0; the counters follow in the order of section 7."""

    ID = 0
    VERSION = 1
    DIGEST = 2
    STATUS = 3
    RUN = 4
    CLEAR = 5
    GROUPS = 6
    LENGTH = 7
    STEP = 8
    SWITCHES = 9
    LEARN_OFFSET = 10
    BISTABILITY_PERIOD = 11
    BISTABILITY_ROWS = 12
    EVENTS = 16
    SYNAPSE_READS = 17
    HAZARD_STALLS = 18
    UPDATES = 19
    FIFO_STALLS = 20
    SPIKES = 21
    DROPS = 22
    QUEUE_HIGH_WATER = 23
    SYNAPSE_WRITES = 24


class Phase(IntEnum):
    """What the tile is doing, as STATUS shows it."""

    HOLD = 0
    CLEAR = 1
    INTEGRATE = 2
    UPDATE = 3
