# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Flags, help and errors of a command: lines and an exit code."""

import os
import pathlib
import re
import signal
import tempfile
from unittest import mock

from absl import flags, logging
from absl.testing import absltest, parameterized

from mfcvae_jax import official
from mfcvae_jax.commands import running
from mfcvae_jax.training import loop, stopping
from tests.commands.calls import COMMANDS, call

_ROOT = pathlib.Path(__file__).parents[2]
_DIGITS = f"--config={_ROOT / 'experiments' / 'configs' / 'digits.py'}"


class HelpTest(parameterized.TestCase):
    @parameterized.product(name=COMMANDS, flag=["--help", "-h"])
    def test_shows_an_example_and_the_flags_of_the_command_alone(
        self, name, flag
    ):
        done = call(name, flag)
        self.assertEqual((done.code, done.err), (0, ""))
        self.assertRegex(done.out, rf"(?m)^    mfcvae {name} --")
        shown = set(re.findall(r"(?m)^  --(?:\[no\])?(\w+)$", done.out))
        self.assertIn("workdir", shown)
        self.assertEqual("config" in shown, name in ("train", "import-weights"))
        self.assertEqual("component" in shown, name == "sample")
        self.assertNotIn("pdb", shown)
        self.assertNotIn("None", done.out)
        self.assertLessEqual(max(map(len, done.out.splitlines())), 80)

    def test_helpfull_lists_those_of_absl_too(self):
        done = call("evaluate", "--helpfull")
        self.assertEqual(done.code, 0)
        self.assertIn("--stderrthreshold", done.out)


class BadFlagsTest(parameterized.TestCase):
    @parameterized.named_parameters(
        ("typo", ("--wrkdir=x",), "'wrkdir'. Did you mean: workdir"),
        ("words", (_DIGITS, "--workdir=x", "and"), "unexpected arguments: and"),
        ("no_config", ("--workdir=x",), "--config must be given"),
        ("nothing", (), "--config and --workdir must be given"),
        ("no_workdir", (_DIGITS,), "--workdir must be given"),
        ("no_file", ("--config=no.py",), "--config: there is no file 'no.py'"),
        (
            "no_file_and_a_change",
            ("--config", "no.py", "--config.seed=3"),
            "--config: there is no file 'no.py'",
        ),
        (
            "no_python",
            (f"--config={_ROOT / 'README.md'}", "--workdir=x"),
            "--config is no Python file: ",
        ),
        (
            "no_setting",
            (_DIGITS, "--workdir=x", "--config.trane.batch_size=3"),
            "--config has no setting 'trane' Did you mean \"train\"",
        ),
        (
            "no_number",
            (_DIGITS, "--workdir=x", "--config.train.batch_size=many"),
            "--config.train.batch_size=many: invalid literal for int()",
        ),
        (
            "change_before_config",
            ("--config.seed=3", _DIGITS, "--workdir=x"),
            "--config.seed=3 in argv before a value for --config",
        ),
    )
    def test_is_one_line_that_says_where_help_is(self, args, message):
        done = call("train", *args)
        self.assertEqual((done.code, done.out), (2, ""))
        (line,) = done.err.splitlines()
        self.assertStartsWith(line, "error: ")
        self.assertIn(message, line)
        self.assertEndsWith(line, "(see mfcvae train --help)")

    @parameterized.parameters("--n=0", "--facet=-1", "--temperature=-0.5")
    def test_values_out_of_range(self, flag):
        done = call("sample", "--workdir=x", "--out=x.png", flag)
        self.assertEqual(done.code, 2)
        self.assertIn(f"flag {flag}", done.err)

    def test_flags_of_two_commands_do_not_meet(self):
        before = set(flags.FLAGS)
        for name in COMMANDS:
            call(name, "--help")
        call("train", _DIGITS)
        self.assertEqual(set(flags.FLAGS), before)

    def test_a_bad_setting_is_named_and_leaves_no_workdir(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        for flag, message in (
            ("--config.train.batch_sise=3", "train.batch_size?"),
            ("--config.train.batch_size=5000", "train.batch_size"),
            ("--config.facets.n_components=(10,)", "n_components"),
            ("--config.progressive.stage_epochs=(1,1,1)", "stage_epochs"),
            ("--config.net.activation=tanh", "net.activation"),
            ("--config.data.name=digitz", "Did you mean 'digits'"),
            ("--resume", "--resume"),
        ):
            done = call("train", _DIGITS, f"--workdir={folder}/run", flag)
            self.assertEqual((done.code, done.out), (2, ""))
            self.assertStartsWith(done.err, "error: ")
            self.assertIn(message, done.err)
            self.assertEqual(os.listdir(folder), [])


class ExitCodeTest(parameterized.TestCase):
    def _train(self, error):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        with mock.patch.object(loop, "train", side_effect=error):
            return call("train", _DIGITS, f"--workdir={folder}")

    @parameterized.parameters(signal.SIGINT, signal.SIGTERM)
    def test_stopped_with_its_state_saved(self, signum):
        done = self._train(stopping.Stopped(signum, 12))
        self.assertEqual(done.code, 128 + signum)
        self.assertIn("at step 12; the state is saved", done.err)

    def test_stopped_at_once(self):
        done = self._train(KeyboardInterrupt())
        self.assertEqual(done.code, 130)
        self.assertEqual(done.err.count("\n"), 1)

    @parameterized.parameters(
        ValueError, OSError, RuntimeError, FloatingPointError, ImportError
    )
    def test_errors_are_a_line(self, error):
        done = self._train(error("what happened"))
        self.assertEqual((done.code, done.out), (2, ""))
        self.assertEqual(done.err, "error: what happened\n")

    def test_faults_of_the_program_keep_their_traceback(self):
        with self.assertRaises(AssertionError):
            self._train(AssertionError("a bug"))

    def test_verbosity_shows_where_an_error_came_from(self):
        before = logging.get_verbosity()
        self.addCleanup(logging.set_verbosity, before)
        logging.set_verbosity(logging.DEBUG)
        with self.assertLogs(level="DEBUG") as logs:
            running.exit_code(mock.Mock(side_effect=ValueError("deep down")))
        self.assertIn("Traceback", "\n".join(logs.output))


class ImportTest(absltest.TestCase):
    def test_missing_torch_is_a_line(self):
        with mock.patch.object(
            official, "read_state_dict", side_effect=ImportError("no torch")
        ):
            done = call(
                "import-weights", _DIGITS, "--workdir=x", "--weights=x.pt"
            )
        self.assertEqual((done.code, done.err), (2, "error: no torch\n"))
