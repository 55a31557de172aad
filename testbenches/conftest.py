# SPDX-License-Identifier: Apache-2.0
"""What pytest prints after the tests: how much of the phases the cocotb tests reached."""

from typing import Any

from neurotile.testbenches.phase_coverage import PROPERTY


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line per cocotb run that reports phases; failed runs are listed too."""
    # The properties travel with the reports, so this holds for parallel runs as well.
    lines = [value for reports in terminalreporter.stats.values() for report in reports
             if getattr(report, "when", None) == "call"
             for name, value in report.user_properties if name == PROPERTY]
    if lines:
        terminalreporter.section(PROPERTY)
        for line in sorted(lines):
            terminalreporter.line(line)
