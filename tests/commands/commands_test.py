# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The command line: words in; files, lines and an exit code out."""

import configparser
import importlib
import pathlib
import pkgutil
import subprocess
import sys

import pytest
from absl.testing import absltest, parameterized

import mfcvae_jax
from mfcvae_jax import __main__ as command_line
from tests.commands.calls import COMMANDS, in_process

_ROOT = pathlib.Path(__file__).parents[2]


class DispatchTest(parameterized.TestCase):
    @parameterized.parameters("--help", "-h", "help")
    def test_help_lists_the_commands(self, word):
        done = in_process(lambda: command_line.main([word]))
        self.assertEqual((done.code, done.err), (0, ""))
        for name in COMMANDS:
            self.assertRegex(done.out, rf"(?m)^  {name} +\w")

    def test_version_is_that_of_the_package(self):
        done = in_process(lambda: command_line.main(["--version"]))
        self.assertEqual(done.code, 0)
        self.assertEqual(done.out, f"mfcvae {mfcvae_jax.__version__}\n")

    @parameterized.parameters(
        ("trian", "Did you mean 'train'?"),
        ("import_weights", "Did you mean 'import-weights'?"),
        ("--workdir=x", "unknown command '--workdir=x'"),
        ("running", "unknown command 'running'"),
    )
    def test_unknown_command_gets_the_list(self, word, message):
        done = in_process(lambda: command_line.main([word]))
        self.assertEqual((done.code, done.out), (2, ""))
        self.assertIn(message, done.err.splitlines()[0])
        self.assertRegex(done.err, r"(?m)^  evaluate ")

    def test_no_command_is_bad_usage(self):
        done = in_process(lambda: command_line.main([]))
        self.assertEqual((done.code, done.out), (2, ""))
        self.assertStartsWith(done.err, "Multi-facet")

    def test_every_file_of_a_command_is_listed_and_the_other_way_round(self):
        package = importlib.import_module("mfcvae_jax.commands")
        found = {
            module.name.replace("_", "-")
            for module in pkgutil.iter_modules(package.__path__)
        }
        self.assertEqual(
            found - {"running", "finished", "config-flag"}, set(COMMANDS)
        )

    def test_pip_installs_a_function_that_exists(self):
        config = configparser.ConfigParser()
        config.read(_ROOT / "setup.cfg")
        name, target = (
            part.strip()
            for part in config["options.entry_points"]["console_scripts"]
            .strip()
            .split("=")
        )
        module, function = target.split(":")
        self.assertEqual(name, "mfcvae")
        self.assertIs(
            getattr(importlib.import_module(module), function),
            command_line.main,
        )


@pytest.mark.slow
class ProcessTest(absltest.TestCase):
    """The same through absl's app.run, in a process of its own."""

    def _run(self, command, *args):
        return subprocess.run(
            [*command, *args], capture_output=True, text=True, cwd=_ROOT
        )

    def test_module(self):
        command = [sys.executable, "-m", "mfcvae_jax"]
        done = self._run(command, "evaluate", "--workdir=/nowhere/at/all")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertRegex(done.stderr, r"\Aerror: no run in workdir .*\n\Z")
        done = self._run(command, "evaluate", "--workdri=x")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("Did you mean: workdir", done.stderr)
        # In this process, get_config would be that of another test.
        done = self._run(command, "train", f"--config={__file__}")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertRegex(done.stderr, r"\Aerror: .*get_config.*\n\Z")
        done = self._run(command, "evaluate", "--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("mfcvae evaluate --workdir", done.stdout)

    def test_scripts_of_the_experiments(self):
        for script in (
            "train.py",
            "evaluate.py",
            "paper.py",
            "import_weights.py",
        ):
            command = [sys.executable, str(_ROOT / "experiments" / script)]
            done = self._run(command)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn("must be given", done.stderr)

    def test_installed_command(self):
        path = pathlib.Path(sys.executable).parent / "mfcvae"
        if not path.exists():
            self.skipTest("mfcvae is not installed: run `pip install -e .`")
        done = self._run([path], "--version")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, f"mfcvae {mfcvae_jax.__version__}\n")
