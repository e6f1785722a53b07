# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The pages: parsed, compared with what went in, and used in a browser."""

import base64
import html.parser
import io
import json
import re
import types

import numpy as np
import pytest
from PIL import Image
from scipy import special

from mfcvae_jax import config as config_lib
from mfcvae_jax.report import html as html_lib
from mfcvae_jax.report import seeds
from mfcvae_jax.report.html import explorer
from tests import chromium, examples
from tests.report.results_test import example

_VOID = ("img", "input", "meta", "link")
_PNG = "data:image/png;base64,"


class Page(html.parser.HTMLParser):
    """The elements of a page; an AssertionError if it is not well nested."""

    def __init__(self, text):
        super().__init__()
        self.elements = []  # (tag, attributes)
        self.data = ""  # of the explorer
        self._open = []
        self.feed(text)
        self.close()
        assert not self._open, self._open
        self.data = json.loads(self.data or "{}")

    def handle_starttag(self, tag, attrs):
        assert len(attrs) == len(dict(attrs)), attrs
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open and self._open.pop() == tag, (tag, self._open)

    def handle_data(self, data):
        if self._open[-1:] == ["script"]:
            is_data = self.elements[-1][1].get("id") == "explorer-data"
            self.data += data if is_data else ""

    def all(self, tag):
        return [attrs for found, attrs in self.elements if found == tag]

    def tiles(self, name):
        """The tiles of a sheet, uint8, shape (n, H, W, C)."""
        (uri,) = (
            attrs["src"]
            for attrs in self.all("img")
            if attrs.get("id") == f"{name}-sprites"
        )
        file = io.BytesIO(base64.b64decode(uri.removeprefix(_PNG)))
        sheet = np.asarray(Image.open(file))
        sheet = sheet.reshape(*sheet.shape[:2], -1)
        height, width = self.data["height"], self.data["width"]
        columns = self.data["columns"][name]
        return (
            sheet.reshape(-1, height, columns, width, sheet.shape[-1])
            .swapaxes(1, 2)
            .reshape(-1, height, width, sheet.shape[-1])
        )


def report(
    n_components=(5, 4),
    *,
    n_used=None,
    n=120,
    shape=(4, 4, 3),
    labelings=("digit", "hue"),
    **rest,
):
    """The page of an untrained run with random assignments and tiles."""
    rng = np.random.default_rng(0)
    n_facets = len(n_components)
    resp = []
    for k, used in zip(n_components, n_used or n_components, strict=True):
        logits = rng.normal(size=(n, k))
        logits[np.arange(n), rng.integers(0, used, n)] += 8
        logits[:, used:] -= 50
        resp.append(special.softmax(logits, axis=1))
    plan = explorer.plan(resp, shape)
    images = rng.integers(0, 256, (n, *shape), np.uint8)
    labels = rng.integers(0, 3, (n, len(labelings)))
    means = rng.random((plan.n_generated, *shape), np.float32)
    of_each = (len(plan.here), plan.level.n_samples)
    samples = rng.random((*of_each, *shape), np.float32)
    config = config_lib.to_config(examples.settings())
    sizes = {"n_components": n_components, "latent_dim": (2,) * n_facets}
    config["facets"] |= sizes
    results = example(n_facets, labelings=labelings)
    values = {
        "title": "mine",
        "n_steps": 30,
        "environment": {"device": "1 x cpu", "versions": {"jax": "1.0"}},
        "stages": [(0.0, 1, 0.0), (3.0, 0, 4.5)],
        "remarks": ["Facet 1 was trained on random views"],
        "pictures": [("Swaps", "What is swapped", b"PNG")],
        "explorer": explorer.explorer(
            plan, means, samples, images, labels, labelings
        ),
    }
    return types.SimpleNamespace(
        text=html_lib.run_page(results, config, **(values | rest)),
        results=results,
        plan=plan,
        means=means,
        samples=samples,
        assignments=np.stack([r.argmax(1) for r in resp], 1),
        images=images,
    )


def check(text):
    """What holds for every page; returns it parsed."""
    page = Page(text)
    for tag, attrs in page.elements:
        for name in {"src", "href"} & attrs.keys():
            assert re.match(r"data:|#|seed_\d+/", attrs[name])
        if tag == "img":
            assert "alt" in attrs
            assert attrs["src"].startswith(_PNG)
        if tag == "input" or attrs.get("role") == "region":
            assert attrs["aria-label"]
        for key, value in attrs.items():
            assert not key.startswith("on")
            assert "javascript:" not in (value or "")
    assert not re.search(r"@import|url\(|https?://|fetch\(", text)
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(set(ids)) == len(ids)
    assert len(page.all("fieldset")) == len(page.all("legend"))
    assert len(page.all("h1")) == 1
    assert [a for a in page.all("meta") if a.get("name") == "viewport"]
    return page


