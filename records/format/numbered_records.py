"""Reads records of a split by their numbers in stored order."""

from collections.abc import Iterator, Sequence

from records.errors import UserError
from records.format.record_set import RecordSet
from records.format.shard_reader import ShardReader

BUFFER = 1 << 12  # bytes read at a time: most records are skipped after their length


def read_numbered(
    records: RecordSet, split: str, numbers: Sequence[int]
) -> Iterator[bytes]:
    """Yields serialised records; shards that hold none of them are not read.

    Args:
        numbers: from 0, ascending.

    Raises:
        UserError: a record is damaged or missing; names shard and place.
    """
    records.check_split(split)
    wanted, first, shards = set(map(int, numbers)), 0, []
    for info in records.manifest.shards[split]:
        in_shard = {n for n in range(info.photos) if first + n in wanted}
        first += info.photos
        if in_shard:
            shards.append((info, in_shard))
    paths = records.local_shards(split, [info for info, _ in shards])
    for path, (_, in_shard) in zip(paths, shards):
        yield from read_some(path, in_shard)


def read_some(path: str, numbers: set[int]) -> Iterator[bytes]:
    """Yields records of one shard by their numbers in it."""
    reader = ShardReader(path, BUFFER)
    last = max(numbers)
    for number, offset in enumerate(reader.offsets()):
        if number in numbers:
            yield reader.read(offset)
        if number == last:
            return
    raise UserError(f"{path}: record {last} is missing")
