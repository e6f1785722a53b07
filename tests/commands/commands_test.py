# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The command line: words in; files, lines and an exit code out."""

import configparser
import contextlib
import importlib
import io
import json
import os
import pathlib
import pkgutil
import re
import signal
import subprocess
import sys
import tempfile
from typing import NamedTuple
from unittest import mock

import jax
import numpy as np
import pytest
from absl import flags, logging
from absl.testing import absltest, parameterized
from PIL import Image

import mfcvae_jax
from mfcvae_jax import __main__ as command_line
from mfcvae_jax import official
from mfcvae_jax import workdir as workdir_lib
from mfcvae_jax.commands import running
from mfcvae_jax.datasets import reader
from mfcvae_jax.training import disk, loop, runs, stopping
from tests import examples

_ROOT = pathlib.Path(__file__).parents[2]
_DIGITS = f"--config={_ROOT / 'experiments' / 'configs' / 'digits.py'}"
_COMMANDS = ("train", "evaluate", "report", "paper", "sample", "import-weights")


class _Done(NamedTuple):
    code: int
    out: str
    err: str


def _in_process(function):
    """What a function prints, and the exit code it ends with."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = function()
        except SystemExit as end:
            code = end.code
    return _Done(code, out.getvalue(), err.getvalue())


def _call(name, *args):
    """A command, without absl's app.run, which works once in a process."""
    module = importlib.import_module(
        f"mfcvae_jax.commands.{name.replace('-', '_')}"
    )

    def run():
        values = running.parse(module, [f"mfcvae {name}", *map(str, args)])
        return running.exit_code(lambda: module.main(values))

    return _in_process(run)


