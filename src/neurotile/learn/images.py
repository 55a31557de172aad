# SPDX-License-Identifier: Apache-2.0
"""Labelled images: MNIST from a folder, or digits that neurotile has with it."""

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..models import zoo
from ..models.zoo.encode import resample
from ..spec import UserError
from .protocol import CLASSES, Protocol

__all__ = ["Images", "SIDE", "deskewed", "digits", "mnist", "prepared"]

SIDE = 16

Bytes = npt.NDArray[np.uint8]
Int = npt.NDArray[np.int64]

_DIGITS_TAUGHT = 300


@dataclass(frozen=True, eq=False)
class Images:
    """Images with their labels.

    Parameters
    ----------
    name : str
        Name of the data set.
    train, test : ndarray of uint8, (images, side, side)
        Grey levels, 0 is background.
    train_labels, test_labels : ndarray of int64, (images,)
        Classes 0..9.
    """

    name: str
    train: Bytes
    train_labels: Int
    test: Bytes
    test_labels: Int


def mnist(folder: Path) -> Images:
    """MNIST from its four IDX files, compressed with gzip or not.

    Raises
    ------
    UserError
        A file is missing or is not what its name says.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder; --data names one with the four MNIST "
                        "files train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, "
                        "t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz, which neurotile "
                        "does not download; without --data it learns digits that it has with it")
    found: dict[str, tuple[Bytes, Int]] = {}
    for part in ("train", "t10k"):
        pictures = _read_idx(folder, f"{part}-images-idx3-ubyte", 3)
        labels = _read_idx(folder, f"{part}-labels-idx1-ubyte", 1)
        if len(pictures) != len(labels) or pictures.shape[1:] != (28, 28) or not len(labels):
            raise UserError(f"{folder}: {part} has images {pictures.shape} and {len(labels)} "
                            "labels; (n, 28, 28) and n are needed")
        if labels.max() >= CLASSES:
            raise UserError(f"{folder}: {part} has label {labels.max()}; labels are 0..9")
        found[part] = pictures, labels.astype(np.int64)
    return Images("MNIST", *found["train"], *found["t10k"])


def _read_idx(folder: Path, name: str, dimensions: int) -> Bytes:
    path = next((p for p in (folder / f"{name}.gz", folder / name) if p.is_file()), None)
    if path is None:
        raise UserError(f"{folder}: {name}.gz is missing; the four MNIST files are needed, which "
                        "neurotile does not download")
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    header = 4 + 4 * dimensions
    if data[:4] != bytes([0, 0, 8, dimensions]) or len(data) < header:
        raise UserError(f"{path}: is no IDX file of bytes with {dimensions} dimensions")
    shape = np.frombuffer(data, ">i4", count=dimensions, offset=4)
    if len(data) - header != int(shape.astype(np.int64).prod()):
        raise UserError(f"{path}: holds {len(data) - header:,} bytes; its header says "
                        f"{' x '.join(map(str, shape.tolist()))}")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def digits() -> Images:
    """The zoo's 454 test digits of 8 x 8 pixels, 16 x 16 here: 300 to learn, 154 to test."""
    spikes, labels = zoo.test_set("digits")
    grey = 255 - 255 * spikes.argmax(axis=1) // 8
    pictures = np.where(spikes.any(axis=1), grey, 0).astype(np.uint8).reshape(-1, 8, 8)
    pictures = pictures.repeat(2, axis=1).repeat(2, axis=2)
    order = np.random.default_rng(0).permutation(len(labels))
    first, last = order[:_DIGITS_TAUGHT], order[_DIGITS_TAUGHT:]
    return Images("digits", pictures[first], labels[first], pictures[last], labels[last])


def prepared(pictures: Bytes, protocol: Protocol) -> Bytes:
    """Pixels as they are coded: deskewed, cut and resampled as the protocol says.

    Parameters
    ----------
    pictures : ndarray of uint8, (images, side, side)
        With a side of 16 they are only reshaped.

    Returns pixels, (images, 256), uint8.
    """
    if pictures.shape[1] != SIDE:
        edge = (pictures.shape[1] - protocol.crop) // 2
        middle = slice(edge, edge + protocol.crop)
        parts = []
        for first in range(0, len(pictures), 1000):
            part = pictures[first:first + 1000]
            part = deskewed(part) if protocol.deskew else part
            parts.append(resample(np.ascontiguousarray(part[:, middle, middle]), SIDE))
        pictures = np.concatenate(parts) if parts else np.zeros((0, SIDE, SIDE), np.uint8)
    return pictures.reshape(len(pictures), SIDE * SIDE)


def deskewed(pictures: Bytes) -> Bytes:
    """Images sheared along their rows until x and y are uncorrelated, centred, bilinear.

    The usual moment-based deskewing of MNIST (LeCun et al., Proc. IEEE 1998, section III-C).
    """
    count, height, width = pictures.shape
    grey = pictures.astype(np.float64)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    mass = np.maximum(grey.sum(axis=(1, 2)), 1.0)[:, None, None]
    centre_y = (grey * y).sum(axis=(1, 2), keepdims=True) / mass
    centre_x = (grey * x).sum(axis=(1, 2), keepdims=True) / mass
    dy, dx = y - centre_y, x - centre_x
    variance = (grey * dy * dy).sum(axis=(1, 2), keepdims=True) / mass
    covariance = (grey * dy * dx).sum(axis=(1, 2), keepdims=True) / mass
    shear = np.where(variance > 0, covariance / np.maximum(variance, 1e-9), 0.0)
    from_y = y + centre_y - (height - 1) / 2 + np.zeros_like(grey)
    from_x = x + shear * dy + centre_x - (width - 1) / 2
    top, left = np.floor(from_y).astype(np.int64), np.floor(from_x).astype(np.int64)
    image = np.arange(count)[:, None, None]
    total = np.zeros_like(grey)
    for row, share_y in ((top, top + 1 - from_y), (top + 1, from_y - top)):
        for column, share_x in ((left, left + 1 - from_x), (left + 1, from_x - left)):
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            value = grey[image, row.clip(0, height - 1), column.clip(0, width - 1)]
            total += np.where(inside, value * share_y * share_x, 0.0)
    return np.floor(total + 0.5).astype(np.uint8)
