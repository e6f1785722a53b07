# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What an array of examples is to the model, and back.

The model knows images of shape (H, W, C) with values in [0, 1] or, for a table,
columns of mean 0 and variance 1, as an image of shape (1, D, 1). What comes
back is in the units of X. docs/api/estimator.md says how they are found.
"""

import dataclasses
import math
import warnings

import numpy as np

from mfcvae_jax.datasets import arrays

__all__ = ["Layout", "layout_of"]

# A value this far beyond black and white, in units of their distance, is
# another thing than a bright pixel.
_FAR = 0.5
# With so much less contrast than the training set, images are in other units.
_FAINT = 1 / 8
# So many standard deviations from the mean of its column, a value gets a
# warning, or is refused: by then float32 overflows in the net.
_DOUBTFUL, _ABSURD = 1e3, 1e6
# So many rows tell the width of a column.
_N_ROWS = 10_000


@dataclasses.dataclass(frozen=True)
class Layout:
    """The form of the examples that an estimator was fitted to.

    Attributes:
        example_shape: (D,), (H, W) or (H, W, C).
        is_bytes: whether they are images of uint8.
        offset: black or, of a table, the mean of each column; shape () or (D,).
        scale: white less black, shape (); or the standard deviation of each
            column, shape (D,), 0 if it is constant.
        contrast: greatest less least value of an image, between black and
            white, the median over the training set; 0 if it is not known.
    """

    example_shape: tuple[int, ...]
    is_bytes: bool
    offset: np.ndarray
    scale: np.ndarray
    contrast: float = 0.0

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

    @property
    def n_numbers(self) -> int:
        """How many numbers an example has."""
        return math.prod(self.example_shape)

    def to_model(self, x: np.ndarray) -> np.ndarray:
        """Brings examples to the form in which the model takes them.

        Args:
            x: finite numbers, shape (N, ...) with ``example_shape``; images may
                have one more axis of length 1, or an alpha channel.

        Returns:
            Shape (N, H, W, C), float32, or uint8 where 255 means 1.0.

        Raises:
            ValueError: if the shape or the units are others than in training.
        """
        channels = (*self.example_shape[2:], *x.shape[3:])
        if x.ndim == 4 and channels in ((1, 2), (3, 4)) and _has_units(x):
            x = arrays.on_black(x)
        self._check_shape(x)
        images = x.reshape(-1, *self.image_shape)
        if self.is_table:
            return self._standardised(x).reshape(images.shape)
        self._check_contrast(images)
        if x.dtype == np.uint8 and (self.offset, self.scale) == (0, 255):
            return images
        with np.errstate(over="ignore"):
            scaled = ((images - self.offset) / self.scale).astype(np.float32)
        self._check_range(images, scaled)
        return np.clip(scaled, 0.0, 1.0, out=scaled)

    def from_model(self, images: np.ndarray) -> np.ndarray:
        """Undoes ``to_model``, for what the decoder gives, (N, H, W, C).

        It becomes uint8 if ``is_bytes``, else float32.
        """
        x = np.asarray(images).reshape(-1, *self.example_shape)
        x = x * self.scale + self.offset
        if self.is_bytes:
            return np.rint(np.clip(x, 0, 255)).astype(np.uint8)
        return x.astype(np.float32)

    def _check_shape(self, x: np.ndarray) -> None:
        shapes = [self.example_shape]
        if len(self.example_shape) == 2:
            shapes.append((*self.example_shape, 1))
        if x.shape[1:] in shapes:
            return
        wanted = ", ".join(map(str, self.example_shape))
        mend = ""
        if x.shape in shapes:
            mend = ": write X[np.newaxis] for a single one"
        elif x.ndim == 4 and (*x.shape[2:], x.shape[1]) in shapes:
            mend = ": write np.moveaxis(X, 1, -1)"
        elif x.ndim == 2 and x[:1].size == self.n_numbers:
            mend = f": write X.reshape(-1, {wanted})"
        raise ValueError(
            f"the estimator was fitted to examples of shape ({wanted}), so "
            f"expected X of shape (N, {wanted}), got {x.shape}{mend}"
        )

    def _standardised(self, x: np.ndarray) -> np.ndarray:
        is_constant = self.scale == 0
        for d in np.flatnonzero(is_constant):
            other = ~np.isclose(x[:, d], self.offset[d])
            if other.any():
                warnings.warn(
                    f"column {d} was {self.offset[d]:g} in every row that the "
                    f"estimator was fitted to, and is {x[other, d][0]:g} in "
                    f"row {np.argmax(other)}: what it holds is not used",
                    stacklevel=5,
                )
        with np.errstate(over="ignore"):
            z = (x - self.offset) / np.where(is_constant, np.inf, self.scale)
        row, d = np.unravel_index(np.argmax(np.abs(z)), z.shape)
        distance = abs(z[row, d])
        if distance > _DOUBTFUL:
            said = (
                f"X[{row}, {d}] is {x[row, d]:g}, which is {distance:.2g} "
                f"standard deviations from the mean of column {d} in the "
                f"training set, {self.offset[d]:g}. If it stands for a missing "
                "value, put a number in its place, for instance with "
                "sklearn.impute.SimpleImputer, or leave out the row"
            )
            if distance > _ABSURD:
                raise ValueError(said)
            warnings.warn(said, stacklevel=5)
        return z.astype(np.float32)

    def _check_range(self, images: np.ndarray, scaled: np.ndarray) -> None:
        """Says if values are far beyond what is black and white."""
        far = (scaled < -_FAR) | (scaled > 1 + _FAR)
        if not far.any():
            return
        n_far = far.reshape(len(far), -1).sum(axis=1)
        where = np.unravel_index(np.abs(scaled - 0.5).argmax(), far.shape)
        place = ", ".join(map(str, where[: len(self.example_shape) + 1]))
        # A few pixels may be hot, but not many in most images.
        is_other = n_far > max(0.02 * far[0].size, 1)
        if is_other.mean() > 0.5:
            raise ValueError(
                self._compared(images, "but", "bring X to the same units")
            )
        warnings.warn(
            f"{np.count_nonzero(n_far)} of {len(images)} images have values "
            f"far beyond {self.offset:g} and {self.offset + self.scale:g}, "
            f"which are black and white, such as X[{place}] = "
            f"{images[where]:g}. They are taken as black and white",
            stacklevel=5,
        )

    def _check_contrast(self, images: np.ndarray) -> None:
        """Says if most images are all but black, as in other units."""
        white = float(self.offset + self.scale)
        found = _contrasts(images, float(self.offset), white)
        found = found[found > 0]
        if found.size and np.median(found) < _FAINT * self.contrast:
            said = self._compared(
                images,
                "with far less contrast in an image than in training, and",
                "if the units differ, bring X to the same ones",
            )
            if self.is_bytes != (images.dtype == np.uint8):
                raise ValueError(said)
            warnings.warn(said, stacklevel=5)

    def _compared(self, images: np.ndarray, but: str, wanted: str) -> str:
        """Names both ranges, and the usual way from one to the other."""
        low, high, white = images.min(), images.max(), self.offset + self.scale
        mend = ""
        if white <= 1 < high <= 255:
            mend = ", for instance by X / 255"
        elif high <= 1 < white:
            mend = f", for instance by {white:g} * X"
        return (
            f"X reaches from {low:g} to {high:g}, {but} the estimator was "
            f"fitted to images from {self.offset:g} to {white:g}: {wanted}"
            f"{mend}"
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
    if x.ndim == 4:
        _check_channels(x.shape)
        if x.shape[3] in (2, 4) and _is_opacity(x):
            x = arrays.on_black(x)
    low, high = x.min(axis=0), x.max(axis=0)
    if np.array_equal(low, high):
        raise ValueError(
            f"X is constant: all {len(x)} examples are the same, so there is "
            "nothing to sort them by. Check how X was made."
        )
    if x.ndim == 2:
        return _table_layout(x.astype(np.float64), low == high)
    flat = x.reshape(len(x), -1)
    black, white = _black_and_white(flat)
    return Layout(
        x.shape[1:],
        x.dtype == np.uint8,
        np.array(black),
        np.array(white - black),
        float(np.median(_contrasts(flat, black, white))),
    )


def _check_channels(shape: tuple[int, ...]) -> None:
    n, height, width, n_colours = shape
    if height <= 4 < min(width, n_colours):
        raise ValueError(
            f"X of shape {shape} would be {n} images, {height} pixels high and "
            f"{width} wide, of {n_colours} colours: images have the shape "
            "(N, H, W, C). If the colours are the second axis, write "
            "np.moveaxis(X, 1, -1)"
        )


def _is_opacity(x: np.ndarray) -> bool:
    """Whether the last of two or four channels says what is opaque.

    It may be a colour of its own; but then it is hardly ever exactly 0 or full.
    """
    full = 255 if x.dtype == np.uint8 else 1
    last = x[..., -1]
    return _has_units(x) and bool(((last == 0) | (last == full)).mean() > 0.5)


def _has_units(x: np.ndarray) -> bool:
    """Whether it is known what is white."""
    return x.dtype == np.uint8 or bool(x.min() >= 0 and x.max() <= 1)


def _table_layout(table: np.ndarray, is_constant: np.ndarray) -> Layout:
    with np.errstate(over="ignore"):
        scale = table.std(axis=0)
    if not np.isfinite(scale).all():
        raise ValueError(
            "X holds values too large to be standardised: the standard "
            f"deviation of column {int(np.argmin(np.isfinite(scale)))} is "
            "not finite. Rescale the column."
        )
    # The standard deviation and mean of equal values are subject to rounding.
    scale[is_constant] = 0.0
    offset = np.where(is_constant, table[0], table.mean(axis=0))
    rows = table[:: max(len(table) // _N_ROWS, 1)]
    low, high = _without_a_hundredth(rows, rows)
    width = high - low
    for d in np.flatnonzero((width > 0) & (scale > 100 * width)):
        row = np.argmax(np.abs(table[:, d] - np.median(rows[:, d])))
        warnings.warn(
            f"X[{row}, {d}] is {table[row, d]:g}, but nearly all of column {d} "
            f"lies within {width[d]:g}, and will look constant beside it. If "
            "it stands for a missing value, put a number in its place",
            stacklevel=4,
        )
    return Layout(table.shape[1:], False, offset, scale)


def _black_and_white(x: np.ndarray) -> tuple[float, float]:
    """The values that are 0 and 1 to the model, of images of shape (N, P)."""
    extremes = float(x.min()), float(x.max())
    conventional = extremes
    if _has_units(x):
        conventional = 0.0, 255.0 if x.dtype == np.uint8 else 1.0
    least, greatest = map(float, _usual_extremes(x))
    width = greatest - least  # negative if two images share no value
    if 4 * width >= np.ptp(conventional):
        return conventional
    is_narrow = 0 < 4 * width < np.ptp(extremes)
    return (least, greatest) if is_narrow else extremes


def _usual_extremes(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Extremes of x, shape (N, P), without stuck pixels and odd images."""
    low, high = x.min(axis=0), x.max(axis=0)
    least, greatest = _without_a_hundredth(low, high)
    is_stuck = (low > greatest) | (high < least)
    if is_stuck.any():
        x = x[:, ~is_stuck]
    return _without_a_hundredth(x.min(axis=1), x.max(axis=1))


def _without_a_hundredth(
    low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest of all rows but one or a hundredth."""
    return (
        np.quantile(low, 0.01, axis=0, method="higher"),
        np.quantile(high, 0.99, axis=0, method="lower"),
    )


def _contrasts(x: np.ndarray, black: float, white: float) -> np.ndarray:
    """Greatest less least value of each image, shape (N,)."""
    x = x.reshape(len(x), -1)
    return np.minimum(x.max(axis=1), white) - np.maximum(x.min(axis=1), black)
