# SPDX-License-Identifier: Apache-2.0
"""neurotile: generator, simulator and verification environment for a neuromorphic tile."""

__version__ = "0.1.0"
