# SPDX-License-Identifier: Apache-2.0
"""``neurotile demo``: the main job on the embedded network and data."""

from pathlib import Path

from ..hw.export_files import EXPORT
from ..models import zoo
from ..rundir import RUN
from ..spec import Stimulus, TileConfig
from ..spec.folders import check_folder
from .rtl import write_rtl
from .run import load_and_build, run_shown
from .text import line

__all__ = ["demo_command"]


def demo_command(out: Path) -> None:
    """Run the digits network, export its tile and write the report.

    Raises
    ------
    UserError
        ``out`` holds something else.
    """
    run_folder, rtl_folder = out / "run", out / "rtl"
    check_folder(run_folder, RUN)
    check_folder(rtl_folder, EXPORT)
    made = load_and_build(zoo.path("digits"), None, None, None, None, {}, mapped=True)
    assert isinstance(made.config, TileConfig)
    spikes, labels = zoo.test_set("digits")
    stimulus = Stimulus.from_dense(spikes, labels)
    result = run_shown(made, stimulus, engine="fast", options={"engine": "fast"})
    write_rtl(made, made.config, rtl_folder, stimulus.first(1))
    result.save(run_folder)
    line("verilog", str(rtl_folder))
    line("report", str((run_folder / "report.html").resolve()))
