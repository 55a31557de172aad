# SPDX-License-Identifier: Apache-2.0
"""Trained networks as .nir files, with the spikes to run them on."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from . import encode

__all__ = ["load_mnist_test", "names", "path", "test_set"]

_DATA = Path(__file__).parent / "data"

Samples = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]


def names() -> list[str]:
    """Names of the networks, in alphabetical order."""
    return sorted(file.stem for file in _DATA.glob("*.nir"))


def path(name: str) -> Path:
    """The .nir file of network ``name``."""
    if name not in names():
        raise ValueError(f"the zoo has {', '.join(names())}, not {name!r}")
    return _DATA / f"{name}.nir"


def test_set(name: str) -> Samples:
    """Test samples that need no download: of "digits" (embedded) or "yinyang" (generated).

    Returns spikes (samples, steps, inputs), uint8, and labels (samples,), int64.
    """
    if name == "digits":
        with np.load(_DATA / "digits_test.npz") as held:
            return held["spikes"], held["labels"].astype(np.int64)
    if name == "yinyang":
        features, labels = encode.yin_yang(seed=40, n=1000)
        return encode.yin_yang_spikes(features), labels
    raise ValueError(f"test sets are here for digits, yinyang; not for {name!r}")


test_set.__test__ = False  # type: ignore[attr-defined]  # the name looks like a test to pytest


def load_mnist_test(folder: str | Path, size: int = 28) -> Samples:
    """All 10,000 MNIST test samples as the networks mnist16 and mnist28 take them.

    Parameters
    ----------
    folder : holds t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz
    size : 16 or 28 pixels per side

    Returns spikes (samples, steps, size*size), uint8, and labels (samples,), int64.
    """
    if size not in (16, 28):
        raise ValueError(f"size must be 16 or 28, not {size}")
    images, labels = encode.read_mnist(folder, "t10k")
    return encode.mnist_spikes(images, size), labels.astype(np.int64)
