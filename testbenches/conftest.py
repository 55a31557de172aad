# SPDX-License-Identifier: Apache-2.0
"""What pytest prints after the tests: phases that the cocotb tests reached, and waveform files."""

import time
from typing import Any

from neurotile.testbenches import waves
from neurotile.testbenches.phase_coverage import PROPERTY

_STARTED = time.time()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """A line per cocotb run that reports phases, failed ones too, and per waveform file."""
    # The properties travel with the reports, so this holds for parallel runs as well.
    lines = [value for reports in terminalreporter.stats.values() for report in reports
             if getattr(report, "when", None) == "call"
             for name, value in report.user_properties if name == PROPERTY]
    if lines:
        terminalreporter.section(PROPERTY)
        for line in sorted(lines):
            terminalreporter.line(line)
    if waves.wanted() and (files := waves.written_since(_STARTED)):
        terminalreporter.section("waveforms")
        for path in files:
            terminalreporter.line(str(path))
