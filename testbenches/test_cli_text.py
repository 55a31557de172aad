# SPDX-License-Identifier: Apache-2.0
"""What commands say while they work."""

import time

import numpy as np
import pytest

from neurotile.commands import rtl
from neurotile.commands.text import waiting
from neurotile.models.map import map_network
from neurotile.pipeline import Build
from neurotile.spec import InputPort, IntegerNetwork, Population, Projection, Stimulus, preset


def test_long_work_is_named_on_stderr_and_short_work_is_not(capsys):
    with waiting("work", 0.01):
        time.sleep(0.3)
    assert capsys.readouterr() == ("", "wait      work\n")
    with pytest.raises(ValueError, match="stop"), waiting("work", 0.2):
        raise ValueError("stop")
    time.sleep(0.4)
    assert capsys.readouterr() == ("", "")


def test_rtl_is_not_silent_for_long(monkeypatch, tmp_path, capsys):
    network = IntegerNetwork((InputPort("in", 2),), (Population("out", 3, "if", np.array(5)),),
                             (Projection("in", "out", np.ones((3, 2), np.int32)),))
    config = preset("test_all")
    made = Build(network, config, map_network(network, config))
    run = rtl.run

    def slowly(*arguments, **options):
        time.sleep(0.3)
        return run(*arguments, **options)

    monkeypatch.setattr(rtl, "waiting", lambda what: waiting(what, 0.01))
    monkeypatch.setattr(rtl, "run", slowly)
    rtl.write_rtl(made, config, tmp_path / "rtl", Stimulus.from_dense(np.ones((4, 2), np.uint8)))
    assert "wait      the fast engine computes" in capsys.readouterr().err