class TestRunPage:
    @pytest.mark.parametrize(
        "kind",
        [
            {},
            {"n_components": (6,)},
            {"n_components": (5, 4, 6)},
            {"labelings": ()},
            {"n_used": (3, 1)},
            {"shape": (6, 5, 1)},
        ],
        ids=["two", "one", "three", "no labels", "empty clusters", "grey"],
    )
    def test_every_tile_is_where_it_belongs(self, kind):
        about = report(**kind)
        page, assignments = check(about.text), about.assignments
        n_components = [order.n_components for order in about.plan.orders]
        assert len(page.all("input")) == sum(n_components)
        checked = [a for a in page.all("input") if "checked" in a]
        assert len(checked) == len(n_components)
        data = page.data
        indices = [shown["index"] for shown in data["examples"]]
        for tile, i in zip(page.tiles("examples"), indices, strict=False):
            np.testing.assert_array_equal(tile, about.images[i])
        generated = page.tiles("generated") / 255
        for i, found in enumerate(data["combinations"]):
            assert found["at"] == about.plan.combinations[i].tolist()
            is_here = (assignments == found["at"]).all(axis=1)
            assert found["n"] == is_here.sum()
            shown = [indices[slot] for slot in found["here"]]
            assert is_here[shown].all()
            assert bool(shown) == bool(found["samples"]) == (found["n"] > 0)
            pairs = [(found["mean"], about.means[i])]
            if shown:
                pairs.append((found["samples"], about.samples[i]))
            for slots, wanted in pairs:
                np.testing.assert_allclose(
                    generated[slots], wanted, atol=0.51 / 255
                )
        for j, clusters in enumerate(data["facets"]):
            sizes = np.bincount(assignments[:, j], minlength=n_components[j])
            assert set(clusters) == set(map(str, np.flatnonzero(sizes)))
            for k, found in clusters.items():
                assert found["n"] == sizes[int(k)]
                shown = [indices[x] for x in found["members"]]
                assert (assignments[shown, j] == int(k)).all()
        n_used = sum(len(clusters) for clusters in data["facets"])
        assert about.text.count(">empty<") == sum(n_components) - n_used
        counts = [c["n"] for c in data["combinations"]]
        assert sum(counts) == len(about.images)
        assert counts == sorted(counts, reverse=True)
        if len(n_components) <= 2:
            assert len(counts) == np.prod(n_components)
        else:
            assert all(counts)
            assert "Of 120 combinations" in about.text

    def test_names_cannot_break_out_of_the_page(self):
        evil = "</script></title><img src=x onerror=alert(1)>\"'&<!--{{ 1 }}"
        page = check(
            report(
                title=evil,
                labelings=(evil, "$title"),
                environment={"versions": {evil: evil}},
                pictures=[(evil, evil, b"PNG")],
            ).text
        )
        assert len(page.all("script")) == 2
        assert len(page.all("img")) == 3
        assert page.data["labelings"] == [evil, "$title"]
        assert [a["alt"] for a in page.all("img") if a["alt"]] == [evil]

    def test_page_says_what_the_results_say(self):
        about = report()
        kept = 100 * about.results.diversity[1]["kept"]
        for said in (
            "\N{MINUS SIGN}80.50",
            "\N{MINUS SIGN}81.00",
            "5 clusters in 2 dimensions and",
            "Step 20 of 30",
            "Facet 1, K = 9",
            "hue (3)",
            f"<td>{kept:.1f}</td>",
            "Facet 1 is there from epoch 0 on",
            "Facet 0 enters at epoch 3 and is in fully at epoch 4.5",
            'src="data:image/png;base64,UE5H" alt="What is swapped"',
            "train.learning_rate",
            "dense_ladder",
            "1 x cpu",
        ):
            assert said in about.text, said
        without = report(labelings=()).text
        assert "have no labels" in without
        assert "many-to-one" not in without

    def test_too_many_combinations_are_left_out_rarest_first(self):
        about = report((40, 40, 40), n=4000, shape=(2, 2, 1), labelings=())
        found = Page(about.text).data["combinations"]
        held = [c["n"] for c in found if c["mean"] is not None]
        left = [c["n"] for c in found if c["mean"] is None]
        assert len(held) == explorer.MAX_COMBINATIONS
        assert len(found) == len(np.unique(about.assignments, axis=0))
        assert min(held) >= max(left)

    @pytest.mark.parametrize(
        ("n_components", "shape", "n"),
        [((60, 20), (32, 32, 3), 960), ((30, 20, 10), (64, 64, 3), 500)],
    )
    def test_file_stays_below_ten_megabytes(self, n_components, shape, n):
        # Noise does not compress: pictures are smaller.
        assert len(report(n_components, n=n, shape=shape).text) < 10e6


