# SPDX-License-Identifier: Apache-2.0
"""Spoken digits: spikes from recordings, and networks with and without synaptic delays."""

from pathlib import Path

from neurotile.spec import UserError

from .network import DelayNetwork

__all__ = ["DelayNetwork", "load", "names"]

_DATA = Path(__file__).parent.parent / "data"


def names() -> list[str]:
    """Names of the stored networks, in alphabetical order.

    ``fsdd_KINDHIDDEN_SEED``, the kind being ``delays`` or ``none``; those that end in ``_4bit``
    were trained further with weights of 4 bits.
    """
    return sorted(file.stem for file in _DATA.glob("fsdd_*.npz"))


def load(name: str) -> DelayNetwork:
    """The stored network ``name``.

    Raises
    ------
    UserError
        There is no such network.
    """
    if name not in names():
        raise UserError(f"the zoo has {', '.join(names())}, not {name!r}")
    return DelayNetwork.load(_DATA / f"{name}.npz")
