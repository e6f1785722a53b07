# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The code of README.md, docs/*.md and the notebooks does what it says.

Python blocks run, in a folder of their own, the blocks of a page one after the
other with the same names. Shell blocks run in bash with every program replaced
by one that writes down how it was called; of each call, flags and settings are
then read by the program itself. Readers do not see the comments

    <!-- test: python ... -->   code of the test, in its place between blocks
    <!-- test: run -->          the commands of the next block run, made short

Training is made short in both: the estimator's own choice of epochs, and the
stages of a config.
"""

import configparser
import contextlib
import glob
import importlib
import io
import os
import pathlib
import re
import runpy
import shlex
import subprocess
import sys
import tempfile
from typing import NamedTuple
from unittest import mock

import nbformat
import pytest
from absl import flags
from absl.testing import parameterized

from mfcvae_jax import config as config_lib
from mfcvae_jax import model, settings
from mfcvae_jax.commands import config_flag, running
from mfcvae_jax.datasets import reader
from mfcvae_jax.estimator import defaults
from mfcvae_jax.evaluation import probes
from mfcvae_jax.report import exhibits
from mfcvae_jax.variational import elbo
from tests import scripts
from tests.scripts import ROOT

PAGES = ["README.md", *sorted(glob.glob("docs/*.md", root_dir=ROOT))]
NOTEBOOKS = sorted(glob.glob("docs/notebooks/*.ipynb", root_dir=ROOT))
# A comment of the test, or a block with its language.
_PART = re.compile(
    r"^<!-- test: (?P<comment>.*?)\s*-->$|"
    r"^(?P<fence>```+)(?P<language>.*?)\n(?P<code>.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)
_PROGRAMS = ("make", "mfcvae", "pip", "python", "source")
_SHORT = (
    "--config.progressive.fade_in_steps=5",
    "--config.evaluate.importance_samples=0",
    "--config.evaluate.every_epochs=1",
)
_MOST_SEEDS = 3
_SHELL = {"", "sh", "bash", "shell"}


class Part(NamedTuple):
    """A block, or a comment of the test, whose language is "test"."""

    language: str
    code: str
    line: int  # where it starts


def parts_of(page: str) -> list[Part]:
    """The blocks and comments of a page in order, or a notebook's cells."""
    text = (ROOT / page).read_text()
    if page in NOTEBOOKS:
        cells = nbformat.reads(text, as_version=4).cells
        return [
            Part("python", cell.source, i)
            for i, cell in enumerate(cells)
            if cell.cell_type == "code"
        ]
    return [
        Part(
            "test" if found["comment"] else found["language"].strip(),
            found["comment"] or found["code"],
            text.count("\n", 0, found.start()) + 1,
        )
        for found in _PART.finditer(text)
    ]


def calls_of(code: str) -> list[list[str]]:
    """The calls of programs in a shell block, by the shell that runs it."""
    with tempfile.NamedTemporaryFile("r") as record:
        record_call = f'{{ printf "%s\\0" "$@" "" >> {record.name}; }}'
        lines = [
            "set -u",
            *(
                f'{name}() {{ record {name} "$@"; }}'
                for name in (*_PROGRAMS, "command_not_found_handle")
            ),
            f"record() {record_call}",
            "PATH=",
            code,
            "wait",
        ]
        done = subprocess.run(
            ["/bin/bash", "-c", "\n".join(lines)],
            capture_output=True,
            text=True,
        )
        if done.returncode or done.stderr:
            raise AssertionError(f"bash: {done.stderr or done.returncode}")
        # An empty word ends a call.
        calls = [call.split("\0") for call in record.read().split("\0\0")[:-1]]
    for name, *rest in calls:
        if name == "command_not_found_handle":
            raise AssertionError(f"not known here: {shlex.join(rest)}")
    return calls


def parse_command(name: str, args: list[str]):
    """Reads flags and settings of a command; returns its module and flags."""
    module = importlib.import_module(f"mfcvae_jax.commands.{name}")
    values = running.parse(module, [name, *args])
    if "config" in values:
        found = config_flag.read(values)
        # Data that the page has just made are read for real.
        if found.data.path and pathlib.Path(found.data.path).exists():
            reader.load(found.data.name, path=found.data.path)
    if name == "paper":
        unknown = set(values.make or ()) - set(exhibits.of_paper())
        assert not unknown, f"--make: there is no {unknown}"
    return module, values


