# SPDX-License-Identifier: Apache-2.0
"""Why a mutant may survive: one reason for each known kind of survivor."""

import re

__all__ = ["reason"]

# Pattern over "PRESET: MUTANT", whether the reason shows that no run can tell, and the reason.
_REASONS: tuple[tuple[str, bool, str], ...] = (
    (r"reset: .*(sequencer\.(control|select)|_memory\.(answer|fresh|chosen)|pending_)", True,
     "data behind a valid bit, or a valid bit that falls by itself before the first run"),
    (r"encoder\.sent", True,
     "the bit of the last lane: once its spike is sent, no spike of the group is left to mask"),
    (r"lane_\d+\.(base|drive|exact|current)\b.*(constant|\?)|constant: .*lane_\d+\.(base|drive)",
     True, "the operand of a model that is not built in, whose result is never written"),
    (r"lane_\d+\.x\b", True,
     "X this large needs an accumulator beyond what these weights reach in one step"),
    (r"wide_lanes: .*lane_\d+\.u\b", True,
     "only `sublif` is built in: its sum is floored at zero, so it never saturates downwards"),
    (r"(one_lane|readout|deep_pipe): .*(counters\.drops|24'h1[4-7]\)?)", True,
     "a counter that is always zero on this tile: its queue or FIFO cannot fill"),
    (r"host__(read|write)\b", True,
     "the host owns the memories in HOLD: a read more often than asked changes nothing"),
    (r"clear_row", True, "the rows are cleared in another order, but all of them"),
    (r"reset: .*counters\.overflow", False,
     "CLEAR zeroes it before every run; only STATUS between rst and CLEAR would show it"),
    (r"reset: .*response__valid", False,
     "a request on its way when rst comes: its answer is lost or not, the host asks again"),
)


def reason(preset: str, mutant: object) -> tuple[bool, str] | None:
    """Whether a survivor is equivalent to the right design, and why it survives.

    Returns
    -------
    (bool, str) or None
        ``None``: nobody has explained this survivor.
    """
    text = f"{preset}: {mutant}"
    for pattern, equivalent, why in _REASONS:
        if re.search(pattern, text):
            return equivalent, why
    return None
