# SPDX-License-Identifier: Apache-2.0
"""How a network is put on a mesh: what ``--mesh`` and its companions say."""

import re
from dataclasses import dataclass

from .spec import MeshConfig, UserError

__all__ = ["DELAYS", "QUEUES", "ROUTINGS", "MeshOptions", "options_of"]

ROUTINGS = ("unicast", "multicast")
DELAYS = ("scdq", "ring")
QUEUES = ("worst_case", "profiled", "fixed")
_MOST = 16


@dataclass(frozen=True, kw_only=True)
class MeshOptions:
    """Choices of the mapper of meshes.

    Parameters
    ----------
    shape : (rows, cols), optional
        Size of the mesh; the smallest that fits, if not given.
    routing : str
        ``unicast`` or ``multicast``.
    delay : str
        Delays by ``scdq`` or ``ring``, where the network needs any.
    share : bool
        Sources with the same weights share axons, runs of equal weights share rows.
    spread : bool
        Use all tiles evenly; needs ``shape``.
    queue : str
        Depth of the queues: ``worst_case``, no stimulus overflows them; ``profiled``, what the
        given stimulus fills, times ``margin``; ``fixed``, those of a given configuration.
    margin : float
        Factor of ``profiled``.

    Raises
    ------
    UserError
        A value is none of these.
    """

    shape: tuple[int, int] | None = None
    routing: str = "unicast"
    delay: str = "scdq"
    share: bool = True
    spread: bool = False
    queue: str = "worst_case"
    margin: float = 1.25

    def __post_init__(self) -> None:
        for key, known in (("routing", ROUTINGS), ("delay", DELAYS), ("queue", QUEUES)):
            if getattr(self, key) not in known:
                raise UserError(f"{key} must be one of {', '.join(known)}, "
                                f"not {getattr(self, key)!r}")
        if self.shape is not None and not all(1 <= n <= _MOST for n in self.shape):
            raise UserError(f"a mesh has 1..{_MOST} rows and columns, not "
                            f"{self.shape[0]} x {self.shape[1]}")
        if self.spread and self.shape is None:
            raise UserError("spread needs the size of the mesh, as in --mesh 4x4")
        if not 1 <= self.margin <= 16:
            raise UserError(f"margin must be in 1..16, not {self.margin:g}")

    @classmethod
    def parse(cls, text: str, **others: object) -> "MeshOptions":
        """Options with the size that ``text`` gives: ``auto`` or ROWSxCOLS.

        Raises
        ------
        UserError
            It is neither, or another option is wrong.
        """
        if text == "auto":
            return cls(**others)  # type: ignore[arg-type]
        match = re.fullmatch(r"(\d+)\s*[xX]\s*(\d+)", text.strip())
        if match is None:
            raise UserError(f"a mesh is given as auto or as ROWSxCOLS, like 4x4, not {text!r}")
        return cls(shape=(int(match[1]), int(match[2])), **others)  # type: ignore[arg-type]


def options_of(mesh: str | None, *, given: object = None, routing: str | None = None,
               delay: str | None = None, queue: str | None = None, margin: float | None = None,
               spread: bool = False, share: bool = True) -> MeshOptions | None:
    """What the options of a command say; None where they do not ask for a mesh.

    Parameters
    ----------
    mesh : str, optional
        ``auto`` or ROWSxCOLS.
    given : object, optional
        The configuration that is given, if any; one of a mesh excludes ``mesh``, and without one
        the other options need it.
    routing, delay, queue, margin, spread, share
        As in :class:`MeshOptions`; None: its default.

    Raises
    ------
    UserError
        Options do not fit each other.
    """
    if margin is not None and queue != "profiled":
        raise UserError("--margin: only with --queue profiled")
    named = {"routing": routing, "delay": delay, "queue": queue, "margin": margin}
    chosen: dict[str, object] = {name: value for name, value in named.items() if value is not None}
    chosen |= {"spread": True} if spread else {}
    chosen |= {} if share else {"share": False}
    if mesh is not None:
        if isinstance(given, MeshConfig):
            raise UserError(f"--mesh: {given.name} is a mesh already; --preset and --config name a "
                            "tile where --mesh says how many there are")
        if queue == "fixed":
            raise UserError("--queue fixed: only with a mesh by --preset or --config; with --mesh "
                            "queues are made for the network")
        return MeshOptions.parse(mesh, **chosen)
    if not chosen:
        return None
    if not isinstance(given, MeshConfig):
        raise UserError(f"{', '.join('--no-share' if k == 'share' else f'--{k}' for k in chosen)}: "
                        "only with a mesh: --mesh auto, --mesh 4x4, or a mesh by --preset or "
                        "--config")
    if fixed := sorted({"routing", "delay"} & set(chosen)):
        raise UserError(f"--{fixed[0]}: the mesh given by --preset or --config has one")
    # The size is that of the mesh that is given.
    return MeshOptions(**{"queue": "fixed", **chosen, "shape": (16, 16)})  # type: ignore[arg-type]
