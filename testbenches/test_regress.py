# SPDX-License-Identifier: Apache-2.0
"""``make regress``: components by name, and where the waveforms are."""

import os
import subprocess
from pathlib import Path

from neurotile.testbenches import waves

ROOT = Path(__file__).resolve().parents[1]


def check(component):
    done = subprocess.run(["make", "-s", "check-component", f"COMPONENT={component}"], cwd=ROOT,
                          capture_output=True, text=True)
    return done.returncode, done.stdout


def test_an_unknown_component_is_answered_with_the_known_ones():
    for wrong in ("nope", "cli"):  # the second is a test file, but without cocotb tests
        code, said = check(wrong)
        assert code and said.startswith(f"COMPONENT={wrong} has no cocotb tests; there are: axon_w")
    known = said.split(": ")[1].split()
    assert {"event_queue", "npe", "tile"} <= set(known)
    assert check("tile") == check("") == (0, "")
    assert all((ROOT / "testbenches" / f"test_{name}.py").exists() for name in known)


def test_waveforms_of_this_session_are_found(monkeypatch, tmp_path):
    for name, moment in (("old.vcd", 99), ("b.vcd", 100), ("a.vcd", 101), ("note.txt", 101)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (moment, moment))
    assert waves.written_since(100, tmp_path) == [tmp_path / "a.vcd", tmp_path / "b.vcd"]
    assert waves.written_since(0, tmp_path / "none") == []
    for value, wanted in (("1", True), ("0", False), ("", False)):
        monkeypatch.setenv("NEUROTILE_WAVES", value)
        assert waves.wanted() is wanted
