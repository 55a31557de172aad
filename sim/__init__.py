# SPDX-License-Identifier: Apache-2.0
"""The fast engine: same spikes, memories and cycle numbers as the hardware, without its gates."""
