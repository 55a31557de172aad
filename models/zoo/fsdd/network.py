# SPDX-License-Identifier: Apache-2.0
"""A network of one hidden layer whose input synapses have delays: float, file and integers."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neurotile.spec import InputPort, IntegerNetwork, Population, Projection, UserError

if TYPE_CHECKING:
    import nir

__all__ = ["DelayNetwork"]

Floats = npt.NDArray[np.float64]

# Negative potentials run far below zero; the mapper's quantiser leaves the same room.
_HEADROOM = 64
_MOST_SHIFT = 7  # three bits, as in TileConfig's default
_DT = 0.01  # seconds


@dataclass(frozen=True, kw_only=True, eq=False)
class DelayNetwork:
    """Delayed synapses into LIF neurons (threshold 1, reset to 0), then a leaky readout.

    Per step, with s the input and h the hidden spikes:
    u = decay v + sum of weight[j, i, c] s_i(t - delay[j, i, c]); h = u > 1; v = 0 if h, else u;
    r = decay_out r + readout h. The class is the largest r summed over the steps.

    Parameters
    ----------
    weight : ndarray of float, (hidden, inputs, copies)
        Every pair has ``copies`` synapses.
    delay : ndarray of int, (hidden, inputs, copies)
        In steps; distinct within a pair.
    readout : ndarray of float, (classes, hidden)
    decay, decay_out : ndarray of float, (hidden,) and (classes,)
        Share of the potential that a step leaves.

    Raises
    ------
    UserError
        Shapes differ, or a pair has two synapses of one delay.
    """

    weight: npt.NDArray[np.float32]
    delay: npt.NDArray[np.uint8]
    readout: npt.NDArray[np.float32]
    decay: npt.NDArray[np.float32]
    decay_out: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        hidden, classes = len(self.weight), len(self.readout)
        for key, shape in (("delay", self.weight.shape), ("readout", (classes, hidden)),
                           ("decay", (hidden,)), ("decay_out", (classes,))):
            if getattr(self, key).shape != shape:
                raise UserError(f"{key} must have shape {shape}, not {getattr(self, key).shape}")
        if (np.diff(np.sort(self.delay, axis=2), axis=2) == 0).any():
            raise UserError("delay: two synapses of a pair have the same delay")

    @classmethod
    def load(cls, path: str | Path) -> "DelayNetwork":
        """Network in an .npz file that :meth:`save` wrote."""
        with np.load(path) as held:
            return cls(**{key: held[key] for key in cls.__dataclass_fields__})

    def save(self, path: str | Path) -> None:
        """Write all arrays as an .npz file."""
        np.savez_compressed(path, **vars(self))

    @property
    def parameters(self) -> int:
        """Trained numbers: weights and decays, not the delays."""
        return self.weight.size + self.readout.size + self.decay.size + self.decay_out.size

    def levels(self) -> dict[int, npt.NDArray[np.float32]]:
        """Weights (hidden, inputs) by delay, ascending; together they are all synapses."""
        return {int(d): np.where(self.delay == d, self.weight, 0).sum(axis=2, dtype=np.float32)
                for d in np.unique(self.delay)}

    def scores(self, spikes: npt.NDArray[np.uint8]) -> tuple[Floats, npt.NDArray[np.uint8]]:
        """Float model: summed readouts (samples, classes), hidden spikes (samples, steps, hidden).

        Parameters
        ----------
        spikes : (samples, steps, inputs), uint8
        """
        samples, steps, _ = spikes.shape
        drive = np.zeros((samples, steps, len(self.weight)))
        for d, weight in self.levels().items():
            drive[:, d:] += spikes[:, :steps - d].astype(np.float64) @ weight.T.astype(np.float64)
        v, r = np.zeros_like(drive[:, 0]), np.zeros((samples, len(self.readout)))
        total, fired = np.zeros_like(r), np.zeros(drive.shape, np.uint8)
        for t in range(steps):
            u = self.decay * v + drive[:, t]
            fired[:, t] = h = u > 1.0
            v = np.where(h, 0.0, u)
            r = self.decay_out * r + h @ self.readout.T.astype(np.float64)
            total += r
        return total, fired

    def integers(self, *, weight_bits: int = 8, state_bits: int = 16, decay_bits: int = 12
                 ) -> IntegerNetwork:
        """The network in integers: one projection from input to hidden per delay.

        Each population has one scale, which maps its largest weight to the largest of
        ``weight_bits``, and a left shift that gives the potential finer steps than the weights.

        Raises
        ------
        UserError
            ``weight_bits`` is below 2.
        """
        if weight_bits < 2:
            raise UserError(f"weight_bits must be at least 2, not {weight_bits}")
        top, limit = (1 << weight_bits - 1) - 1, (1 << state_bits - 1) - 1
        scale = top / float(np.abs(self.weight).max())
        shift = _shift(_HEADROOM * scale, limit)
        scale_out = top / float(np.abs(self.readout).max())
        # A tenth of the hidden neurons firing in every step, all with the largest weight.
        reach = 0.1 * len(self.weight) * top / (1.0 - float(self.decay_out.max()))
        shift_out = _shift(reach, limit)
        unit = 1 << decay_bits
        hidden = Population(
            "hidden", len(self.weight), "lif", shift=shift,
            # v is an integer, so v > floor(x) is the same as v > x.
            threshold=np.array(int(np.floor(scale * (1 << shift)))),
            decay_v=np.rint(self.decay * unit).astype(np.int64))
        output = Population(
            "output", len(self.readout), "li", shift=shift_out, threshold=np.array(0),
            decay_v=np.rint(self.decay_out * unit).astype(np.int64))
        projections = [Projection("input", "hidden", _rounded(weight, scale), delay)
                       for delay, weight in self.levels().items()]
        projections.append(Projection("hidden", "output", _rounded(self.readout, scale_out)))
        return IntegerNetwork(
            (InputPort("input", self.weight.shape[1]),), (hidden, output), tuple(projections),
            weight_bits=weight_bits, state_bits=state_bits, decay_bits=decay_bits, name="fsdd",
            dt=_DT,
            scales={"hidden": scale * (1 << shift), "output": scale_out * (1 << shift_out)})

    def to_nir(self) -> "nir.NIRGraph":
        """The network as a NIR graph: input -> Delay -> Linear -> hidden for every delay.

        ``nir.write(path, net.to_nir())`` makes a file of it; the nodes have the names of
        :meth:`integers`.
        """
        import nir
        nodes: dict[str, Any] = {
            "input": nir.Input(np.array([self.weight.shape[1]])),
            "hidden": nir.LIF(*_leaky(self.decay), v_threshold=np.ones(len(self.decay)),
                              v_reset=np.zeros(len(self.decay))),
            "readout": nir.Linear(self.readout.astype(np.float64)),
            "output": nir.LI(*_leaky(self.decay_out)),
            "result": nir.Output(np.array([len(self.readout)]))}
        edges = [("hidden", "readout"), ("readout", "output"), ("output", "result")]
        for steps, weight in self.levels().items():
            late, linear = f"delay_{steps}", f"weight_{steps}"
            nodes[late] = nir.Delay(np.full(weight.shape[1], steps * _DT))
            nodes[linear] = nir.Linear(weight.astype(np.float64))
            edges += [("input", late), (late, linear), (linear, "hidden")]
        return nir.NIRGraph(nodes, edges, metadata={"dt": _DT, "reset": "zero"})


def _leaky(decay: npt.NDArray[np.float32]) -> tuple[Floats, Floats, Floats]:
    """tau, r and v_leak with which a step leaves ``decay`` and adds what arrives as it is."""
    rate = 1.0 - decay.astype(np.float64)
    return _DT / rate, 1.0 / rate, np.zeros(len(rate))


def _shift(reach: float, limit: int) -> int:
    """Largest left shift, of at most three bits' worth, with which ``reach`` fits the state."""
    return max((k for k in range(_MOST_SHIFT + 1) if reach * (1 << k) <= limit), default=0)


def _rounded(weight: npt.NDArray[np.float32], scale: float) -> npt.NDArray[np.int32]:
    return np.rint(weight.astype(np.float64) * scale).astype(np.int32)
