# SPDX-License-Identifier: Apache-2.0
"""Tests, cocotb benches, proofs and campaigns that check the other packages."""
