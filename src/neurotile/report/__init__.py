# SPDX-License-Identifier: Apache-2.0
"""The report of a run: one HTML file that needs nothing beside it."""

from .page import render

__all__ = ["render"]
