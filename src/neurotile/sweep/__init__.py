# SPDX-License-Identifier: Apache-2.0
"""Many tiles or meshes for one network, side by side (docs/sweep.md).

In the order of the work: ``plan`` (the TOML file), ``keys`` (what can be varied), ``point`` (one
tile or mesh), ``rows`` (all of them, by several processes), ``table`` and ``picture`` (what is
written).
"""
