# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Whose folder it is, and what is in it."""

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

    def _claim(self, settings, *, resume=False, folder=None, dataset=None):
        with (folder or self.workdir).claim(
            settings, resume=resume, dataset=dataset
        ):
            pass


class WorkdirTest(_Folder):
    def test_claimed_folder_gives_back_its_settings(self):
        settings = examples.settings(seed=7)
        self._claim(settings)
        self.assertEqual(self.workdir.settings(), settings)
        self._claim(settings, resume=True)

    def test_run_is_not_overwritten_without_resume(self):
        self._claim(examples.settings())
        # Nothing is lost by starting again before the first checkpoint.
        self._claim(examples.settings())
        (self.workdir.checkpoints / "11").mkdir(parents=True)
        with self.assertRaisesRegex(ValueError, "--resume"):
            self._claim(examples.settings())

    def test_another_config_is_refused_and_every_difference_named(self):
        self._claim(examples.settings())
        other = examples.settings(seed=1, facets={"n_components": (6, 11)})
        with self.assertRaisesRegex(
            ValueError,
            r"(?s)n_components: \(6, 10\) != \(6, 11\).*seed: 0 != 1",
        ):
            self._claim(other, resume=True)
        self.assertEqual(self.workdir.settings(), examples.settings())

    def test_other_addresses_are_refused_and_no_folder_is_made(self):
        here = pathlib.Path.cwd()
        os.chdir(self.folder)
        self.addCleanup(os.chdir, here)
        for path in ("http://host/run", "s3:///run", pathlib.Path("gs://b")):
            with self.assertRaisesRegex(ValueError, "is an address"):
                workdir.Workdir(path)
        self.assertEqual(os.listdir("."), [])
        # A colon alone makes no address.
        self.assertEqual(workdir.Workdir("a:b").path.name, "a:b")

    def test_folder_of_something_else_is_refused(self):
        pathlib.Path(self.folder, "thesis.tex").write_text("years of work")
        with self.assertRaisesRegex(ValueError, "holds no run"):
            self._claim(
                examples.settings(), folder=workdir.Workdir(self.folder)
            )
        self.assertEqual(os.listdir(self.folder), ["thesis.tex"])

    def test_compiled_programs_of_another_process_may_be_there_first(self):
        self.workdir.compilation_cache.mkdir(parents=True)
        self._claim(examples.settings())
        self.assertEqual(self.workdir.settings(), examples.settings())

    def test_resume_of_nothing_and_settings_of_nothing_say_so(self):
        with self.assertRaisesRegex(FileNotFoundError, "no run"):
            self._claim(examples.settings(), resume=True)
        with self.assertRaisesRegex(FileNotFoundError, "no run"):
            self.workdir.settings()

    def test_what_leaves_the_model_as_it_is_may_change(self):
        self._claim(examples.settings())
        moved = examples.settings(
            data={"data_dir": "/elsewhere", "on_device_gb": 0.5},
            checkpoint={"keep": 5},
        )
        self._claim(moved, resume=True)
        self.assertEqual(self.workdir.settings(), moved)

    def test_two_at_once_are_one_too_many(self):
        settings = examples.settings()
        with (
            self.workdir.claim(settings, resume=False),
            self.assertRaisesRegex(RuntimeError, "another process.*run"),
        ):
            self._claim(settings)
        self._claim(settings)

    def test_every_seed_has_the_folder_of_a_run_of_its_own(self):
        settings = examples.settings(seed=3, n_seeds=2)
        self._claim(settings)
        folders = [*self.workdir.by_seed(settings).values()]
        self.assertEqual([f.path.name for f in folders], ["seed_3", "seed_4"])
        self.assertEqual(
            [f.settings() for f in folders],
            [examples.settings(seed=3), examples.settings(seed=4)],
        )
        (folders[1].checkpoints / "11").mkdir(parents=True)
        with self.assertRaisesRegex(ValueError, "--resume"):
            self._claim(settings)

    def test_writer_goes_on_after_a_step_and_drops_what_came_later(self):
        self._claim(examples.settings())
        self.assertEqual(self.workdir.records(), [])
        with writers.MetricsWriter(self.workdir, 0) as writer:
            for step in (1, 2, 3):
                writer.write(_record(step, bound=-step / 3))
        with self.workdir.metrics.open("a") as file:
            file.write('{"step": 4, "epo')
        with writers.MetricsWriter(self.workdir, 2) as writer:
            writer.write(_record(3, bound=None))
        self.assertEqual(
            self.workdir.records(),
            [
                _record(1, bound=-1 / 3),
                _record(2, bound=-2 / 3),
                _record(3, bound=None),
            ],
        )


