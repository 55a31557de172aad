# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C while a library is at work that calls back into Python."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["noted_interrupts"]


@contextmanager
def noted_interrupts(failures: list[BaseException]) -> Iterator[None]:
    """Within the block Ctrl-C appends a KeyboardInterrupt to ``failures`` and raises nothing.

    Python raises it on entering the next function. In a callback from C that is before any ``try``
    of the callback, and ctypes prints the exception and forgets it. Only the main thread gets
    signals; elsewhere, or where someone else handles them, nothing changes.
    """
    ours = (threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler)
    if ours:
        signal.signal(signal.SIGINT, lambda *_: failures.append(KeyboardInterrupt()))
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
