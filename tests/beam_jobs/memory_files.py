"""Two file systems in memory, of the kinds that Beam knows; for one process.

`store://` is like S3 and Cloud Storage: no directories, a rename is a copy, a file
comes into being when it is closed. `tree://` is like HDFS: directories, which a listing
shows beside the files; a name that is taken is refused.
"""

import io
from typing import ClassVar

from apache_beam.io.filesystem import BeamIOError, FileMetadata, FileSystem

MODIFIED = 1_600_000_000.0  # seconds since 1970


class _Writer(io.BytesIO):
    def __init__(self, path: str, files: dict[str, bytes]):
        super().__init__()
        self.path, self.files = path, files

    def close(self):
        if not self.closed:
            self.files[self.path] = self.getvalue()
        super().close()


class StoreFiles(FileSystem):
    """Files by their whole name.

    Attributes:
        files: name -> bytes.
        calls: (operation, path), of all that was done.
        broken: paths with this in them cannot be reached.
    """

    files: ClassVar[dict[str, bytes]] = {}
    calls: ClassVar[list[tuple[str, str]]] = []
    broken: ClassVar[str | None] = None

    @classmethod
    def scheme(cls):
        return "store"

    @classmethod
    def clear(cls):
        cls.files.clear()
        cls.calls.clear()
        cls.broken = None

    def done(self, what: str, path: str) -> None:
        self.calls.append((what, path))
        if self.broken and self.broken in path:
            raise RuntimeError(f"503 Service Unavailable for {what}")

    def has_dirs(self):
        return False

    def join(self, basepath, *paths):
        return "/".join([basepath.rstrip("/"), *paths])

    def split(self, path):
        return tuple(path.rsplit("/", 1))

    def mkdirs(self, path):
        raise AssertionError("an object store has no directories")

    def _list(self, prefix):
        self.done("list", prefix)
        for path, content in sorted(self.files.items()):
            if path.startswith(prefix):
                yield FileMetadata(path, len(content), MODIFIED)

    def create(self, path, mime_type=None, compression_type=None):
        self.done("create", path)
        return _Writer(path, self.files)

    def open(self, path, mime_type=None, compression_type=None):
        self.done("open", path)
        if path not in self.files:
            raise BeamIOError("open failed", {path: FileNotFoundError(path)})
        return io.BufferedReader(io.BytesIO(self.files[path]), 16 << 20)

    def copy(self, sources, destinations):
        for source, destination in zip(sources, destinations, strict=True):
            self.done("copy", source)
            self.files[destination] = self.files[source]

    def rename(self, sources, destinations):
        self.copy(sources, destinations)
        self.delete(sources)

    def exists(self, path):
        self.done("exists", path)
        return path in self.files

    def size(self, path):
        return self.metadata(path).size_in_bytes

    def last_updated(self, path):
        return self.metadata(path).last_updated_in_seconds

    def metadata(self, path):
        self.done("metadata", path)
        if path not in self.files:
            raise BeamIOError("metadata failed", {path: FileNotFoundError(path)})
        return FileMetadata(path, len(self.files[path]), MODIFIED)

    def delete(self, paths):
        for path in paths:
            self.done("delete", path)
            below = [name for name in self.files if name.startswith(path)]
            for name in below if path.endswith("/") else [path]:
                self.files.pop(name, None)


class TreeFiles(StoreFiles):
    """Files in directories, which are there whether or not a file is in them.

    Attributes:
        directories: their names.
    """

    files: ClassVar[dict[str, bytes]] = {}
    directories: ClassVar[set[str]] = set()

    @classmethod
    def scheme(cls):
        return "tree"

    @classmethod
    def clear(cls):
        super().clear()
        cls.directories.clear()

    def has_dirs(self):
        return True

    def mkdirs(self, path):
        if self.exists(path):
            raise BeamIOError(f"Path already exists: {path}")
        parts = path.split("/")
        self.directories.update("/".join(parts[:i]) for i in range(3, len(parts) + 1))

    def _list(self, directory):
        directory = directory.rstrip("/")
        if directory not in self.directories:
            problem = ValueError(f"{directory} is not a directory")
            raise BeamIOError("list failed", {directory: problem})
        below = {**self.files, **dict.fromkeys(self.directories, b"")}
        for path, content in sorted(below.items()):
            if path.rpartition("/")[0] == directory:
                yield FileMetadata(path, len(content), MODIFIED)

    def create(self, path, mime_type=None, compression_type=None):
        if self.exists(path):
            raise BeamIOError(f"{path} exists")
        self.mkdirs_of(path)
        return super().create(path)

    def mkdirs_of(self, path):
        folder = path.rpartition("/")[0]
        if folder not in self.directories:
            self.mkdirs(folder)

    def rename(self, sources, destinations):
        names = [path for path in destinations if path in self.files]
        taken = {path: ValueError("exists") for path in names}
        if taken:
            raise BeamIOError("rename failed", taken)
        super().rename(sources, destinations)

    def exists(self, path):
        return super().exists(path) or path.rstrip("/") in self.directories

    def delete(self, paths):
        for path in paths:
            folder = f"{path}/"
            self.directories -= {
                name for name in self.directories if f"{name}/".startswith(folder)
            }
            super().delete([folder] if path not in self.files else [path])


def put(path: str, content: bytes) -> None:
    """Writes a file, without a call that is counted."""
    kind = {"store": StoreFiles, "tree": TreeFiles}[path.split("://")[0]]
    kind.files[path] = content
    if kind is TreeFiles and path.rpartition("/")[0] not in kind.directories:
        TreeFiles({}).mkdirs(path.rpartition("/")[0])


def held(directory: str) -> dict[str, bytes]:
    """Name -> bytes of all that is below a directory."""
    kind = {"store": StoreFiles, "tree": TreeFiles}[directory.split("://")[0]]
    start = f"{directory}/"
    return {
        path.removeprefix(start): content
        for path, content in kind.files.items()
        if path.startswith(start)
    }
