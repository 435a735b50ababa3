import pytest

from records.storage.base import LocalStorage
from records.storage.gfile import TensorFlowStorage
from records.storage.registry import storage_of


@pytest.mark.parametrize("path", ["a/b", "/a/b", "a:b/c", "a:/b", "C:\\a", "://a"])
def test_a_path_without_a_scheme_is_of_this_machine(path):
    assert isinstance(storage_of(path), LocalStorage)


@pytest.mark.parametrize("path", ["gs://a", "s3://a/b", "a+b.c-1://d"])
def test_a_path_with_a_scheme_is_remote(path):
    assert isinstance(storage_of(path), TensorFlowStorage)
