# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tables of docs have the numbers of the committed CSV files.

Of each table the lines are made anew from its file in docs/results, which the
command beside the table writes, and looked for in the page.
"""

import collections
import statistics

import numpy as np
import pytest

from mfcvae_jax.report import markdown, study
from tests.scripts import ROOT, results

_DOCS = ROOT / "docs"


def _values(name, *columns):
    """The values of the seeds, by the text in some columns."""
    found = collections.defaultdict(list)
    for row in results(name):
        found[tuple(row[c] for c in columns)].append(float(row["value"]))
    return found


class _Sweep:
    """What `experiments/sweep.py` wrote, by arm, facet, labeling, measure."""

    def __init__(self, *names):
        columns = ("arm", "facet", "labeling", "measure")
        self._values = {}
        for name in names:
            self._values |= _values(name, *columns)

    def values(self, arm, measure, facet="", labeling=""):
        found = self._values[arm, facet, labeling, measure]
        assert len(found) == 5, (arm, facet, labeling, measure)
        return found

    def cell(self, arm, measure, facet="", labeling=""):
        """Mean (standard deviation), in % of what a labeling scores."""
        found = self.values(arm, measure, facet, labeling)
        if labeling:
            return markdown.summary(found, 1, 100)
        return markdown.summary(found, 2 if measure.endswith("bound") else 1)


def _line(*cells):
    return f"| {' | '.join(map(str, cells))} |"


def published_lines():
    sweep = _Sweep("published")
    for arm, facet, k, labeling in (
        ("digits_tinted", "0", 25, "digit"),
        ("digits_tinted", "0", 25, "hue"),
        ("digits_tinted", "1", 10, "digit"),
        ("digits_tinted", "1", 10, "hue"),
        ("digits", "0", 10, "digit"),
        ("digits", "1", 25, "digit"),
        ("digits_vade", "0", 10, "digit"),
    ):
        cells = [
            sweep.cell(arm, measure, facet, labeling)
            for measure in ("many_to_one", "one_to_one", "nmi")
        ]
        yield _line(f"{facet}, K = {k}", labeling, *cells)[2:]


def published_mnist_lines():
    found = collections.defaultdict(list)
    for row in results("published_mnist"):
        for measure in ("many_to_one", "nmi"):
            key = (row["epoch"], row["facet"], measure)
            found[key].append(float(row[measure]))
    for epoch in (5, 10, 20, 40, 60, 100, 150, 200):
        cells = []
        for facet, measure in (
            ("1", "many_to_one"),
            ("1", "nmi"),
            ("0", "many_to_one"),
        ):
            values = found[f"{epoch}.0", facet, measure]
            assert len(values) == 10, epoch
            cells.append(markdown.summary(values, 1, 100))
        yield _line(epoch, *cells)


def published_scenes_lines():
    found = collections.defaultdict(list)
    for row in results("published_shapes3d_rendered_floor"):
        if row["epoch"] == "140.0":
            key = (row["facet"], row["labeling"])
            found[key].append(float(row["many_to_one"]))
    for facet, k in (("0", 60), ("1", 20)):
        cells = []
        for labeling in ("floor_hue", "shape", "scale", "orientation"):
            assert len(found[facet, labeling]) == 5
            cells.append(markdown.summary(found[facet, labeling], 1, 100))
        yield _line(f"{facet}, K = {k}", *cells)


def warm_ups_lines():
    """Of each arm seeds whose labelings all are above .95, and the mean."""
    labelings = ("letter", "colour", "corner")
    found = collections.defaultdict(lambda: np.zeros((3, 3)))
    for row in results("recipe"):
        is_held_back = row["images"] == "held back"
        if is_held_back and row["labeling"] in labelings:
            nmi = found[row["arm"], row["seed"]]
            at = int(row["facet"]), labelings.index(row["labeling"])
            nmi[at] = float(row["nmi"])
    for arm, name in {
        "both": "as in `nrletters.py`: one dimension, warm-ups of 8, 5, 5 "
        "epochs of 50 steps",
        "both, shorter warm-ups": "warm-ups of 8, 3, 3, in shorter stages",
        "both, longer warm-ups": "warm-ups of 8, 8, 8, in longer stages",
        "both, 3 dimensions": "three dimensions",
        "warm-ups": "no price",
        "both, data-dependent initialisation": "data-dependent initialisation",
    }.items():
        seeds = [nmi for (of, _), nmi in found.items() if of == arm]
        assert len(seeds) == 10, arm
        own = np.array([nmi[study.own_facets(nmi), range(3)] for nmi in seeds])
        n_all = (own > 0.95).all(axis=1).sum()
        mean = markdown.summary(own.mean(axis=1).tolist(), 1, 100)
        yield _line(name, n_all, mean)


def kept_lines():
    sweep = _Sweep("published")
    for arm, facet, what, truth, k in (
        ("digits", "1", "digit", "10", 25),
        ("digits", "0", "weight of the stroke", "-", 10),
        ("digits_tinted", "0", "digit", "10", 25),
        ("digits_tinted", "1", "hue", "5", 10),
    ):
        kept = sweep.values(arm, "clusters_needed", facet)
        by_seed = ", ".join(f"{n:.0f}" for n in kept)
        name = f"`published/{arm}.py`, {facet} ({what})"
        yield _line(name, truth, f"{by_seed} of {k}")


def stages_lines():
    sweep = _Sweep("stages")
    for stages in ((150, 150), (100, 200), (60, 240), (38, 262), (30, 270)):
        cells = []
        for config, facet, labeling in (
            ("digits", "1", "digit"),
            ("digits_tinted", "0", "digit"),
            ("digits_tinted", "1", "hue"),
        ):
            arm = f"{config},progressive.stage_epochs={stages}".replace(" ", "")
            cells.append(sweep.cell(arm, "many_to_one", facet, labeling))
            nmi = sweep.values(arm, "nmi", facet, labeling)
            cells.append(f"{100 * statistics.mean(nmi):.1f}")
        yield _line(f"{stages[0]}, {stages[1]}", *cells)


def one_facet_lines():
    sweep = _Sweep("one_facet")
    for loss in ("five_terms", "closed_form"):
        cells = [
            sweep.cell(f"digits_vade,train.estimator={loss}", m, "0", "digit")
            for m in ("many_to_one", "one_to_one", "nmi")
        ]
        yield _line(f"`{loss}`", *cells)


def priors_lines():
    sweep = _Sweep("priors", "student_t")
    arms = {
        f"`{form}`": f"digits,facets.covariance=('{form}','{form}')"
        for form in ("diagonal", "full", "spherical", "tied")
    }
    for name, arm in (arms | {"Student's t": "digits_student_t"}).items():
        has_f = arm != "digits_student_t"
        yield _line(
            name,
            sweep.cell(arm, "mixture_bound"),
            sweep.cell(arm, "mean_field_bound") if has_f else "",
            *(
                sweep.cell(arm, measure, "1", "digit")
                for measure in ("many_to_one", "one_to_one", "nmi")
            ),
            sweep.cell(arm, "clusters_in_use", "1"),
            sweep.cell(arm, "clusters_in_use", "0"),
        ).replace("|  |", "| |")


def ablation_lines():
    sweep = _Sweep("ablation")
    for name, arm in {
        "ladder, progressive": "digits",
        "ladder, all at once": "digits_at_once",
        "one encoder, progressive": "digits_shared",
        "one encoder, all at once": "digits_shared_at_once",
    }.items():
        cells = (sweep.cell(arm, "many_to_one", j, "digit") for j in "01")
        yield _line(name, *cells)


def estimators_lines():
    found = _values("estimators", "estimator", "n_samples", "measure")

    def cell(estimator, n_samples, measure, n_decimals):
        values = found[estimator, n_samples, measure]
        assert len(values) == 5, (estimator, n_samples, measure)
        return markdown.summary(values, n_decimals)

    arms = (
        ("five_terms", "1"),
        ("mixture_bound", "8"),
        ("five_terms", "8"),
        ("closed_form", "1"),
    )
    bounds = dict.fromkeys(("M", "F", "M - F", "log p(x)"), 2)
    scores = {}
    for j in (1, 0):
        at = f"facet {j}, digit"
        scores[f"{at}, many-to-one %"] = scores[f"{at}, one-to-one %"] = 1
        scores[f"clusters in facet {j}"] = 1
    noise = {"all parameters": 1, "those of the priors": 2}
    for arm in arms:
        for columns in (bounds | {"median ESS": 1}, scores):
            cells = (cell(*arm, *column) for column in columns.items())
            yield _line(f"`{arm[0]}`", arm[1], *cells)
    for name in ("five_terms", "mixture_bound", "gaussian_kl", "closed_form"):
        for n_samples in ("1", "8"):
            if (name, n_samples) == ("mixture_bound", "1"):
                continue  # it is five_terms then
            cells = (cell(name, n_samples, *column) for column in noise.items())
            yield _line(f"`{name}`", n_samples, *cells)


_CHOOSING = {
    "digits": ("digit",),
    "digits_tinted": ("digit", "hue"),
    "shapes3d_rendered_floor": ("floor_hue", "shape", "scale", "orientation"),
}


def _choosing(data):
    name = f"choosing_{data}"
    assert {row["data"] for row in results(name)} == {data}
    return _values(name, "n_facets", "facet", "measure")


def choosing_lines():
    for data in _CHOOSING:
        found = _choosing(data)
        for n in "123":
            facets = [str(j) for j in range(int(n))]
            stability = [found[n, j, "stability"][0] for j in facets]
            used = [found[n, j, "clusters in use"] for j in facets]
            yield _line(
                n,
                markdown.summary(found[n, "", "bound"]),
                ", ".join(f"{value:.2f}" for value in stability),
                ", ".join(f"{statistics.mean(ks):.1f}" for ks in used),
                f"{statistics.mean(found[n, '', 'redundancy']):.2f}",
            )


def choosing_labels_lines():
    """Labelings of which a facet tells a fifth, or that it is one cluster."""
    for data, labelings in _CHOOSING.items():
        found = _choosing(data)
        for n_facets in "123":
            cells = []
            for j in map(str, range(int(n_facets))):
                (k,) = found[n_facets, j, "clusters"]
                nmi = {m: found[n_facets, j, m][0] for m in labelings}
                told = [
                    f"{name.replace('_', ' ')} {100 * value:.0f}"
                    for name, value in nmi.items()
                    if value >= 0.2
                ]
                many = f"{', '.join(told) or 'none'} ({k:.0f} clusters)"
                cells.append("one cluster" if k == 1 else many)
            yield _line(n_facets, "; ".join(cells))


@pytest.mark.parametrize(
    "page, lines",
    [
        ("results.md", published_lines),
        ("results.md", published_mnist_lines),
        ("results.md", published_scenes_lines),
        ("results.md", ablation_lines),
        ("choosing.md", choosing_lines),
        ("choosing.md", choosing_labels_lines),
        ("choosing.md", kept_lines),
        ("choosing.md", stages_lines),
        ("choosing.md", one_facet_lines),
        ("priors.md", priors_lines),
        ("recipe.md", warm_ups_lines),
        ("estimators.md", estimators_lines),
    ],
)
def test_lines_are_in_the_page(page, lines):
    text = (_DOCS / page).read_text().replace("**", "")
    missing = [line for line in lines() if line.rstrip(" |") not in text]
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize(
    "page, name", [("results.md", "recipe"), ("rivals.md", "rivals")]
)
def test_whole_tables_are_in_the_page(page, name):
    assert study.table(results(name)) in (_DOCS / page).read_text()