def test_page_of_seeds_links_to_each_and_has_its_tables():
    results = {
        seed: example(seed=seed, labelings=("<digit>",)) for seed in (3, 5)
    }
    clusters = np.arange(40).reshape(20, 2) % 4
    summary = seeds.summarise(results, dict.fromkeys(results, clusters))
    text = html_lib.page(
        "seeds.html.j2",
        title="mine, 3 seeds",
        pages={seed: f"seed_{seed}/report.html" for seed in summary.seeds},
        given_up={4: "diverged"},
        tables=dict(enumerate(seeds.tables(summary))),
    )
    page = check(text)
    assert [a["href"] for a in page.all("a")] == [
        f"seed_{seed}/report.html" for seed in summary.seeds
    ]
    assert "Seed 4 diverged" in text
    assert "&lt;digit&gt;" in text
    nmi = [100 * found.scores[1]["nmi"] for found in results.values()]
    assert f"{np.mean(nmi):.1f} ({np.std(nmi, ddof=1):.1f})" in text


@pytest.mark.slow
@pytest.mark.skipif(
    chromium.find() is None,
    reason=f"no browser found: none of {', '.join(chromium.NAMES)}",
)
def test_explorer_in_a_browser(tmp_path):
    """Address, clicks, keys and buttons pick clusters; all is as assigned."""
    about = report(n_used=(5, 3))
    path = tmp_path / "report.html"
    path.write_text(about.text, encoding="utf-8")
    with chromium.Browser(chromium.find() or "") as browser:

        def shown(name):
            """The pixels of the tiles under a heading, (n, H, W, 4)."""
            return [
                np.array(pixels, np.uint8).reshape(height, width, 4)
                for height, width, pixels in browser.value(
                    f"[...document.querySelectorAll('#{name} canvas')].map("
                    "(c) => [c.height, c.width, [...c.getContext('2d')"
                    ".getImageData(0, 0, c.width, c.height).data]])"
                )
            ]

        def check_picked(*at):
            picked = browser.value(
                "[...document.querySelectorAll('fieldset input:checked')]"
                ".map((input) => Number(input.value))"
            )
            assert picked == list(at)
            is_here = (about.assignments == picked).all(axis=1)
            n = int(is_here.sum())
            words = ", ".join(
                f"facet {j} cluster {k}" for j, k in enumerate(at)
            )
            status = browser.value(
                "document.getElementById('explorer-status').textContent"
            ).lower()
            assert status.startswith(f"{words}: {n or 'no'} held-out input")
            (row,) = np.flatnonzero((about.plan.combinations == at).all(axis=1))
            generated = shown("generated")
            assert len(generated) == 1 + (
                about.plan.level.n_samples if n else 0
            )
            np.testing.assert_allclose(
                generated[0][..., :3] / 255,
                about.means[row],
                atol=0.51 / 255,
            )
            here = about.plan.here[row] if n else ()
            for tile, i in zip(shown("here"), here, strict=True):
                assert is_here[i]
                np.testing.assert_array_equal(tile[..., :3], about.images[i])

        first, second = about.plan.combinations[:2].tolist()
        browser.open(path, "#0=99&1=x&&=%3Cb%3E")  # nonsense is passed over
        check_picked(*first)
        browser.click("#less-frequent")
        check_picked(*second)
        for _ in range(2):  # once more than there are
            browser.click("#more-frequent")
        check_picked(*first)

        browser.open(path, "#0=4&1=2")
        check_picked(4, 2)
        browser.click('input[name="facet-0"][value="1"]')
        check_picked(1, 2)
        assert browser.value("location.hash") == "#0=1&1=2"
        # The keys walk the clusters in the order in which they stand.
        order = about.plan.orders[0].components.tolist()
        browser.press("ArrowRight")
        check_picked(order[(order.index(1) + 1) % 5], 2)
        browser.click('input[name="facet-1"][value="3"]')
        title = "document.getElementById('members-title-1').textContent"
        assert "empty" in browser.value(title)
        assert not browser.errors

        for width in (320, 1200):  # nothing is wider than the window
            browser.open(path, size=(width, 800))
            root = "document.documentElement"
            assert browser.value(f"{root}.scrollWidth") <= browser.value(
                f"{root}.clientWidth"
            )

        about = report((5, 4, 6), n=20)
        path.write_text(about.text, encoding="utf-8")
        known = set(map(tuple, about.assignments.tolist()))
        at = next(ks for ks in np.ndindex(5, 4, 6) if ks not in known)
        browser.open(path, "#" + "&".join(f"{j}={k}" for j, k in enumerate(at)))
        text = "document.getElementById('generated').innerText"
        assert "does not hold" in browser.value(text)
        assert not browser.errors
