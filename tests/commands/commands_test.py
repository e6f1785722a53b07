# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The command line: words in; files, lines and an exit code out."""

import configparser
import pathlib
import pkgutil
import re
import subprocess
import sys

import pytest

import mfcvae_jax
from mfcvae_jax import __main__ as command_line
from mfcvae_jax import commands
from tests.commands.calls import COMMANDS, Done, in_process
from tests.scripts import ROOT


def _call(*words):
    return in_process(lambda: command_line.main(words))


def _run(*command):
    """The same through absl's app.run, in a process of its own."""
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("word", ["--help", "-h", "help"])
def test_help_lists_the_commands(word):
    done = _call(word)
    assert (done.code, done.err) == (0, "")
    for name in COMMANDS:
        assert re.search(rf"(?m)^  {name} +\w", done.out)


def test_version_is_that_of_the_package():
    assert _call("--version") == (0, f"mfcvae {mfcvae_jax.__version__}\n", "")


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("trian", "Did you mean 'train'?"),
        ("import_weights", "Did you mean 'import-weights'?"),
        ("--workdir=x", "unknown command '--workdir=x'"),
        ("running", "unknown command 'running'"),
    ],
)
def test_unknown_command_gets_the_list(word, message):
    done = _call(word)
    assert (done.code, done.out) == (2, "")
    assert message in done.err.splitlines()[0]
    assert re.search(r"(?m)^  evaluate ", done.err)


def test_no_command_is_bad_usage():
    done = _call()
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Multi-facet")


def test_every_file_of_a_command_is_listed_and_the_other_way_round():
    found = {
        module.name.replace("_", "-")
        for module in pkgutil.iter_modules(commands.__path__)
    }
    assert found - {"running", "finished", "config-flag"} == set(COMMANDS)


def test_pip_installs_a_function_that_exists():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    scripts = config["options.entry_points"]["console_scripts"]
    name, target = map(str.strip, scripts.split("="))
    assert name == "mfcvae"
    assert pkgutil.resolve_name(target) is command_line.main


@pytest.mark.slow
def test_module():
    def run(*args):
        return _run(sys.executable, "-m", "mfcvae_jax", *args)

    for args, message in (
        (("evaluate", "--workdir=/nowhere/at/all"), "no run in workdir"),
        # In this process, get_config would be that of another test.
        (("train", f"--config={__file__}"), "get_config"),
    ):
        done = run(*args)
        assert message in done.error()
        assert done.out == ""
        assert done.err.startswith("error: ")
    done = run("evaluate", "--workdri=x")
    assert (done.code, done.out) == (2, "")
    assert "Did you mean: workdir" in done.err
    done = run("evaluate", "--help")
    assert (done.code, done.err) == (0, "")
    assert "mfcvae evaluate --workdir" in done.out


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["train", "evaluate", "paper", "import_weights"]
)
def test_script_of_the_experiments(name):
    done = _run(sys.executable, f"experiments/{name}.py")
    assert (done.code, done.out) == (2, "")
    assert "must be given" in done.err


@pytest.mark.slow
def test_installed_command():
    path = pathlib.Path(sys.executable).parent / "mfcvae"
    if not path.exists():
        pytest.skip("mfcvae is not installed: run `pip install -e .`")
    done = _run(path, "--version")
    assert (done.code, done.out) == (0, f"mfcvae {mfcvae_jax.__version__}\n")
