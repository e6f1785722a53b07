# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Flags, help and errors of a command: lines and an exit code."""

import re
import signal
from unittest import mock

import pytest
from absl import flags, logging

from mfcvae_jax import official
from mfcvae_jax.commands import running
from mfcvae_jax.training import loop, stopping
from tests import scripts
from tests.commands.calls import COMMANDS, call

_DIGITS = f"--config={scripts.CONFIGS / 'digits.py'}"


@pytest.mark.parametrize("flag", ["--help", "-h"])
@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_an_example_and_the_flags_of_the_command_alone(name, flag):
    done = call(name, flag)
    assert (done.code, done.err) == (0, "")
    assert re.search(rf"(?m)^    mfcvae {name} --", done.out)
    shown = set(re.findall(r"(?m)^  --(?:\[no\])?(\w+)$", done.out))
    assert "workdir" in shown
    assert ("config" in shown) == (name in ("train", "import-weights"))
    assert ("component" in shown) == (name == "sample")
    assert "pdb" not in shown
    assert "None" not in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_helpfull_lists_the_flags_of_absl_too():
    assert "--stderrthreshold" in call("evaluate", "--helpfull").output()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--wrkdir=x",), "'wrkdir'. Did you mean: workdir"),
        ((_DIGITS, "--workdir=x", "and"), "unexpected arguments: and"),
        (("--workdir=x",), "--config must be given"),
        ((), "--config and --workdir must be given"),
        ((_DIGITS,), "--workdir must be given"),
        (("--config=no.py",), "--config: there is no file 'no.py'"),
        (
            ("--config", "no.py", "--config.seed=3"),
            "--config: there is no file 'no.py'",
        ),
        (
            (f"--config={scripts.ROOT / 'README.md'}", "--workdir=x"),
            "--config is no Python file: ",
        ),
        (
            (_DIGITS, "--workdir=x", "--config.trane.batch_size=3"),
            "--config has no setting 'trane' Did you mean \"train\"",
        ),
        (
            (_DIGITS, "--workdir=x", "--config.train.batch_size=many"),
            "--config.train.batch_size=many: invalid literal for int()",
        ),
        (
            ("--config.seed=3", _DIGITS, "--workdir=x"),
            "--config.seed=3 in argv before a value for --config",
        ),
    ],
)
def test_a_bad_flag_is_one_line_that_says_where_help_is(args, message):
    done = call("train", *args)
    assert message in done.error()
    assert not done.out
    assert done.err.startswith("error: ")
    assert done.err.endswith("(see mfcvae train --help)\n")


@pytest.mark.parametrize("flag", ["--n=0", "--facet=-1", "--temperature=-0.5"])
def test_values_out_of_range(flag):
    done = call("sample", "--workdir=x", "--out=x.png", flag)
    assert f"flag {flag}" in done.error()


def test_flags_of_two_commands_do_not_meet():
    before = set(flags.FLAGS)
    for name in COMMANDS:
        call(name, "--help")
    call("train", _DIGITS)
    assert set(flags.FLAGS) == before


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--config.train.batch_sise=3", "train.batch_size?"),
        ("--config.train.batch_size=5000", "train.batch_size"),
        ("--config.progressive.stage_epochs=(1,1,1)", "stage_epochs"),
        ("--config.data.name=digitz", "Did you mean 'digits'"),
        ("--resume", "--resume"),
    ],
)
def test_a_bad_setting_is_named_and_leaves_no_workdir(tmp_path, flag, message):
    done = call("train", _DIGITS, f"--workdir={tmp_path}/run", flag)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert message in done.err
    assert not list(tmp_path.iterdir())


def _train(error, tmp_path):
    with mock.patch.object(loop, "train", side_effect=error):
        return call("train", _DIGITS, f"--workdir={tmp_path}")


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_stopped_with_its_state_saved(tmp_path, signum):
    done = _train(stopping.Stopped(signum, 12), tmp_path)
    assert done.code == 128 + signum
    assert "at step 12; the state is saved" in done.err


def test_stopped_at_once(tmp_path):
    done = _train(KeyboardInterrupt(), tmp_path)
    assert (done.code, done.err.count("\n")) == (130, 1)


@pytest.mark.parametrize(
    "error",
    [ValueError, OSError, RuntimeError, FloatingPointError, ImportError],
)
def test_errors_are_a_line(tmp_path, error):
    done = _train(error("what happened"), tmp_path)
    assert done == (2, "", "error: what happened\n")


def test_faults_of_the_program_keep_their_traceback(tmp_path):
    with pytest.raises(AssertionError):
        _train(AssertionError("a bug"), tmp_path)


def test_verbosity_shows_where_an_error_came_from(caplog):
    before = logging.get_verbosity()
    logging.set_verbosity(logging.DEBUG)
    try:
        running.exit_code(mock.Mock(side_effect=ValueError("deep down")))
    finally:
        logging.set_verbosity(before)
    assert "Traceback" in caplog.text


def test_missing_torch_is_a_line():
    error = ImportError("no torch")
    with mock.patch.object(official, "read_state_dict", side_effect=error):
        done = call("import-weights", _DIGITS, "--workdir=x", "--weights=x.pt")
    assert done == (2, "", "error: no torch\n")
