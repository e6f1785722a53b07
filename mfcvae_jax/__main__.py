# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The command line ``mfcvae``, also as ``python -m mfcvae_jax``."""

import difflib
import importlib
import sys
from collections.abc import Sequence

import mfcvae_jax

__all__ = ["main"]

# What each does; the file in commands/ has the same name.
_COMMANDS = {
    "train": "train a model, and report on it",
    "evaluate": "print the held-out scores of a run",
    "report": "write scores, figures and report.html of a run again",
    "paper": "draw the paper's figures and tables of a run",
    "sample": "generate images with the model of a run",
    "import-weights": "make a run of weights of the official PyTorch code",
}

_USAGE = """\
Multi-facet clustering variational autoencoders.

    mfcvae COMMAND [flags]
    mfcvae COMMAND --help
    mfcvae --version

commands:
{}

for instance:
  mfcvae train --config=experiments/configs/digits.py --workdir=runs/digits"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command that is named first.

    Args:
        argv: the words after ``mfcvae``; None for those of this process.

    Returns:
        The exit code, if the first word is no command; a command ends the
        process itself.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    first = words[0] if words else ""
    if first in _COMMANDS:
        # Not at the top: its flags are to be defined, and no other's.
        from mfcvae_jax.commands import running

        module = importlib.import_module(
            f"mfcvae_jax.commands.{first.replace('-', '_')}"
        )
        running.start(module, [f"mfcvae {first}", *words[1:]])
    width = max(map(len, _COMMANDS))
    usage = _USAGE.format(
        "\n".join(
            f"  {name:{width}}  {does}" for name, does in _COMMANDS.items()
        )
    )
    if first in ("--help", "-h", "help"):
        print(usage)
        return 0
    if first == "--version":
        print(f"mfcvae {mfcvae_jax.__version__}")
        return 0
    if first:
        close = difflib.get_close_matches(first, _COMMANDS, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        print(f"error: unknown command {first!r}.{hint}\n", file=sys.stderr)
    print(usage, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
