# SPDX-License-Identifier: Apache-2.0
"""SDSP in step mode: which synapses learn, and when (docs/semantics.md, section 9)."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import UserError
from .word import Field, Word

__all__ = ["CalciumRule", "Sdsp", "SdspSynapses", "TileLearning", "learning_switches_word"]

_LARGEST_WEIGHT = 7


def learning_switches_word() -> Word:
    """Register SWITCHES of a tile with ``learning = "sdsp"``."""
    return Word("switches", (
        Field("learn", 1, "plastic synapses change"),
        Field("update_unmapped", 1, "synapses without mapping bit learn too"),
        Field("propagate_unmapped", 1, "synapses without mapping bit deliver their weight")))


@dataclass(frozen=True, kw_only=True)
class Sdsp:
    """How a network learns.

    Parameters
    ----------
    learn : bool
        Plastic synapses change; otherwise calcium and flags go on alone.
    update_unmapped, propagate_unmapped : bool
        Synapses without mapping bit learn, deliver their weight.
    bistability : int
        Steps from one bistability update to the next; 0: never.

    Raises
    ------
    UserError
        ``bistability`` is not an integer in 0..65535.
    """

    learn: bool = True
    update_unmapped: bool = False
    propagate_unmapped: bool = False
    bistability: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.bistability, bool) or not isinstance(self.bistability, int) or not (
                0 <= self.bistability < 1 << 16):
            raise UserError(f"learning: bistability must be a number of steps in 0..65535, "
                            f"not {self.bistability!r}")

    @property
    def switches(self) -> int:
        """Value of register SWITCHES."""
        word = learning_switches_word()
        values = asdict(self)
        return int(word.pack({f.name: int(values[f.name]) for f in word.fields}))


@dataclass(frozen=True)
class TileLearning:
    """Registers of a learning tile.

    Parameters
    ----------
    switches : int
        SWITCHES.
    offset : int
        LEARN_OFFSET, first step in which synapses learn.
    period : int
        BISTABILITY_PERIOD.
    rows : int
        Rows of synapses that bistability reaches; BISTABILITY_ROWS is one less.
    """

    switches: int = 0
    offset: int = 0
    period: int = 0
    rows: int = 1


@dataclass(frozen=True, eq=False)
class CalciumRule:
    """Calcium and thresholds of a population; each one value or an array (size,).

    Parameters
    ----------
    theta_mem : array_like of int
        Membrane potential from which synapses potentiate, below which they depress.
    theta1, theta2, theta3 : array_like of int
        Depression with theta1 <= calcium < theta2, potentiation with theta1 <= calcium < theta3.
    leak : array_like of int
        Steps per decrement of calcium, 0..31; 0: never.
    enable : array_like of bool
        Calcium and flags change.

    Raises
    ------
    UserError
        A value is out of range.
    """

    theta_mem: npt.ArrayLike
    theta1: npt.ArrayLike
    theta2: npt.ArrayLike
    theta3: npt.ArrayLike
    leak: npt.ArrayLike = 0
    enable: npt.ArrayLike = True

    def __post_init__(self) -> None:
        for key, high in (("theta1", 7), ("theta2", 7), ("theta3", 7), ("leak", 31), ("enable", 1)):
            value = np.asarray(getattr(self, key))
            if value.dtype.kind not in "iub" or value.min() < 0 or value.max() > high:
                raise UserError(f"calcium rule: {key} must be integers in 0..{high}")
        if np.asarray(self.theta_mem).dtype.kind not in "iu":
            raise UserError("calcium rule: theta_mem must be integers")

    def arrays(self, size: int, where: str) -> dict[str, npt.NDArray[np.int64]]:
        """Every value as an array (size,).

        Raises
        ------
        UserError
            A value has another shape; ``where`` names the population.
        """
        arrays: dict[str, npt.NDArray[np.int64]] = {}
        for key in ("theta_mem", "theta1", "theta2", "theta3", "leak", "enable"):
            value: Any = np.asarray(getattr(self, key))
            if value.shape not in ((), (size,)):
                raise UserError(f"{where}: {key} of the calcium rule must have shape ({size},) or "
                                f"be one value, not {value.shape}")
            arrays[key] = np.broadcast_to(value, (size,)).astype(np.int64)
        return arrays


@dataclass(frozen=True, eq=False)
class SdspSynapses:
    """What makes the synapses of a projection plastic.

    Parameters
    ----------
    inhibitory : ndarray of bool, (sources,)
        Sources whose weights count as negative.
    mapped : ndarray of bool, (targets, sources)
        Mapping bits.
    """

    inhibitory: npt.NDArray[np.bool_]
    mapped: npt.NDArray[np.bool_]

    def check(self, weights: npt.NDArray[np.int32], where: str) -> None:
        """Refuse weights that these synapses cannot hold.

        Raises
        ------
        UserError
            Shapes differ, a weight is beyond -7..7 or has the wrong sign.
        """
        targets, sources = weights.shape
        for key, shape in (("inhibitory", (sources,)), ("mapped", (targets, sources))):
            array = getattr(self, key)
            if array.shape != shape or array.dtype != np.bool_:
                raise UserError(f"{where}: {key} must be booleans of shape {shape}, "
                                f"not {array.dtype} {array.shape}")
        magnitude = np.where(self.inhibitory, -weights, weights)
        wrong = (magnitude < 0) | (magnitude > _LARGEST_WEIGHT)
        if wrong.any():
            raise UserError(f"{where}: a plastic weight must be in 0..{_LARGEST_WEIGHT}, from an "
                            f"inhibitory source in -{_LARGEST_WEIGHT}..0, not {weights[wrong][0]}")
