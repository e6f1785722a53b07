# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Calls of the commands in this process, and a run that they can be given."""

import contextlib
import functools
import importlib
import io
import pathlib
import tempfile
from typing import Any, NamedTuple

import numpy as np

from mfcvae_jax import workdir as workdir_lib
from mfcvae_jax.commands import running
from mfcvae_jax.training import disk, runs
from tests import examples

COMMANDS = ("train", "evaluate", "report", "paper", "sample", "import-weights")


class Done(NamedTuple):
    code: int
    out: str
    err: str

    def output(self):
        """What was printed, of what must not fail."""
        assert self.code == 0, self.err
        return self.out

    def error(self):
        """The one line that an error is."""
        assert (self.code, self.err.count("\n")) == (2, 1), self
        return self.err.removeprefix("error: ")


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


class Adopted(NamedTuple):
    folder: tempfile.TemporaryDirectory  # is removed when nobody holds it
    workdir: workdir_lib.Workdir
    run: runs.Run
    variables: Any

    def call(self, name, *args):
        """What a command on the run prints, which must not fail."""
        return call(name, f"--workdir={self.workdir.path}", *args).output()


@functools.cache
def adopted():
    """A run of the first state, adopted as if it had been trained."""
    folder = tempfile.TemporaryDirectory()
    workdir = workdir_lib.Workdir(pathlib.Path(folder.name, "run"))
    run = runs.make_run(examples.settings(prior_init={"means": "glorot"}))
    state = runs.first_state(run)
    rng = np.random.default_rng(0)
    params = dict(state.params)
    # Mixing weights that are far from even, to be told from these.
    for j, k in enumerate(run.settings.facets.n_components):
        logits = rng.normal(size=k).astype(np.float32)
        params[f"priors_{j}"] = params[f"priors_{j}"] | {"logits": logits}
    variables = state.variables | {"params": params}
    disk.adopt(run, workdir, variables)
    return Adopted(folder, workdir, run, variables)
