"""Files on a server that speaks S3, by way of Beam."""

import logging

import pytest
import s3_server
from apache_beam.io.aws import s3io
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from beam_jobs.io import beam_storage
from beam_jobs.io.preflight import use_options
from records.errors import UserError
from records.format.shard_reader import ShardReader
from records.format.shard_writer import ShardWriter
from records.storage.files import (
    exists,
    file_sizes,
    is_directory,
    is_empty,
    new_file,
    read_file,
    remove_directory,
    remove_if_there,
    write_atomically,
)


@pytest.fixture(scope="module")
def server():
    with s3_server.running() as bucket:
        yield bucket


@pytest.fixture
def bucket(server, monkeypatch) -> s3_server.Bucket:
    monkeypatch.setattr(FileSystems, "_pipeline_options", None)
    beam_storage.register()
    use_options(PipelineOptions(server.flags), {"--output": [f"{server.url}/x"]})
    server.clear()
    return server


@pytest.mark.parametrize("content", [b"", b"few", bytes(6 << 20)])
def test_a_file_of_any_size(bucket, content):
    path = f"{bucket.url}/folder/file"
    write_atomically(path, b"before")
    write_atomically(path, content)
    assert bucket.held() == {"folder/file": content}
    assert read_file(path) == content
    assert file_sizes(f"{bucket.url}/folder") == {"file": len(content)}
    assert bucket.uploads() == []


def test_a_file_that_is_not_finished_sends_nothing(bucket):
    with new_file(f"{bucket.url}/file") as file:
        file.write(bytes(6 << 20))
    assert bucket.held() == {} and bucket.uploads() == []


def test_directories_are_there_while_a_file_is_in_them(bucket):
    folder = f"{bucket.url}/a/b"
    assert is_empty(folder) and not exists(folder)
    bucket.put("a/b/c/d", b"d")
    bucket.put("a/b-2/e", b"e")
    assert exists(folder) and is_directory(f"{bucket.url}/a") and not is_empty(folder)
    assert is_directory(bucket.url) and exists(bucket.url)
    assert file_sizes(folder) == {}
    assert file_sizes(folder, nested=True) == {"c/d": 1}
    remove_directory(folder)
    remove_directory(folder)
    assert bucket.held() == {"a/b-2/e": b"e"}


def test_what_is_not_there(bucket):
    for path in (f"{bucket.url}/gone", f"{bucket.url}/gone/too"):
        with pytest.raises(FileNotFoundError):
            read_file(path)
        remove_if_there(path)


def test_records_are_read_by_their_place(bucket):
    with ShardWriter(bucket.url, "empty") as writer:
        assert writer.close().bytes == 0
    assert list(ShardReader(f"{bucket.url}/empty").entries()) == []


def test_every_call_of_a_process_shares_one_client(bucket):
    options = FileSystems._pipeline_options
    clients = {s3io.S3IO(options=options).client.client for _ in range(3)}
    assert len(clients) == 1
    other = PipelineOptions([*bucket.flags, "--s3_region_name=eu-west-1"])
    assert s3io.S3IO(options=other).client.client not in clients


def refused(flags: list[str], url: str) -> str:
    with pytest.raises(UserError) as error:
        use_options(PipelineOptions(flags), {"--photos": [f"{url}/photos"]})
    return str(error.value)


def test_a_bucket_that_is_not_there(bucket):
    message = refused(bucket.flags, "s3://no-such-bucket")
    assert message.startswith("s3://no-such-bucket: ") and "NoSuchBucket" in message


def test_a_server_that_is_not_there_is_not_waited_for(bucket):
    flags = [*bucket.flags, "--s3_endpoint_url=http://127.0.0.1:9"]
    message = refused(flags, bucket.url)
    assert "Could not connect" in message and "--s3_endpoint_url" in message


def test_credentials_that_are_not_there(bucket, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    message = refused(["--s3_region_name=us-east-1"], bucket.url)
    assert "Unable to locate credentials" in message
    assert "--s3_access_key_id" in message


def test_an_error_that_is_raised_is_not_logged_as_well(bucket, caplog):
    refusal = pytest.raises(UserError, match=r"cannot write s3://nowhere-at-all/a: ")
    with caplog.at_level(logging.DEBUG), refusal:
        write_atomically("s3://nowhere-at-all/a", b"a")
    assert "Traceback" not in caplog.text
