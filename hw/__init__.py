# SPDX-License-Identifier: Apache-2.0
"""The hardware: the tile and the mesh in Amaranth, exported as Verilog."""
