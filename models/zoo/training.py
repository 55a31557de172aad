# SPDX-License-Identifier: Apache-2.0
"""What the training scripts share: the snnTorch network, the loop, the export. Needs torch."""

import argparse
from collections.abc import Callable
from pathlib import Path

import nir
import numpy as np
import numpy.typing as npt
import snntorch
import torch
from snntorch import surrogate
from snntorch.export_nir import export_to_nir
from torch import nn

__all__ = ["Leaky", "build", "export", "forward", "hits", "options", "train"]

DT = 1e-4  # snnTorch's exporter derives tau and r from this step and does not record it

Batch = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]


def options(description: str | None, *, epochs: int) -> argparse.Namespace:
    """Command line that every script takes, so that one set of options serves them all."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, help="folder of the MNIST .gz files; others ignore it")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "data",
                        help="folder to write to, by default the zoo's own")
    parser.add_argument("--epochs", type=int, default=epochs, help="default: %(default)s")
    args = parser.parse_args()
    torch.set_num_threads(1)  # with more, sums may come in another order and the weights differ
    return args


class Leaky(snntorch.Leaky):
    """snnTorch's Leaky with the soft reset taken before the leak: v = beta*(v - thr*spike) + i.

    snnTorch subtracts the whole threshold after the leak instead, one step late, which no NIR
    reader can know; its reset to zero needs no change.
    """

    mem: torch.Tensor

    def _base_sub(self, input_: torch.Tensor) -> torch.Tensor:
        self.mem = self.mem - self.reset * self.threshold
        return self._base_state_function(input_)


def build(sizes: list[int], betas: list[float], *, reset: str, seed: int, gain: float = 1.0
          ) -> nn.Sequential:
    """Dense layers and Leaky neurons in turn, threshold 1.

    Parameters
    ----------
    sizes : inputs, then the neurons of every layer
    betas : decay of every layer
    reset : "subtract" or "zero"
    seed : of torch's global generator, which draws the initial weights
    gain : multiplies the first layer's initial weights; sparse inputs need more than 1
    """
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for n_in, n_out, beta in zip(sizes, sizes[1:], betas, strict=False):
        # vectors: the exporter's type inference fails on scalars
        layers += [nn.Linear(n_in, n_out),
                   Leaky(beta=torch.full((n_out,), beta), threshold=torch.ones(n_out),
                         spike_grad=surrogate.fast_sigmoid(slope=5), init_hidden=True,
                         reset_mechanism=reset)]
    with torch.no_grad():
        layers[0].weight.mul_(gain)
    return nn.Sequential(*layers)


def forward(net: nn.Sequential, spikes: torch.Tensor) -> list[torch.Tensor]:
    """Spikes of every layer, (steps, samples, neurons); a spike passes all layers in its step."""
    traces = []
    for layer in net:
        if isinstance(layer, nn.Linear):
            spikes = layer(spikes)
        else:
            layer.reset_mem()
            spikes = torch.stack([layer(drive) for drive in spikes])
            traces.append(spikes)
    return traces


def _tensor(spikes: npt.NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(spikes).float().transpose(0, 1)


def hits(net: nn.Sequential, batch: Batch) -> float:
    """Share of samples (spikes, labels) whose highest output spike count is the label's."""
    with torch.no_grad():
        found = [forward(net, _tensor(batch[0][k:k + 1000]))[-1].sum(0).numpy().argmax(1)
                 for k in range(0, len(batch[0]), 1000)]
    return float(np.mean(np.concatenate(found) == batch[1]))


def train(net: nn.Sequential, batches: Callable[[int], list[Callable[[], Batch]]], *, epochs: int,
          rate: float, limit: float, cost: float = 0.0, decay: float = 0.0, sharp: float = 1.0,
          report: Callable[[], float] | None = None) -> None:
    """Cross entropy of the output spike counts, Adam, one-cycle learning rate.

    Parameters
    ----------
    batches : from the epoch's number to that epoch's batches, each made when called
    epochs, rate, decay : passes, peak learning rate, weight decay
    limit : weights are kept in -limit..limit (thresholds are 1), for a fine 8-bit grid
    cost : price of the hidden layers' mean spikes per neuron and sample
    sharp : multiplies the counts before the softmax
    report : accuracy to print after every tenth of the epochs
    """
    per_epoch = len(batches(0))
    optimiser = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=decay)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, epochs=epochs,
                                               steps_per_epoch=per_epoch, pct_start=0.2)
    for epoch in range(epochs):
        total = 0.0
        for make in batches(epoch):
            spikes, labels = make()
            *hidden, output = forward(net, _tensor(spikes))
            loss = nn.functional.cross_entropy(output.sum(0) * sharp, torch.from_numpy(labels))
            total += loss.item()
            loss = loss + cost * sum(h.sum(0).mean() for h in hidden)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            plan.step()
            with torch.no_grad():
                for layer in net:
                    if isinstance(layer, nn.Linear):
                        layer.weight.clamp_(-limit, limit)
        if report and (epoch + 1) % max(1, epochs // 10) == 0:
            print(f"epoch {epoch + 1:3}  loss {total / per_epoch:.4f}  {report():.4f}", flush=True)


def _name_layers(graph: nir.NIRGraph) -> None:
    """Call the exporter's numbered layers fc1, lif1, fc2, lif2, …, in a stable order."""
    names = {"input": "input", "output": "output"}
    for number in sorted(set(graph.nodes) - set(names), key=int):
        names[number] = f"{'lif' if int(number) % 2 else 'fc'}{int(number) // 2 + 1}"
    graph.nodes = {names[old]: graph.nodes[old] for old in sorted(names, key=names.__getitem__)}
    # The exporter's order of edges changes from run to run.
    graph.edges = sorted((names[a], names[b]) for a, b in graph.edges)


def export(net: nn.Sequential, path: str | Path, *, reset: str) -> None:
    """Write the network by snnTorch's exporter, with dt and reset in the graph's metadata."""
    for layer in net:
        if isinstance(layer, Leaky):
            layer.mem = torch.zeros(0)
    net.eval()
    graph = export_to_nir(net, torch.zeros(1, net[0].in_features), ignore_dims=[0])
    _name_layers(graph)
    graph.metadata = {"dt": DT, "reset": reset}
    nir.write(path, graph)
    if nir.read(path).metadata != graph.metadata:
        raise RuntimeError(f"{path}: the metadata did not survive writing")
