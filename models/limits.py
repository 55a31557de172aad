# SPDX-License-Identifier: Apache-2.0
"""What a network needs of a tile, and what a tile lacks."""

from collections.abc import Callable
from functools import partial

import numpy as np

from ..spec import MODELS, PRESETS, IntegerNetwork, TileConfig, UserError
from .layout import Layout
from .pack import Segments
from .parameters import group_sets
from .parts import Part

__all__ = ["accumulator_bits", "storage_bits", "wrong_formats", "wrong_sizes"]


def storage_bits(network: IntegerNetwork) -> int:
    """Bits in which a tile stores the weights of a network: the next of 1, 2, 4, 8, 16."""
    return 1 << (network.weight_bits - 1).bit_length()


def wrong_formats(network: IntegerNetwork, config: TileConfig) -> list[str]:
    """Numbers and models of the network that the tile cannot hold exactly, one line each.

    The decay coefficients count only if a population decays.
    """
    wrong = []
    if network.learning is not None and not config.learns:
        wrong.append("learns, the tile cannot (learning)"
                     + _hint(lambda c: c.learns, learns=True))
    elif network.learning is not None and network.learning.bistability >= 1 << config.step_bits:
        wrong.append(f"has bistability every {network.learning.bistability} steps, the tile counts "
                     f"{(1 << config.step_bits) - 1} (step_bits)")
    if network.weight_bits > config.weight_bits:
        wrong.append(f"needs weights of {network.weight_bits} bits, the tile has "
                     f"{config.weight_bits} (weight_bits)")
    if network.state_bits != config.state_bits:
        wrong.append(f"has states of {network.state_bits} bits, the tile has "
                     f"{config.state_bits} (state_bits); they must be equal")
    decaying = any(p.decays for p in network.populations)
    if decaying and network.decay_bits != config.decay_bits:
        wrong.append(f"has decay coefficients of {network.decay_bits} bits, the tile has "
                     f"{config.decay_bits} (decay_bits); they must be equal")
    for model in dict.fromkeys(p.model for p in network.populations):
        if model not in config.models:
            name = next(p.name for p in network.populations if p.model == model)
            hint = _hint(partial(_builds, model=model))
            wrong.append(f"needs the model {model!r} (population {name!r}), the tile has "
                         f"{', '.join(config.models)} (models){hint}")
    shift = max(p.shift for p in network.populations)
    if shift >= 1 << config.shift_bits:
        wrong.append(f"needs a shift of {shift}, the tile has up to {(1 << config.shift_bits) - 1} "
                     f"(shift_bits)")
    return wrong


def wrong_sizes(layout: Layout, config: TileConfig, exact: Segments, chosen: Segments) -> list[str]:
    """What the tile has too little of, one line each."""
    wrong = []
    offset = max(node.offset for node in layout.nodes if not node.relay)
    if offset >= 1 << config.offset_bits:
        wrong.append(f"needs step offsets up to {offset}, the tile has up to "
                     f"{(1 << config.offset_bits) - 1} (offset_bits)")
    # One model step and the drain, in a run that must stay below 2**step_bits.
    if offset + 2 > 1 << config.step_bits:
        wrong.append(f"needs {offset + 1} steps for the shortest run, the tile counts "
                     f"{(1 << config.step_bits) - 1} (step_bits)")
    relays = sum(len(node.neuron) for node in layout.nodes if node.relay)
    _exceeds(wrong, layout.groups * config.lanes, config.neurons, "neurons", "neurons",
             f" in groups of {config.lanes}" + (f", {relays} of them relays," if relays else ","))
    if config.weight_bits == 1:
        # A gap that is bridged holds zeros, which weights of 1 bit do not have.
        _exceeds(wrong, len(exact.first), config.axons, "axons", "axons", ",")
    else:
        _exceeds(wrong, exact.axons, config.axons, "axons", "axons", ",")
    _exceeds(wrong, chosen.words, config.synapse_words, "synapse words", "synapse_words",
             f" of {config.lanes} weights,", lanes=config.lanes)
    if config.shared:
        sets = len(group_sets(layout, config)[1]["bias"])
        _exceeds(wrong, sets, config.parameter_sets, "parameter sets", "parameter_sets", ",")
    return wrong


def accumulator_bits(layout: Layout, config: TileConfig, found: list[list[Part]]
                     ) -> tuple[int, str]:
    """Bits with which no accumulator wraps, and the name of the population that needs them.

    Every axon has at most one event per step: an input line spikes once, and so does a neuron. So
    no sum of any subset of the weights into a neuron leaves the range between the sum of its
    negative and the sum of its positive weights, which for plastic ones are the largest.
    """
    shape = (layout.groups, config.lanes)
    above, below = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for part in (part for sender in found for part in sender):
        reached = slice(part.first, part.first + part.words.shape[1])
        above[reached] += part.most
        below[reached] -= part.least
    most = np.maximum(above, below).reshape(-1)
    needed = {node.population.name: int(most[node.neuron].max()).bit_length() + 1
              for node in layout.nodes}
    name = max(needed, key=lambda key: needed[key])
    return needed[name], name


def check_accumulators(layout: Layout, config: TileConfig, found: list[list[Part]]) -> None:
    """Prove that no accumulator wraps.

    Raises
    ------
    UserError
        The weights into a neuron can add up to more than the tile's accumulators hold.
    """
    bits, name = accumulator_bits(layout, config, found)
    if bits > config.acc_bits:
        raise UserError(f"population {name!r} needs accumulators of {bits} bits for the sum of its "
                        f"weights, the tile has {config.acc_bits} (acc_bits)")


def _exceeds(wrong: list[str], need: int, have: int, what: str, key: str, detail: str, *,
             lanes: int | None = None) -> None:
    if need > have:
        hint = _hint(lambda c: getattr(c, key) >= need and lanes in (None, c.lanes),
                     lambda c: f"has {getattr(c, key)}")
        wrong.append(f"needs {need} {what}{detail} the tile has {have} ({key}){hint}")


def _builds(config: TileConfig, model: str) -> bool:
    return model in config.models


def _hint(fits: Callable[[TileConfig], bool],
          says: Callable[[TileConfig], str] = lambda c: "has it", *, learns: bool = False) -> str:
    for candidate in PRESETS.values():
        # One that leaves out models was made for a certain part, not to be larger.
        if candidate.models == MODELS and candidate.learns == learns and fits(candidate):
            return f"; preset {candidate.name!r} {says(candidate)}"
    return ""
