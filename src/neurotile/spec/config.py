# SPDX-License-Identifier: Apache-2.0
"""TileConfig: every free parameter of a tile, with its legal range."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from .codes import CURRENT_MODELS, DECAYING_MODELS
from .configuration import Configuration, power_of_two, whole_number
from .errors import UserError

__all__ = ["COUNTERS", "LEARNING_COUNTERS", "MODELS", "TileConfig"]

MODELS = ("if", "lif", "cubalif", "li", "cubali", "sublif")
COUNTERS = ("events", "synapse_reads", "hazard_stalls", "updates", "fifo_stalls", "spikes", "drops",
            "queue_high_water")
LEARNING_COUNTERS = ("synapse_writes",)


@dataclass(frozen=True, kw_only=True)
class TileConfig(Configuration):
    """Parameters of one tile, checked when made; derived widths are properties.

    Raises
    ------
    UserError
        A value is outside its legal range; the message names key, value and range.
    """

    axons: int = power_of_two(2, 65536)
    """Entries of the axon table, one per segment."""
    neurons: int = power_of_two(2, 65536)
    """Neurons; with ``lanes`` they make ``groups``."""
    lanes: int = power_of_two(1, 16)
    """Neurons that are processed in one cycle."""
    weight_bits: int = power_of_two(1, 16)
    """Bits of a stored weight; 1 means -1/+1."""
    synapse_words: int = power_of_two(2, 1 << 20)
    """Words of ``lanes`` weights in the synapse memory."""
    state_bits: int = whole_number(8, 32)
    """Bits of membrane potential, current, threshold, reset value and bias."""
    acc_bits: int = whole_number(8, 32)
    """Bits of an accumulator."""
    decay_bits: int = whole_number(4, 15)
    """Fractional bits of a decay coefficient."""
    shift_bits: int = whole_number(1, 4)
    """Bits of a group's left shift of the accumulator."""
    models: tuple[str, ...]
    """Neuron models built into the tile, in the order of ``MODELS``."""
    parameters: str
    """``neuron``: each neuron has its own; ``shared``: groups choose one of ``parameter_sets``."""
    parameter_sets: int = power_of_two(2, 4096)
    """Rows of the parameter memories when they are shared."""
    queue_depth: int = power_of_two(2, 65536)
    """Entries of the event queue; ``neurons`` makes drops impossible."""
    spike_fifo_depth: int = power_of_two(2, 64)
    """Groups whose spikes may wait for the route stage."""
    integrate_stages: int = whole_number(1, 2)
    """Clock edges from weight at the memory output to accumulator write."""
    update_stages: int = whole_number(1, 4)
    """Clock edges from state at the memory output to state write."""
    step_bits: int = whole_number(4, 32)
    """Bits of step counter, RUN and LENGTH."""
    offset_bits: int = whole_number(1, 8)
    """Bits of a group's step offset."""
    learning: str
    """``none``, or ``sdsp``: synapses of 3 bits with mapping bit, which learn (section 9)."""

    delay: str
    """``none``; on a mesh also ``scdq``, shared circular delay queue, or ``ring``."""
    delay_bits: int = whole_number(1, 6)
    """Bits of a delay in steps."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.delay not in ("none", "scdq", "ring"):
            self._refuse("delay", "'none', 'scdq' or 'ring'")
        if self.parameters not in ("neuron", "shared"):
            self._refuse("parameters", "'neuron' or 'shared'")
        ordered = tuple(m for m in MODELS if m in self.models)
        if not self.models or ordered != tuple(self.models):
            self._refuse("models", f"one or more of {', '.join(MODELS)}, in this order")
        if self.neurons < 2 * self.lanes:
            self._refuse("neurons", f"at least 2 * lanes = {2 * self.lanes}")
        if self.learning not in ("none", "sdsp"):
            self._refuse("learning", "'none' or 'sdsp'")
        if self.learns and self.weight_bits != 4:
            self._refuse("weight_bits", "4 with learning = 'sdsp'")
        if self.offset_bits > self.step_bits:
            self._refuse("offset_bits", f"at most step_bits = {self.step_bits}")
        if self.axon_bits_total > 32:
            raise UserError(
                f"{self.name}: axons, synapse_words and neurons/lanes make an axon descriptor of "
                f"{self.axon_bits_total} bits; it must fit in 32, so reduce synapse_words "
                f"({self.synapse_words}) or neurons ({self.neurons})")

    @property
    def groups(self) -> int:
        """Groups of ``lanes`` neurons."""
        return self.neurons // self.lanes

    @property
    def group_bits(self) -> int:
        """Bits of a group number."""
        return (self.groups - 1).bit_length()

    @property
    def row_bits(self) -> int:
        """Bits of a synapse word address."""
        return (self.synapse_words - 1).bit_length()

    @property
    def axon_bits(self) -> int:
        """Bits of an axon number."""
        return (self.axons - 1).bit_length()

    @property
    def neuron_bits(self) -> int:
        """Bits of a neuron number."""
        return (self.neurons - 1).bit_length()

    @property
    def set_bits(self) -> int:
        """Bits of a parameter set number."""
        return (self.parameter_sets - 1).bit_length()

    @property
    def axon_bits_total(self) -> int:
        """Bits of an axon descriptor."""
        delay = {"none": 0, "scdq": self.delay_bits + 1, "ring": self.delay_bits}[self.delay]
        return self.row_bits + 2 * self.group_bits + (3 if self.learns else 1) + delay

    @property
    def accumulator_rows(self) -> int:
        """Rows of accumulators: a ring of delays has one per group and step ahead."""
        return self.groups << self.delay_bits if self.delay == "ring" else self.groups

    @property
    def shared(self) -> bool:
        """Groups choose a parameter set instead of holding their own parameters."""
        return self.parameters == "shared"

    @property
    def learns(self) -> bool:
        """Synapses are those of SDSP."""
        return self.learning == "sdsp"

    @property
    def counters(self) -> tuple[str, ...]:
        """Counters that the tile has, in their order."""
        return COUNTERS + (LEARNING_COUNTERS if self.learns else ())

    @property
    def has_current(self) -> bool:
        """A built-in model has a synaptic current."""
        return bool(CURRENT_MODELS & set(self.models))

    @property
    def has_decay(self) -> bool:
        """A built-in model decays."""
        return bool(DECAYING_MODELS & set(self.models))

    @property
    def state_limits(self) -> tuple[int, int]:
        """Smallest and largest value of a state."""
        return -(1 << self.state_bits - 1), (1 << self.state_bits - 1) - 1

    @property
    def weight_limits(self) -> tuple[int, int]:
        """Smallest and largest weight."""
        if self.learns:
            return -7, 7
        if self.weight_bits == 1:
            return -1, 1
        return -(1 << self.weight_bits - 1), (1 << self.weight_bits - 1) - 1

    @property
    def event_cycles(self) -> int:
        """c_e of docs/semantics.md, section 6."""
        return self.integrate_stages + 3

    @property
    def update_cycles(self) -> int:
        """c_u of docs/semantics.md, section 6."""
        return self.update_stages + 3

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str) -> Self:
        """See :meth:`Configuration.from_dict`; ``models`` may be a list."""
        models = values.get("models", ())
        if isinstance(models, list):
            values = {**values, "models": tuple(models)}
        elif not isinstance(models, tuple):
            raise UserError(f"{where}: models must be a list of names, not {models!r}")
        return super().from_dict(values, where=where)
