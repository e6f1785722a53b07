# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The report of a run, or of several seeds, as one HTML file.

Such a page needs nothing else. Plain data in, text out: nothing here knows of
models or training, or writes a file. The templates ``*.html.j2`` escape what
they are given; ``report.css`` and ``explorer.js`` go into the page as they are.
"""

import base64
import functools
from collections.abc import Mapping
from typing import Any

import jinja2
import markupsafe
from flax import traverse_util

from mfcvae_jax.figures import style
from mfcvae_jax.report import results as results_lib

__all__ = ["page", "run_page"]


def run_page(
    results: results_lib.Results, config: Mapping[str, Any], **rest: Any
) -> str:
    """Writes the page of a run, one HTML file that needs no other.

    Args:
        results: all numbers.
        config: the resolved settings, as in config.json.
        **rest: ``title``; ``n_steps`` of the whole training; ``environment``,
            as in environment.json; ``stages`` of training: first epoch, facet
            that enters, epoch from which it is in fully; ``remarks``,
            sentences; ``pictures``, of each figure the caption, what it shows
            in words, and the PNG file; ``explorer``, from the function of that
            name.
    """
    settings = traverse_util.flatten_dict(dict(config), sep=".")
    by_caption = {table.caption: table for table in results.tables()}
    return page(
        "run.html.j2",
        results=results,
        bounds=by_caption.pop(results_lib.BOUNDS.caption),
        scores=by_caption.pop(results_lib.SCORES.caption, None),
        tables=by_caption.values(),
        config=config,
        settings=[(name, repr(value)) for name, value in settings.items()],
        **rest,
    )


def page(template: str, **values: Any) -> str:
    """Fills in a template of this folder.

    That of several seeds, seeds.html.j2, needs ``title``; ``pages``, by seed,
    from the best bound to the worst, the page of each, as seen from this one;
    ``given_up``, by seed, what others did, such as "diverged"; and ``tables``
    that sum them up, by the heading of their section.
    """
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
    return "data:image/png;base64," + base64.b64encode(png).decode()
