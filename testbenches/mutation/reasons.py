# SPDX-License-Identifier: Apache-2.0
"""Why a mutant may survive: one reason for each known kind of survivor."""

import re

from .mesh_reasons import REASONS

__all__ = ["reason"]

# Tiles with as many credits as groups, and tiles whose queue has room for a spike of every neuron.
_ENOUGH_CREDITS = r"^test_(all|deep_pipe|wide_lanes|readout): "
_LONG_QUEUE = r"^test_(all|one_lane|deep_pipe|readout): "
# Memories that the pipeline reads, and looks at in the next cycle only.
_AT_ONCE = "(group|threshold|v_reset|bias|decay|membrane|current|accumulator)"
_LANE = r"npe\.update\.lane_\d+"
_RESTING = (rf": constant: {_LANE}\.\w+: \S+ = "
            r"\\?(npe\.update\.control_\d|sequencer\.control) \[0\] \? \S+ : \d+'h0*1  "
            r"\(was .* : \d+'h0+\)")

# Pattern over "PRESET: MUTANT", whether the reason shows that no run can tell, and the reason.
_REASONS: tuple[tuple[str, bool, str], ...] = (
    # Reset.
    (r": reset: sequencer\.(select__(group|parameters): |control: _\d+_\[(\d+:)?[1-9]\d*\] = )",
     True, "data of a group behind a valid bit, which rst does clear"),
    (_ENOUGH_CREDITS + r"reset: sequencer\.control: _\d+_\[0\] = ", True,
     "returns a credit that no group took: with as many credits as groups no run lacks one"),
    (r": reset: walker\.pending_valid: ", True,
     "falls by itself within two cycles after rst, before any request can start a run"),
    (r": reset: sequencer\.index: ", True,
     "zeroed in every cycle outside UPDATE, so in the first one after rst"),
    # What cannot be reached.
    (_LONG_QUEUE + r"\w+: counters\.(drops|overflow): ", True,
     "no spike is ever dropped on this tile: its queue has room for one of every neuron"),
    (_ENOUGH_CREDITS + r"\w+: counters\.fifo_stalls: ", True,
     "no group ever waits on this tile: there are as many credits as groups"),
    (r": width: encoder\.sent: ", True,
     "the bit of the last lane: once its spike is sent, no spike of the group is left to mask"),
    (r": constant: route_memory\.port\S*: _\d+_ = _\d+_\[\d+\] \? \S+ : \d'h1  \(was .* : \d'h0\)",
     True, "the lane of a group without spikes, which is not valid"),
    (rf": constant: {_LANE}\.(base|drive|exact): \S+ = (_\d+_\(\d+'h0*1, |\S+ \? .* : \d+'h0*1  )",
     True, "the operand of a model that is not built in, whose result is never written"),
    (rf": constant: {_LANE}\.membrane_next: _\d+_ = _\d+_\[\d+\] \? \d+'h80*1 : ", True,
     "a neuron that fires is at its threshold or above: a soft reset never falls below the range"),
    (rf"^test_wide_lanes: constant: {_LANE}\.u: _\d+_ = \S+ ?\[\d+\] \? \d+'h80*1 : ", True,
     "only `sublif` is built in: its sum is floored at zero and never falls below the range"),
    # What makes no difference.
    (rf": constant: {_LANE}\.x: _\d+_ = \S+exact_x \[\d+\] \? ", True,
     "every sum with an X that is clipped is clipped again, whether X is one more or less"),
    (r": width: npe\.update\.control_\d: ", True,
     "the top bit of the shift, which only the first stage reads"),
    (rf": operator: (host_port\.)?{_AT_ONCE}(_memory\.host)?__read: \S+ = _\d+_ \| _\d+_ ", True,
     "more reads than asked for: what they bring is looked at only after one that was"),
    (_RESTING, True,
     "what a lane shows while no group is in its stage; nothing takes it, since valid is 0"),
    (_ENOUGH_CREDITS + r"constant: registers\.host__answer: .* \(was .* == 24'h0*14\)", True,
     "FIFO_STALLS stays 0 on this tile: its index reads 0, and 0 is added to what is read there"),
    (_LONG_QUEUE + r"constant: registers\.host__answer: .* \(was .* == 24'h0*16\)", True,
     "DROPS stays 0 on this tile: its index reads 0, and 0 is added to what is read there"),
    # The fast engine.
    (r"^sim: constant: axon_walker: .*(\bpast, -\d|row = row_before = -\d)", True,
     "any number below zero is no group (or row) and says that no write is pending"),
    (r"^sim: constant: axon_walker: .*(integrate_stages - 2  )", True,
     "further in the past: no segment is taken and no barrier fires before the first cycle"),
    (r"^sim: .*spike_encoder: .*never = (spikes - 1 << 8|spikes - 1 >> 9) & ", True,
     "of 0 spikes bit 60 stays set, of 1 to 256 (one per lane) it stays clear"),
    (r"^sim: operator: spike_encoder: .*rest & rest \+ _ONE\)", True,
     "the lowest spike is gone, so the sum clears no bit: the loop below finds the spike instead"),
)


def reason(preset: str, mutant: object) -> tuple[bool, str] | None:
    """Whether a survivor is equivalent to the right design, and why it survives.

    Returns
    -------
    (bool, str) or None
        ``None``: nobody has explained this survivor.
    """
    text = f"{preset}: {mutant}"
    for pattern, equivalent, why in (*_REASONS, *REASONS):
        if re.search(pattern, text):
            return equivalent, why
    return None
