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

# width, stride, height and breadth of the larger side
_SHRINKING = ((4, 2, 8, 6), (4, 2, 7, 5), (4, 2, 2, 3), (4, 1, 5, 6))
_ENLARGING = ((4, 2, 8, 6), (3, 1, 5, 6), (4, 2, 2, 4))
_BACKENDS = ("cpu", "gpu")


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
    @parameterized.product(size=_SHRINKING, backend=_BACKENDS)
    def test_convolve_equals_scipy(self, size, backend):
        width, stride, height, breadth = size
        x, kernel = _draw((2, height, breadth, 3), (width, width, 3, 5))
        found = _on(
            backend, lambda x, k: convolution.convolve(x, k, stride), x, kernel
        )
        np.testing.assert_allclose(found, _scipy(x, kernel, stride), atol=1e-12)
        self.assertEqual(
            found.shape[1:3],
            tuple(
                convolution.output_size(n, width, stride)
                for n in (height, breadth)
            ),
        )

    @parameterized.product(size=_ENLARGING, backend=_BACKENDS)
    def test_convolve_transposed_equals_its_definition(self, size, backend):
        width, stride, height, breadth = size
        x, kernel = _draw(
            (2, height // stride, breadth // stride, 5), (width, width, 3, 5)
        )
        found = _on(
            backend,
            lambda x, k: convolution.convolve_transposed(x, k, stride),
            x,
            kernel,
        )
        self.assertEqual(found.shape, (2, height, breadth, 3))
        np.testing.assert_allclose(
            found, _spread(x, kernel, stride), atol=1e-12
        )

    @parameterized.parameters(
        *((convolution.convolve, size) for size in _SHRINKING),
        *((convolution.convolve_transposed, size) for size in _ENLARGING),
    )
    def test_both_forms_have_the_same_gradients(self, function, size):
        width, stride, height, breadth = size
        shape = (2, height, breadth, 3)
        if function is convolution.convolve_transposed:
            shape = (2, height // stride, breadth // stride, 5)
        x, kernel = _draw(shape, (width, width, 3, 5))

        def gradients(x, kernel):
            y, pull_back = jax.vjp(
                lambda x, k: function(x, k, stride), x, kernel
            )
            return pull_back(jax.numpy.cos(y))

        for ours, theirs in zip(
            *(_on(backend, gradients, x, kernel) for backend in _BACKENDS),
            strict=True,
        ):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-11)

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
