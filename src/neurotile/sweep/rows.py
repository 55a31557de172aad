# SPDX-License-Identifier: Apache-2.0
"""Runs all points of a sweep, by one process or by several."""

import multiprocessing
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING

from .. import metrics
from ..pipeline import build, load
from ..spec import Stimulus, UserError
from .plan import Plan
from .point import Row, run_point

if TYPE_CHECKING:
    from ..models.float_network import FloatNetwork

__all__ = ["run_points"]

_held: "tuple[Plan, FloatNetwork, Stimulus]"


def run_points(plan: Plan, workers: int, done: Callable[[], None]) -> list[Row]:
    """Rows of all points in their order, whatever the number of workers.

    Parameters
    ----------
    workers : int
        Processes.
    done : callable
        Called after every point.

    Raises
    ------
    UserError
        The model or its input is wrong, so that no point could run, or a process died.
    """
    network, stimulus = _read(plan)
    made = build(network, mapped=False)
    if stimulus.inputs != made.network.input_size:
        raise UserError(f"{plan.data}: spikes have {stimulus.inputs} inputs, {plan.model} has "
                        f"{made.network.input_size}")
    metrics.check_labels(made.output, stimulus)
    count = len(plan.points)
    if min(workers, count) == 1:
        rows = []
        for number in range(count):
            rows.append(run_point(plan, number, network, stimulus))
            done()
        return rows
    # Not by fork: numba and matplotlib have threads.
    pool = ProcessPoolExecutor(min(workers, count), multiprocessing.get_context("spawn"),
                               _prepare, (plan,))
    try:
        futures = [pool.submit(_run, number) for number in range(count)]
        for future in as_completed(futures):
            future.result()
            done()
        return [future.result() for future in futures]
    except BrokenProcessPool:
        raise UserError("a process of the sweep ended before its work was done, perhaps for want "
                        "of memory; --workers 1 takes least") from None
    finally:
        pool.shutdown(cancel_futures=True)


def _read(plan: Plan) -> "tuple[FloatNetwork, Stimulus]":
    return load(plan.model, dt=plan.dt, reset=plan.reset), plan.stimulus()


def _prepare(plan: Plan) -> None:
    global _held
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits for this
    _held = (plan, *_read(plan))


def _run(number: int) -> Row:
    plan, network, stimulus = _held
    return run_point(plan, number, network, stimulus)
