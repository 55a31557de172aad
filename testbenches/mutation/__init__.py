# SPDX-License-Identifier: Apache-2.0
"""Mutation testing: plant bugs in RTL and simulator and see the checks fail."""
