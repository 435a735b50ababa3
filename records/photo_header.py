"""Checks a photo's header before the photo is decoded.

The bytes are untrusted. So the size is read by a parser that visits at most
`MOST_PARTS` segments, chunks or blocks, plus one for every `PART` bytes, in time linear
in the bytes. It decodes nothing.

Decoding times were measured on photos of 12 megapixels (2 cores of an AMD EPYC, by
`decode_photo`): 3 to 19 ns a pixel for JPEG, 8 to 27 for PNG, 9 to 18 for GIF and 11 to
22 for BMP. Each scan of a progressive JPEG adds a small part of that. So the cost of a
photo is its number of pixels, increased for many scans.

Sources: JPEG, ITU T.81 annex B; PNG 3rd edition; GIF89a; WebP container specification,
RFC 9649.
"""

import re
import struct
from collections.abc import Callable
from typing import NamedTuple

# A larger photo is refused as a decompression bomb; Pillow has the same limit.
MAX_PIXELS = 89_478_485
MAX_BYTES = 512 << 20  # of a file: more than a BMP of MAX_PIXELS has
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WebP")
READABLE = "JPEG, PNG, GIF, BMP or WebP"
MAX_SIDE = 65_535  # JPEG's limit: resizing a wider photo takes gigabytes
MOST_PARTS = 4096  # and one more for every `PART` bytes
PART = 64
SCANS = 32  # number of scans that take as long as decoding all pixels once

# Markers of a JPEG's frames; markers in FREE have neither length nor content.
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
FREE = {0x01, *range(0xD0, 0xD9)}
SCAN, END = 0xDA, b"\xff\xd9"
# Any marker except those inside the data of a scan.
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
OTHERS = {
    rb"II\*\0|MM\0\*": "TIFF",
    rb"....ftyp(avif|avis)": "AVIF",
    rb"....ftyp(heic|heix|hevc|mif1|msf1)": "HEIC",
    rb"\0\0\0\x0cJXL |\xff\x0a": "JPEG XL",
    rb"\0\0\0\x0cjP": "JPEG 2000",
    rb"\0\0\x01\0": "ICO",
    rb"8BPS": "PSD",
    rb"%PDF": "PDF",
}


class PhotoProblem(Exception):  # noqa: N818
    """A photo that must not be decoded.

    Attributes:
        reason: one word, by which problems are counted: `empty_file`, `not_an_image`,
            `unsupported_format`, `too_many_parts`, `too_many_pixels` or `too_costly`.
    """

    def __init__(self, reason: str, detail: str):
        super().__init__(detail)
        self.reason = reason

    def describe(self) -> str:
        """Returns reason and detail as a message."""
        return f"{self.reason.replace('_', ' ')}: {self}"


class Header(NamedTuple):
    """Format and size of a photo.

    Attributes:
        kind: one of FORMATS.
        width, height: in pixels.
        pixels: number that a decoder holds, for a GIF those of all frames.
        scans: number of passes over the pixels, for a JPEG with several.
    """

    kind: str
    width: int
    height: int
    pixels: int
    scans: int = 0

    @property
    def cost(self) -> float:
        """Pixels, increased for many scans; decoding time is proportional to it."""
        return self.pixels * (1 + self.scans / SCANS)


def check_header(photo: bytes, most: int = MAX_PIXELS) -> Header:
    """Reads a photo's header and checks its format and cost.

    Args:
        photo: bytes of the file; its name does not matter.
        most: largest cost allowed, in pixels.

    Raises:
        PhotoProblem: the format is none of FORMATS, or the cost is higher.
    """
    header = read_header(photo)
    if header.pixels > most:
        size = f"{header.width} x {header.height} pixels"
        raise PhotoProblem("too_many_pixels", f"{size}; {most:,} at most")
    if header.cost > most:
        raise PhotoProblem(
            "too_costly",
            f"{header.width} x {header.height} pixels in {header.scans} scans; save it "
            "as a JPEG that is not progressive",
        )
    return header


def refusal(photo: bytes) -> str | None:
    """Returns why a photo must not be decoded; None if it may be."""
    try:
        check_header(photo)
    except PhotoProblem as problem:
        return problem.describe()
    return None


def read_header(photo: bytes) -> Header:
    """Reads format and size.

    Raises:
        PhotoProblem: the format is none of FORMATS, or the file has too many parts.
    """
    if not photo:
        raise PhotoProblem("empty_file", "0 bytes")
    try:
        for magic, read in READERS.items():
            if photo.startswith(magic):
                return within_sides(read(photo))
    except (struct.error, IndexError):  # cut short
        raise not_an_image(photo) from None
    for pattern, kind in OTHERS.items():
        if re.match(pattern, photo, re.DOTALL):
            raise unsupported(kind)
    raise not_an_image(photo)


def within_sides(header: Header) -> Header:
    """Returns the header; raises PhotoProblem if a side exceeds MAX_SIDE."""
    if max(header.width, header.height) > MAX_SIDE:
        size = f"{header.width} x {header.height} pixels"
        raise PhotoProblem("too_many_pixels", f"{size}; no side above {MAX_SIDE:,}")
    return header


