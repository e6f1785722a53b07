# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The flag --config: a file of settings, and changes to it."""

import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from absl import flags
from ml_collections import config_flags

from mfcvae_jax.commands import running

if TYPE_CHECKING:
    from mfcvae_jax.settings import Settings

__all__ = ["config", "path", "read"]


def config(help_string: str) -> running.Flag:
    """Returns the flag --config, which must be given, for ``Command.FLAGS``."""

    def define(values: flags.FlagValues, argv: Sequence[str]) -> None:
        config_flags.DEFINE_config_file(
            "config",
            help_string=f"{help_string} --config.section.setting=value changes "
            "a setting; mfcvae_jax/settings.py explains each.",
            # Another kind of net has settings that the file lacks. A setting
            # that nothing knows is refused when they are read.
            lock_config=False,
            accept_new_attributes=True,
            flag_values=values,
            sys_argv=list(argv),
        )
        flags.mark_flag_as_required("config", values)
        # The flag itself would say so in five lines, and only when it is used.
        for arg, after in zip(argv, [*argv[1:], ""], strict=True):
            name, is_there, value = arg.partition("=")
            if name in ("--config", "-config"):
                path = (value if is_there else after).partition(":")[0]
                if not pathlib.Path(path).is_file():
                    raise flags.Error(f"--config: there is no file {path!r}")

    return define


def path(values: flags.FlagValues) -> str:
    """Returns the file that --config names."""
    return config_flags.get_config_filename(values["config"]).partition(":")[0]


def read(values: flags.FlagValues) -> "Settings":
    """Returns the checked settings.

    Raises:
        ValueError: if a setting makes no sense; it is named.
    """
    from mfcvae_jax import config as config_lib

    return config_lib.from_config(
        config_lib.changed(
            values.config.to_dict(),
            config_flags.get_override_values(values["config"]),
        )
    )