class DispatchTest(parameterized.TestCase):
    @parameterized.parameters("--help", "-h", "help")
    def test_help_lists_the_commands(self, word):
        done = _in_process(lambda: command_line.main([word]))
        self.assertEqual((done.code, done.err), (0, ""))
        for name in _COMMANDS:
            self.assertRegex(done.out, rf"(?m)^  {name} +\w")

    def test_version_is_that_of_the_package(self):
        done = _in_process(lambda: command_line.main(["--version"]))
        self.assertEqual(done.code, 0)
        self.assertEqual(done.out, f"mfcvae {mfcvae_jax.__version__}\n")

    @parameterized.parameters(
        ("trian", "Did you mean 'train'?"),
        ("import_weights", "Did you mean 'import-weights'?"),
        ("--workdir=x", "unknown command '--workdir=x'"),
        ("running", "unknown command 'running'"),
    )
    def test_unknown_command_gets_the_list(self, word, message):
        done = _in_process(lambda: command_line.main([word]))
        self.assertEqual((done.code, done.out), (2, ""))
        self.assertIn(message, done.err.splitlines()[0])
        self.assertRegex(done.err, r"(?m)^  evaluate ")

    def test_no_command_is_bad_usage(self):
        done = _in_process(lambda: command_line.main([]))
        self.assertEqual((done.code, done.out), (2, ""))
        self.assertStartsWith(done.err, "Multi-facet")

    def test_every_file_of_a_command_is_listed_and_the_other_way_round(self):
        package = importlib.import_module("mfcvae_jax.commands")
        found = {
            module.name.replace("_", "-")
            for module in pkgutil.iter_modules(package.__path__)
        }
        self.assertEqual(
            found - {"running", "finished", "config-flag"}, set(_COMMANDS)
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


class HelpTest(parameterized.TestCase):
    @parameterized.product(name=_COMMANDS, flag=["--help", "-h"])
    def test_shows_an_example_and_the_flags_of_the_command_alone(
        self, name, flag
    ):
        done = _call(name, flag)
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
        done = _call("evaluate", "--helpfull")
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
        done = _call("train", *args)
        self.assertEqual((done.code, done.out), (2, ""))
        (line,) = done.err.splitlines()
        self.assertStartsWith(line, "error: ")
        self.assertIn(message, line)
        self.assertEndsWith(line, "(see mfcvae train --help)")

    @parameterized.parameters("--n=0", "--facet=-1", "--temperature=-0.5")
    def test_values_out_of_range(self, flag):
        done = _call("sample", "--workdir=x", "--out=x.png", flag)
        self.assertEqual(done.code, 2)
        self.assertIn(f"flag {flag}", done.err)

    def test_flags_of_two_commands_do_not_meet(self):
        before = set(flags.FLAGS)
        for name in _COMMANDS:
            _call(name, "--help")
        _call("train", _DIGITS)
        self.assertEqual(set(flags.FLAGS), before)

    def test_a_bad_setting_is_named_and_leaves_no_workdir(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        for flag, message in (
            ("--config.train.batch_size=5000", "train.batch_size"),
            ("--config.net.activation=tanh", "net.activation"),
            ("--config.data.name=digitz", "Did you mean 'digits'"),
            ("--resume", "--resume"),
        ):
            done = _call("train", _DIGITS, f"--workdir={folder}/run", flag)
            self.assertEqual((done.code, done.out), (2, ""))
            self.assertStartsWith(done.err, "error: ")
            self.assertIn(message, done.err)
            self.assertEqual(os.listdir(folder), [])


class ExitCodeTest(parameterized.TestCase):
    def _train(self, error):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        with mock.patch.object(loop, "train", side_effect=error):
            return _call("train", _DIGITS, f"--workdir={folder}")

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


class _Untrained(absltest.TestCase):
    """A run of the first state, adopted as if it had been trained."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.workdir = workdir_lib.Workdir(cls.folder / "run")
        cls.run_ = runs.make_run(
            examples.settings(prior_init={"means": "glorot"})
        )
        state = runs.first_state(cls.run_)
        rng = np.random.default_rng(0)
        params = dict(state.params)
        # Mixing weights that are far from even, to be told from these.
        for j, k in enumerate(cls.run_.settings.facets.n_components):
            params[f"priors_{j}"] = params[f"priors_{j}"] | {
                "logits": rng.normal(size=k).astype(np.float32)
            }
        cls.variables = state.variables | {"params": params}
        disk.adopt(cls.run_, cls.workdir, cls.variables)

    def _call(self, name, *args):
        done = _call(name, f"--workdir={self.workdir.path}", *args)
        self.assertEqual(done.code, 0, done.err)
        return done


@pytest.mark.slow
class EvaluateAndReportTest(_Untrained):
    def test_evaluate_prints_what_report_writes_and_writes_nothing(self):
        def files():
            return {
                path: path.stat().st_mtime_ns
                for path in self.workdir.path.rglob("*")
                if path.is_file()
            }

        before = files()
        printed = self._call("evaluate").out
        self.assertEqual(files(), before)
        self._call("report")
        self.assertTrue(self.workdir.report.exists())
        self.assertTrue((self.workdir.figures / "clusters.png").exists())
        results = json.loads(self.workdir.results.read_text())
        for name, value in results["terms"].items():
            self.assertRegex(
                printed, rf"(?m)^{name} +{re.escape(f'{value:.4f}')} nats$"
            )
        for score in results["scores"]:
            row = re.search(rf"(?m)^facet {score['facet']} .*$", printed)[0]
            self.assertIn(f"{100 * score['many_to_one']:.2f}", row)
        self.assertIn(f"{results['n_examples']} held-out examples", printed)

    def test_no_best_checkpoint_was_told(self):
        done = _call("evaluate", f"--workdir={self.workdir.path}", "--best")
        self.assertEqual(done.code, 2)
        self.assertIn("no checkpoint", done.err)

    def test_no_run(self):
        for name in ("evaluate", "report"):
            done = _call(name, f"--workdir={self.folder}")
            self.assertEqual(done.code, 2)
            self.assertStartsWith(done.err, "error: no run in workdir")


@pytest.mark.slow
class SampleTest(_Untrained):
    def _sample(self, *args):
        """The images, the components, and what was read of them."""
        path = self.folder / "samples.npz"
        self._call("sample", f"--out={path}", *args)
        with np.load(path) as file:
            self.assertEqual(
                file["label_names"].tolist(), ["facet_0", "facet_1"]
            )
            return file["images"], file["labels"]

    def test_at_temperature_0_images_are_decoded_component_means(self):
        images, components = self._sample("--n=40", "--temperature=0")
        params = self.variables["params"]
        z = tuple(
            params[f"priors_{j}"]["means"][components[:, j]] for j in range(2)
        )
        model = self.run_.stepper.model
        output = model.apply(self.variables, z, np.ones(2), method=model.decode)
        np.testing.assert_allclose(images, jax.nn.sigmoid(output), atol=1e-5)

    def test_components_come_as_often_as_their_weights_say(self):
        n = 4000
        _, components = self._sample(f"--n={n}", "--seed=5")
        for j in range(2):
            logits = self.variables["params"][f"priors_{j}"]["logits"]
            weights = np.exp(logits) / np.exp(logits).sum()
            counts = np.bincount(components[:, j], minlength=len(weights))
            chi2 = np.sum((counts - n * weights) ** 2 / (n * weights))
            self.assertLess(chi2, 30)  # p < 0.0005 at 9 degrees of freedom

    def test_one_facet_shows_each_component_so_often_and_the_other_any(self):
        images, components = self._sample("--facet=0", "--n=30")
        self.assertEqual(images.shape, (180, 8, 8, 1))
        np.testing.assert_array_equal(
            components[:, 0], np.repeat(np.arange(6), 30)
        )
        self.assertGreater(len(np.unique(components[:, 1])), 5)

    def test_one_component(self):
        images, components = self._sample("--facet=1", "--component=7", "--n=3")
        self.assertLen(images, 3)
        np.testing.assert_array_equal(components[:, 1], [7, 7, 7])

    def test_same_seed_same_images_other_seed_other_images(self):
        one, again, other = (
            self._sample("--n=4", f"--seed={seed}")[0] for seed in (1, 1, 2)
        )
        np.testing.assert_array_equal(one, again)
        self.assertGreater(np.abs(one - other).max(), 0)

    def test_data_name_npz_reads_them(self):
        self._sample("--n=20")
        dataset = reader.load("npz", path=str(self.folder / "samples.npz"))
        self.assertEqual(dataset.spec.image_shape, (8, 8, 1))
        self.assertLen(dataset.spec.labelings, 2)

    def test_pictures_have_room_for_every_image(self):
        path = self.folder / "new folder" / "samples.png"
        for args, n_columns, n_rows in (
            (("--n=25",), 10, 3),
            (("--n=3",), 3, 1),
            (("--n=400", "--facet=1", "--component=2"), 20, 20),
        ):
            self._call("sample", f"--out={path}", *args)
            with Image.open(path) as picture:
                self.assertEqual(
                    picture.size, (66 * n_columns - 2, 66 * n_rows - 2)
                )
        self._call("sample", f"--out={path}", "--facet=1", "--n=2")
        with Image.open(path) as picture:
            # Ten rows with their labels, on white.
            self.assertGreater(picture.size[1], 10 * 64)

    def test_faults(self):
        for args, message in (
            (("--facet=2",), "--facet=2: the run has facets 0 to 1"),
            (
                ("--facet=0", "--component=6"),
                "--component=6: facet 0 has components 0 to 5",
            ),
            (("--component=1",), "--component needs --facet"),
            (("--out=x.jpeg",), "--out=x.jpeg: expected a name that ends in"),
        ):
            done = _call(
                "sample",
                f"--workdir={self.workdir.path}",
                f"--out={self.folder / 'no.png'}",
                *args,
            )
            self.assertEqual((done.code, done.out), (2, ""))
            self.assertIn(message, done.err)
            self.assertFalse((self.folder / "no.png").exists())

    def test_several_seeds_are_asked_for_one(self):
        folder = workdir_lib.Workdir(self.folder / "seeds")
        settings = examples.settings(n_seeds=2, prior_init={"means": "glorot"})
        with folder.claim(settings, resume=False):
            pass
        states = mock.patch.object(disk, "restore", return_value=(None, None))
        with states:
            done = _call("sample", f"--workdir={folder.path}", "--out=x.png")
        self.assertEqual(done.code, 2)
        self.assertIn("holds 2 seeds: name the folder of one", done.err)
        self.assertIn("seed_0", done.err)


class ImportTest(absltest.TestCase):
    def test_missing_torch_is_a_line(self):
        with mock.patch.object(
            official, "read_state_dict", side_effect=ImportError("no torch")
        ):
            done = _call(
                "import-weights", _DIGITS, "--workdir=x", "--weights=x.pt"
            )
        self.assertEqual((done.code, done.err), (2, "error: no torch\n"))


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
        for script in ("train.py", "evaluate.py", "import_weights.py"):
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


if __name__ == "__main__":
    absltest.main()