def _record(step, **values):
    return {"step": step, "epoch": step / 10, "split": "train", **values}


class DamagedTest(_Folder):
    def setUp(self):
        super().setUp()
        self._claim(examples.settings(), dataset=_dataset())

    @parameterized.product(
        name=("config", "environment", "data"),
        content=(b'{"seed": 0, "da', b"", b"\xff\xfe\0", b"[]", b"3"),
    )
    def test_file_is_named_in_a_line_with_the_mend(self, name, content):
        path = getattr(self.workdir, name)
        path.write_bytes(content)
        with self.assertRaisesRegex(
            ValueError, rf"\A{path} is damaged .*another --workdir\Z"
        ):
            match name:
                case "config":
                    self.workdir.settings()
                case "environment":
                    self.workdir.read_environment()
                case "data":
                    self.workdir.check_data(_dataset())

    def test_foreign_files_are_named_too(self):
        self.workdir.data.write_text('{"what": "ever"}')
        with self.assertRaisesRegex(ValueError, f"{self.workdir.data} is"):
            self.workdir.check_data(_dataset())
        self.workdir.config.write_text('{"what": "ever"}')
        self.workdir.environment.write_text(
            '{"versions": {"mfcvae-jax": "0.0.7"}}'
        )
        with self.assertRaisesRegex(
            ValueError, f"{self.workdir.config}, which mfcvae-jax 0.0.7 wrote"
        ):
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
    def _trained_on(self, dataset, *, resume=False, **overrides):
        settings = examples.settings(**overrides)
        self._claim(settings, resume=resume, dataset=dataset)

    def test_other_data_are_refused_and_named(self):
        self._trained_on(_dataset())
        # Nothing is lost by other data before the first checkpoint.
        self._trained_on(_dataset(n=20))
        (self.workdir.checkpoints / "11").mkdir(parents=True)
        self._trained_on(_dataset(n=20), resume=True)
        self.workdir.check_data(_dataset(n=20))
        for other, message in (
            (_dataset(n=30), "training images: 20 of .* then, 30 of .* now"),
            (_dataset(n=20, value=1), "training images: .*other values"),
        ):
            message = f"(?s)data are not those.*{self.workdir.path}.*{message}"
            with self.assertRaisesRegex(ValueError, message):
                self.workdir.check_data(other)
            with self.assertRaisesRegex(ValueError, message):
                self._trained_on(other, resume=True)

    def test_run_of_a_version_that_recorded_no_data_is_read(self):
        self._trained_on(None)
        (self.workdir.checkpoints / "11").mkdir(parents=True)
        self.assertFalse(self.workdir.data.exists())
        self.workdir.check_data(_dataset())
        self._trained_on(_dataset(), resume=True)
        self.assertTrue(self.workdir.data.exists())

    def test_folder_of_each_seed_knows_the_data(self):
        self._trained_on(_dataset(), n_seeds=2)
        folders = [*self.workdir.by_seed(examples.settings(n_seeds=2)).values()]
        for folder in folders:
            with self.assertRaisesRegex(ValueError, "data are not"):
                folder.check_data(_dataset(n=30))


def _dataset(n=10, value=0):
    images = np.full((n, 2, 2, 1), value, np.uint8)
    split = spec.Split(images, np.zeros((n, 0), np.int32))
    return spec.Dataset(spec.DatasetSpec("npz", (2, 2, 1), ()), split, split)
