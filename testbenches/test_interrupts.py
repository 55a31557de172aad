# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C stops a simulation at once, in whatever the process is busy with."""

import os
import signal
import threading
import time

import numpy as np
import pytest

from neurotile.hw.engine import event_engine
from neurotile.hw.engine.engine import run_tile
from neurotile.hw.engine.interrupts import noted_interrupts
from neurotile.spec import TEST_EVENT_PRESETS, EventProgram, Events, Switches, TileEvents, preset
from neurotile.spec.event_formats import EventKind
from neurotile.spec.formats import memories

SECONDS = 60  # longer than any run that is stopped


@pytest.fixture
def interrupt():
    """Ctrl-C after so many seconds."""
    timers = []

    def start(seconds):
        timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
        timers.append(timer)
        timer.start()

    yield start
    for timer in timers:
        timer.cancel()
        timer.join()


def empty(config):
    return {m.name: np.zeros((m.rows, m.lanes), np.uint64) for m in memories(config)}


def test_interrupts_are_noted_and_the_handler_comes_back():
    noted: list[BaseException] = []
    with noted_interrupts(noted):
        signal.raise_signal(signal.SIGINT)
    assert [type(error) for error in noted] == [KeyboardInterrupt]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_and_handlers_are_left_alone():
    seen = []

    def inside():
        with noted_interrupts([]):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        inside()
    finally:
        signal.signal(signal.SIGINT, previous)
    assert seen == [signal.default_int_handler, signal.SIG_IGN]


def test_event_mode_stops(interrupt):
    # Threshold 0: the closed loop never ends.
    config = TEST_EVENT_PRESETS["test_event_one_lane"]
    program = EventProgram(config, empty(config), Switches(open_loop=False))
    events = Events.make(config, EventKind.SPIKE)
    event_engine.run(EventProgram(config, empty(config), Switches()), events)  # builds it
    started = time.monotonic()
    interrupt(0.5)
    with pytest.raises(KeyboardInterrupt):
        event_engine.run(program, events, limit=1 << 40)
    assert time.monotonic() - started < SECONDS


def test_step_mode_stops(interrupt):
    config = preset("test_all")

    def silent(runs):
        return TileEvents(runs, 200, np.zeros(runs * 200 + 1, np.int64), np.zeros(0, np.int32))

    run_tile(config, empty(config), 8, 0, silent(1))  # builds it
    started = time.monotonic()
    interrupt(0.5)
    with pytest.raises(KeyboardInterrupt):
        run_tile(config, empty(config), 8, 0, silent(100_000))
    assert time.monotonic() - started < SECONDS
