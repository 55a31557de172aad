# SPDX-License-Identifier: Apache-2.0
"""Convolution and pooling nodes of a NIR graph become linear ones, once their image is known."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurotile.spec import UserError

from .images import Pair, Shape, Window, convolution, pooling

__all__ = ["IMAGE_TYPES", "ImageMap", "image_map"]

Floats = npt.NDArray[np.float64]

IMAGE_TYPES = ("Conv2d", "SumPool2d", "AvgPool2d")


@dataclass(frozen=True, eq=False)
class ImageMap:
    """A convolution or pooling that still has to learn the shape of its input.

    Parameters
    ----------
    matrix : callable
        Matrix and shape of the output from the shape of the input.
    bias : ndarray of float64, (channels,), optional
        Added to every pixel of a channel.
    channels : int, optional
        Channels of the input, if the node tells.
    pixels : (height, width), optional
        The input's, if the node tells.
    """

    matrix: Callable[[Shape], tuple[Floats, Shape]]
    bias: Floats | None = None
    channels: int | None = None
    pixels: Pair | None = None

    @property
    def shape(self) -> Shape | None:
        """Shape of the input, if the node tells all of it."""
        if self.channels is None or self.pixels is None:
            return None
        return (self.channels, *self.pixels)

    def linear(self, shape: Shape, label: str) -> tuple[dict[str, Floats], Shape]:
        """Tensors of the linear node that does the same, and the shape of its output.

        Raises
        ------
        UserError
            The node does not fit an input of this shape; ``label`` names it.
        """
        told = self.shape
        if told is not None and told != shape:
            raise UserError(f"{label}: is made for an input of shape {told}, but {shape} arrives")
        try:
            matrix, result = self.matrix(shape)
        except UserError as error:
            raise UserError(f"{label}: {error}") from None
        values = {"weight": matrix}
        if self.bias is not None:
            values["bias"] = np.repeat(self.bias, result[1] * result[2])
        return values, result


def image_map(kind: str, child: dict[str, Any], tensor: Callable[[str], Floats], label: str
              ) -> ImageMap:
    """What a node of ``IMAGE_TYPES`` does.

    Parameters
    ----------
    child : dict
        The node as the file has it.
    tensor : callable
        Tensor of the node by its key, checked.
    label : str
        Name and type, for messages.

    Raises
    ------
    UserError
        A value is missing or wrong.
    """
    def pair(key: str, default: int | None = None) -> Pair:
        value = child.get(key)
        if value is None:
            if default is None:
                raise UserError(f"{label} has no {key!r}")
            return default, default
        array = np.asarray(value)
        if array.dtype.kind not in "iu" or array.size not in (1, 2):
            raise UserError(f"{label}: {key} must be one or two integers, not {value!r}")
        both = np.broadcast_to(array.ravel(), (2,)).tolist()
        return both[0], both[1]

    padding: Pair | str
    padding = child["padding"] if isinstance(child.get("padding"), str) else pair("padding", 0)
    try:
        if kind != "Conv2d":
            window = Window(pair("kernel_size"), pair("stride"), padding)
            return ImageMap(lambda shape: pooling(window, shape, mean=kind == "AvgPool2d"))
        weight = tensor("weight")
        if weight.ndim != 4:
            raise UserError(f"weight must have shape (channels out, channels in, height, width), "
                            f"not {weight.shape}")
        bias = tensor("bias") if child.get("bias") is not None else np.zeros(1)
        if bias.size not in (1, len(weight)):
            raise UserError(f"bias must hold {len(weight)} values or one, not {bias.shape}")
        groups = pair("groups", 1)[0]
        window = Window((weight.shape[2], weight.shape[3]), pair("stride", 1), padding,
                        pair("dilation", 1))
    except UserError as error:
        text = str(error)
        raise UserError(text if text.startswith(label) else f"{label}: {text}") from None
    pixels = None if child.get("input_shape") is None else pair("input_shape")
    return ImageMap(lambda shape: convolution(weight, window, groups, shape),
                    np.broadcast_to(bias.ravel(), (len(weight),)).astype(np.float64),
                    weight.shape[1] * groups, pixels)
