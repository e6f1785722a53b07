# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Saved estimators: read as they were, and what else a file may hold."""

import json
import resource
import signal

import numpy as np
import pytest
from sklearn.base import clone

from mfcvae_jax import Facet, MultiFacetClustering, views
from mfcvae_jax import settings as settings_lib
from tests.estimator import small_fits

pytestmark = [pytest.mark.slow, small_fits.may_have_one_cluster]

IMAGES = small_fits.IMAGES[:40]


@pytest.fixture(scope="module")
def fitted():
    """Has all that a file may have to hold."""
    model = MultiFacetClustering(
        [
            Facet("auto", 2, view=[views.Affine(15), views.Noise(0.1)]),
            Facet(np.int64(3), 2, covariance="full", learn_weights=False),
        ],
        epochs=[1, 1],
        net=settings_lib.SharedEncoder(
            (16,), (16,), settings_lib.Activation.ELU, batch_norm=True
        ),
        likelihood=settings_lib.Bernoulli(),
        batch_size=np.int64(30),
        learning_rate=np.float32(1e-3),
        n_init=np.int64(1),
        random_state=np.random.RandomState(2),
    )
    return model.fit(IMAGES)


@pytest.fixture(scope="module")
def members(fitted, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.npz"
    fitted.save(path)
    with np.load(path) as opened:
        return dict(opened)


def changed(members, change):
    """With other members, or with what a function makes of `about`."""
    if not callable(change):
        return members | change
    about = json.loads(str(members["about"]))
    change(about)
    return members | {"about": np.array(json.dumps(about))}


class TestRoundTrip:
    def test_all_is_as_it_was(self, tmp_path, fitted):
        path = tmp_path / "model"
        fitted.save(path)
        assert [p.name for p in tmp_path.iterdir()] == ["model"]
        again = MultiFacetClustering.load(path)
        assert again.facets == tuple(fitted.facets)
        assert isinstance(again.random_state, int)
        for name in (
            *("net", "likelihood", "batch_size", "epochs"),
            *("history_", "n_iter_", "n_features_in_"),
        ):
            assert getattr(again, name) == getattr(fitted, name)
        np.testing.assert_array_equal(again.labels_, fitted.labels_)
        np.testing.assert_array_equal(again.evidence_[0], fitted.evidence_[0])
        assert again.evidence_[1] is None
        np.testing.assert_array_equal(again.predict(IMAGES), fitted.labels_)
        np.testing.assert_array_equal(
            again.sample(3, random_state=1), fitted.sample(3, random_state=1)
        )
        assert again.score(IMAGES) == fitted.score(IMAGES)
        refit = clone(again).fit(IMAGES)
        np.testing.assert_array_equal(refit.labels_, fitted.labels_)

    def test_what_is_set_after_the_fit_is_left_out(self, tmp_path, fitted):
        model = clone(fitted)
        model._adopt(fitted._fitted)
        model.set_params(facets=[Facet(9, 9)]).save(tmp_path / "model")
        again = MultiFacetClustering.load(tmp_path / "model")
        assert again.facets == tuple(fitted.facets)

    def test_names_of_columns(self, tmp_path):
        pandas = pytest.importorskip("pandas")
        frame = pandas.DataFrame(IMAGES[:, 3], columns=list("abcdefgh"))
        model = small_fits.estimator(facets=[Facet(2, 2)], epochs=1)
        model.fit(frame).save(tmp_path / "model")
        again = MultiFacetClustering.load(tmp_path / "model")
        assert list(again.feature_names_in_) == list("abcdefgh")
        with pytest.raises(ValueError, match="feature names"):
            again.predict(frame[list("hgfedcba")])

    def test_files_of_the_first_version(self, tmp_path, fitted, members):
        def as_first(about):
            about["version"] = 1
            del about["settings"]["facets"]["view"]
            for name in ("n_init", "warm_up", "redundancy_price"):
                del about["params"][name]

        older = changed(members, as_first)
        del older["arrays/contrast"]
        np.savez(tmp_path / "m.npz", **older)
        again = MultiFacetClustering.load(tmp_path / "m.npz")
        np.testing.assert_array_equal(again.predict(IMAGES), fitted.labels_)
        assert [facet.view for facet in again.facets] == [(), ()]
        assert (again.n_init, again.warm_up, again.redundancy_price) == (
            1,
            0,
            0,
        )


class TestForeignFiles:
    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({"about": np.array("hello")}, "was not written by"),
            ({"about": np.array("[1]")}, "was not written by"),
            ({"about": np.array("[" * 10**5)}, "was not written by"),
            ({"about": np.zeros(2)}, "was not written by .*: it holds about, "),
            # It would have to be unpickled, and nothing is.
            ({"about": np.array([{}], object)}, "allow_pickle=False"),
            ({"extra": np.zeros(2)}, "is called extra"),
            ({"net/params/other": np.zeros(2)}, "called net/params/other"),
            ({"arrays/labels": np.zeros((40, 2))}, "arrays/labels must be int"),
            ({"arrays/labels": np.full((40, 2), 99)}, "labels is not"),
            ({"arrays/labels": np.array(3)}, "model.npz is damaged"),
            ({"arrays/scale": np.array("a")}, "arrays/scale must be float64"),
            ({"arrays/scale": np.array(0.0)}, "scale is not"),
            ({"arrays/offset": np.array(np.nan)}, "offset holds .* not finite"),
            ({"arrays/evidence_0": np.zeros((4, 3))}, "evidence_0 must be"),
            (lambda a: a.pop("version"), "it lacks 'version'"),
            (lambda a: a.update(version="1"), "version is not"),
            (lambda a: a.update(version=9), "version 9.*install a later one"),
            (lambda a: a.update(format="other"), "was not written by"),
            (lambda a: a.update(settings=3), "model.npz is damaged"),
            (lambda a: a["settings"]["train"].pop("estimator"), "estimator"),
            (lambda a: a["settings"]["net"].update(encoder=[8]), "of shape"),
            (lambda a: a["settings"].update(seed="a"), "seed"),
            (lambda a: a["params"].update(future=1), "future"),
            (lambda a: a["params"].update(epochs="many"), "epochs"),
            (lambda a: a["params"].update(facets=[]), "facets is not what it"),
            (lambda a: a["params"].update(random_state="a"), "random_state"),
            (lambda a: a["params"]["facets"][1].update(latent_dim=9), "facets"),
            (lambda a: a["params"].pop("net"), "it lacks 'net'"),
            (lambda a: a.update(example_shape=[8, 9]), "net/"),
            (lambda a: a.update(example_shape="ab"), "example_shape is not"),
            (lambda a: a.update(is_bytes=3), "is_bytes is not"),
            (lambda a: a.update(history=[3]), "history is not"),
            (lambda a: a.update(feature_names_in=["a"]), "names is not"),
        ],
    )
    def test_what_is_not_as_it_was(self, tmp_path, members, change, expected):
        refused(tmp_path, changed(members, change), expected)

    def test_each_member_is_needed_as_it_is(self, tmp_path, members):
        for name, array in members.items():
            others = {k: v for k, v in members.items() if k != name}
            refused(tmp_path, others, "model.npz")
            if name.startswith("net/"):
                for wrong in (
                    array[..., None],
                    array.astype(np.float64),
                    np.full_like(array, np.nan),
                ):
                    refused(tmp_path, members | {name: wrong}, name)

    def test_cut_or_overwritten(self, tmp_path, fitted):
        path = tmp_path / "model.npz"
        fitted.save(path)
        whole = path.read_bytes()
        for n in np.linspace(0, len(whole) - 1, 40, dtype=int):
            zeros = whole[:n] + bytes(64) + whole[n + 64 :]
            path.write_bytes(whole[:n])
            with pytest.raises(ValueError, match=r"model\.npz"):
                MultiFacetClustering.load(path)
            path.write_bytes(zeros)
            try:  # some bytes of a zip mean nothing
                again = MultiFacetClustering.load(path)
            except ValueError as error:
                assert "model.npz" in str(error)
            else:
                np.testing.assert_array_equal(again.labels_, fitted.labels_)

    def test_no_zip(self, tmp_path):
        (tmp_path / "folder").mkdir()
        (tmp_path / "empty").touch()
        (tmp_path / "text").write_text("no estimator")
        for name in ("folder", "empty", "text"):
            with pytest.raises(ValueError, match=f"{name} is .*saved est"):
                MultiFacetClustering.load(tmp_path / name)
        with pytest.raises(FileNotFoundError, match="there is no file"):
            MultiFacetClustering.load(tmp_path / "none")


