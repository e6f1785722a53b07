# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The page of one run, and the page of several seeds, from templates."""

import base64
import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jinja2
import markupsafe
from flax import traverse_util

from mfcvae_jax.figures import style
from mfcvae_jax.report import results as results_lib
from mfcvae_jax.report.html import explorer as explorer_lib

__all__ = ["RunReport", "run_page", "seeds_page"]


class RunReport(NamedTuple):
    """All that the page of a run says.

    Attributes:
        dataset: its name.
        labelings: names of the M labelings.
        n_steps: of the whole training.
        results: all numbers.
        config: the resolved settings, as in config.json.
        environment: as in environment.json.
        stages: of training: first epoch, facet that enters, epoch from which
            it is in fully.
        remarks: what else is to be said of the training, in sentences.
        pictures: of each figure the caption, what it shows in words, and the
            PNG file.
        plan: what the explorer holds.
        tiles: its pictures.
    """

    dataset: str
    labelings: tuple[str, ...]
    n_steps: int
    results: results_lib.Results
    config: Mapping[str, Any]
    environment: Mapping[str, Any]
    stages: Sequence[tuple[float, int, float]]
    remarks: Sequence[str]
    pictures: Sequence[tuple[str, str, bytes]]
    plan: explorer_lib.Plan
    tiles: explorer_lib.Tiles


def run_page(report: RunReport) -> str:
    """Writes the page of a run, one HTML file that needs no other."""
    by_caption = {table.caption: table for table in report.results.tables()}
    bounds = by_caption.pop(results_lib.BOUNDS.caption)
    scores = by_caption.pop(results_lib.SCORES.caption, None)
    settings = traverse_util.flatten_dict(dict(report.config), sep=".")
    return _page(
        "run.html.j2",
        report=report,
        title=f"{report.dataset}, seed {report.config['seed']}",
        explorer=explorer_lib.explorer(
            report.plan, report.tiles, report.labelings
        ),
        bounds=bounds,
        tables=list(by_caption.values()),
        scores=scores,
        settings=[(name, repr(value)) for name, value in settings.items()],
    )


def seeds_page(
    title: str,
    seeds: Sequence[int],
    tables: Mapping[str, results_lib.Table],
    pages: Mapping[int, str],
    given_up: Mapping[int, str],
) -> str:
    """Writes the page of several seeds, one HTML file.

    Args:
        title: of the page.
        seeds: that were trained, from the best bound to the worst.
        tables: that sum them up, by the heading of their section.
        pages: by seed, the page of each, as seen from this one.
        given_up: by seed, what others did: such as "diverged".
    """
    return _page(
        "seeds.html.j2",
        title=title,
        seeds=seeds,
        tables=tables,
        pages=pages,
        given_up=given_up,
    )


def _page(template: str, **values: Any) -> str:
    return _templates().get_template(template).render(values)


@functools.cache
def _templates() -> jinja2.Environment:
    loader = jinja2.PackageLoader("mfcvae_jax.report", "html")
    templates = jinja2.Environment(
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    templates.filters["data_uri"] = _data_uri
    templates.globals["facet_colour"] = style.facet_colour
    templates.globals["part"] = lambda name: markupsafe.Markup(
        loader.get_source(templates, name)[0]
    )
    return templates


def _data_uri(png: bytes) -> str:
    """Writes a PNG file as an address that holds it."""
    return "data:image/png;base64," + base64.b64encode(png).decode()
