# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Where ``train`` keeps what it compiles."""

from unittest import mock

import jax
import pytest

from mfcvae_jax import workdir as workdir_lib
from mfcvae_jax.training import loop
from tests import examples
from tests.commands.calls import call
from tests.training import small_runs


@pytest.mark.parametrize(
    ("flags", "of_jax", "wanted"),
    [
        ((), None, "run/compilation_cache"),
        ((), "/of_jax", None),
        (("--compilation_cache=/asked",), "/of_jax", "/asked"),
    ],
)
def test_flag_then_jax_then_workdir(tmp_path, flags, of_jax, wanted):
    folder = workdir_lib.Workdir(tmp_path / "run")
    _, _, *given = small_runs.command(tmp_path, examples.config(), folder)
    before = jax.config.values["jax_compilation_cache_dir"]
    jax.config.update("jax_compilation_cache_dir", of_jax)
    try:
        with mock.patch.object(loop, "train", side_effect=ValueError) as train:
            call("train", *given, *flags)
    finally:
        jax.config.update("jax_compilation_cache_dir", before)
    found = train.call_args.kwargs["compilation_cache"]
    assert found == (None if wanted is None else tmp_path / wanted)
