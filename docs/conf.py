# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""How Sphinx builds the site: ``make docs``.

The pages are Markdown that GitHub shows as well. Only the pages of ``api/`` are
made from docstrings: a comment there names a room, and every module of it is
put in its place.
"""

import importlib
import os
import pathlib
import pkgutil
import re

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import mfcvae_jax  # noqa: E402

_ROOT = pathlib.Path(__file__).parents[1]
_REPOSITORY = os.environ.get("MFCVAE_DOCS_REPOSITORY", "")

project = "mfcvae_jax"
author = "The mfcvae_jax Authors"
copyright = "2026 The mfcvae_jax Authors"  # noqa: A001
version = release = mfcvae_jax.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}
# What docstrings put between single backticks is code.
default_role = "literal"
suppress_warnings = ["toc.empty_glob"]

html_theme = "furo"
html_title = "mfcvae_jax"
html_static_path = ["_static"]
html_css_files = ["wide_tables.css"]
html_copy_source = False
html_show_sphinx = False

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # a test runs the notebook

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # fields are described once, in their class

_ROOM = re.compile(r"^<!-- room: (\S+) -->$", re.MULTILINE)


def _modules(room: str) -> list[str]:
    """The room itself, if it is a file or says anything, and its modules."""
    package = importlib.import_module(room)
    names = [room]
    for found in pkgutil.iter_modules(getattr(package, "__path__", ())):
        names.append(f"{room}.{found.name}")
    return names


def _room(match: re.Match[str]) -> str:
    """The sections of the modules of one room, in MyST."""
    lines = []
    room, *modules = _modules(match[1])
    for name in (room, *modules):
        title = name.removeprefix("mfcvae_jax.")
        # What a package exports is described where it is written.
        members = "" if modules and name == room else "\n:members:"
        if name != room:
            lines.append(f"## {title}\n")
        lines.append(
            f"```{{eval-rst}}\n.. automodule:: {name}\n   "
            + members.replace("\n", "")
            + "\n```\n"
        )
    return "\n".join(lines)


def _fill_rooms(app, docname, source):
    """Puts the modules where a page of api/ names their room."""
    del app, docname
    source[0] = _ROOM.sub(_room, source[0])


def _is_field(app, what, name, obj, skip, options):
    """Leaves out fields of NamedTuples: their class has described them."""
    del app, what, name, options
    return True if type(obj).__name__ == "_tuplegetter" else skip


def _shorten(app, what, name, obj, options, signature, returned):
    """Writes chex.Array as Array, and leaves out what Flax adds."""
    del app, what, name, obj, options

    def short(text):
        if text is None:
            return None
        text = text.replace("Array | ndarray | bool | number", "Array")
        text = re.sub(r", \*?,? ?parent: .*(?=\))", "", text)
        return text.replace("~", "")

    return short(signature), short(returned)


def setup(app):
    """Called by Sphinx."""
    app.connect("source-read", _fill_rooms)
    app.connect("autodoc-skip-member", _is_field)
    app.connect("autodoc-process-signature", _shorten)
