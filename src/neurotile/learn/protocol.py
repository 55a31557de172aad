# SPDX-License-Identifier: Apache-2.0
"""Protocol: every number that decides how images are taught and asked."""

from dataclasses import dataclass

from ..spec.configuration import Configuration, whole_number

__all__ = ["CLASSES", "PROTOCOLS", "Protocol"]

CLASSES = 10


@dataclass(frozen=True, kw_only=True)
class Protocol(Configuration):
    """Numbers of a presentation (docs/learning.md), checked when made.

    Raises
    ------
    UserError
        A value is outside its legal range; the message names key, value and range.
    """

    presentations: int = whole_number(1, 100)
    """How often every image is taught."""
    crop: int = whole_number(16, 28)
    """Side of the middle of a 28 x 28 image that becomes 16 x 16 pixels."""
    deskew: int = whole_number(0, 1)
    """1: images are sheared upright and centred first."""
    floor: int = whole_number(0, 254)
    """Pixels with a grey level above it spike, once."""
    threshold: int = whole_number(128, 255)
    """Firing threshold of the output neurons."""
    precharge: int = whole_number(0, 36)
    """Spikes of weight 7 to every output neuron before the image."""
    baseline: int = whole_number(0, 7)
    """Inhibition of every output neuron per pixel spike, sent as spikes of weight 7."""
    score: int = whole_number(0, 36)
    """Spikes of weight 7 to every output neuron after the image, in training."""
    margin: int = whole_number(0, 36)
    """Inhibitory events of weight 7 that a taught neuron gets before the image, in training."""
    rate_first: int = whole_number(0, 1000)
    """Learning spikes per 1000 pixel spikes, at the first image."""
    rate_last: int = whole_number(0, 1000)
    """What this rate falls to."""
    rate_decay: int = whole_number(0, 200)
    """How fast: over all images the difference falls by a factor of exp(rate_decay / 10)."""
    weight_low: int = whole_number(0, 7)
    """Smallest weight before learning."""
    weight_high: int = whole_number(0, 7)
    """Largest weight before learning."""
    bags: int = whole_number(0, 8)
    """Halves of the neurons that are left out in turn; 0: every image teaches all of its class."""
    bag_spikes: int = whole_number(0, 36)
    """Inhibitory spikes of weight 7 that leave a half out."""
    ramp: int = whole_number(1, 254)
    """Spikes of weight 1 to every output neuron after the image, in a question."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weight_high < self.weight_low:
            self._refuse("weight_high", f"at least weight_low = {self.weight_low}")


_SINGLE = Protocol(
    name="single", presentations=1, crop=20, deskew=1, floor=90, threshold=255, precharge=25,
    baseline=5, score=14,
    margin=4, rate_first=500, rate_last=2, rate_decay=50, weight_low=1, weight_high=5, bags=0,
    bag_spikes=0, ramp=200)

_DIGITS = _SINGLE.replace(
    name="digits", presentations=10, floor=110, precharge=19, baseline=4, score=11, margin=2,
    rate_first=400)

PROTOCOLS = {protocol.name: protocol for protocol in (
    _SINGLE,
    _SINGLE.replace(name="bagged", rate_decay=20, bags=8, bag_spikes=18),
    _DIGITS,
    _DIGITS.replace(name="digits_bagged", bags=8, bag_spikes=18),
)}
