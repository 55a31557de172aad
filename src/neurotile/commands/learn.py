# SPDX-License-Identifier: Apache-2.0
"""``neurotile learn``: images taught to a tile in event mode, and asked for."""

import sys
import time
from pathlib import Path

from ..learn.images import digits, mnist
from ..learn.offline import OFFLINE, held_weights
from ..learn.protocol import Protocol
from ..learn.session import LEARNT, default_protocol, hold
from ..spec import UserError
from ..spec.folders import check_folder
from .text import count, line, percent

__all__ = ["learn_command"]


def learn_command(out: Path, *, data: Path | None, images: int | None, test_images: int | None,
                  per_class: int, seed: int, engine: str, protocol: Path | None, deskew: bool,
                  offline: bool) -> None:
    """Teach, ask, print and write.

    Raises
    ------
    UserError
        An argument or a file is wrong, or ``out`` holds something else.
    """
    check_folder(out, LEARNT, inputs=(data, protocol))
    if offline and (data is None or images is not None or per_class != 1 or protocol is not None):
        raise UserError("--offline takes weights that were trained on MNIST, for 10 neurons: it "
                        "needs --data, and no --images, --neurons-per-class or --protocol")
    chosen = default_protocol(per_class, "digits" if data is None else "MNIST")
    if offline:
        chosen = OFFLINE["offline_deskewed" if deskew else "offline"]
    elif protocol is not None:
        chosen = Protocol.from_toml(protocol)
    if not deskew:
        chosen = chosen.replace(deskew=0)
    given = digits() if data is None else mnist(data)
    line("data", f"{given.name}: {count(len(given.train), 'image')} to learn, "
                 f"{len(given.test):,} to test" + ("; --data takes a folder with MNIST"
                                                   if data is None else ""))
    started = time.perf_counter()
    with _Progress() as progress:
        session = hold(given, chosen, images=images, per_class=per_class, seed=seed, engine=engine,
                       test_images=test_images, weights=held_weights(chosen.name) if offline
                       else None, progress=progress)
    found = session.metrics
    if session.lessons is not None:
        cycles = found["cycles_per_lesson"]
        line("learnt", f"{count(found['images'], 'image')}, {count(found['neurons'], 'neuron')}, "
             f"{found['events_per_lesson']:,.0f} events"
             + (f" and {cycles:,.0f} cycles" if cycles else "") + " each")
    cycles = found["cycles_per_answer"]
    line("result", f"accuracy {percent(found['accuracy'], 2)} on "
         f"{count(found['test_images'], 'test image')}"
         + (f", {cycles:,.0f} cycles to an answer" if cycles else ""))
    session.save(out)
    line("time", f"{time.perf_counter() - started:.1f} s in the {engine} engine")
    line("written", f"{out}, report: {out / 'report.html'}")


class _Progress:
    """A bar on the terminal, if there is one."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar
        self._bar = Bar(TextColumn("{task.description:<9}"), BarColumn(),
                        TextColumn("{task.completed:,.0f} of {task.total:,} images"),
                        TimeRemainingColumn(), console=Console(stderr=True), transient=True,
                        redirect_stdout=False, disable=not sys.stderr.isatty())
        self._tasks: dict[str, int] = {}

    def __enter__(self) -> "_Progress":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, what: str, done: int, total: int) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what, total=total)
        self._bar.update(self._tasks[what], completed=done)  # type: ignore[arg-type]
