# SPDX-License-Identifier: Apache-2.0
"""The one exception that stands for a user's mistake."""

__all__ = ["UserError"]


class UserError(Exception):
    """A mistake in the user's input; the message names what, where and what would be right.

    The command line prints it as one line and exits with code 2.
    """
