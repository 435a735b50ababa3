"""Reading Flickr8k: caption file, split lists, photo directory.

    Flickr8k.token.txt            1000268201_693b08cb0e.jpg#0<TAB>A child in a dress .
    Flickr_8k.trainImages.txt     2513260012_03d33305cf.jpg
    Flickr_8k.devImages.txt
    Flickr_8k.testImages.txt

Source: Hodosh, Young and Hockenmaier, "Framing Image Description as a Ranking Task",
JAIR 2013.
"""

import itertools
import re
import zlib
from collections.abc import Iterator

import apache_beam as beam
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from beam_jobs.elements import Caption, Reject
from beam_jobs.photo_files import escape, match_photos
from records.errors import UserError

SPLIT_FILES = {
    "train": "Flickr_8k.trainImages.txt",
    "dev": "Flickr_8k.devImages.txt",
    "test": "Flickr_8k.testImages.txt",
}
CAPTION_LINE = re.compile(r"(?P<photo>[^\t#]+)#(?P<number>\d+)\t(?P<text>.*\S.*)")
REJECTED = "rejected"


class ReadCaptions(beam.DoFn):
    """Path of a caption file -> Caption; output `rejected` -> Reject.

    One worker reads the file from end to end, so that a reject can name its line; text
    is a millionth of the work.
    """

    def process(self, path: str):
        for number, line in read_lines(path):
            where = f"{path}:{number}"
            caption = parse_caption(line, where)
            if isinstance(caption, Reject):
                yield beam.pvalue.TaggedOutput(REJECTED, caption)
            else:
                yield caption


class ReadSplit(beam.DoFn):
    """(split, path of its list) -> (photo id, split)."""

    def process(self, split_and_path: tuple[str, str]):
        split, path = split_and_path
        for number, line in read_lines(path):
            try:
                yield line.decode().strip(), split
            except UnicodeDecodeError as error:
                raise UserError(
                    f"{path}:{number} is not UTF-8 ({error.reason}); convert the list"
                ) from None


class ListPhotos(beam.DoFn):
    """Photo directory -> (photo id, PhotoFile) for each file in it."""

    def process(self, directory: str):
        for file in match_photos(FileSystems.join(escape(directory), "*")):
            photo_id = FileSystems.split(file.photo_id)[1]
            yield photo_id, file._replace(photo_id=photo_id)


def parse_caption(line: bytes, where: str) -> Caption | Reject:
    """Reads one line of the caption file.

    >>> parse_caption(b"1.jpg#0\\tA dog runs .", "captions.txt:1").text
    'A dog runs .'
    """
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        return Reject("caption", where, "not_utf8", str(error), 1)
    match = CAPTION_LINE.fullmatch(text)
    if not match:
        expected = "photo.jpg#number<TAB>caption"
        detail = f"expected {expected}; received {text[:80]!r}"
        return Reject("caption", where, "malformed_line", detail, 1)
    text = match["text"].strip()
    return Caption(match["photo"].strip(), int(match["number"]), where, text)


def read_lines(path: str) -> Iterator[tuple[int, bytes]]:
    """Yields (line number from 1, line without its end); blank lines are skipped."""
    with FileSystems.open(path, compression_type=CompressionTypes.AUTO) as file:
        number = 0
        while line := file.readline():
            number += 1
            if line.strip():
                yield number, line.rstrip(b"\r\n")


def find_split_files(directory: str) -> dict[str, str]:
    """The three split lists of a directory.

    Raises:
        UserError: one is not there or names no photo.
    """
    found = {}
    for split, name in SPLIT_FILES.items():
        path = FileSystems.join(directory, name)
        if not FileSystems.exists(path):
            raise UserError(f"--splits: no file {name} in {directory}")
        if not first_lines("--splits", path, 1):
            raise UserError(
                f"--splits: {path} names no photo, so split {split!r} would be empty; "
                "expected one photo file name a line"
            )
        found[split] = path
    return found


def check_captions_file(path: str) -> None:
    """Looks at the first lines, so that a wrong file is refused before any work.

    Raises:
        UserError: no such file, an empty one, or another format.
    """
    if not FileSystems.exists(path):
        raise UserError(f"--captions: no file {path}")
    first = first_lines("--captions", path, 10)
    if not first:
        raise UserError(f"--captions: {path} is empty")
    parsed = [parse_caption(line, f"{path}:{number}") for number, line in first]
    if all(isinstance(caption, Reject) for caption in parsed):
        raise UserError(
            f"--captions: none of the first {len(parsed)} lines of {path} is a caption "
            f"({parsed[0].reason}: {parsed[0].detail})"
        )


def first_lines(flag: str, path: str, count: int) -> list[tuple[int, bytes]]:
    try:
        return list(itertools.islice(read_lines(path), count))
    except (OSError, EOFError, zlib.error) as error:  # the last two: damaged archives
        raise UserError(f"{flag}: cannot read {path}: {error}") from None
