"""Writes to Google Cloud Storage on a condition, with a client in memory."""

import inspect

import pytest
from apache_beam.io.filesystems import FileSystems

from beam_jobs.io import gcs

pytest.importorskip("google.cloud.storage", reason="an extra: pip install 'tfcap[gcp]'")
from google.api_core.exceptions import NotFound, PreconditionFailed

PATH = "gs://bucket/folder/lock"


class Store:
    """One bucket; name -> (generation, content). It is its own client and bucket."""

    def __init__(self):
        self.objects, self.before_write = {}, lambda: None

    def bucket(self, name):
        assert name == "bucket"
        return self

    def blob(self, name):
        return Blob(self, name)

    def put(self, name, content):
        generation, _ = self.objects.get(name, (0, b""))
        self.objects[name] = (generation + 1, content)


class Blob:
    def __init__(self, store, name):
        self.store, self.name, self.generation = store, name, None

    def stored(self):
        if self.name not in self.store.objects:
            raise NotFound(self.name)
        return self.store.objects[self.name]

    def reload(self):
        self.generation, _ = self.stored()

    def download_as_bytes(self, if_generation_match):
        self.check(if_generation_match)
        return self.stored()[1]

    def upload_from_string(self, content, if_generation_match):
        self.store.before_write()
        self.check(if_generation_match)
        self.store.put(self.name, content)

    def check(self, generation):
        if self.store.objects.get(self.name, (0, b""))[0] != generation:
            raise PreconditionFailed(self.name)


@pytest.fixture
def store(monkeypatch) -> Store:
    store = Store()
    monkeypatch.setattr(gcs, "client", lambda: store)
    return store


def test_an_object_is_made_only_if_there_is_none(store):
    assert gcs.write_if(PATH, None, b"first")
    assert not gcs.write_if(PATH, None, b"second")
    assert store.objects == {"folder/lock": (1, b"first")}


def test_an_object_is_replaced_only_if_it_is_as_it_was_read(store):
    assert not gcs.write_if(PATH, b"old", b"new")
    store.put("folder/lock", b"old")
    assert not gcs.write_if(PATH, b"other", b"new")
    assert gcs.write_if(PATH, b"old", b"new")
    assert store.objects == {"folder/lock": (2, b"new")}


def test_another_process_may_come_between(store):
    store.put("folder/lock", b"old")
    store.before_write = lambda: store.put("folder/lock", b"theirs")
    assert not gcs.write_if(PATH, b"old", b"ours")
    assert store.objects["folder/lock"][1] == b"theirs"


def test_a_bucket_that_is_not_there_is_an_error(store, monkeypatch):
    def gone(*_, **__):
        raise NotFound("bucket")

    monkeypatch.setattr(Blob, "upload_from_string", gone)
    with pytest.raises(NotFound):
        gcs.write_if(PATH, None, b"ours")


def test_beam_has_the_names_that_are_used():
    assert hasattr(FileSystems, "_pipeline_options")
    assert "pipeline_options" in inspect.signature(gcs.gcsio.GcsIO).parameters
