# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The page of a run: parsed, compared with the model, and used in a browser."""

import base64
import html.parser
import io
import json
import pathlib
import re
import tempfile

import jax
import numpy as np
import pytest
from absl.testing import absltest, parameterized
from PIL import Image
from scipy import special

from mfcvae_jax import config as config_lib
from mfcvae_jax import workdir
from mfcvae_jax.evaluation import redundancy
from mfcvae_jax.inference import generation
from mfcvae_jax.report import html as html_lib
from mfcvae_jax.report import reports as report_lib
from mfcvae_jax.report import summary
from mfcvae_jax.report.html import explorer
from mfcvae_jax.training import runs
from tests import chromium, examples

_VOID = ("img", "input", "meta", "link")


class _Page(html.parser.HTMLParser):
    """The elements of a page; an AssertionError if it is not well nested."""

    def __init__(self, text):
        super().__init__()
        self.elements = []  # (tag, attributes, open ancestors)
        self.texts = {}  # of scripts, by id
        self._open = []
        self.feed(text)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag, attrs):
        assert len(attrs) == len(dict(attrs)), attrs
        self.elements.append((tag, dict(attrs), tuple(self._open)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open and self._open.pop() == tag, (tag, self._open)

    def handle_data(self, data):
        if self._open[-1:] == ["script"]:
            name = self.elements[-1][1].get("id", "")
            self.texts[name] = self.texts.get(name, "") + data

    def all(self, *tags):
        return [attrs for tag, attrs, _ in self.elements if tag in tags]

    @property
    def data(self):
        return json.loads(self.texts["explorer-data"])

    def tiles(self, name):
        """The tiles of a sheet, uint8, shape (n, H, W, C)."""
        (image,) = (
            attrs
            for attrs in self.all("img")
            if attrs.get("id") == f"{name}-sprites"
        )
        sheet = np.asarray(Image.open(io.BytesIO(_bytes(image["src"]))))
        sheet = sheet.reshape(*sheet.shape[:2], -1)
        height, width = self.data["height"], self.data["width"]
        columns = self.data["columns"][name]
        rows = sheet.shape[0] // height
        return (
            sheet.reshape(rows, height, columns, width, -1)
            .swapaxes(1, 2)
            .reshape(rows * columns, height, width, -1)
        )


def _bytes(uri):
    head, text = uri.split(",", 1)
    assert head == "data:image/png;base64", head
    return base64.b64decode(text)


def _report(
    n_components=(5, 4),
    *,
    n_used=None,
    n=120,
    shape=(4, 4, 3),
    labelings=("digit", "hue"),
    name="mine",
):
    """The report of an untrained run with random assignments and tiles."""
    rng = np.random.default_rng(0)
    n_used = n_used or n_components
    resp = []
    for k, used in zip(n_components, n_used, strict=True):
        logits = rng.normal(size=(n, k))
        logits[np.arange(n), rng.integers(0, used, n)] += 8
        logits[:, used:] -= 50
        resp.append(special.softmax(logits, axis=1))
    plan = explorer.plan(resp, shape)
    assignments = np.stack([r.argmax(1) for r in resp], 1)
    usage = redundancy.cluster_usage(assignments, n_components)
    shared = redundancy.facet_redundancy(assignments, n_components)
    n_facets = len(n_components)
    images = rng.integers(0, 256, (n, *shape), np.uint8)
    labels = rng.integers(0, 3, (n, len(labelings)))
    n_generated = len(plan.combinations)
    terms = {"mixture_bound": -80.5, "mean_field_bound": -81.0}
    terms["log_p_x_z"] = -70.0
    for j in range(n_facets):
        terms |= {f"{name}/{j}": j + 0.5 for name in ("gap", "kl_z", "kl_c")}
    score = dict.fromkeys(("many_to_one", "one_to_one", "nmi", "ari"), 0.5)
    config = config_lib.to_config(examples.settings())
    config["facets"] |= {
        "n_components": n_components,
        "latent_dim": (2,) * n_facets,
    }
    page = html_lib.RunReport(
        dataset=name,
        labelings=tuple(labelings),
        n_steps=30,
        results={
            "step": 20,
            "n_examples": n,
            "terms": terms,
            "scores": [
                {"facet": j, "n_components": k, "labeling": m, "n_classes": 3}
                | score
                | {"majority": 0.25}
                for j, k in enumerate(n_components)
                for m in labelings
            ],
            "mutual_information_nats": shared.mutual_information.tolist(),
            "normalised_mutual_information": shared.normalised.tolist(),
            "clusters_in_use": usage.n_used.tolist(),
            "effective_clusters": usage.effective.tolist(),
            "clusters_needed": list(n_used),
            "diversity": [
                {
                    "kept": 0.75,
                    "spread": 0.5,
                    "spread_of_inputs": 0.25,
                    "reach": [0.125] * n_facets,
                }
            ]
            * n_facets,
        },
        config=config,
        environment={"device": "1 x cpu", "versions": {"jax": "1.0"}},
        stages=[html_lib.Stage(0.0, 0, 0.0)],
        pictures={},
        plan=plan,
        tiles=explorer.Tiles(
            means=rng.random((n_generated, *shape), np.float32),
            samples=rng.random(
                (plan.n_occurring, plan.n_samples, *shape), np.float32
            ),
            examples=images[plan.examples],
            labels=labels[plan.examples],
        ),
    )
    return page, assignments, images


_KINDS = {
    "two_facets": {},
    "one_facet": {"n_components": (6,)},
    "three_facets": {"n_components": (5, 4, 6)},
    "no_labels": {"labelings": ()},
    "empty_clusters": {"n_used": (3, 1)},
    "grey": {"shape": (6, 5, 1)},
}


class RunPageTest(parameterized.TestCase):
    def _check(self, text):
        """What holds for every page."""
        page = _Page(text)
        for tag, attrs, _ in page.elements:
            for name in ("src", "href"):
                if name in attrs:
                    self.assertRegex(attrs[name], r"^(data:|#|seed_\d+/)")
            if tag == "img":
                self.assertIn("alt", attrs)
                self.assertStartsWith(attrs["src"], "data:image/png")
            if tag == "input":
                self.assertTrue(attrs["aria-label"])
            if attrs.get("role") == "region":
                self.assertTrue(attrs["aria-label"])
            for key, value in attrs.items():
                self.assertNotStartsWith(key, "on")
                self.assertNotIn("javascript:", value or "")
        self.assertNotRegex(text, r"@import|url\(|https?://|fetch\(")
        ids = [a["id"] for _, a, _ in page.elements if "id" in a]
        self.assertLen(set(ids), len(ids))
        self.assertLen(page.all("fieldset"), len(page.all("legend")))
        self.assertLen(page.all("h1"), 1)
        viewport = [a for a in page.all("meta") if a.get("name") == "viewport"]
        self.assertLen(viewport, 1)
        return page

    @parameterized.named_parameters(*_KINDS.items())
    def test_structure_and_every_input_is_where_it_was_assigned(self, kind):
        report, assignments, images = _report(**kind)
        text = html_lib.run_page(report)
        page = self._check(text)
        n_components = report.config["facets"]["n_components"]
        self.assertLen(page.all("input"), sum(n_components))
        self.assertLen(
            [a for a in page.all("input") if "checked" in a], len(n_components)
        )
        data = page.data
        tiles = page.tiles("examples")
        for at, about in enumerate(data["examples"]):
            np.testing.assert_array_equal(tiles[at], images[about["index"]])
        indices = [about["index"] for about in data["examples"]]
        self.assertEqual(sum(c["n"] for c in data["combinations"]), len(images))
        for found in data["combinations"]:
            is_here = (assignments == found["at"]).all(axis=1)
            self.assertEqual(found["n"], is_here.sum())
            shown = [indices[slot] for slot in found["here"]]
            self.assertTrue(is_here[shown].all())
            self.assertEqual(bool(shown), found["n"] > 0)
        for j, clusters in enumerate(data["facets"]):
            sizes = np.bincount(assignments[:, j], minlength=n_components[j])
            for k, size in enumerate(sizes):
                if not size:
                    self.assertNotIn(str(k), clusters)
                    continue
                self.assertEqual(clusters[str(k)]["n"], size)
                shown = [indices[x] for x in clusters[str(k)]["members"]]
                self.assertTrue((assignments[shown, j] == k).all())
        self.assertEqual(
            text.count(">empty<"),
            int(sum(n_components))
            - sum(len(clusters) for clusters in data["facets"]),
        )
        if len(n_components) <= 2:
            self.assertLen(data["combinations"], np.prod(n_components))
        else:
            self.assertTrue(all(c["n"] for c in data["combinations"]))
            self.assertIn("Of 120 combinations", text)
        counts = [c["n"] for c in data["combinations"]]
        self.assertEqual(counts, sorted(counts, reverse=True))

    def test_tiles_are_those_that_were_generated(self):
        report, _, _ = _report()
        page = _Page(html_lib.run_page(report))
        tiles = page.tiles("generated") / 255
        for i, found in enumerate(page.data["combinations"]):
            self.assertEqual(found["at"], report.plan.combinations[i].tolist())
            np.testing.assert_allclose(
                tiles[found["mean"]], report.tiles.means[i], atol=0.51 / 255
            )
            if found["n"]:
                np.testing.assert_allclose(
                    tiles[found["samples"]],
                    report.tiles.samples[i],
                    atol=0.51 / 255,
                )
            else:
                self.assertEmpty(found["samples"])

    def test_names_cannot_break_out_of_the_page(self):
        evil = "</script></title><img src=x onerror=alert(1)>\"'&<!--"
        report, _, _ = _report(name=evil, labelings=(evil, "$title"))
        report = report._replace(environment={"versions": {evil: evil}})
        page = self._check(html_lib.run_page(report))
        self.assertLen(page.all("script"), 2)
        self.assertLen(page.all("img"), 2)
        self.assertEqual(page.data["labelings"], [evil, "$title"])

    def test_page_says_what_the_results_say(self):
        text = html_lib.run_page(_report()[0])
        for said in (
            "\N{MINUS SIGN}80.50",
            "\N{MINUS SIGN}81.00",
            "Step 20 of 30",
            "Facet 1, K = 4",
            "hue (3)",
            "train.learning_rate",
            "1 x cpu",
        ):
            self.assertIn(said, text)
        without = html_lib.run_page(_report(labelings=())[0])
        self.assertIn("have no labels", without)
        self.assertNotIn("many-to-one", without)

    def test_too_many_combinations_are_left_out_rarest_first(self):
        report, assignments, _ = _report(
            (40, 40, 40), n=4000, shape=(2, 2, 1), labelings=()
        )
        page = _Page(html_lib.run_page(report))
        held = [c for c in page.data["combinations"] if c["mean"] is not None]
        left = [c for c in page.data["combinations"] if c["mean"] is None]
        self.assertLen(held, explorer.MAX_COMBINATIONS)
        self.assertLen(
            page.data["combinations"], len(np.unique(assignments, axis=0))
        )
        self.assertGreaterEqual(
            min(c["n"] for c in held), max(c["n"] for c in left)
        )

    @parameterized.parameters(
        ((60, 20), (32, 32, 3), 960),
        ((25, 25), (28, 28, 1), 3000),
        ((30, 20, 10), (64, 64, 3), 500),
    )
    def test_file_stays_below_ten_megabytes(self, n_components, shape, n):
        # Noise does not compress: pictures are smaller.
        report, _, _ = _report(n_components, n=n, shape=shape)
        self.assertLess(len(html_lib.run_page(report)), 10e6)


def _summary():
    results = {
        seed: {
            "terms": {
                "mixture_bound": -seed,
                "mean_field_bound": -9.0,
                "gap/0": 0.5,
                "gap/1": 0.25,
            },
            "clusters_in_use": [3, 4],
            "clusters_needed": [2, 3],
            "diversity": [{"kept": 0.5, "spread": 0.5}] * 2,
            "normalised_mutual_information": [[1.0, 0.25], [0.25, 1.0]],
            "scores": [
                {"facet": 0, "n_components": 5, "labeling": "<digit>"}
                | dict.fromkeys(
                    ("many_to_one", "one_to_one", "nmi", "ari"), seed / 10
                )
            ],
        }
        for seed in (3, 5)
    }
    clusters = np.arange(40).reshape(20, 2) % 4
    return summary.summarise(results, dict.fromkeys(results, clusters))


class SweepPageTest(absltest.TestCase):
    def test_links_to_each_seed_and_tables(self):
        text = html_lib.sweep_page(
            "mine",
            _summary(),
            {seed: f"seed_{seed}/report.html" for seed in (3, 4, 5)},
            (4,),
        )
        page = RunPageTest._check(self, text)
        links = [a["href"] for a in page.all("a")]
        self.assertEqual(links, ["seed_3/report.html", "seed_5/report.html"])
        self.assertIn("Seed 4 diverged", text)
        self.assertIn("&lt;digit&gt;", text)
        self.assertIn("40.0 (14.1)", text)
        self.assertIn("3 seeds", text)


@pytest.mark.slow
class ReportTest(absltest.TestCase):
    """What report.py writes, from a model."""

    def test_explorer_shows_what_the_model_decodes(self):
        settings = examples.settings(
            prior_init={"means": "glorot"}, seed=2, n_seeds=2
        )
        run = runs.make_run(settings)
        seed = runs.of_each_seed(run)[0]
        state = runs.first_state(seed)
        folder = workdir.Workdir(
            self.enterContext(tempfile.TemporaryDirectory())
        )
        with folder.claim(settings, resume=False):
            pass
        text = report_lib.write_reports(run, [state, None], folder)
        path = folder.path / "seed_2" / "report.html"
        self.assertIn(str(path), text)
        page = RunPageTest._check(self, path.read_text())
        sweep = RunPageTest._check(self, folder.report.read_text())
        self.assertEqual(
            [a["href"] for a in sweep.all("a")], ["seed_2/report.html"]
        )
        self.assertIn("Seed 3 diverged", folder.report.read_text())

        # All figures but the learning curves: nothing was trained.
        shown = [a for a in page.all("img") if "id" not in a]
        self.assertLen(shown, 7)
        for attrs in shown:
            self.assertGreater(len(attrs["alt"]), 40)

        assignments = np.load(path.parent / "assignments.npy")
        model, variables = run.stepper.model, state.variables
        means = [
            np.asarray(mixture.means)
            for mixture in model.apply(variables, method=model.mixtures)
        ]
        tiles = page.tiles("generated")
        self.assertLen(page.data["combinations"], 60)
        alpha = np.asarray(runs.score(seed, state).coefficients.alpha)
        for found in page.data["combinations"]:
            self.assertEqual(
                found["n"], (assignments == found["at"]).all(1).sum()
            )
            z = tuple(
                m[None, k] for m, k in zip(means, found["at"], strict=True)
            )
            logits = model.apply(variables, z, alpha, method=model.decode)
            np.testing.assert_allclose(
                tiles[found["mean"]],
                255 * special.expit(np.asarray(logits[0])),
                atol=0.51,
            )
        images = run.dataset.test.images
        held_out = page.tiles("examples")
        for at, about in enumerate(page.data["examples"]):
            np.testing.assert_allclose(
                held_out[at], 255 * images[about["index"]], atol=0.51
            )

    def test_samples_scatter_about_the_means_in_chunks_of_any_size(self):
        run = runs.make_run(examples.settings(prior_init={"means": "glorot"}))
        state = runs.first_state(run)
        components = np.array([[0, 3], [5, 9], [2, 2]], np.int32)

        def sample(n_samples, temperature, batch_size):
            return generation.sample_combinations(
                run.stepper.model,
                run.stepper.likelihood,
                state.variables,
                np.ones(2),
                jax.random.key(0),
                components,
                n_samples=n_samples,
                temperature=temperature,
                batch_size=batch_size,
            )

        means = sample(1, 0.0, 2)
        np.testing.assert_allclose(means, sample(1, 0.0, 3), atol=1e-6)
        scattered = sample(400, 1e-3, 3)
        self.assertEqual(scattered.shape, (3, 400, 8, 8, 1))
        np.testing.assert_allclose(
            scattered.mean(axis=1), means[:, 0], atol=1e-4
        )
        # The spread is that of draws by NumPy.
        model, rng = run.stepper.model, np.random.default_rng(0)
        mixtures = model.apply(state.variables, method=model.mixtures)
        spread = sample(400, 2.0, 3).std(axis=1)
        for i, ks in enumerate(components):
            z = tuple(
                rng.normal(mixture.means[k], 2 * mixture.scale[k], (400, d))
                for mixture, k, d in zip(mixtures, ks, (2, 3), strict=True)
            )
            output = model.apply(
                state.variables, z, np.ones(2), method=model.decode
            )
            expected = special.expit(np.asarray(output)).std(axis=0)
            self.assertAlmostEqual(
                spread[i].mean() / expected.mean(), 1, delta=0.1
            )


@pytest.mark.skipif(
    chromium.find() is None,
    reason=f"no browser found: none of {', '.join(chromium.NAMES)}",
)
@pytest.mark.slow
class BrowserTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.browser = cls.enterClassContext(
            chromium.Browser(chromium.find() or "")
        )
        cls.folder = pathlib.Path(
            cls.enterClassContext(tempfile.TemporaryDirectory())
        )

    def _open(self, report, fragment="", **kwargs):
        path = self.folder / "report.html"
        path.write_text(html_lib.run_page(report), encoding="utf-8")
        self.browser.open(path, fragment, **kwargs)

    def _picked(self):
        return self.browser.value(
            "[...document.querySelectorAll('fieldset input:checked')]"
            ".map((input) => Number(input.value))"
        )

    def _status(self):
        return self.browser.value(
            "document.getElementById('explorer-status').textContent"
        )

    def _shown(self, name):
        """The pixels of the tiles under a heading, uint8, (n, H, W, 4)."""
        return [
            np.array(pixels, np.uint8).reshape(height, width, 4)
            for height, width, pixels in self.browser.value(
                f"[...document.querySelectorAll('#{name} canvas')].map((c) => "
                "[c.height, c.width, [...c.getContext('2d').getImageData("
                "0, 0, c.width, c.height).data]])"
            )
        ]

    def _check(self, report, assignments, images):
        """Compares what is shown with what there is."""
        at = self._picked()
        is_here = (assignments == at).all(axis=1)
        plan = report.plan
        words = re.escape(
            ", ".join(f"facet {j} cluster {k}" for j, k in enumerate(at))
        )
        n = int(is_here.sum())
        count = f"{n} held-out input" if n else "no held-out input"
        self.assertRegex(self._status(), f"(?i)^{words}: {count}s?\\.$")
        (row,) = np.flatnonzero((plan.combinations == at).all(axis=1))
        generated = self._shown("generated")
        np.testing.assert_allclose(
            generated[0][..., :3] / 255,
            np.broadcast_to(report.tiles.means[row], (*images.shape[1:3], 3)),
            atol=0.51 / 255,
        )
        self.assertLen(generated, 1 + (plan.n_samples if n else 0))
        here = self._shown("here")
        self.assertLen(here, min(n, len(plan.here[row])))
        for tile, i in zip(here, plan.here[row], strict=True):
            self.assertTrue(is_here[i])
            np.testing.assert_array_equal(tile[..., :3], images[i])

    @parameterized.named_parameters(
        *((name, kind) for name, kind in _KINDS.items() if name != "grey")
    )
    def test_opens_on_the_most_frequent_without_complaint(self, kind):
        report, assignments, images = _report(**kind)
        self._open(report)
        self.assertEqual(self._picked(), report.plan.combinations[0].tolist())
        self._check(report, assignments, images)
        self.assertEmpty(self.browser.errors)

    def test_address_clicks_and_keys_pick_clusters(self):
        report, assignments, images = _report(n_used=(5, 3))
        self._open(report, "#0=4&1=2")
        self.assertEqual(self._picked(), [4, 2])
        self._check(report, assignments, images)

        self.browser.click('input[name="facet-0"][value="1"]')
        self.assertEqual(self._picked(), [1, 2])
        self._check(report, assignments, images)
        self.assertEqual(self.browser.value("location.hash"), "#0=1&1=2")

        # The keys walk the clusters in the order in which they stand.
        order = report.plan.orders[0].components.tolist()
        after = order[(order.index(1) + 1) % 5]
        self.browser.press("ArrowRight")
        self.assertEqual(self._picked(), [after, 2])
        self._check(report, assignments, images)
        outline = "getComputedStyle(document.activeElement.parentElement)"
        self.assertEqual(self.browser.value(f"{outline}.outlineStyle"), "solid")
        self.browser.press("ArrowLeft")
        self.assertEqual(self._picked(), [1, 2])
        self.browser.press("Tab")  # to the next facet
        self.browser.press("ArrowDown")
        self.assertEqual(self._picked()[0], 1)
        self.assertNotEqual(self._picked()[1], 2)
        self._check(report, assignments, images)

        self.browser.click('input[name="facet-1"][value="3"]')  # empty
        self._check(report, assignments, images)
        self.assertIn(
            "empty",
            self.browser.value(
                "document.getElementById('members-title-1').textContent"
            ),
        )
        self.assertEmpty(self.browser.errors)

    def test_buttons_walk_the_combinations_by_frequency(self):
        report, assignments, images = _report()
        self._open(report)
        for rank in (1, 2):
            self.browser.click("#less-frequent")
            self.assertEqual(
                self._picked(), report.plan.combinations[rank].tolist()
            )
            self._check(report, assignments, images)
        for _ in range(3):  # once more than there are
            self.browser.click("#more-frequent")
        self.assertEqual(self._picked(), report.plan.combinations[0].tolist())
        self.assertEmpty(self.browser.errors)

    def test_combination_that_the_page_does_not_hold_is_told(self):
        report, assignments, _ = _report((5, 4, 6), n=20)
        known = set(map(tuple, assignments.tolist()))
        at = next(ks for ks in np.ndindex(5, 4, 6) if ks not in known)
        self._open(report, "#" + "&".join(f"{j}={k}" for j, k in enumerate(at)))
        self.assertEqual(tuple(self._picked()), at)
        self.assertIn("no held-out input", self._status())
        self.assertIn(
            "does not hold",
            self.browser.value(
                "document.getElementById('generated').innerText"
            ),
        )
        self.assertEmpty(self.browser.errors)

    @parameterized.parameters(320, 390, 1200)
    def test_nothing_is_wider_than_the_window(self, width):
        report, _, _ = _report((25, 10))
        self._open(report, size=(width, 800))
        root = "document.documentElement"
        self.assertLessEqual(
            self.browser.value(f"{root}.scrollWidth"),
            self.browser.value(f"{root}.clientWidth"),
        )

    def test_nonsense_in_the_address_is_passed_over(self):
        report, assignments, images = _report()
        self._open(report, "#0=99&1=x&&=%3Cb%3E")
        self.assertEqual(self._picked(), report.plan.combinations[0].tolist())
        self._check(report, assignments, images)
        self.assertEmpty(self.browser.errors)


if __name__ == "__main__":
    absltest.main()
