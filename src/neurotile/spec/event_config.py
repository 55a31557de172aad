# SPDX-License-Identifier: Apache-2.0
"""EventConfig: the parameters of a tile in event mode."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from .configuration import Configuration, power_of_two, whole_number
from .errors import UserError

__all__ = ["EVENT_COUNTERS", "EVENT_PRESETS", "TEST_EVENT_PRESETS", "EventConfig"]

EVENT_COUNTERS = ("events", "passes", "synapse_reads", "synapse_writes", "updates", "fifo_stalls",
                  "spikes", "drops", "queue_high_water")


@dataclass(frozen=True, kw_only=True)
class EventConfig(Configuration):
    """Parameters of one tile in event mode (docs/event_mode.md), checked when made.

    Raises
    ------
    UserError
        A value is outside its legal range; the message names key, value and range.
    """

    neurons: int = power_of_two(2, 1024)
    """Neurons; every one has a synapse from every one."""
    lanes: int = power_of_two(1, 16)
    """Neurons that are processed in one cycle."""
    queue_depth: int = power_of_two(2, 1024)
    """Entries of the scheduler, with the one that is being executed."""
    spike_fifo_depth: int = power_of_two(2, 64)
    """Groups whose spikes may wait to be sent."""
    stages: int = whole_number(1, 3)
    """Clock edges from synapses and states at the memory outputs to their write."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.neurons < 2 * self.lanes:
            self._refuse("neurons", f"at least 2 * lanes = {2 * self.lanes}")

    @property
    def groups(self) -> int:
        """Groups of ``lanes`` neurons, and synapse words of one presynaptic neuron."""
        return self.neurons // self.lanes

    @property
    def group_bits(self) -> int:
        """Bits of a group number."""
        return (self.groups - 1).bit_length()

    @property
    def neuron_bits(self) -> int:
        """Bits of a neuron number."""
        return (self.neurons - 1).bit_length()

    @property
    def synapse_words(self) -> int:
        """Words of ``lanes`` synapses."""
        return self.neurons * self.groups

    @property
    def event_cycles(self) -> int:
        """c_p of docs/event_mode.md: cycles of a pass beyond one per group."""
        return self.stages + 2

    def to_toml(self) -> str:
        """TOML text that :meth:`from_toml` reads back; its ``mode`` tells it from a TileConfig."""
        return f"mode = {json.dumps('event')}\n{super().to_toml()}"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str) -> Self:
        """See :meth:`Configuration.from_dict`; ``mode`` must be ``event``."""
        if values.get("mode") != "event":
            raise UserError(f"{where}: mode must be 'event', not {values.get('mode')!r}")
        return super().from_dict({k: v for k, v in values.items() if k != "mode"}, where=where)


_ODIN = EventConfig(name="odin", neurons=256, lanes=8, queue_depth=32, spike_fifo_depth=8, stages=3)

EVENT_PRESETS = {_ODIN.name: _ODIN}

# Small tiles that together reach every structural option.
TEST_EVENT_PRESETS = {
    config.name: config for config in (
        _ODIN.replace(name="test_event", neurons=32, lanes=4, queue_depth=8, stages=2,
                      spike_fifo_depth=2),
        _ODIN.replace(name="test_event_one_lane", neurons=8, lanes=1, queue_depth=4, stages=1,
                      spike_fifo_depth=4),
        _ODIN.replace(name="test_event_wide", neurons=64, lanes=16, queue_depth=2,
                      spike_fifo_depth=2),
    )
}
