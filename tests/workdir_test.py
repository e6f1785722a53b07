# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Whose folder it is, and what is in it."""

import contextlib
import json
import os
import pathlib
import tempfile

import numpy as np
from absl.testing import parameterized

from mfcvae_jax import workdir
from mfcvae_jax.datasets import spec
from mfcvae_jax.training import writers
from tests import examples


class _Folder(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.workdir = workdir.Workdir(f"{self.folder}/run")

    def _claim(self, *, resume=False, dataset=None, **overrides):
        with self.workdir.claim(
            examples.settings(**overrides), resume=resume, dataset=dataset
        ):
            pass

    def _save_checkpoint(self):
        (self.workdir.checkpoints / "11").mkdir(parents=True)


class WorkdirTest(_Folder):
    def test_run_is_not_overwritten_without_resume(self):
        self._claim(seed=7)
        # Nothing is lost by starting again before the first checkpoint.
        self._claim(seed=7)
        self._save_checkpoint()
        with self.assertRaisesRegex(ValueError, "--resume"):
            self._claim(seed=7)
        self._claim(seed=7, resume=True)
        self.assertEqual(self.workdir.settings(), examples.settings(seed=7))

    def test_another_config_is_refused_and_every_difference_named(self):
        self._claim()
        with self.assertRaisesRegex(
            ValueError,
            r"(?s)n_components: \(6, 10\) != \(6, 11\).*seed: 0 != 1",
        ):
            self._claim(resume=True, seed=1, facets={"n_components": (6, 11)})
        self.assertEqual(self.workdir.settings(), examples.settings())

    def test_other_addresses_are_refused_and_no_folder_is_made(self):
        self.enterContext(contextlib.chdir(self.folder))
        for path in ("http://host/run", "s3:///run", pathlib.Path("gs://b")):
            with self.assertRaisesRegex(ValueError, "is an address"):
                workdir.Workdir(path)
        self.assertEqual(os.listdir("."), [])
        # A colon alone makes no address.
        self.assertEqual(workdir.Workdir("a:b").path.name, "a:b")

    def test_folder_of_something_else_is_refused(self):
        self.workdir.path.mkdir()
        (self.workdir.path / "thesis.tex").write_text("years of work")
        with self.assertRaisesRegex(ValueError, "holds no run"):
            self._claim()
        self.assertEqual(os.listdir(self.workdir.path), ["thesis.tex"])

    def test_compiled_programs_of_another_process_may_be_there_first(self):
        self.workdir.compilation_cache.mkdir(parents=True)
        self._claim()

    def test_resume_of_nothing_and_settings_of_nothing_say_so(self):
        with self.assertRaisesRegex(FileNotFoundError, "no run"):
            self._claim(resume=True)
        with self.assertRaisesRegex(FileNotFoundError, "no run"):
            self.workdir.settings()

    def test_what_leaves_the_model_as_it_is_may_change(self):
        self._claim(data={"name": "npz", "path": "here.npz"})
        moved = {
            "data": {"name": "npz", "path": "there.npz", "on_device_gb": 0.5},
            "checkpoint": {"keep": 5},
        }
        self._claim(resume=True, **moved)
        self.assertEqual(self.workdir.settings(), examples.settings(**moved))

    def test_two_at_once_are_one_too_many(self):
        with (
            self.workdir.claim(examples.settings(), resume=False),
            self.assertRaisesRegex(RuntimeError, "another process.*run"),
        ):
            self._claim()
        self._claim()

    def test_every_seed_has_the_folder_of_a_run_of_its_own(self):
        self._claim(seed=3, n_seeds=2)
        folders = [*self.workdir.by_seed(self.workdir.settings()).values()]
        self.assertEqual([f.path.name for f in folders], ["seed_3", "seed_4"])
        self.assertEqual(
            [f.settings() for f in folders],
            [examples.settings(seed=3), examples.settings(seed=4)],
        )
        (folders[1].checkpoints / "11").mkdir(parents=True)
        with self.assertRaisesRegex(ValueError, "--resume"):
            self._claim(seed=3, n_seeds=2)

    def test_writer_goes_on_after_a_step_and_drops_what_came_later(self):
        self._claim()
        self.assertEqual(self.workdir.records(), [])
        written = [_record(step, bound=-step / 3) for step in (1, 2, 3)]
        with writers.MetricsWriter(self.workdir, 0) as writer:
            for record in written:
                writer.write(record)
        with self.workdir.metrics.open("a") as file:
            file.write('{"step": 4, "epo')
        with writers.MetricsWriter(self.workdir, 2) as writer:
            writer.write(_record(3, bound=None))
        wanted = [*written[:2], _record(3, bound=None)]
        self.assertEqual(self.workdir.records(), wanted)


def _record(step, **values):
    return {"step": step, "epoch": step / 10, "split": "train", **values}


class DamagedTest(_Folder):
    def setUp(self):
        super().setUp()
        self._claim(dataset=_dataset())

    @parameterized.parameters(
        b'{"seed": 0, "da', b"", b"\xff\xfe\0", b"[]", b"3"
    )
    def test_file_is_named_in_a_line_with_the_mend(self, content):
        for path, read in (
            (self.workdir.config, self.workdir.settings),
            (self.workdir.environment, self.workdir.read_environment),
            (self.workdir.data, lambda: self.workdir.check_data(_dataset())),
        ):
            path.write_bytes(content)
            said = rf"\A{path} is damaged .*another --workdir\Z"
            with self.subTest(path), self.assertRaisesRegex(ValueError, said):
                read()

    def test_foreign_files_are_named_too(self):
        self.workdir.data.write_text('{"what": "ever"}')
        with self.assertRaisesRegex(ValueError, f"{self.workdir.data} is"):
            self.workdir.check_data(_dataset())
        self.workdir.config.write_text('{"what": "ever"}')
        for environment, version in (
            ('{"versions": {"mfcvae-jax": "0.0.7"}}', "0.0.7"),
            ('{"versions": ["a"], "config_file": 1}', "[?]"),
        ):
            self.workdir.environment.write_text(environment)
            said = f"{self.workdir.config}, which mfcvae-jax {version} wrote"
            with self.assertRaisesRegex(ValueError, said):
                self.workdir.settings()

    @parameterized.parameters(
        b'{"step": 2, "ep\0\0',
        b"17",
        b"[]",
        b'{"seed": 3}',
        b'{"step": "2", "epoch": 1, "split": "train"}',
        b"\xff\xfe",
        b"",
        # What splits lines elsewhere does not do so here.
        b'\x1c "\xe2\x80\xa8',
    )
    def test_damaged_record_loses_itself_alone_and_is_named(self, line):
        lines = [json.dumps(_record(i)).encode() for i in range(9)]
        lines[4] = line
        self.workdir.metrics.write_bytes(b"\n".join([*lines, b""]))
        with self.assertLogs(level="WARNING") as logged:
            found = self.workdir.records()
        self.assertEqual([r["step"] for r in found], [0, 1, 2, 3, 5, 6, 7, 8])
        (said,) = logged.output
        self.assertIn(f"{self.workdir.metrics}: 1 lines", said)
        self.assertIn("(line 5)", said)
        with (
            self.assertLogs(level="WARNING"),
            writers.MetricsWriter(self.workdir, 7),
        ):
            pass
        with self.assertNoLogs(level="WARNING"):
            self.assertEqual(self.workdir.records(), found[:-1])


class DataTest(_Folder):
    def test_other_data_are_refused_and_named(self):
        self._claim(dataset=_dataset())
        # Nothing is lost by other data before the first checkpoint.
        self._claim(dataset=_dataset(n=20))
        self._save_checkpoint()
        self._claim(dataset=_dataset(n=20), resume=True)
        self.workdir.check_data(_dataset(n=20))
        for other, message in (
            (_dataset(n=30), "training images: 20 of .* then, 30 of .* now"),
            (_dataset(n=20, value=1), "training images: .*other values"),
        ):
            message = f"(?s)data are not those.*{self.workdir.path}.*{message}"
            with self.assertRaisesRegex(ValueError, message):
                self.workdir.check_data(other)
            with self.assertRaisesRegex(ValueError, message):
                self._claim(dataset=other, resume=True)

    def test_run_of_a_version_that_recorded_no_data_is_read(self):
        self._claim()
        self._save_checkpoint()
        self.assertFalse(self.workdir.data.exists())
        self.workdir.check_data(_dataset())
        self._claim(dataset=_dataset(), resume=True)
        self.assertTrue(self.workdir.data.exists())

    def test_folder_of_each_seed_knows_the_data(self):
        self._claim(dataset=_dataset(), n_seeds=2)
        folders = self.workdir.by_seed(self.workdir.settings())
        for folder in folders.values():
            with self.assertRaisesRegex(ValueError, "data are not"):
                folder.check_data(_dataset(n=30))


def _dataset(n=10, value=0):
    images = np.full((n, 2, 2, 1), value, np.uint8)
    split = spec.Split(images, np.zeros((n, 0), np.int32))
    return spec.Dataset(spec.DatasetSpec("npz", (2, 2, 1), ()), split, split)