def read_jpeg(photo: bytes) -> Header:
    """Reads the segments up to the frame's, then counts the scans."""
    at, parts = 2, Parts(photo)
    while True:
        parts.count()
        if photo[at] != 0xFF:
            raise not_an_image(photo)
        marker = photo[at + 1]
        if marker in FRAMES:
            height, width = struct.unpack_from(">HH", photo, at + 5)
            scans = count_scans(photo, at, parts)
            return Header("JPEG", width, height, width * height, scans)
        if marker == 0xFF:  # padding
            at += 1
        elif marker in FREE:
            at += 2
        else:
            at += 2 + max(2, struct.unpack_from(">H", photo, at + 2)[0])


def count_scans(photo: bytes, frame: int, parts: "Parts") -> int:
    """Counts the scans up to the end of the image, as libjpeg does.

    libjpeg reads several scans of a progressive JPEG, or if the first scan lacks
    components, and skips bytes between segments. Content of segments (a thumbnail in
    EXIF) and bytes after the image's end (other images, a video) hold no scans.

    Args:
        photo: bytes of the file.
        frame: offset of the frame's segment.
        parts: counter of segments.

    Returns:
        The number of scans; 0 if libjpeg reads only one.
    """
    scans, at, several = 0, frame, photo[frame + 1] in PROGRESSIVE
    while (match := MARKER.search(photo, at)) and match[0] != END:
        parts.count()
        at, marker = match.end(), match[0][1]
        if marker == SCAN:
            several = several or photo[at + 2 : at + 3] != photo[frame + 9 : frame + 10]
            if not several:
                return 0
            scans += 1
        if marker not in FREE:
            at += max(2, int.from_bytes(photo[at : at + 2], "big"))
    return scans


def read_png(photo: bytes) -> Header:
    if photo[12:16] != b"IHDR":
        raise not_an_image(photo)
    width, height = struct.unpack_from(">II", photo, 16)
    return Header("PNG", width, height, width * height)


def read_gif(photo: bytes) -> Header:
    """Reads the size and sums the pixels of all frames.

    TensorFlow decodes all frames to use the first, and a frame may exceed the screen.
    """
    width, height, flags = struct.unpack_from("<HHB", photo, 6)
    at, frames, parts = 13 + colour_table(flags), 0, Parts(photo)
    while at < len(photo) and photo[at] in b"!,":  # an extension or a frame
        parts.count()
        if photo[at] == ord(","):
            columns, rows, flags = struct.unpack_from("<HHB", photo, at + 5)
            frames += columns * rows
            at += 11 + colour_table(flags)
        else:
            at += 2
        while at < len(photo) and photo[at]:  # blocks of data up to an empty one
            parts.count()
            at += photo[at] + 1
        at += 1
    return Header("GIF", width, height, max(width * height, frames))


def colour_table(flags: int) -> int:
    """Returns the bytes of a colour table; 0 if the flags have none."""
    return 3 << (flags % 8 + 1) if flags & 0x80 else 0


def read_bmp(photo: bytes) -> Header:
    (size,) = struct.unpack_from("<I", photo, 14)
    form = "<HH" if size == 12 else "<ii"
    width, height = map(abs, struct.unpack_from(form, photo, 18))
    return Header("BMP", width, height, width * height)


def read_webp(photo: bytes) -> Header:
    """Reads the first chunk: lossy, lossless or extended.

    An animation is refused because TensorFlow 2.21 corrupts memory when it decodes one.
    """
    if photo[8:12] != b"WEBP":
        raise not_an_image(photo)
    chunk = photo[12:16]
    if chunk == b"VP8X":
        if photo[20] & 0x02:
            raise unsupported("animated WebP")
        width, height = (
            1 + int.from_bytes(photo[i : i + 3], "little") for i in (24, 27)
        )
    elif chunk == b"VP8L":
        (bits,) = struct.unpack_from("<I", photo, 21)
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif chunk == b"VP8 ":
        width, height = (n & 0x3FFF for n in struct.unpack_from("<HH", photo, 26))
    else:
        raise not_an_image(photo)
    return Header("WebP", width, height, width * height)


class Parts:
    """A counter of a file's parts that refuses too many for the file's size."""

    def __init__(self, photo: bytes):
        self.most = self.left = MOST_PARTS + len(photo) // PART

    def count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise PhotoProblem(
                "too_many_parts", f"more than {self.most:,} segments or blocks"
            )


def not_an_image(photo: bytes) -> PhotoProblem:
    return PhotoProblem("not_an_image", f"begins with {photo[:8]!r}")


def unsupported(kind: str) -> PhotoProblem:
    return PhotoProblem("unsupported_format", f"{kind}; expected {READABLE}")


READERS: dict[bytes, Callable[[bytes], Header]] = {
    b"\xff\xd8\xff": read_jpeg,
    b"\x89PNG\r\n\x1a\n": read_png,
    b"GIF87a": read_gif,
    b"GIF89a": read_gif,
    b"BM": read_bmp,
    b"RIFF": read_webp,
}