def parse_script(path: pathlib.Path, args: list[str]) -> None:
    """Reads the flags of a script; nothing runs."""
    argv = [str(path), *args]
    with (
        mock.patch.object(sys, "argv", argv),
        mock.patch.object(sys, "path", [str(path.parent), *sys.path]),
        mock.patch.dict(sys.modules),
        scripts.own_flags(),
    ):
        # Another script, which one imports, defines its flags anew.
        for other in path.parent.glob("*.py"):
            sys.modules.pop(other.stem, None)
        script = runpy.run_path(str(path), run_name="documented")
        rest = flags.FLAGS(argv)[1:]
        if "config" in flags.FLAGS:
            config_lib.from_config(flags.FLAGS.config.to_dict())
        if path.name == "sweep.py":
            script["make_arms"](
                flags.FLAGS.configs, flags.FLAGS.vary, flags.FLAGS.n_seeds
            )
    if rest and path.name != "summarise.py":
        raise AssertionError(f"{path.name}: unexpected arguments {rest}")


def command_of(words: list[str]) -> tuple[str, list[str]] | None:
    """Name and arguments of a call of `mfcvae`, or of a script that is one."""
    match words:
        case ["mfcvae", name, *args]:
            return name.replace("-", "_"), args
        case ["python", path, *args] if path.startswith("experiments/"):
            found = re.search(
                r"running\.start\((\w+), sys\.argv\)",
                (ROOT / path).read_text(),
            )
            return (found[1], args) if found else None
    return None


def check_call(words: list[str]) -> None:
    """Checks one call of a program, as far as that goes without running it."""
    command = command_of(words)
    if command:
        parse_command(*command)
        return
    match words:
        case ["source", path]:
            assert path == ".venv/bin/activate", path
        case ["make", *targets]:
            known = re.findall(
                r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE
            )
            for target in targets:
                assert "=" in target or target in known, f"make {target}"
        case ["pip", "install", *what]:
            check_install(what)
        case ["python", "-c", code]:
            compile(code, "docs", "exec")
        case ["python", path, *args] if path.startswith(
            ("experiments/", "benchmarks/")
        ):
            parse_script(ROOT / path, args)
        case _:
            raise AssertionError(f"not known here: {shlex.join(words)}")


def check_install(what: list[str]) -> None:
    """Checks that the extras and files of a pip install are there."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    extras = config["options.extras_require"]
    for word in what:
        found = re.fullmatch(r"\.(?:\[([\w,]+)\])?", word)
        if found and found[1]:
            for extra in found[1].split(","):
                assert extra in extras, f"no extra {extra}"
        elif word.endswith(".txt"):
            assert (ROOT / word).exists(), word
        else:
            assert found or word in ("-e", "-r"), f"pip install {word}"


def run_call(words: list[str]) -> None:
    """Runs a command or script of ours with little training, undrawn."""
    command = command_of(words)
    if command is None:
        if words[0] == "python":  # the others make the environment
            environment = os.environ | {"PYTHONPATH": str(ROOT)}
            subprocess.run(
                [sys.executable, *words[1:]], check=True, env=environment
            )
        return
    name, args = command
    if name == "train":
        _, values = parse_command(name, args)
        progressive = values.config.progressive
        warm_ups = (1,) * len(progressive.warm_up_epochs)
        n_epochs = 2 if warm_ups else 1
        stages = (n_epochs,) * len(progressive.stage_epochs)
        args = [
            *args,
            *_SHORT,
            f"--config.progressive.stage_epochs={stages}",
            f"--config.progressive.warm_up_epochs={warm_ups}",
            f"--config.n_seeds={min(values.config.n_seeds, _MOST_SEEDS)}",
        ]
    module, values = parse_command(name, args)
    undrawn = mock.patch.object(exhibits, "draw", return_value=[])
    with undrawn if name == "train" else contextlib.nullcontext():
        assert module.main(values) == 0, shlex.join(words)


@contextlib.contextmanager
def own_folder():
    """A new working folder, in which experiments/ lies as in the repository."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        os.symlink(ROOT / "experiments", "experiments")
        yield


class ShellTest(parameterized.TestCase):
    """That a wrong block would be found."""

    def test_loops_and_continued_lines_are_those_of_the_shell(self):
        # Jobs in the background come in any order.
        self.assertCountEqual(
            calls_of(
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
            own_folder(),
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
            for call in calls_of(code):
                check_call(call)


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
        self.enterContext(own_folder())

    @parameterized.parameters(*PAGES, *NOTEBOOKS)
    def test_code_runs(self, page):
        names: dict = {}
        is_next_run = False
        for part in parts_of(page):
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
                    for call in calls_of(part.code):
                        check_call(call)
                        if is_run:
                            run_call(call)
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
                        parse_command(
                            name.replace("-", "_"), ["--workdir=x", *args]
                        )
                for setting in re.findall(r"--config\.([\w.]+)=", code):
                    section, _, name = setting.rpartition(".")
                    place = known[section] if section else known
                    self.assertIn(name, place, code)
