# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What pip reads agrees with itself and with the package."""

import configparser
import importlib.metadata
import pathlib
import subprocess
import sys

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import mfcvae_jax

ROOT = pathlib.Path(__file__).parents[1]

# Where TensorFlow or PyTorch are installed, libraries below us do import them.
# So this asks what we need: with both out of reach, does every module load?
IMPORT_EVERYTHING = """
import importlib, pkgutil, sys
class OutOfReach:
    def find_spec(name, path=None, target=None):
        if name.split(".")[0] in ("h5py", "tensorflow", "torch"):
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, OutOfReach)
import mfcvae_jax
for module in pkgutil.walk_packages(mfcvae_jax.__path__, "mfcvae_jax."):
    importlib.import_module(module.name)
"""


def parse(text):
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return [Requirement(line) for line in lines if line]


def ranges():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    options = config["options"]["install_requires"]
    extras = config["options.extras_require"]["test"]
    return parse(options) + parse(extras)


def pins(python_version):
    environment = {"python_version": python_version}
    found = {}
    for pin in parse((ROOT / "requirements.txt").read_text()):
        if pin.marker is None or pin.marker.evaluate(environment):
            (specifier,) = pin.specifier
            assert specifier.operator == "==", pin
            name = canonicalize_name(pin.name)
            assert name not in found, f"{name} is pinned twice"
            found[name] = specifier.version
    return found


def test_version_equals_metadata():
    installed = importlib.metadata.version("mfcvae-jax")
    assert mfcvae_jax.__version__ == installed, "Run `pip install -e .` again."


@pytest.mark.parametrize("python_version", ["3.11", "3.12"])
def test_every_range_holds_its_pin(python_version):
    pinned = pins(python_version)
    for requirement in ranges():
        version = pinned[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version, prereleases=True), (
            f"{requirement} does not hold the pin {version}"
        )


def test_every_file_of_the_package_is_shipped():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    globs = {
        ROOT.joinpath(*package.split(".")): patterns.replace(",", " ").split()
        for package, patterns in config["options.package_data"].items()
    }
    for path in (ROOT / "mfcvae_jax").rglob("*.*"):
        if path.suffix not in (".py", ".pyc"):
            assert any(map(path.match, globs[path.parent])), path


def test_every_module_imports_without_tensorflow_and_torch():
    result = subprocess.run(
        [sys.executable, "-c", IMPORT_EVERYTHING],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert result.returncode == 0, result.stderr
