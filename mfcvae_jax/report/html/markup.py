# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""HTML from nested calls. A text is escaped unless it is ``Markup``."""

import base64
import html
import importlib.resources
import json
import string
from collections.abc import Iterable, Sequence
from typing import Any

__all__ = [
    "Markup",
    "data_uri",
    "document",
    "join",
    "json_script",
    "number",
    "table",
    "tag",
]

_VOID = ("img", "input")


class Markup(str):
    """Text that is HTML already and goes into a page as it is."""

    __slots__ = ()


def join(parts: Iterable[str]) -> Markup:
    """Sets texts one after the other.

    Args:
        parts: ``Markup`` as it is, other texts to be escaped.

    Returns:
        Their HTML.
    """
    return Markup(
        "".join(
            part if isinstance(part, Markup) else html.escape(part)
            for part in parts
        )
    )


def tag(name: str, /, *children: str, **attributes: Any) -> Markup:
    """Writes an element.

    Args:
        name: of the element.
        *children: ``Markup`` as it is, other texts to be escaped.
        **attributes: ``class_`` is class and ``aria_label`` is aria-label. An
            attribute that is True has no value; one that is False or None is
            left out.

    Returns:
        The element.
    """
    opening = [name]
    for key, value in attributes.items():
        key = key.strip("_").replace("_", "-")
        if value is True:
            opening.append(key)
        elif value is not None and value is not False:
            opening.append(f'{key}="{html.escape(str(value))}"')
    start = f"<{' '.join(opening)}>"
    if name in _VOID:
        return Markup(start)
    return Markup(f"{start}{join(children)}</{name}>")


def table(
    caption: str,
    headers: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    n_heads: int = 1,
) -> Markup:
    """Writes a table that scrolls sideways where the page is narrow.

    Args:
        caption: what it shows.
        headers: of the columns.
        rows: of cells.
        n_heads: cells of each row that name it; the others are numbers.

    Returns:
        The table.
    """
    head = tag(
        "tr",
        *(
            tag("th", text, scope="col", class_="name" if i < n_heads else None)
            for i, text in enumerate(headers)
        ),
    )
    body = [
        tag(
            "tr",
            *(
                tag("th", cell, scope="row") if i < n_heads else tag("td", cell)
                for i, cell in enumerate(row)
            ),
        )
        for row in rows
    ]
    return tag(
        "div",
        tag(
            "table",
            tag("caption", caption),
            tag("thead", head),
            tag("tbody", *body),
        ),
        class_="scroll",
        role="region",
        aria_label=caption,
        tabindex=0,  # so that the arrow keys can scroll it
    )


def number(value: float, n_decimals: int = 2) -> str:
    """Writes a number with the minus sign that is one."""
    return f"{value:.{n_decimals}f}".replace("-", "\N{MINUS SIGN}")


def data_uri(png: bytes) -> str:
    """Writes a PNG file as an address that holds it."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def json_script(identifier: str, value: Any) -> Markup:
    """Writes plain values for a script to read; no text can end the element.

    Args:
        identifier: of the element.
        value: for ``json.dumps``.

    Returns:
        The element.
    """
    text = json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
    return tag("script", Markup(text), type="application/json", id=identifier)


def document(title: str, body: str, *, script: str = "") -> str:
    """Writes a page with the style that all pages share.

    Args:
        title: of the page.
        body: all between its header and its end.
        script: name of a file of this package that runs at the end; may be
            empty.

    Returns:
        The file's text.
    """
    frame = string.Template(_part("frame.html"))
    return frame.substitute(
        title=html.escape(title),
        style=_part("report.css"),
        body=join([body]),
        script=tag("script", Markup(_part(script))) if script else "",
    )


def _part(name: str) -> str:
    return (
        importlib.resources.files("mfcvae_jax.report.html")
        .joinpath(name)
        .read_text(encoding="utf-8")
    )
