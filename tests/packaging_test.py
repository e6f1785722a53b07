# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""What pip reads agrees with itself, and what it installs is enough."""

import configparser
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import mfcvae_jax
from tests.scripts import ROOT

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

# A fresh clone has none of these, or the package does not.
NOT_COPIED = shutil.ignore_patterns(
    ".*", "build", "dist", "runs", "*.egg-info", "__pycache__"
)
BUILD = "from setuptools import build_meta; build_meta.build_{}({!r})"
SHORT = """
from mfcvae_jax.estimator import defaults
defaults._LEAST_STEPS = defaults._MOST_STEPS = 20
defaults._STARTS = 1
"""
KEEP_LABELS = """
import mfcvae_jax, numpy as np
np.save("labels.npy", model.predict(images))
print(mfcvae_jax.__file__)
"""
IN_A_NEW_PROCESS = """
import sys
import numpy as np
from sklearn.datasets import load_digits
from mfcvae_jax import MultiFacetClustering
again = MultiFacetClustering.load("digits.npz")
found = again.predict(load_digits().images)
np.testing.assert_array_equal(found, np.load("labels.npy"))
assert not {"torch", "tensorflow"} & set(sys.modules)
"""


def parse(text):
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return [Requirement(line) for line in lines if line]


def ranges():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    extras = config["options.extras_require"]
    installed = config["options"]["install_requires"]
    return parse("\n".join([installed, extras["test"], extras["docs"]]))


def pins(python_version):
    environment = {"python_version": python_version}
    files = (ROOT / "requirements.txt", ROOT / "docs" / "requirements.txt")
    found = {}
    for pin in parse("".join(file.read_text() for file in files)):
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
    citation = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {installed}\n" in citation
    (released,) = re.findall(r"date-released: (\S+)", citation)
    changes = (ROOT / "CHANGELOG.md").read_text()
    assert f"\n## [{installed}] - {released}\n" in changes


@pytest.mark.parametrize("python_version", ["3.11", "3.12", "3.13"])
def test_every_range_holds_its_pin(python_version):
    pinned = pins(python_version)
    for requirement in ranges():
        version = pinned[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version, prereleases=True), (
            f"{requirement} does not hold the pin {version}"
        )


def run(code, folder, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_every_module_imports_without_tensorflow_and_torch():
    run(IMPORT_EVERYTHING, ROOT)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel that was made from the sdist, as pip makes it."""
    folder = tmp_path_factory.mktemp("packages")
    shutil.copytree(ROOT, folder / "clone", ignore=NOT_COPIED)
    run(BUILD.format("sdist", str(folder)), folder / "clone")
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "sdist", filter="data")
    (source,) = (folder / "sdist").iterdir()
    run(BUILD.format("wheel", str(folder)), source)
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def all_requirements(requirements):
    """What pip installs for requirements, by what is installed here."""
    found = set()
    waiting = [(each, {""}) for each in requirements]
    while waiting:
        requirement, extras = waiting.pop()
        marker = requirement.marker
        if marker and not any(marker.evaluate({"extra": e}) for e in extras):
            continue
        name = canonicalize_name(requirement.name)
        wanted = {""} | requirement.extras
        if (name, frozenset(wanted)) not in found:
            found.add((name, frozenset(wanted)))
            needs = importlib.metadata.requires(name) or ()
            waiting += [(Requirement(each), wanted) for each in needs]
    return {name for name, _ in found}


@pytest.mark.slow
def test_the_wheel_holds_the_library_and_nothing_else(wheel):
    found = {n for n in wheel.namelist() if ".dist-info/" not in n}
    wanted = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "mfcvae_jax").rglob("*.*")
        if path.suffix != ".pyc"
    }
    assert found == wanted


@pytest.mark.slow
def test_the_wheel_needs_neither_torch_nor_tensorflow(wheel):
    (name,) = (n for n in wheel.namelist() if n.endswith("/METADATA"))
    needed = message_from_bytes(wheel.read(name)).get_all("Requires-Dist")
    found = all_requirements(map(Requirement, needed))
    # The second is needed by the first.
    assert {"flax", "msgpack"} <= found
    assert not {"torch", "tensorflow"} & found


@pytest.mark.slow
def test_the_quickstart_runs_with_the_wheel(wheel, tmp_path):
    installed = str(tmp_path / "installed")
    wheel.extractall(installed)
    page = (ROOT / "docs" / "quickstart.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)
    code = "\n".join([SHORT, *blocks, KEEP_LABELS])
    said = run(code, tmp_path, PYTHONPATH=installed)
    assert said.startswith(installed)
    assert (tmp_path / "clusters.png").stat().st_size > 10_000
    run(IN_A_NEW_PROCESS, tmp_path, PYTHONPATH=installed)
