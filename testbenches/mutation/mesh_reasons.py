# SPDX-License-Identifier: Apache-2.0
"""Why a mutant of a mesh, or of a tile that learns or is in event mode, may survive."""

__all__ = ["REASONS"]

# Meshes of one row, without trees, without parity, and the one whose sides are powers of two.
_ROW, _UNICAST = r"^test_mesh_1x\d: ", r"^test_mesh_(1x1|1x3|2x3|4x4): "
_NO_PARITY, _SQUARE = r"^test_mesh_(1x1|2x2|4x4): ", r"^test_mesh_4x4: "
_NO_EAST = r"^test_mesh_1x1: "
# Arbiter and the number after that of the input on its own side.
_BACK = (r"arbiter_(north\.pointer: .*was .*\? 3'h1 :|east\.pointer: .*was .*\? 3'h2 :|"
         r"south\.pointer: .*was .*\? 3'h3 :)")

REASONS: tuple[tuple[str, bool, str], ...] = (
    # Barrier.
    (r"operator: barrier_unit\.packets: \S+ = \$signed\(\\barrier_unit\.packets \) - ", True,
     "counts the packets with the other sign, and all that is asked is whether they are 0"),
    (r"width: barrier_unit\.packets: ", True,
     "the sign: never are so many packets in the network that the other bits are 0 again"),
    (r"reset: barrier_unit\.(still|ended): ", True,
     "a sample under way counts only with its other half, which rst clears"),
    # Not there.
    (_NO_PARITY + r"\w+: registers\.parity_errors: ", True,
     "without link_parity no packet is wrong: the register stays 0"),
    (_SQUARE + r"\w+: registers\.lost: ", True,
     "no packet is lost: every target of a unicast packet is a tile of this mesh"),
    (r"^test_mesh_2x3: \w+: registers\.lost: .*\\noc\.lost__[0134] ", True,
     "only in the last column there are targets beyond the mesh: no packet is lost at this tile"),
    (_ROW + r"\w+: counters\.(north|south): ", True, "a mesh of one row has no such link"),
    (_NO_EAST + r"\w+: counters\.east: ", True, "a mesh of one column has no such link"),
    (_ROW + r"constant: registers\.host__answer: .* \(was .* == 18'h0*(1a|1c)\)", True,
     "this counter of a link that is not there stays 0, and 0 is added to what is read"),
    (_NO_EAST + r"constant: registers\.host__answer: .* \(was .* == 18'h0*1b\)", True,
     "this counter of a link that is not there stays 0, and 0 is added to what is read"),
    ((r": constant: fanout_memory\.port\S*: _\d+_ = _\d+_\[\d+\] \? \S+ : \d'h1  "
      r"\(was .* : \d'h0\)"), True, "the lane of a group without spikes, which is not valid"),
    # Router.
    (_UNICAST + r"\w+: arbiter_sink\.pointer: ", True,
     "only trees lead west off the mesh: nothing ever wants this output"),
    (_UNICAST + r"(enable|reset|width): done_\w+: \S+ = (done_\w+|_\d+_)  ?", True,
     "a packet without copies leaves in the cycle in which it is sent: `done` stays 0"),
    (r"(constant|order): " + _BACK, True,
     "what comes from a side goes back there only in a loop of a tree that never ends"),
    (_UNICAST + r"\w+: arbiter_(east|west)\.pointer: .*was \S+take  \? 3'h[13] : ", True,
     "what comes from north or south never turns to a column"),
    (_UNICAST + r"operator: granted_north: granted_north\[0\] = ", True,
     "a bit of `done` for an output that the head does not want is never looked at"),
    ((r"^test_mesh_(2x2: operator: fifo_\w+\.slot_3|(1x1|1x3|2x3|4x4): operator: "
      r"fifo_\w+\.slot_1): \S+ = \S+ \| "), True,
     "the last entry is also written while it holds no packet"),
    (r"reset: arbiter_\w+\.pointer: ", False,
     "shows only where the first packets after rst meet at an output in the same cycle"),
    # Event mode.
    (r"^test_event\w*: reset: controller\.event: ", True,
     "the event of a pass, which is loaded before any pass begins"),
    (r"^event sim: constant: event_engine: .*(_ROOM \+ n \+ 4|place=np\.zeros\(7)", True,
     "an array that is longer than it has to be"),
    (r"^event sim: .*event_engine: .*_CALL_SECONDS", True,
     "how long a call of the kernel takes, which no trace shows"),
    (r"^test_event\w*: constant: pipeline\.lane_\d+\.subtract: .* : 1'h1  \(was .* : 1'h0\)", True,
     "where nothing is added 0 is subtracted"),
    # Fast engine with learning.
    (r"^learning sim: constant: learning_layout: .*propagate_from=1 if", True,
     "what is below 1 has the weight 0"),
)
"""As in :mod:`reasons`."""
