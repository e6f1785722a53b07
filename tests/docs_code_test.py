# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The code of README.md, docs/*.md and the notebooks does what it says.

Python blocks run, in a folder of their own, the blocks of a page one after the
other with the same names; shell blocks are checked, see ``documented``. Readers
do not see the comments

    <!-- test: python ... -->   code of the test, in its place between blocks
    <!-- test: run -->          the commands of the next block run, made short

Training is made short in both: the estimator's own choice of epochs, and the
stages of a config.
"""

import contextlib
import io
import re
import shlex
from unittest import mock

import nbformat
import pytest
from absl import flags
from absl.testing import parameterized

from mfcvae_jax import config as config_lib
from mfcvae_jax import model, settings
from mfcvae_jax.estimator import defaults
from mfcvae_jax.evaluation import probes
from mfcvae_jax.variational import elbo
from tests import documented
from tests.documented import NOTEBOOKS, PAGES, ROOT

_SHELL = {"", "sh", "bash", "shell"}


class ShellTest(parameterized.TestCase):
    """That a wrong block would be found."""

    def test_loops_and_continued_lines_are_those_of_the_shell(self):
        # Jobs in the background come in any order.
        self.assertCountEqual(
            documented.calls_of(
                "for i in 1 2; do\n  mfcvae x \\\n    --n=$i &\ndone; wait"
            ),
            [["mfcvae", "x", "--n=1"], ["mfcvae", "x", "--n=2"]],
        )

    @parameterized.parameters(
        "wget http://example.com",
        "mfcvae train --config=experiments/configs/digits.py",
        "mfcvae train --config=nowhere.py --workdir=x",
        "mfcvae evaluate --workdir=x --n=3",
        "mfcvae fly --workdir=x",
        "python experiments/nowhere.py",
        "python experiments/paper.py --workdir=x --mark=figure_4",
        "mfcvae paper --workdir=x --make=figure_44",
        "python experiments/bounds.py --out=x y",
        "python experiments/sweep.py --workdir=x --vary=seed=1 "
        "--configs=nowhere.py",
        "make tea",
        "pip install '.[tea]'",
        "pip install sphinx",
        "for",
        "mfcvae train --config=experiments/configs/digits.py --workdir=x "
        "--config.seed=-1",
    )
    def test_a_command_that_would_not_run_is_refused(self, code):
        with (
            documented.own_folder(),
            contextlib.redirect_stderr(io.StringIO()),
            self.assertRaises(
                (
                    AssertionError,
                    ImportError,
                    OSError,
                    SystemExit,
                    ValueError,
                    flags.Error,
                )
            ),
        ):
            for call in documented.calls_of(code):
                documented.check_call(call)


@pytest.mark.slow
class PagesTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        # The examples register what they add.
        for table in (
            elbo.ESTIMATORS,
            model.NETS,
            *settings.KINDS.values(),
        ):
            self.enterContext(mock.patch.dict(table))
        for name in ("_LEAST_STEPS", "_EPOCHS", "_MOST_STEPS"):
            self.enterContext(mock.patch.object(defaults, name, 20))
        self.enterContext(mock.patch.object(defaults, "_STARTS", 1))
        # These have tests of their own, and take long.
        self.enterContext(
            mock.patch.object(probes, "probe_accuracy", return_value=0.5)
        )
        self.enterContext(documented.own_folder())

    @parameterized.parameters(*PAGES, *NOTEBOOKS)
    def test_code_runs(self, page):
        names: dict = {}
        is_next_run = False
        for part in documented.parts_of(page):
            where = f"{page}:{part.line}"
            # A block that fails leaves the subtest at once.
            is_run, is_next_run = is_next_run, False
            with self.subTest(where):
                # An HTML page shows no place of an error in exec.
                if part.language == "test":
                    word, _, code = part.code.partition("\n")
                    self.assertIn(word, ("run", "python"), where)
                    is_next_run = word == "run"
                    if word == "python":
                        exec(compile(code, where, "exec"), names)
                    continue
                if part.language == "python":
                    exec(compile(part.code, where, "exec"), names)
                elif part.language in _SHELL:
                    for call in documented.calls_of(part.code):
                        documented.check_call(call)
                        if is_run:
                            documented.run_call(call)
                else:
                    self.assertRegex(part.language, r"^(text|\{.*\}.*)$", where)


class NotebooksTest(parameterized.TestCase):
    @parameterized.parameters(*((name,) for name in NOTEBOOKS))
    def test_what_is_stored_is_small_and_ran_in_order(self, name):
        self.assertLess((ROOT / name).stat().st_size, 500_000)
        notebook = nbformat.read(ROOT / name, as_version=4)
        nbformat.validate(notebook)
        cells = [c for c in notebook.cells if c.cell_type == "code"]
        self.assertEqual(
            [cell.execution_count for cell in cells],
            list(range(1, len(cells) + 1)),
        )
        for output in (output for cell in cells for output in cell.outputs):
            self.assertNotEqual(output.output_type, "error")
            self.assertNotEqual(output.get("name"), "stderr", output)


class PlainTextTest(parameterized.TestCase):
    """What is named between backticks exists."""

    @parameterized.parameters(*PAGES)
    def test_files_settings_and_flags_exist(self, page):
        known = config_lib.load(ROOT / "experiments/configs/svhn.py")
        text = (ROOT / page).read_text()
        for code in re.findall(r"`([^`\n]+)`", text):
            with self.subTest(code):
                path = re.match(
                    r"(?:mfcvae_jax|experiments|benchmarks|tests|docs)/"
                    r"[\w/]+(?:\.\w+)?",
                    code,
                )
                if path:
                    self.assertTrue((ROOT / path[0]).exists(), code)
                if code.startswith("mfcvae ") and "--" in code:
                    # A table need not name the folder each time.
                    _, name, *args = shlex.split(code)
                    with contextlib.chdir(ROOT):
                        documented.parse_command(
                            name.replace("-", "_"), ["--workdir=x", *args]
                        )
                for setting in re.findall(r"--config\.([\w.]+)=", code):
                    section, _, name = setting.rpartition(".")
                    place = known[section] if section else known
                    self.assertIn(name, place, code)
