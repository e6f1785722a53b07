# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Convolutions and transposed convolutions, in the form that suits the backend.

Both pad by one pixel, with a kernel K pixels wide and a stride S. Input pixel
i, output pixel o and kernel tap t = 0..K-1 meet, along either axis, where ::

    convolve:             i = S o + t - 1
    convolve_transposed:  o = S i + t - 1

so either is the other's gradient, and their kernels share one layout.

GPU and TPU run XLA's own convolutions in every direction. On CPU these are as
fast as matrix products forwards, but (up to jax 0.12) many times slower in the
gradient of a kernel, above all within a scan (jax-ml/jax issue 12868), and
where the input has to be spread out by a stride. There, the gradient of a
kernel is one matrix product per tap, and what enlarges an image is one
convolution without a stride per remainder of o modulo S.
``benchmarks/README.md`` says what each form costs.
"""

import chex
import jax
import jax.numpy as jnp

__all__ = ["convolve", "convolve_transposed", "output_size"]

_LAYOUT = ("NHWC", "HWIO", "NHWC")


def output_size(size: int, width: int, stride: int) -> int:
    """Returns the pixels that ``convolve`` leaves along an axis.

    The result is 0 or less if the input is too small.
    """
    return (size + 2 - width) // stride + 1


def convolve(x: chex.Array, kernel: chex.Array, stride: int) -> chex.Array:
    """Convolves images with a kernel; borders are padded by one zero.

    Args:
        x: shape (B, H, W, I).
        kernel: shape (K, K, I, O).
        stride: S.

    Returns:
        Shape (B, H', W', O), for H' and W' see ``output_size``.
    """
    if jax.default_backend() == "cpu":
        return _convolve_on_cpu(x, kernel, stride)
    return _convolve(x, kernel, stride)


def convolve_transposed(
    x: chex.Array, kernel: chex.Array, stride: int
) -> chex.Array:
    """Enlarges images by a stride: the transpose of ``convolve``.

    Args:
        x: shape (B, H, W, O).
        kernel: that of the convolution it transposes, shape (K, K, I, O), with
            K = S + 2, so that the size grows by S exactly.
        stride: S.

    Returns:
        Shape (B, S H, S W, I).
    """
    chex.assert_equal(kernel.shape[0], stride + 2)
    if jax.default_backend() == "cpu":
        return _enlarge_on_cpu(x, kernel, stride)
    return jax.lax.conv_transpose(
        x,
        kernel,
        (stride, stride),
        [(kernel.shape[0] - 2,) * 2] * 2,
        dimension_numbers=_LAYOUT,
        transpose_kernel=True,
    )


def _convolve(x, kernel, stride):
    return jax.lax.conv_general_dilated(
        x, kernel, (stride, stride), [(1, 1)] * 2, dimension_numbers=_LAYOUT
    )


def _enlarge(x, kernel, stride):
    n, height, width, _ = x.shape
    shape = (n, stride * height, stride * width, kernel.shape[2])
    return _spread(x, kernel, stride, shape)


def _convolve_backward(stride, saved, slope):
    x, kernel = saved
    return (
        _spread(slope, kernel, stride, x.shape),
        _kernel_gradient(x, slope, kernel.shape[0], stride),
    )


def _enlarge_backward(stride, saved, slope):
    x, kernel = saved
    return (
        _convolve(slope, kernel, stride),
        _kernel_gradient(slope, x, kernel.shape[0], stride),
    )


def _with_gradient(function, backward):
    """Gives a function of (x, kernel, stride) a gradient of its own."""
    found = jax.custom_vjp(function, nondiff_argnums=(2,))
    found.defvjp(lambda x, k, s: (function(x, k, s), (x, k)), backward)
    return found


_convolve_on_cpu = _with_gradient(_convolve, _convolve_backward)
_enlarge_on_cpu = _with_gradient(_enlarge, _enlarge_backward)


def _kernel_gradient(large, small, width, stride):
    """Sums the products of the pixels that each tap brings together.

    Args:
        large: images on the side of i = S o + t - 1, shape (B, H, W, I).
        small: images on the side of o, shape (B, H', W', O).
        width: K.
        stride: S.
    """
    _, rows, columns, _ = small.shape
    small = small.reshape(-1, small.shape[-1])
    padded = jnp.pad(large, ((0, 0), (1, 1), (1, 1), (0, 0)))

    def product(row, column):
        pixels = padded[
            :,
            row : row + stride * (rows - 1) + 1 : stride,
            column : column + stride * (columns - 1) + 1 : stride,
        ]
        return pixels.reshape(-1, pixels.shape[-1]).T @ small

    taps = range(width)
    return jnp.array(
        [[product(row, column) for column in taps] for row in taps]
    )


def _spread(small, kernel, stride, shape):
    """Adds each pixel, times each tap, to the pixel where it belongs.

    Large pixels i = S m + r of one remainder r all see the same taps, those
    with t - 1 = r modulo S, and see pixel o = m - (t - 1 - r) / S through them:
    a convolution without a stride, whose kernel runs backwards.

    Args:
        small: images on the side of o, shape (B, H', W', O).
        kernel: shape (K, K, I, O).
        stride: S.
        shape: of the result, on the side of i = S o + t - 1: (B, H, W, I).
    """
    n_rows, n_columns = (-(-size // stride) for size in shape[1:3])

    def window(remainder, n_small, n_large):
        """Taps that such pixels see, and the padding that lets them."""
        first = (remainder + 1) % stride
        taps = slice(first, None, stride)
        before = (kernel.shape[0] - 1 - first) // stride + (
            first - 1 - remainder
        ) // stride
        n_taps = len(range(kernel.shape[0])[taps])
        return taps, (before, n_large - n_small - before + n_taps - 1)

    def pixels(row_remainder, column_remainder):
        rows, above_below = window(row_remainder, small.shape[1], n_rows)
        columns, sides = window(column_remainder, small.shape[2], n_columns)
        return jax.lax.conv_general_dilated(
            small,
            kernel[rows, columns][::-1, ::-1].swapaxes(2, 3),
            (1, 1),
            (above_below, sides),
            dimension_numbers=_LAYOUT,
        )

    remainders = range(stride)
    whole = jnp.stack(
        [jnp.stack([pixels(r, c) for c in remainders], 3) for r in remainders],
        2,
    ).reshape(shape[0], stride * n_rows, stride * n_columns, shape[3])
    return whole[:, : shape[1], : shape[2]]
