# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Calls of the commands in this process, and a run that they can be given."""

import contextlib
import importlib
import io
import pathlib
import tempfile
from typing import NamedTuple

import numpy as np
from absl.testing import absltest

from mfcvae_jax import workdir as workdir_lib
from mfcvae_jax.commands import running
from mfcvae_jax.training import disk, runs
from tests import examples

COMMANDS = ("train", "evaluate", "report", "paper", "sample", "import-weights")


class Done(NamedTuple):
    code: int
    out: str
    err: str


def in_process(function):
    """What a function prints, and the exit code it ends with."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = function()
        except SystemExit as end:
            code = end.code
    return Done(code, out.getvalue(), err.getvalue())


def call(name, *args):
    """A command, without absl's app.run, which works once in a process."""
    module = importlib.import_module(
        f"mfcvae_jax.commands.{name.replace('-', '_')}"
    )

    def run():
        values = running.parse(module, [f"mfcvae {name}", *map(str, args)])
        return running.exit_code(lambda: module.main(values))

    return in_process(run)


class Untrained(absltest.TestCase):
    """A run of the first state, adopted as if it had been trained."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.workdir = workdir_lib.Workdir(cls.folder / "run")
        cls.of_run = runs.make_run(
            examples.settings(prior_init={"means": "glorot"})
        )
        state = runs.first_state(cls.of_run)
        rng = np.random.default_rng(0)
        params = dict(state.params)
        # Mixing weights that are far from even, to be told from these.
        for j, k in enumerate(cls.of_run.settings.facets.n_components):
            params[f"priors_{j}"] = params[f"priors_{j}"] | {
                "logits": rng.normal(size=k).astype(np.float32)
            }
        cls.variables = state.variables | {"params": params}
        disk.adopt(cls.of_run, cls.workdir, cls.variables)

    def call(self, name, *args):
        done = call(name, f"--workdir={self.workdir.path}", *args)
        self.assertEqual(done.code, 0, done.err)
        return done
