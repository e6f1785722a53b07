# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Views: what they do to an image, against SciPy and colour tables; faults."""

import colorsys
import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage, special, stats

from mfcvae_jax import views
from mfcvae_jax.settings import Activation, SharedEncoder
from mfcvae_jax.training import runs, state
from tests import examples, oracles, untrained

AFFINE = views.Affine(rotation=40, shift=0.1, scale=0.3, shear=0.4)
SHAPE = (9, 6, 3)


@pytest.fixture(autouse=True)
def in_double():
    with jax.enable_x64(True):
        yield


def _image(seed=0, shape=SHAPE):
    return np.random.default_rng(seed).random(shape)


def _draws(key, n):
    """The numbers in [-1, 1] that a view draws."""
    return np.asarray(jax.random.uniform(key, (n,), float, -1, 1))


@functools.cache
def _compiled(view):
    return jax.jit(view.draw)


class TestAffine:
    @pytest.mark.parametrize("seed", range(4))
    def test_is_scipy_s_with_the_numbers_drawn(self, seed):
        key, x = jax.random.key(seed), _image(seed)
        turn, tall, wide, slant, down, right = _draws(key, 6)
        a = np.deg2rad(40 * turn)
        rotation = [[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]
        stretch = [[1 + 0.3 * tall, 0], [0.4 * slant, 1 + 0.3 * wide]]
        matrix = np.array(rotation) @ np.array(stretch)
        centre = (np.array(SHAPE[:2]) - 1) / 2
        shift = 0.1 * np.array(SHAPE[:2]) * [down, right]
        wanted = [
            ndimage.affine_transform(
                x[..., c],
                matrix,
                offset=centre + shift - matrix @ centre,
                order=1,
                mode="nearest",
            )
            for c in range(3)
        ]
        found = _compiled(AFFINE)(key, x)
        np.testing.assert_allclose(found, np.stack(wanted, -1), atol=1e-9)

    @given(seed=st.integers(0, 2**32 - 1))
    def test_no_colour_is_made(self, seed):
        x = _image(seed)
        found = np.asarray(_compiled(AFFINE)(jax.random.key(seed), x))
        assert (found >= x.min((0, 1)) - 1e-12).all()
        assert (found <= x.max((0, 1)) + 1e-12).all()


class TestColour:
    def test_hue_turns_red_through_green_and_blue(self):
        x = np.broadcast_to([1.0, 0.0, 0.0], (2, 2, 3))
        view = views.Colour(hue=180)
        for seed in range(5):
            key = jax.random.key(seed)
            found = np.asarray(_compiled(view)(key, x))[0, 0]
            wanted = _draws(key, 3)[0] / 2 % 1
            # Colours are cut at the sides of the cube, which turns them a bit.
            error = (colorsys.rgb_to_hsv(*found)[0] - wanted + 0.5) % 1 - 0.5
            assert abs(error) < 0.06

    def test_grey_has_no_hue(self):
        x = np.repeat(_image(shape=(4, 4, 1)), 3, axis=2)
        found = _compiled(views.Colour(hue=180))(jax.random.key(1), x)
        np.testing.assert_allclose(found, x, atol=1e-9)

    def test_brightness_and_contrast(self):
        x = 0.4 + 0.2 * _image(shape=(5, 4, 1))
        view = views.Colour(brightness=0.1, contrast=0.5)
        key = jax.random.key(3)
        _, brighter, stronger = _draws(key, 3)
        found = np.asarray(_compiled(view)(key, x))
        assert found.mean() == pytest.approx(x.mean() + 0.1 * brighter)
        assert found.std() == pytest.approx(x.std() * (1 + 0.5 * stronger))
        extreme = _compiled(views.Colour(brightness=1))(key, _image())
        assert 0 <= extreme.min() and extreme.max() <= 1


def test_noise_has_its_standard_deviation():
    x = _image(shape=(1, 4000, 1))
    added = _compiled(views.Noise(0.3))(jax.random.key(0), x) - x
    assert np.std(added) == pytest.approx(0.3, rel=0.05)
    assert abs(np.mean(added)) < 0.02


def test_masked_hides_whole_pixels():
    x = 1 + _image(shape=(50, 40, 3))
    found = np.asarray(_compiled(views.Masked(0.3))(jax.random.key(0), x))
    is_hidden = (found == 0).any(-1)
    assert is_hidden.mean() == pytest.approx(0.3, abs=0.04)
    np.testing.assert_array_equal(found, x * ~is_hidden[..., None])


class TestDraw:
    OF_FACETS = ((AFFINE,), (), (AFFINE, views.Noise(0.1)), (AFFINE,))

    def _draw(self, x, first=0, seed=0):
        return jax.jit(functools.partial(views.draw, self.OF_FACETS))(
            jax.random.key(seed), x, first
        )

    def test_one_array_for_each_view_and_x_where_there_is_none(self):
        groups = views.facets_of_views(self.OF_FACETS)
        assert list(groups.values()) == [(0, 3), (1,), (2,)]
        x = _image(shape=(5, *SHAPE))
        warped, same, noisy = self._draw(x)
        np.testing.assert_array_equal(same, x)
        for one, other in ((warped, x), (noisy, x), (noisy, warped)):
            assert one.shape == x.shape
            assert (np.abs(one - other).max(axis=(1, 2, 3)) > 0.05).all()

    @pytest.mark.slow
    def test_depends_on_the_place_in_the_whole_batch_alone(self):
        x = _image(shape=(8, *SHAPE))
        whole = self._draw(x)
        for first in (0, 4, 6):
            part = self._draw(x[first : first + 2], first)
            for ours, theirs in zip(part, whole, strict=True):
                np.testing.assert_array_equal(ours, theirs[first : first + 2])
        assert (self._draw(x, seed=1)[0] != whole[0]).any(axis=(1, 2, 3)).all()

    def test_equal_examples_get_views_of_their_own(self):
        seen = self._draw(np.tile(_image(), (6, 1, 1, 1)))[0]
        assert len({image.tobytes() for image in np.asarray(seen)}) == 6

    def test_keeps_the_type_of_x(self):
        x = np.float32(_image(shape=(2, *SHAPE)))
        assert {a.dtype for a in self._draw(x)} == {np.dtype(np.float32)}

    def test_nothing_is_drawn_without_views(self):
        assert views.draw(((), ()), jax.random.key(0), _image()) is None


@dataclasses.dataclass(frozen=True)
class Turned:
    """A quarter turn, or two, or three, or none."""

    def check(self, image_shape):
        del image_shape

    def draw(self, key, x):
        turns = jnp.stack([jnp.rot90(x, k) for k in range(4)])
        return turns[jax.random.randint(key, (), 0, 4)]


class TestBound:
    """One facet, D = 1: all integrals by quadrature, all four turns."""

    Z = np.linspace(-12, 12, 8001)

    @pytest.fixture(scope="class")
    @classmethod
    def stepper(cls):
        with jax.enable_x64(True):
            chosen = examples.settings(
                **untrained.facets(3), train={"n_samples": 5}
            )
            chosen = dataclasses.replace(
                chosen,
                facets=dataclasses.replace(
                    chosen.facets, latent_dim=(1,), view=((Turned(),),)
                ),
                net=SharedEncoder((5,), (5,), Activation.ELU, batch_norm=False),
            )
            return runs.make_stepper(chosen, (2, 2, 1), steps_per_epoch=1)

    @pytest.fixture(scope="class")
    @classmethod
    def variables(cls, stepper):
        found = examples.variables(stepper.model)
        # So that q(z|Tx) differs from turn to turn.
        return jax.tree.map(lambda leaf: 3 * leaf, found)

    def _integrals(self, stepper, variables, x):
        """M for each of the four turns, and log p(x), in nats."""
        model, dz = stepper.model, self.Z[1] - self.Z[0]
        output = model.apply(
            variables, (self.Z[:, None],), np.ones(1), method="decode"
        )
        mean = special.expit(np.asarray(output))
        log_p_x_z = special.xlogy(x, mean) + special.xlogy(1 - x, 1 - mean)
        log_p_x_z = log_p_x_z.sum((1, 2, 3))
        (mixture,) = model.apply(variables, method="mixtures")
        joint = oracles.log_joint(mixture, self.Z[:, None])
        log_p_z = special.logsumexp(joint, axis=-1)
        turns = np.stack([np.rot90(x, k) for k in range(4)])
        (q,) = model.apply(variables, turns, method="encode")
        of_turns = []
        for m, log_var in zip(q.mean[:, 0], q.log_var[:, 0], strict=True):
            log_q = stats.norm.logpdf(self.Z, m, np.exp(0.5 * log_var))
            inner = np.exp(log_q) * (log_p_x_z + log_p_z - log_q)
            of_turns.append(inner.sum() * dz)
        return of_turns, special.logsumexp(log_p_x_z + log_p_z) + np.log(dz)

    @pytest.mark.slow
    @pytest.mark.parametrize("seed", range(3))
    def test_mean_over_views_is_below_log_p_x(self, stepper, variables, seed):
        x = _image(seed, (2, 2, 1))
        of_turns, log_p_x = self._integrals(stepper, variables, x)
        assert np.ptp(of_turns) > 0.01
        assert np.mean(of_turns) < log_p_x

    @pytest.mark.slow
    def test_a_step_estimates_that_mean(self, stepper, variables):
        x = _image(0, (2, 2, 1))
        of_turns, _ = self._integrals(stepper, variables, x)
        start = state.make_state(
            variables, stepper.optimiser, jax.random.key(0)
        )
        batch = np.tile(x, (1000, 1, 1, 1))
        step = jax.jit(stepper.step)
        found = []
        for i in range(20):
            key = jax.random.key_data(jax.random.key(i))
            _, metrics = step(start._replace(key=key), batch)
            found.append(metrics.mixture_bound)
        error = np.std(found, ddof=1) / np.sqrt(len(found))
        assert error < 0.2 * np.ptp(of_turns)
        assert np.mean(found) == pytest.approx(np.mean(of_turns), abs=4 * error)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: views.Affine(rotation=-15), "rotation .* 0 to 180, got -15"),
        (lambda: views.Affine(shift=1.5), "shift .* 0 to 1, got 1.5"),
        (lambda: views.Affine(scale="a"), "scale .* number .* got 'a'"),
        (lambda: views.Colour(hue=181), "Colour: hue"),
        (lambda: views.Colour(contrast=True), "contrast"),
        (lambda: views.Noise(float("nan")), "std .* at least 0, got nan"),
        (lambda: views.Noise(float("inf")), "std .* got inf"),
        (lambda: views.Masked(2), "share .* 0 to 1, got 2"),
        (views.Affine, r"Affine\(.*\) changes nothing"),
        (lambda: views.Masked(0), "changes nothing"),
    ],
)
def test_numbers_out_of_range_are_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()


@pytest.mark.parametrize(
    ("view", "shape", "said"),
    [
        (AFFINE, (1, 6, 1), r"Affine\(.*is for images, got .*\(1, 6, 1\)"),
        (views.Colour(contrast=0.1), (1, 6, 1), "Colour.* suit tables"),
        (views.Colour(hue=10), (8, 8, 1), "Colour.* RGB images, got .* 1 chan"),
    ],
)
def test_views_that_do_not_suit_the_data_are_refused(view, shape, said):
    with pytest.raises(ValueError, match=f"view of facet 1: {said}"):
        views.check(((), (views.Noise(0.1), view)), shape)


def test_all_others_suit():
    grey = (AFFINE, views.Colour(brightness=0.1), views.Masked(0.1))
    views.check((grey, (views.Noise(1),)), (8, 8, 1))
    views.check(((views.Masked(0.1), views.Noise(1)),), (1, 6, 1))
    views.check(((views.Colour(hue=10),),), (8, 8, 3))


def test_are_values():
    assert views.Affine(15) == views.Affine(rotation=np.float32(15))
    assert hash(views.Noise(1)) == hash(views.Noise(1.0))
    with pytest.raises(dataclasses.FrozenInstanceError):
        AFFINE.rotation = 3
