# SPDX-License-Identifier: Apache-2.0
"""What every configuration has in common: legal ranges, TOML, digest."""

import dataclasses
import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from .errors import UserError

__all__ = ["Configuration", "power_of_two", "read_toml", "whole_number"]


def whole_number(low: int, high: int) -> Any:
    """Field of a :class:`Configuration` with a legal range."""
    return dataclasses.field(metadata={"legal": f"an integer in {low}..{high}",
                                       "test": lambda v: low <= v <= high})


def power_of_two(low: int, high: int) -> Any:
    """Field of a :class:`Configuration` that must be a power of two in a range."""
    return dataclasses.field(metadata={
        "legal": f"a power of two in {low}..{high}",
        "test": lambda v: low <= v <= high and v & (v - 1) == 0})


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Parameters of a piece of hardware, checked when made.

    Raises
    ------
    UserError
        A value is outside its legal range; the message names key, value and range.
    """

    name: str
    """Name of the preset or of the file, for people; not part of the digest."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if "legal" in field.metadata:
                if not isinstance(value, int) or isinstance(value, bool):
                    self._refuse(field.name, field.metadata["legal"])
                if not field.metadata["test"](value):
                    self._refuse(field.name, field.metadata["legal"])
        if not isinstance(self.name, str) or not self.name:
            self._refuse("name", "a text that is not empty")

    def _refuse(self, key: str, legal: str) -> None:
        raise UserError(f"{self.name}: {key} must be {legal}, not {getattr(self, key)!r}")

    def replace(self, **changes: Any) -> Self:
        """Copy with these keys changed, checked again."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """All keys as plain values, in their order here."""
        return {key: list(value) if isinstance(value, tuple) else value
                for key, value in dataclasses.asdict(self).items()}

    @property
    def digest(self) -> str:
        """SHA-256 over all keys but ``name``, hexadecimal."""
        keys = {k: v for k, v in self.to_dict().items() if k != "name"}
        return hashlib.sha256(json.dumps(keys, sort_keys=True).encode()).hexdigest()

    def to_toml(self) -> str:
        """TOML text that :meth:`from_toml` reads back as this configuration."""
        return "".join(f"{k} = {json.dumps(v)}\n" for k, v in self.to_dict().items())

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str) -> Self:
        """Configuration of these keys; ``where`` names the source in messages.

        Raises
        ------
        UserError
            A key is unknown, missing or out of range.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        values = {"name": where, **values}
        if unknown := sorted(set(values) - set(known)):
            raise UserError(f"{where}: unknown key {unknown[0]!r}; known are {', '.join(known)}")
        if missing := [key for key in known if key not in values]:
            raise UserError(f"{where}: missing key {missing[0]!r}")
        return cls(**values)

    @classmethod
    def from_toml(cls, path: Path) -> Self:
        """Configuration in the TOML file ``path``, in which every key but ``name`` is given.

        Raises
        ------
        UserError
            The file is missing, not TOML, or has a wrong key or value.
        """
        values = read_toml(path)
        return cls.from_dict(values, where=values.get("name") or Path(path).stem)


def read_toml(path: Path) -> dict[str, Any]:
    """Keys and values of a TOML file.

    Raises
    ------
    UserError
        The file is missing or not TOML.
    """
    try:
        return tomllib.loads(Path(path).read_text())
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path}: not a TOML file: {error}") from None
