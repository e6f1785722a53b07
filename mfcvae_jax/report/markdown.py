# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tables as text."""

from collections.abc import Sequence
from typing import Any

__all__ = ["table"]


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Writes a table in Markdown.

    Args:
        header: of the columns.
        rows: of cells, written by ``str``.

    Returns:
        Lines of text.
    """
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
