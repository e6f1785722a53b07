# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What the user of the estimator says of a facet."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from mfcvae_jax import settings as settings_lib
from mfcvae_jax.estimator.checks import count_or_auto, is_auto
from mfcvae_jax.views import View

__all__ = ["Facet", "check_facets", "facets_section"]

_GENEROUS = 25
# "auto" of latent_dim: of a facet that takes what is left, or that a view
# tells what to ignore; and of any other, which must not have room for two ways
# of sorting, by the number of facets that share these (docs/recipe.md).
_WIDE, _OF_TWO, _OF_MANY = 16, 2, 1


@dataclasses.dataclass(frozen=True)
class Facet:
    """One way of sorting the examples.

    Attributes:
        n_components: K_j, the most clusters that the facet can use. It may
            leave some empty, so be generous. "auto" trains with 25, or as many
            as there are examples, and then keeps as many as can be told apart:
            see ``evaluation.pruning``.
        latent_dim: D_j, dimensions of its latent variable z_j. "auto" is 16
            for facet 0, which comes last and takes what is left, and for a
            facet with a view; for others 2 if there are two, else 1.
        covariance: of the clusters in these dimensions: "full", "diagonal",
            "spherical", or "tied", one full matrix for all clusters.
        learn_weights: whether the facet learns how large its clusters are; if
            not, all are as likely beforehand.
        prior: family of the clusters in these dimensions; another one than
            Gaussians is registered from outside (docs/extending.md).
        view: what the facet is to ignore: a view such as
            ``views.Affine(rotation=15)``, which its encoder is shown in
            training instead of the example, or several, applied in turn. Kept
            as a tuple, which is empty if the encoder sees the example itself.
    """

    n_components: int | str = 25
    latent_dim: int | str = "auto"
    covariance: str = "full"
    learn_weights: bool = True
    prior: Any = settings_lib.GaussianPrior()
    view: View | tuple[View, ...] = ()

    def __post_init__(self):
        object.__setattr__(self, "view", _check_view(self.view))
        for name in ("n_components", "latent_dim"):
            count_or_auto(f"Facet: {name}", getattr(self, name), 1)
        known = [form.value for form in settings_lib.Covariance]
        if self.covariance not in known:
            raise ValueError(
                f"Facet: covariance must be one of {known}, got "
                f"{self.covariance!r}"
            )
        if not isinstance(self.learn_weights, bool):
            raise ValueError(
                "Facet: learn_weights must be True or False, got "
                f"{self.learn_weights!r}"
            )
        if self.is_auto and not self.learn_weights:
            raise ValueError(
                "Facet: n_components='auto' needs learn_weights=True, since "
                "clusters that go leave their weight to others"
            )
        if type(self.prior) not in settings_lib.KINDS["prior"].values():
            raise ValueError(
                "Facet: prior must be the settings of a family that is in "
                f"settings.KINDS['prior'], got {self.prior!r}"
            )
        if self.is_auto and not self.is_gaussian:
            raise ValueError(
                "Facet: n_components='auto' needs Gaussian clusters, got "
                f"prior={self.prior!r}: give the number"
            )

    @property
    def is_auto(self) -> bool:
        """Whether the number of clusters is found."""
        return is_auto(self.n_components)

    @property
    def is_gaussian(self) -> bool:
        """Whether the clusters are Gaussians."""
        return isinstance(self.prior, settings_lib.GaussianPrior)

    def n_trained(self, n_examples: int) -> int:
        """Returns K_j in training, given the number of examples."""
        most = min(_GENEROUS, n_examples)
        return count_or_auto("n_components", self.n_components, most)

    def n_dims(self, place: int, n_facets: int) -> int:
        """Returns D_j, given the place j of the facet among J."""
        narrow = _OF_TWO if n_facets == 2 else _OF_MANY
        auto = _WIDE if place == 0 or self.view else narrow
        return count_or_auto("latent_dim", self.latent_dim, auto)


def _check_view(view: Any) -> tuple[View, ...]:
    found = tuple(view) if isinstance(view, tuple | list) else (view,)
    kinds = settings_lib.KINDS["view"]
    for part in found:
        if type(part) not in kinds.values():
            raise ValueError(
                "Facet: view must be a view or a tuple of views, such as "
                f"mfcvae_jax.views.Affine(rotation=15), got {part!r}. A view "
                "of your own needs a row in settings.KINDS['view'], which has "
                f"{sorted(kinds)}"
            )
    return found


def check_facets(facets: Any) -> tuple[Facet, ...]:
    """Returns what should be facets as a tuple; raises ValueError otherwise."""
    if isinstance(facets, Facet):
        raise ValueError(
            "facets must be a list of Facet, got a single one: write "
            f"facets=[{facets!r}]"
        )
    if isinstance(facets, str) or not isinstance(facets, Sequence):
        raise ValueError(f"facets must be a list of Facet, got {facets!r}")
    if not facets:
        raise ValueError(
            f"facets={facets!r} is empty: at least one Facet is needed, for "
            "instance facets=[Facet(n_components=10)]"
        )
    for j, facet in enumerate(facets):
        if not isinstance(facet, Facet):
            raise ValueError(
                f"facets[{j}] must be a Facet, got {facet!r}: write "
                "Facet(n_components=..., latent_dim=...)"
            )
    return tuple(facets)


def facets_section(
    facets: Sequence[Facet], n_examples: int
) -> settings_lib.Facets:
    """Returns the section of the settings that says the same."""
    return settings_lib.Facets(
        n_components=tuple(f.n_trained(n_examples) for f in facets),
        latent_dim=tuple(
            f.n_dims(j, len(facets)) for j, f in enumerate(facets)
        ),
        covariance=tuple(settings_lib.Covariance(f.covariance) for f in facets),
        learn_weights=tuple(f.learn_weights for f in facets),
        prior=tuple(f.prior for f in facets),
        view=tuple(_check_view(f.view) for f in facets),
    )
