# SPDX-License-Identifier: Apache-2.0
"""Fixed-width words made of named fields. The only place where a bit position is computed."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Field", "Word"]


@dataclass(frozen=True)
class Field:
    """One named bit field of a :class:`Word`."""

    name: str
    width: int
    doc: str
    signed: bool = False

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest value the field holds."""
        if self.signed:
            return -(1 << self.width - 1), (1 << self.width - 1) - 1
        return 0, (1 << self.width) - 1


@dataclass(frozen=True)
class Word:
    """A word of at most 64 bits; ``fields`` are listed from the least significant bit up.

    Raises
    ------
    ValueError
        Field names repeat, a field has no bits, or the word is wider than 64 bits.
    """

    name: str
    fields: tuple[Field, ...]

    def __post_init__(self) -> None:
        names = [field.name for field in self.fields]
        if len(set(names)) != len(names):
            raise ValueError(f"{self.name}: field names must differ, not {names}")
        for field in self.fields:
            if field.width < 1:
                raise ValueError(
                    f"{self.name}.{field.name}: width must be at least 1, not {field.width}")
        if self.width > 64:
            raise ValueError(f"{self.name}: {self.width} bits do not fit in 64")

    @property
    def width(self) -> int:
        """Number of bits."""
        return sum(field.width for field in self.fields)

    def field(self, name: str) -> Field:
        """Field called ``name``; ``KeyError`` if there is none."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(f"{self.name} has no field {name!r}")

    def offset(self, name: str) -> int:
        """Bit position of the least significant bit of field ``name``."""
        position = 0
        for field in self.fields:
            if field.name == name:
                return position
            position += field.width
        raise KeyError(f"{self.name} has no field {name!r}")

    def pack(self, values: Mapping[str, npt.ArrayLike]) -> npt.NDArray[np.uint64]:
        """Word holding these field values, each an integer or an array; all fields are given.

        Raises
        ------
        TypeError
            A field is missing or unknown.
        ValueError
            A value does not fit its field.
        """
        names = [field.name for field in self.fields]
        if set(values) != set(names):
            raise TypeError(f"{self.name}.pack() takes {names}, not {list(values)}")
        word: npt.NDArray[np.uint64] = np.zeros((), np.uint64)
        for field in self.fields:
            value, (low, high) = np.asarray(values[field.name], np.int64), field.limits
            wrong = (value < low) | (value > high)
            if wrong.any():
                raise ValueError(
                    f"{self.name}.{field.name} must be in {low}..{high}, not {value[wrong][0]}")
            bits = value.astype(np.uint64) & np.uint64((1 << field.width) - 1)
            word = word | bits << np.uint64(self.offset(field.name))
        return np.asarray(word, np.uint64)

    def unpack(self, word: npt.ArrayLike) -> dict[str, npt.NDArray[np.int64]]:
        """Field values of ``word``, an integer or an array of any bit patterns."""
        values = {}
        for field in self.fields:
            bits = np.asarray(word, np.uint64) >> np.uint64(self.offset(field.name))
            value = np.asarray(bits & np.uint64((1 << field.width) - 1)).astype(np.int64)
            if field.signed:
                value = np.where(value > field.limits[1], value - (1 << field.width), value)
            values[field.name] = value
        return values