def refused(folder, members, expected):
    path = folder / "model.npz"
    np.savez(path, **members)
    with pytest.raises(ValueError, match=expected) as found:
        MultiFacetClustering.load(path)
    assert "model.npz" in str(found.value)


class TestWhereToWrite:
    @pytest.fixture(autouse=True)
    def nothing_is_left_behind(self, tmp_path):
        yield
        assert not list(tmp_path.rglob("*.part"))

    def test_where_it_cannot(self, tmp_path, fitted):
        (tmp_path / "loop").symlink_to("loop")
        for path, error, message in (
            (tmp_path, IsADirectoryError, tmp_path.name),
            (tmp_path / "none/m.npz", FileNotFoundError, "No such file"),
            (tmp_path / "loop", OSError, "no regular file"),
            ("/dev/null", OSError, "no regular file.*/dev/null"),
            (tmp_path / ("a" * 256), OSError, "too long"),
        ):
            with pytest.raises(error, match=message) as found:
                fitted.save(path)
            assert found.value.filename == str(path)
        assert not list(tmp_path.parent.glob(".*.part"))

    def test_through_a_link_and_by_the_longest_name(self, tmp_path, fitted):
        (tmp_path / "link").symlink_to("a" * 255)
        fitted.save(tmp_path / "link")
        assert (tmp_path / "link").is_symlink()
        MultiFacetClustering.load(tmp_path / ("a" * 255))

    def test_a_full_disk_leaves_the_old_file(self, tmp_path, fitted):
        path = tmp_path / "model.npz"
        path.write_bytes(b"old")
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        try:
            with pytest.raises(OSError, match=r"model\.npz"):
                fitted.save(path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, handler)
        assert path.read_bytes() == b"old"
