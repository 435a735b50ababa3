"""Photos, captions, shards and bytes of each split, as data and as a table."""

from collections.abc import Mapping

from rich.table import Table

from records.console import number_table
from records.format.manifest import Manifest
from records.format.sharding import in_order


def describe_splits(manifest: Manifest) -> dict[str, dict[str, int]]:
    return {
        split: {
            "photos": manifest.photos(split),
            "captions": manifest.captions(split),
            "shards": len(manifest.shards[split]),
            "bytes": sum(shard.bytes for shard in manifest.shards[split]),
        }
        for split in in_order(manifest.shards)
    }


def split_table(splits: Mapping[str, Mapping[str, int]]) -> Table:
    """Returns a table of photos, captions, shards and MiB.

    Args:
        splits: as `describe_splits` returns them.
    """
    table = number_table("split", "photos", "captions", "shards", "MiB")
    for split, numbers in splits.items():
        cells = [str(numbers[name]) for name in ("photos", "captions", "shards")]
        table.add_row(split, *cells, f"{numbers['bytes'] / 2**20:.1f}")
    return table
