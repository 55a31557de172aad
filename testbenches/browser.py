# SPDX-License-Identifier: Apache-2.0
"""A page opened in headless Chromium: what it became, and what it complained about."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

__all__ = ["Page", "chromium", "open_page"]

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# The last ones keep it from talking to anyone.
_FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
          "--disable-background-networking", "--disable-component-update", "--disable-sync",
          "--disable-dev-shm-usage", "--hide-scrollbars", "--window-size=1200,1000",
          "--virtual-time-budget=5000", "--enable-logging=stderr")


class Page(NamedTuple):
    """The document after its script ran, and the lines that it wrote to the console."""

    document: str
    console: list[str]


def chromium() -> str:
    """Path of a Chromium; the test is skipped without one."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser to look at the report with ({', '.join(_NAMES)})")
    return found


def open_page(file: Path, folder: Path, *more: str, seconds: float = 90.0) -> Page:
    """Open ``file`` with a fresh profile in ``folder``."""
    command = [chromium(), *_FLAGS, f"--user-data-dir={folder / 'profile'}", *more, "--dump-dom",
               file.resolve().as_uri()]
    # A session of its own, so that a browser that hangs goes with all its helpers.
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          start_new_session=True) as process:
        try:
            out, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return Page(out, re.findall(r"CONSOLE.*", errors))
