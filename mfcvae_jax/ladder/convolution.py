# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Convolutions and transposed convolutions, in the form that suits the backend.

Both pad by one pixel, with a kernel K pixels wide and a stride S. Input pixel
i, output pixel o and kernel tap t = 0..K-1 meet, along either axis, where

    convolve:             i = S o + t - 1
    convolve_transposed:  o = S i + t - 1

so either is the other's gradient, and their kernels share one layout.

GPU and TPU have convolutions of their own. XLA's on CPU are many times slower
than a matrix product in the gradient of a kernel, above all within a scan
(jax-ml/jax issue 12868). There, a convolution gathers patches of pixels and
multiplies them with the kernel; a transposed one multiplies first and then adds
up shifted products, which are fewer numbers than patches would be.
"""

import functools

import chex
import jax
import jax.numpy as jnp

__all__ = ["convolve", "convolve_transposed", "output_size"]

_LAYOUT = ("NHWC", "HWIO", "NHWC")


def output_size(size: int, width: int, stride: int) -> int:
    """Returns the pixels that ``convolve`` leaves along an axis.

    Args:
        size: pixels of the input along the axis.
        width: K, taps of the kernel along the axis.
        stride: S.

    Returns:
        The number of pixels, 0 or less if the kernel does not fit.
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
    if _is_on_cpu():
        return _convolve_by_products(x, kernel, stride)
    return jax.lax.conv_general_dilated(
        x, kernel, (stride, stride), [(1, 1)] * 2, dimension_numbers=_LAYOUT
    )


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
    width = kernel.shape[0]
    chex.assert_equal(width, stride + 2)
    if _is_on_cpu():
        return _convolve_transposed_by_products(x, kernel, stride)
    return jax.lax.conv_transpose(
        x,
        kernel,
        (stride, stride),
        [(width - 2, width - 2)] * 2,
        dimension_numbers=_LAYOUT,
        transpose_kernel=True,
    )


def _is_on_cpu() -> bool:
    return jax.default_backend() == "cpu"


# The gradients are written out: those that JAX would derive from the slices
# pad every one of them to the size of the whole.


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _convolve_by_products(x, kernel, stride):
    return _convolve_forward(x, kernel, stride)[0]


def _convolve_forward(x, kernel, stride):
    patches = _patches(x, kernel.shape[0], stride)
    output = patches @ kernel.reshape(-1, kernel.shape[-1])
    return output, (patches, kernel, x.shape)


def _convolve_backward(stride, saved, slope):
    patches, kernel, shape = saved
    products = slope @ kernel.reshape(-1, kernel.shape[-1]).T
    return (
        _add_patches(products, kernel.shape[0], stride, shape),
        _kernel_gradient(patches, slope, kernel.shape),
    )


_convolve_by_products.defvjp(_convolve_forward, _convolve_backward)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _convolve_transposed_by_products(x, kernel, stride):
    products = x @ kernel.reshape(-1, kernel.shape[-1]).T
    n, height, width, _ = x.shape
    shape = (n, stride * height, stride * width, kernel.shape[2])
    return _add_patches(products, kernel.shape[0], stride, shape)


def _convolve_transposed_forward(x, kernel, stride):
    return _convolve_transposed_by_products(x, kernel, stride), (x, kernel)


def _convolve_transposed_backward(stride, saved, slope):
    x, kernel = saved
    patches = _patches(slope, kernel.shape[0], stride)
    return (
        patches @ kernel.reshape(-1, kernel.shape[-1]),
        _kernel_gradient(patches, x, kernel.shape),
    )


_convolve_transposed_by_products.defvjp(
    _convolve_transposed_forward, _convolve_transposed_backward
)


def _kernel_gradient(patches, values, shape):
    """Sums the outer products of patches and the values they belong to."""
    gradient = jnp.tensordot(patches, values, axes=((0, 1, 2), (0, 1, 2)))
    return gradient.reshape(shape)


def _patches(x, width, stride):
    """Gathers what each output pixel sees: (B, H', W', K * K * I)."""
    rows, columns = (output_size(s, width, stride) for s in x.shape[1:3])
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return jnp.concatenate(
        [
            padded[
                :,
                row : row + stride * (rows - 1) + 1 : stride,
                column : column + stride * (columns - 1) + 1 : stride,
            ]
            for row in range(width)
            for column in range(width)
        ],
        axis=-1,
    )


def _add_patches(patches, width, stride, shape):
    """Adds patches up where they came from: the transpose of ``_patches``."""
    n, rows, columns, _ = patches.shape
    taps = patches.reshape(n, rows, columns, width, width, -1)
    _, height, breadth, channels = shape
    total = 0
    for row in range(width):
        for column in range(width):
            total += jax.lax.pad(
                taps[:, :, :, row, column],
                jnp.zeros((), patches.dtype),
                [
                    (0, 0, 0),
                    (
                        row - 1,
                        height - 1 - (row - 1) - stride * (rows - 1),
                        stride - 1,
                    ),
                    (
                        column - 1,
                        breadth - 1 - (column - 1) - stride * (columns - 1),
                        stride - 1,
                    ),
                    (0, 0, 0),
                ],
            )
    return total
