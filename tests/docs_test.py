# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The page of maths says what the code says, and its code runs."""

import dataclasses
import pkgutil
import re

import jax
import numpy as np
import pytest
from scipy import special

from mfcvae_jax import model as model_lib
from mfcvae_jax.settings import Covariance
from mfcvae_jax.variational import elbo
from tests import oracles
from tests.scripts import ROOT

_DOCS = ROOT / "docs"
_MATHS = (_DOCS / "maths.md").read_text()
_MODULES = ("vade", "elbo", "elliptical", "prior", "posterior", "importance")
_NAME = re.compile(r"`((?:\w+\.)+\w+)`")


def _resolve(name):
    """What a name such as vade.log_posterior stands for."""
    is_elsewhere = name.startswith(("inference.", "views."))
    package = "mfcvae_jax" if is_elsewhere else "mfcvae_jax.variational"
    return pkgutil.resolve_name(f"{package}.{name}")


def test_every_displayed_formula_names_a_function_that_exists():
    blocks = re.split(r"^\$\$.*\$\$$", _MATHS, flags=re.MULTILINE)
    assert len(blocks) > 15
    # Each stands on a line of its own, or it would not be found here.
    assert _MATHS.count("$$") == 2 * (len(blocks) - 1)
    for text in blocks[1:]:
        paragraph = text.strip().split("\n\n")[0]
        found = _NAME.search(paragraph)
        assert found, f"no function named in: {paragraph}"
        assert callable(_resolve(found[1])), found[1]


def test_other_functions_that_are_named_exist():
    for name in _NAME.findall(_MATHS):
        if name.split(".")[0] in _MODULES and not name.endswith(".py"):
            _resolve(name)


def test_table_of_estimators_has_those_of_the_code():
    rows = re.findall(
        r"^\| `(\w+)` \| .+ \| .+ \| .+ \|$", _MATHS, re.MULTILINE
    )
    assert rows == list(elbo.ESTIMATORS)


def _anchors(page):
    """What the headings of a page are called in links."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {
        re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings
    }


def test_links_lead_to_pages_and_headings_that_are_there():
    places = ("README.md", "CONTRIBUTING.md", "benchmarks/README.md")
    for page in (*_DOCS.rglob("*.md"), *(ROOT / place for place in places)):
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            if link.startswith("http"):
                continue
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            assert target.exists(), f"{page}: {link}"
            if anchor and target.suffix == ".md":
                assert anchor in _anchors(target), f"{page}: {link}"


@pytest.mark.slow
def test_the_estimator_of_the_page_is_unbiased_for_every_l(monkeypatch):
    """It estimates the mixture bound."""
    monkeypatch.setattr(elbo, "ESTIMATORS", dict(elbo.ESTIMATORS))
    (code,) = re.findall(r"```python\n(.*?)```", _MATHS, re.DOTALL)
    exec(code, {"__name__": "docs"})
    facet = oracles.random_facet(0, 3, 2, Covariance.FULL, n=1)
    rng = np.random.default_rng(1)
    n = 5000
    alike = dataclasses.replace(
        facet,
        q_mean=np.tile(facet.q_mean, (n, 1)),
        q_std=np.tile(facet.q_std, (n, 1)),
    )
    z = alike.draw(rng, 1)
    log_p_z = special.logsumexp(
        facet.log_p_z_c(z) + np.log(facet.weights), axis=-1
    )
    truth = log_p_z - alike.log_q_z(z)
    for n_samples in (1, 8):
        with jax.enable_x64(True):
            mixture, q = alike.ours()
            densities = model_lib.densities(
                q, mixture, alike.draw(rng, n_samples)
            )
            terms = elbo.find_estimator("mixture_bound")(densities)
            ours = np.asarray(-(terms.kl_z + terms.kl_c))
        error = np.hypot(np.std(ours), np.std(truth)) / np.sqrt(n)
        assert abs(np.mean(ours) - np.mean(truth)) < 5 * error
