# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What an array of examples is to the model, and back.

The model knows images of shape (H, W, C) with values in [0, 1] or, for a table,
columns of mean 0 and variance 1. So

* uint8 images stay as they are: the engine reads 255 as 1.0;
* other images stay as they are if they lie in [0, 1]; if not, they are brought
  there by their extremes over the training set;
* each column of a table, of shape (N, D), is standardised by its mean and
  standard deviation over the training set, and is a pixel of a (1, D, 1) image.

What comes back is in the units of what went in.
"""

import dataclasses

import numpy as np

__all__ = ["Layout", "layout_of"]


@dataclasses.dataclass(frozen=True)
class Layout:
    """The form of the examples that an estimator was fitted to.

    Attributes:
        example_shape: (D,), (H, W) or (H, W, C).
        is_bytes: whether they are images of uint8.
        offset: what is subtracted from them, shape (D,), or () for images.
        scale: by what they are then divided, likewise.
    """

    example_shape: tuple[int, ...]
    is_bytes: bool
    offset: np.ndarray
    scale: np.ndarray

    @property
    def is_table(self) -> bool:
        """Whether an example is a row of a table and not an image."""
        return len(self.example_shape) == 1

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """The shape (H, W, C) that the model sees."""
        if self.is_table:
            return (1, self.example_shape[0], 1)
        height, width, n_colours = (*self.example_shape, 1)[:3]
        return (height, width, n_colours)

    def to_model(self, x: np.ndarray) -> np.ndarray:
        """Brings examples to the form in which the model takes them.

        Args:
            x: finite numbers, shape (N, ...) with ``example_shape`` or, for
                grey images, one more axis of length 1.

        Returns:
            Shape (N, H, W, C), float32, or uint8 where 255 means 1.0.

        Raises:
            ValueError: if the shape or type is another than in training, or
                values are too large for float32.
        """
        self._check(x)
        images = x.reshape(-1, *self.image_shape)
        if self.is_bytes:
            return images
        with np.errstate(over="ignore"):
            scaled = (x - self.offset) / self.scale
            images = np.asarray(scaled, np.float32).reshape(images.shape)
        if not np.isfinite(images).all():
            raise ValueError(
                "X holds values too large for float32 once they are "
                "standardised: rescale or drop them"
            )
        return images

    def from_model(self, images: np.ndarray) -> np.ndarray:
        """Undoes ``to_model``, for what the decoder gives.

        Args:
            images: shape (N, H, W, C), in [0, 1] for images.

        Returns:
            Shape (N, ...) with ``example_shape``; uint8 or float32.
        """
        x = np.asarray(images).reshape(-1, *self.example_shape)
        if self.is_bytes:
            return np.rint(255.0 * np.clip(x, 0.0, 1.0)).astype(np.uint8)
        return (x * self.scale + self.offset).astype(np.float32)

    def _check(self, x: np.ndarray) -> None:
        shapes = [self.example_shape]
        if len(self.example_shape) == 2:
            shapes.append((*self.example_shape, 1))
        if x.shape[1:] not in shapes:
            wanted = ", ".join(map(str, self.example_shape))
            mend = ""
            if x.shape in shapes:
                mend = ": write X[np.newaxis] for a single one"
            elif x[:1].size == np.prod(self.example_shape):
                mend = f": write X.reshape(-1, {wanted})"
            raise ValueError(
                f"the estimator was fitted to examples of shape ({wanted}), so "
                f"expected X of shape (N, {wanted}), got {x.shape}{mend}"
            )
        if not self.is_table and self.is_bytes != (x.dtype == np.uint8):
            was, mend = (
                ("uint8", "np.uint8(255 * X) if they lie in [0, 1]")
                if self.is_bytes
                else ("other numbers than uint8", "X.astype(float)")
            )
            raise ValueError(
                f"the estimator was fitted to images of {was}, got {x.dtype}: "
                f"bring them to the same units and type, for instance by {mend}"
            )


def layout_of(x: np.ndarray) -> Layout:
    """Returns the layout of the examples to be fitted to.

    Args:
        x: finite numbers, shape (N, D), (N, H, W) or (N, H, W, C), N >= 2.

    Raises:
        ValueError: if there is nothing to tell the examples apart by, or they
            are no table and no images.
    """
    if x.ndim not in (2, 3, 4) or 0 in x.shape:
        raise ValueError(
            "X must be a table of shape (N, D) or images of shape (N, H, W) or "
            f"(N, H, W, C), got {x.shape}"
        )
    low, high = x.min(axis=0), x.max(axis=0)
    if np.array_equal(low, high):
        raise ValueError(
            f"X is constant: all {len(x)} examples are the same, so there is "
            "nothing to sort them by. Check how X was made."
        )
    shape = x.shape[1:]
    if len(shape) == 1:
        table = x.astype(np.float64)
        with np.errstate(over="ignore"):
            scale = table.std(axis=0)
        if not np.isfinite(scale).all():
            raise ValueError(
                "X holds values too large to be standardised: the standard "
                f"deviation of column {int(np.argmin(np.isfinite(scale)))} is "
                "not finite. Rescale the column."
            )
        # The standard deviation of equal values need not round to zero.
        scale[low == high] = 1.0
        return Layout(shape, False, table.mean(axis=0), scale)
    if x.dtype == np.uint8:
        if high.max() == 1:
            raise ValueError(
                "X is images of uint8 that hold nothing but 0 and 1, which "
                "would be almost black, since 255 means 1.0: multiply X by 255"
            )
        return Layout(shape, True, np.array(0.0), np.array(255.0))
    least, greatest = float(low.min()), float(high.max())
    if 0.0 <= least and greatest <= 1.0:
        least, greatest = 0.0, 1.0
    return Layout(shape, False, np.array(least), np.array(greatest - least))
