# SPDX-License-Identifier: Apache-2.0
"""Convolution and pooling of images as matrices, so that they become synapses like all others."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurotile.spec import UserError

__all__ = ["Window", "convolution", "pooling"]

Floats = npt.NDArray[np.float64]
Shape = tuple[int, int, int]
Pair = tuple[int, int]

_MOST = 1 << 28


@dataclass(frozen=True)
class Window:
    """How a window goes over an image (channels, height, width).

    Parameters
    ----------
    size, stride, dilation : pair of int
        Height and width.
    padding : pair of int, 'same' or 'valid'
        Zeros on each side.

    Raises
    ------
    UserError
        A number is too small.
    """

    size: Pair
    stride: Pair = (1, 1)
    padding: Pair | str = (0, 0)
    dilation: Pair = (1, 1)

    def __post_init__(self) -> None:
        for key, least in (("size", 1), ("stride", 1), ("dilation", 1), ("padding", 0)):
            value = getattr(self, key)
            if not isinstance(value, str) and min(value) < least:
                raise UserError(f"{key} must be at least {least}, not {value}")
        if isinstance(self.padding, str) and self.padding not in ("same", "valid"):
            raise UserError(f"padding must be numbers, 'same' or 'valid', not {self.padding!r}")
        if self.padding == "same" and self.stride != (1, 1):
            raise UserError(f"padding 'same' needs stride 1, not {self.stride}")

    def places(self, length: int, axis: int
               ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Pixel under every tap of every place, (places, taps), and which lie in the image.

        Raises
        ------
        UserError
            The window is larger than the image.
        """
        span = self.dilation[axis] * (self.size[axis] - 1)
        if isinstance(self.padding, str):
            both = span if self.padding == "same" else 0
            before = both // 2
        else:
            before = self.padding[axis]
            both = 2 * before
        count = (length + both - span - 1) // self.stride[axis] + 1
        if length + both - span < 1:
            raise UserError(f"a window of {span + 1} does not fit {length} pixels")
        pixel = (self.stride[axis] * np.arange(count)[:, None] - before
                 + self.dilation[axis] * np.arange(self.size[axis])[None, :])
        return pixel, (pixel >= 0) & (pixel < length)


def convolution(weight: Floats, window: Window, groups: int, shape: Shape) -> tuple[Floats, Shape]:
    """Matrix (outputs, inputs) of a convolution, and the shape of its output.

    Parameters
    ----------
    weight : ndarray of float64, (channels out, channels in / groups, height, width)
        As NIR and torch have it: a correlation, not mirrored.
    window : Window
        Its size is that of ``weight``.
    groups : int
        Groups of channels that do not see each other.
    shape : (channels, height, width)
        Input.

    Raises
    ------
    UserError
        The weights do not fit the channels, the window does not fit, or the matrix is too large.
    """
    out, within = weight.shape[:2]
    channels = shape[0]
    if groups < 1 or channels != within * groups or out % groups:
        raise UserError(f"weights of shape {weight.shape} in {groups} groups do not fit "
                        f"{channels} channels")
    (rows, row_in), (cols, col_in) = (window.places(shape[1 + axis], axis) for axis in (0, 1))
    result = (out, len(rows), len(cols))
    matrix = _empty(result, shape)
    first = np.arange(out) // (out // groups) * within  # first channel that each output sees
    view = matrix.reshape(*result, *shape)
    for i, j in np.ndindex(*window.size):
        y, x = np.flatnonzero(row_in[:, i]), np.flatnonzero(col_in[:, j])
        for c in range(within):
            view[np.arange(out)[:, None, None], y[:, None], x, (first + c)[:, None, None],
                 rows[y, i][:, None], cols[x, j]] += weight[:, c, i, j][:, None, None]
    return matrix, result


def pooling(window: Window, shape: Shape, *, mean: bool) -> tuple[Floats, Shape]:
    """Matrix of a pooling that adds up, or with ``mean`` averages, each channel by itself.

    Raises
    ------
    UserError
        The window does not fit, or the matrix is too large.
    """
    taps = window.size[0] * window.size[1]
    weight = np.full((shape[0], 1, *window.size), 1 / taps if mean else 1.0)
    return convolution(weight, window, shape[0], shape)


def _empty(out: Shape, inputs: Shape) -> Floats:
    size = int(np.prod(out)) * int(np.prod(inputs))
    if size > _MOST:
        raise UserError(f"from {inputs} to {out} values there would be {size:,} weights; "
                        f"{_MOST:,} are the most")
    return np.zeros((int(np.prod(out)), int(np.prod(inputs))))
