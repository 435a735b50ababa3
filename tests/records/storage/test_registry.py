import pytest

from records.storage import registry
from records.storage.base import LocalStorage, Storage
from records.storage.fsspec_storage import FsspecStorage, WebStorage
from records.storage.gfile import TensorFlowStorage
from records.storage.registry import storage_of


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch):
    monkeypatch.setattr(registry, "_remote", None)
    registry._elsewhere.cache_clear()
    yield
    registry._elsewhere.cache_clear()


@pytest.mark.parametrize("path", ["a/b", "/a/b", "a:b/c", "a:/b", "C:\\a", "://a"])
def test_a_path_without_a_scheme_is_of_this_machine(path):
    assert isinstance(storage_of(path), LocalStorage)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("s3://a/b", FsspecStorage),
        ("memory://a/b", FsspecStorage),
        ("http://a/b", WebStorage),
        ("https://a/b", WebStorage),
        ("hdfs://a/b", TensorFlowStorage),
        ("ram://a/b", TensorFlowStorage),
        ("a+b.c-1://d", TensorFlowStorage),
    ],
)
def test_a_path_with_a_scheme_is_remote(path, kind):
    assert type(storage_of(path)) is kind


@pytest.mark.parametrize(
    ("installed", "kind"), [(object(), FsspecStorage), (None, TensorFlowStorage)]
)
def test_tensorflow_reads_google_cloud_storage_without_gcsfs(
    monkeypatch, installed, kind
):
    monkeypatch.setattr(registry, "find_spec", lambda _: installed)
    assert type(storage_of("gs://a")) is kind


def test_a_registered_storage_is_not_for_web_servers(monkeypatch):
    registered = LocalStorage()
    monkeypatch.setattr(registry, "_remote", registered)
    assert storage_of("s3://a") is storage_of("gs://a") is registered
    assert isinstance(storage_of("https://a"), Storage)
    assert storage_of("https://a") is not registered
