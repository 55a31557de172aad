# SPDX-License-Identifier: Apache-2.0
"""Train spoken-digit networks with and without delays; write .npz files. Needs torch.

Every input synapse starts as one copy per delay level; after the first phase each pair keeps the
copies with the largest |weight|, and the rest of the training tunes these. Without delays there is
one level, and a wider hidden layer has the same number of parameters.
"""

# Ref: Patino-Saucedo et al., "Hardware-aware training of models with synaptic delays for digital
#   event-driven neuromorphic processors", arXiv 2404.10597: expansion, top-k pruning, fine-tuning.
# Ref: Neftci, Mostafa, Zenke, "Surrogate gradient learning in spiking neural networks", IEEE
#   Signal Processing Magazine 36(6) (2019); the surrogate is that of SuperSpike (fast sigmoid).

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from . import cochlea
from .network import DelayNetwork

__all__ = ["ExpandedNetwork", "train", "width_without_delays"]

LEVELS = range(0, 32, 2)
COPIES = 2  # kept of every pair
HIDDEN = 48

_BATCH = 64
_RATE = 1e-2
_SLOPE = 5.0
_LIMIT = 1.0  # of |weight|, for a fine grid
_SHARPNESS = 0.05  # of the summed readouts before the softmax


class _Lif(torch.autograd.Function):
    """LIF over all steps, backward written out: autograd's bookkeeping costs more than the sums."""

    @staticmethod
    def forward(ctx: Any, drive: torch.Tensor, decay: torch.Tensor) -> torch.Tensor:
        u, fired = torch.empty_like(drive), torch.empty_like(drive)
        v = torch.zeros_like(drive[0])
        for t in range(len(drive)):
            torch.addcmul(drive[t], v, decay, out=u[t])
            torch.gt(u[t], 1.0, out=fired[t])
            v = torch.where(u[t] > 1.0, 0.0, u[t])
        ctx.save_for_backward(u, fired, decay)
        return fired

    @staticmethod
    def backward(ctx: Any, *grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        u, fired, decay = ctx.saved_tensors
        g = grad[0] / (1.0 + _SLOPE * (u - 1.0).abs()) ** 2
        # The reset passes no gradient of its own, only blocks that of the potential.
        keep = (1.0 - fired) * decay
        for t in range(len(u) - 2, -1, -1):
            g[t].addcmul_(g[t + 1], keep[t])
        return g, (g[1:] * u[:-1] * (1.0 - fired[:-1])).sum((0, 1))


class ExpandedNetwork(nn.Module):
    """A copy of every input synapse for each delay level; pruned ones are masked.

    Parameters
    ----------
    levels : delays in steps, ascending, from 0
    hidden, inputs, classes : sizes
    """

    mask: torch.Tensor

    def __init__(self, levels: range, hidden: int, *, inputs: int = cochlea.LINES,
                 classes: int = 10) -> None:
        super().__init__()
        self.levels = levels
        # A neuron's drive is then about one threshold wide, at one input spike in twelve steps.
        self.weight = nn.Parameter(torch.randn(len(levels), inputs, hidden)
                                   / (0.64 * inputs * len(levels)) ** 0.5)
        self.readout = nn.Parameter(torch.randn(hidden, classes) / hidden ** 0.5)
        self.leak = nn.Parameter(torch.full((hidden,), 2.0))
        self.leak_out = nn.Parameter(torch.full((classes,), 3.0))
        self.bits = 0  # of weights; 0: floating point
        self.register_buffer("mask", torch.ones_like(self.weight))

    def _weight(self) -> tuple[torch.Tensor, torch.Tensor]:
        pair = self.weight * self.mask, self.readout
        return (_on_grid(pair[0], self.bits), _on_grid(pair[1], self.bits)) if self.bits else pair

    def hidden(self, spikes: torch.Tensor) -> torch.Tensor:
        """Hidden spikes, (steps, samples, hidden), of spikes (samples, steps, inputs)."""
        samples, steps, _ = spikes.shape
        last = self.levels[-1]
        padded = nn.functional.pad(spikes, (0, 0, last, 0))
        shifted = torch.cat([padded[:, last - d:last - d + steps] for d in self.levels], 2)
        drive = shifted.flatten(0, 1) @ self._weight()[0].flatten(0, 1)
        drive = drive.view(samples, steps, -1).transpose(0, 1).contiguous()
        return _Lif.apply(drive, torch.sigmoid(self.leak))

    def forward(self, spikes: torch.Tensor) -> torch.Tensor:
        """Readouts summed over the steps, (samples, classes)."""
        fired = self.hidden(spikes)
        decay = torch.sigmoid(self.leak_out)
        # What a spike adds to the sum: the geometric series over the steps left.
        left = torch.arange(len(fired), 0, -1)[:, None]
        weight = (1.0 - decay ** left) / (1.0 - decay)
        return ((fired @ self._weight()[1]) * weight[:, None]).sum(0)

    def prune(self, copies: int) -> None:
        """Keep the ``copies`` largest |weight| of every pair."""
        top = self.weight.detach().abs().topk(copies, 0).indices
        self.mask = torch.zeros_like(self.weight).scatter_(0, top, 1.0)

    def finished(self) -> DelayNetwork:
        """The kept synapses and all other parameters; every pair must have kept as many."""
        copies = int(self.mask[:, 0, 0].sum())
        index = self.mask.topk(copies, 0).indices.sort(0).values
        weight, readout = self._weight()
        return DelayNetwork(
            weight=weight.detach().gather(0, index).permute(2, 1, 0).contiguous().numpy(),
            delay=torch.tensor(list(self.levels))[index].permute(2, 1, 0).numpy().astype(np.uint8),
            readout=readout.detach().T.contiguous().numpy(),
            decay=torch.sigmoid(self.leak).detach().numpy(),
            decay_out=torch.sigmoid(self.leak_out).detach().numpy())


def _on_grid(weight: torch.Tensor, bits: int) -> torch.Tensor:
    """Weights rounded as integers will be; the gradient passes as if they were not."""
    step = weight.detach().abs().max() / ((1 << bits - 1) - 1)
    return weight + (torch.round(weight / step) * step - weight).detach()


def _moved(spikes: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Samples shifted by -2 to 6 steps, and the batch by -1 to 1 bands."""
    samples, steps, _ = spikes.shape
    source = torch.from_numpy(np.arange(steps) - rng.integers(-2, 7, samples)[:, None])
    inside = (source >= 0) & (source < steps)
    moved = spikes[torch.arange(samples)[:, None], source.clamp(0, steps - 1)] * inside[:, :, None]
    bands = moved.view(samples, steps, 2, -1)
    return torch.roll(bands, int(rng.integers(-1, 2)), 3).flatten(2)


def train(net: ExpandedNetwork, spikes: torch.Tensor, labels: torch.Tensor, *, epochs: int,
          rate: float, rng: np.random.Generator) -> None:
    """Cross entropy of the summed readouts, Adam, one-cycle learning rate.

    Parameters
    ----------
    spikes, labels : (samples, steps, inputs), float, and (samples,), int64
    epochs, rate : passes and peak learning rate
    rng : orders the samples and moves them
    """
    # A leak's useful range is several units wide, a weight's a few tenths.
    optimiser = torch.optim.Adam([{"params": [net.weight, net.readout]},
                                  {"params": [net.leak, net.leak_out]}], lr=rate)
    plan = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, [rate, 5 * rate], epochs=epochs, steps_per_epoch=-(-len(labels) // _BATCH),
        pct_start=0.2)
    for epoch in range(epochs):
        start, total, hits = time.perf_counter(), 0.0, 0
        order = torch.from_numpy(rng.permutation(len(labels)))
        for chosen in order.split(_BATCH):
            scores = net(_moved(spikes[chosen], rng))
            loss = nn.functional.cross_entropy(scores * _SHARPNESS, labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            plan.step()
            total += loss.item() * len(chosen)
            hits += int((scores.argmax(1) == labels[chosen]).sum())
            with torch.no_grad():
                net.weight.clamp_(-_LIMIT, _LIMIT)
                net.readout.clamp_(-_LIMIT, _LIMIT)
        print(f"  epoch {epoch + 1:2}  loss {total / len(labels):.3f}  training "
              f"{hits / len(labels):.4f}  {time.perf_counter() - start:.1f} s", flush=True)


def width_without_delays(hidden: int, *, inputs: int = cochlea.LINES, classes: int = 10) -> int:
    """Neurons with one synapse per input that have no fewer parameters than ``hidden`` with COPIES.

    A neuron has its input synapses, a weight to every class and a decay.
    """
    return -(-hidden * (COPIES * inputs + classes + 1) // (inputs + classes + 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="fsdd.npz")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "data",
                        help="folder to write to, by default the zoo's own")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--kinds", nargs="+", default=["delays", "none"],
                        choices=["delays", "none"])
    parser.add_argument("--hidden", type=int, default=HIDDEN,
                        help="neurons with delays; default: %(default)s")
    parser.add_argument("--epochs", type=int, nargs=3, default=[20, 12, 4],
                        help="expanded, pruned, pruned with 4-bit weights; default: %(default)s")
    parser.add_argument("--validate", action="store_true",
                        help="hold takes 5 to 9 out and print their accuracy; write nothing")
    args = parser.parse_args()
    torch.set_num_threads(1)  # with more, sums may come in another order and the weights differ
    recordings = cochlea.read(args.data)
    chosen = recordings.split("train")
    held = recordings.take[chosen] < 10
    coded, classes = cochlea.stimulus(recordings, chosen)
    used = ~held if args.validate else np.ones_like(held)
    spikes, labels = torch.from_numpy(coded[used]).float(), torch.from_numpy(classes[used])
    for seed in args.seeds:
        for kind in args.kinds:
            torch.manual_seed(seed)
            rng = np.random.default_rng(seed)
            levels, hidden = ((LEVELS, args.hidden) if kind == "delays"
                              else (range(1), width_without_delays(args.hidden)))
            net, name = ExpandedNetwork(levels, hidden), f"fsdd_{kind}{hidden}_{seed}"
            for phase, epochs in enumerate(args.epochs):
                print(f"{name}, phase {phase + 1}", flush=True)
                if phase == 1:
                    net.prune(COPIES if kind == "delays" else 1)
                net.bits = 4 if phase == 2 else 0
                train(net, spikes, labels, epochs=epochs, rate=_RATE / 2 ** phase, rng=rng)
                if args.validate and phase:
                    scores, _ = net.finished().scores(coded[held])
                    print(f"  takes 5 to 9: {(scores.argmax(1) == classes[held]).mean():.4f}")
                elif phase:
                    bits = "_4bit" if phase == 2 else ""
                    net.finished().save(args.out / f"{name}{bits}.npz")


if __name__ == "__main__":
    main()
