"""Opens a record set after checking its files against its manifest."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from records.console import short_digest
from records.errors import UserError
from records.format.manifest import FILE_NAME, Manifest, ShardInfo, load_manifest
from records.format.schema import PhotoRecord, decode
from records.format.shard_reader import ShardReader
from records.storage.base import BLOCK, is_remote
from records.storage.cache import FileCache, StoredFile
from records.storage.files import can_list, file_sizes
from records.text import vocabulary as vocabulary_module
from records.text.vocabulary import Vocabulary

Decoded = TypeVar("Decoded")


@dataclass(frozen=True)
class RecordSet:
    """A directory of records that fits its manifest.

    >>> from records import RecordSet
    >>> records = RecordSet.open("data/records")
    >>> records.manifest.photos("train"), len(records.vocabulary)
    (21, 12)
    >>> for record in records.records("dev"):
    ...     print(record.photo_id, record.features.shape, record.captions[0])
    dev...jpg (32,) a ... on ...

    Attributes:
        directory: path of the record set.
        manifest: content of `dataset.json`.
        vocabulary: content of `vocabulary.txt`.
        cache: the copies of a remote record set's shards; None for a local one.
    """

    directory: str
    manifest: Manifest
    vocabulary: Vocabulary
    cache: FileCache | None = None

    @classmethod
    def open(cls, directory: str, cache: FileCache | None = None) -> "RecordSet":
        """Opens a record set and checks its vocabulary's digest and its shards' sizes.

        Args:
            directory: path of the record set.
            cache: for a remote record set; None for one in the default folder.

        Raises:
            UserError: a file is missing or does not fit the manifest; names it.
        """
        manifest = load_manifest(directory)
        vocabulary = check_vocabulary(directory, manifest)
        remote = is_remote(directory)
        records = cls(
            directory, manifest, vocabulary, cache or FileCache() if remote else None
        )
        if can_list(directory):  # else each shard is checked when it is fetched
            records.check_shards()
        return records

    def check_shards(self) -> None:
        """Raises UserError if a shard has not the size that the manifest says."""
        sizes = file_sizes(self.directory)
        shards = [shard for split in self.manifest.shards.values() for shard in split]
        if shards and not any(shard.name in sizes for shard in shards):
            raise UserError(
                f"{self.directory} holds none of the shards that its {FILE_NAME} "
                "lists. A run's work directory has a copy of that file: name the "
                "directory that `tfcap build --output` wrote"
            )
        for shard in shards:
            check_size(self.directory, shard, sizes.get(shard.name))

    def shard_paths(self, split: str) -> list[str]:
        """Returns the paths of a split's shards; if they are remote, of their copies.

        A copy exists only after it was fetched: by `local_shards` or `fetcher`.

        Raises:
            UserError: the split holds no photo; names the splits that do.
        """
        self.check_split(split)
        files = map(self.stored, self.manifest.shards[split])
        return [self.cache.path_of(file) if self.cache else file.path for file in files]

    def stored(self, shard: ShardInfo) -> StoredFile:
        """Returns the file of a shard, as the manifest describes it."""
        path = os.path.join(self.directory, shard.name)
        return StoredFile(path, shard.bytes, shard.sha256)

    def local_shards(
        self, split: str, chosen: Sequence[ShardInfo] | None = None
    ) -> Iterator[str]:
        """Returns the paths of shards, which are fetched first if they are remote.

        Args:
            split: the split.
            chosen: shards of the split; None for all.

        Raises:
            UserError: the split holds no photo.
        """
        self.check_split(split)
        shards = self.manifest.shards[split] if chosen is None else chosen
        files = map(self.stored, shards)
        return self.cache.each(files) if self.cache else (file.path for file in files)

    def fetcher(self, split: str) -> Callable[[Iterable[int]], None] | None:
        """Returns a function that fetches shards, by their numbers in the split.

        Numbers below 0 are no shards. Local record sets have no such function.
        """
        if not self.cache:
            return None
        fetch, shards = self.cache.group_fetcher(), self.manifest.shards[split]

        def fetch_numbers(numbers: Iterable[int]) -> None:
            fetch([self.stored(shards[number]) for number in numbers if number >= 0])

        return fetch_numbers

    @property
    def failure(self) -> UserError | None:
        """The error of the last shard that `fetcher` could not fetch."""
        return self.cache.failure if self.cache else None

    def check_split(self, split: str) -> None:
        """Raises UserError if the split holds no photo; names the splits that do."""
        if not self.manifest.photos(split):
            counts = {name: self.manifest.photos(name) for name in self.manifest.shards}
            others = [f"{count} in {name}" for name, count in counts.items() if count]
            raise UserError(
                f"{self.directory} has no photo in split {split!r}; it has "
                + (", ".join(others) or "none at all")
            )

    def records(self, split: str) -> Iterator[PhotoRecord]:
        """Yields a split's records in stored order.

        Raises:
            UserError: the split holds no photo, or a record is damaged; names its shard
                and its number.
        """
        features = self.manifest.features
        paths = self.local_shards(split)
        return decode_each(paths, read_shard, lambda record: decode(record, features))


def check_vocabulary(directory: str, manifest: Manifest) -> Vocabulary:
    path = os.path.join(directory, vocabulary_module.FILE_NAME)
    vocabulary = Vocabulary.load(path)
    if vocabulary.digest != manifest.vocabulary_sha256:
        raise UserError(
            f"{path} is not the vocabulary these records were written with: its digest "
            f"is {short_digest(vocabulary.digest)}, the manifest says "
            f"{short_digest(manifest.vocabulary_sha256)}"
        )
    return vocabulary


def check_size(directory: str, shard: ShardInfo, size: int | None) -> None:
    path = os.path.join(directory, shard.name)
    if size is None:
        raise UserError(f"shard {path} is missing; the manifest lists it")
    if size != shard.bytes:
        raise UserError(
            f"shard {path} has {size} bytes; the manifest says {shard.bytes}. "
            "It is truncated or from another build."
        )


def decode_each(
    paths: Iterable[str],
    read: Callable[[str], Iterable[bytes]],
    decode_one: Callable[[bytes], Decoded],
) -> Iterator[Decoded]:
    """Yields what shards hold.

    Args:
        paths: of the shards.
        read: yields the serialised records of a shard, by its path.
        decode_one: decodes a record.

    Raises:
        UserError: a record cannot be read or decoded; names its shard and its number.
    """
    for path in paths:
        for number, serialized in enumerate(read(path)):
            try:
                decoded = decode_one(serialized)
            except UserError as error:
                raise UserError(f"{path}: record {number}: {error}") from None
            yield decoded


def read_shard(path: str) -> Iterator[bytes]:
    """Yields a shard's serialised records.

    Raises:
        UserError: the file is damaged; names shard and record number.
    """
    for number, (offset, record) in enumerate(ShardReader(path, BLOCK).entries()):
        if record is None:
            raise UserError(
                f"{path}: record {number} is damaged: no whole record at byte {offset}"
            )
        yield record
