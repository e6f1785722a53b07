# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""How Sphinx builds the site: ``make docs``.

The pages are Markdown that GitHub shows as well. Only the pages of ``api/`` are
made from docstrings: a comment there names a room, and every module of it is
put in its place.
"""

import importlib
import os
import pkgutil
import re

os.environ.setdefault("JAX_PLATFORMS", "cpu")

from docutils import nodes  # noqa: E402
from latex2mathml import converter  # noqa: E402
from sphinx.domains.python import PyObject  # noqa: E402

import mfcvae_jax  # noqa: E402

project = "mfcvae_jax"
author = "The mfcvae_jax Authors"
copyright = "2026 The mfcvae_jax Authors"  # noqa: A001
version = release = mfcvae_jax.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}
# What docstrings put between single backticks is code.
default_role = "literal"
highlight_language = "none"

html_theme = "furo"
html_title = "mfcvae_jax"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_copy_source = False
html_show_sphinx = False

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
html_math_renderer = "mathml"
nb_execution_mode = "off"  # a test runs the notebook

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # fields are described once, in their class

# A room, and which of its modules come first.
_ROOM = re.compile(r"^<!-- room: (\S+)(.*) -->$", re.MULTILINE)
# Pages outside of docs/, and what shows them here.
_ELSEWHERE = {
    "../README.md": "index.md",
    "../benchmarks/README.md": "benchmarks.md",
}


def _room(match: re.Match[str]) -> str:
    """The docstring of a room, and a section for each of its modules."""
    room, first = match[1], match[2].split()
    path = getattr(importlib.import_module(room), "__path__", None)
    if path is None:  # a room of one file
        return _automodule(room, ":members:")
    found = {module.name for module in pkgutil.iter_modules(path)}
    # What a package exports is described where it is written.
    parts = [_automodule(room)]
    for name in (*first, *sorted(found - set(first))):
        parts.append(f"## {room.removeprefix('mfcvae_jax.')}.{name}")
        parts.append(_automodule(f"{room}.{name}", ":members:"))
    return "\n\n".join(parts)


def _automodule(name: str, option: str = "") -> str:
    return f"```{{eval-rst}}\n.. automodule:: {name}\n   {option}\n```"


def _read(app, docname, source):
    """Puts in the modules of rooms, and links to pages from elsewhere."""
    del app, docname
    text = _ROOM.sub(_room, source[0])
    for path, page in _ELSEWHERE.items():
        text = text.replace(f"]({path}", f"]({page}")
    source[0] = text


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
        return re.sub(r",[ *,]* parent: .*(?=\))", "", text)

    return short(signature), short(returned)


def _keep_underscores(app, what, name, obj, options, lines):
    """A name such as labels_ would be read as a link called labels."""
    del app, what, name, obj, options
    for i, line in enumerate(lines):
        lines[i] = re.sub(r"^(:ivar \w*[^_\W])_:", r"\1\\_:", line)


_FUNCTION = re.compile(r"(</mi>|</mrow>|</msub>|</mfrac>)(<mi>(?:exp|log)<)")
_FUNCTION_AND_NAME = re.compile(r"(<mi>(?:exp|log)</mi>)(?=<m[isuf])")


def _write_formula(writer, node):
    """Writes a formula as MathML, for which a page needs no network."""
    is_displayed = isinstance(node, nodes.math_block)
    mathml = converter.convert(
        node.astext(), display="block" if is_displayed else "inline"
    )
    # TeX puts a thin space beside the names of functions.
    space = '<mspace width="0.17em"/>'
    mathml = _FUNCTION.sub(rf"\1{space}\2", mathml)
    mathml = _FUNCTION_AND_NAME.sub(rf"\1{space}", mathml)
    unknown = re.findall(r"\\\w+", mathml)
    if unknown:
        raise ValueError(f"no MathML for {unknown} in {node.astext()}")
    tag = "div" if is_displayed else "span"
    writer.body.append(f'<{tag} class="math">{mathml}</{tag}>')
    raise nodes.SkipNode


def setup(app):
    """Called by Sphinx."""
    visitors = (_write_formula, None)
    app.add_html_math_renderer("mathml", visitors, visitors)
    app.connect("source-read", _read)
    app.connect("autodoc-skip-member", _is_field)
    app.connect("autodoc-process-signature", _shorten)
    app.connect("autodoc-process-docstring", _keep_underscores, priority=900)
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"
