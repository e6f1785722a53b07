# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Both forms of the convolutions, against SciPy and against each other."""

from unittest import mock

import jax
import numpy as np
from absl.testing import parameterized
from scipy import signal

from mfcvae_jax.ladder import convolution
from tests import oracles


def _on(backend, function, *args):
    """Compiles the form of a backend; all of them can be run on CPU."""
    with mock.patch.object(jax, "default_backend", return_value=backend):
        return jax.jit(function)(*args)


def _scipy(x, kernel, stride):
    """Shape (B, H', W', O), one output channel after another."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    # Channels are summed by an axis along which only one place is valid.
    channels = [
        signal.correlate(padded, kernel[None, ..., o], mode="valid")[..., 0]
        for o in range(kernel.shape[-1])
    ]
    return np.stack(channels, axis=-1)[:, ::stride, ::stride]


def _spread(x, kernel, stride):
    """The transposed convolution by its definition, o = S i + t - 1."""
    n, height, breadth, _ = x.shape
    width, _, channels, _ = kernel.shape
    padded = np.zeros((n, stride * height + 2, stride * breadth + 2, channels))
    for i in range(height):
        for j in range(breadth):
            padded[
                :,
                stride * i : stride * i + width,
                stride * j : stride * j + width,
            ] += np.einsum("no,stco->nstc", x[:, i, j], kernel)
    return padded[:, 1:-1, 1:-1]


def _draw(*shapes):
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape) for shape in shapes]


class ConvolutionTest(oracles.DoubleTestCase):
    @parameterized.parameters(
        # Width of the kernel, stride, height and breadth of the larger side.
        (convolution.convolve, _scipy, 4, 2, 8, 6),
        (convolution.convolve, _scipy, 4, 2, 7, 5),
        (convolution.convolve, _scipy, 4, 2, 2, 3),
        (convolution.convolve, _scipy, 4, 1, 5, 6),
        (convolution.convolve_transposed, _spread, 4, 2, 8, 6),
        (convolution.convolve_transposed, _spread, 3, 1, 5, 6),
        (convolution.convolve_transposed, _spread, 4, 2, 2, 4),
    )
    def test_both_forms_equal_the_definition_and_have_the_same_gradients(
        self, function, definition, width, stride, height, breadth
    ):
        shape = (2, height, breadth, 3)
        if function is convolution.convolve_transposed:
            shape = (2, height // stride, breadth // stride, 5)
        x, kernel = _draw(shape, (width, width, 3, 5))

        def value_and_gradients(x, kernel):
            y, pull_back = jax.vjp(
                lambda x, k: function(x, k, stride), x, kernel
            )
            return y, pull_back(jax.numpy.cos(y))

        found = [
            _on(backend, value_and_gradients, x, kernel)
            for backend in ("cpu", "gpu")
        ]
        wanted = definition(x, kernel, stride)
        for y, _ in found:
            np.testing.assert_allclose(y, wanted, atol=1e-12)
        for ours, theirs in zip(*(slopes for _, slopes in found), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-11)
        small = wanted if function is convolution.convolve else x
        self.assertEqual(
            small.shape[1:3],
            tuple(
                convolution.output_size(n, width, stride)
                for n in (height, breadth)
            ),
        )

    def test_gradient_survives_a_scan_and_vmap(self):
        x, kernel = _draw((3, 2, 6, 6, 2), (4, 4, 2, 3))

        def slope(x):
            return jax.grad(
                lambda k: (convolution.convolve(x, k, 2) ** 2).sum()
            )(kernel)

        _, scanned = jax.jit(
            lambda x: jax.lax.scan(lambda c, x: (c, slope(x)), 0, x)
        )(x)
        np.testing.assert_allclose(scanned, jax.jit(jax.vmap(slope))(x))
