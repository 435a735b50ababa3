"""Looking at a photo's header before anything decodes it.

The bytes may be anybody's. So sizes are read by a walk of our own, over at most
`MOST_PARTS` segments, chunks or blocks, in time that is linear in the bytes; nothing is
decoded.

What decoding takes was measured on photos of 12 megapixels (2 cores of an AMD EPYC, by
`decode_photo`): 3 to 19 ns a pixel for JPEG, 8 to 27 for PNG, 9 to 18 for GIF, 11 to 22
for BMP, and for each scan of a progressive JPEG once more a small part of that. So a
photo's cost is its pixels, and more for many scans.

Sources: JPEG, ITU T.81 annex B; PNG 3rd edition; GIF89a; WebP container specification,
RFC 9649.
"""

import re
import struct
from collections.abc import Callable
from typing import NamedTuple

# Beyond it a file is taken for a decompression bomb, as by Pillow.
MAX_PIXELS = 89_478_485
MAX_BYTES = 512 << 20  # of a file: more than a BMP of so many pixels has
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WebP")
READABLE = "JPEG, PNG, GIF, BMP or WebP"
MAX_SIDE = 65_535  # as in a JPEG: to make a wider photo small takes gigabytes
MOST_PARTS = 4096  # and one more for every `PART` bytes
PART = 64
SCANS = 32  # of a JPEG in several, that take as long as all of its pixels once

# Frames of a JPEG, by their marker; those of FREE have neither length nor content.
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
FREE = {0x01, *range(0xD0, 0xD9)}
SCAN, END = 0xDA, b"\xff\xd9"
# But those that stand in the data of a scan.
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
    """A photo that is not to be decoded.

    Attributes:
        reason: one word for counting: `empty_file`, `not_an_image`,
            `unsupported_format`, `too_many_parts`, `too_many_pixels` or `too_costly`.
    """

    def __init__(self, reason: str, detail: str):
        super().__init__(detail)
        self.reason = reason

    def describe(self) -> str:
        """Returns reason and detail, in words for the photo's owner."""
        return f"{self.reason.replace('_', ' ')}: {self}"


class Header(NamedTuple):
    """What a photo says of itself.

    Attributes:
        kind: one of FORMATS.
        width, height: in pixels.
        pixels: that a decoder has to hold: of all frames of a GIF.
        scans: passes over all pixels, of a JPEG that has several.
    """

    kind: str
    width: int
    height: int
    pixels: int
    scans: int = 0

    @property
    def cost(self) -> float:
        """Pixels, and more for many scans: decoding takes time in proportion."""
        return self.pixels * (1 + self.scans / SCANS)


def check_header(photo: bytes, most: int = MAX_PIXELS) -> Header:
    """Reads a photo's header, by its bytes, whatever its name.

    Args:
        most: pixels that it may cost.

    Raises:
        PhotoProblem: it is none of FORMATS, or costs more.
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
    """Says why a photo is not to be decoded; None if it may be."""
    try:
        check_header(photo)
    except PhotoProblem as problem:
        return problem.describe()
    return None


def decoding_cost(photo: bytes) -> float | None:
    """Returns what a photo costs to decode, in pixels; None if it is not decoded."""
    try:
        return read_header(photo).cost
    except PhotoProblem:
        return None


def read_header(photo: bytes) -> Header:
    """Reads format and size.

    Raises:
        PhotoProblem: not a photo of FORMATS, or one that is cut into too many parts.
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
    """Raises PhotoProblem where a photo is wider or higher than any is."""
    if max(header.width, header.height) > MAX_SIDE:
        size = f"{header.width} x {header.height} pixels"
        raise PhotoProblem("too_many_pixels", f"{size}; no side above {MAX_SIDE:,}")
    return header


def read_jpeg(photo: bytes) -> Header:
    """Walks the segments to the frame's, and on to count the scans."""
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
        if marker == 0xFF:  # a byte that fills
            at += 1
        elif marker in FREE:
            at += 2
        else:
            at += 2 + max(2, struct.unpack_from(">H", photo, at + 2)[0])


def count_scans(photo: bytes, frame: int, parts: "Parts") -> int:
    """Counts the scans up to the end of the image, as libjpeg does.

    It reads several of a progressive JPEG, or where the first has not all components;
    what stands between segments it skips. What is in segments (a small picture in
    EXIF) or after the image's end (other pictures, a film) is no scan.

    Args:
        frame: where that segment is.
    """
    scans, at, several = 0, frame, photo[frame + 1] in PROGRESSIVE
    while (found := MARKER.search(photo, at)) and found[0] != END:
        parts.count()
        at, marker = found.end(), found[0][1]
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
    """Adds up the frames: TensorFlow unpacks all of them to use the first.

    A frame may exceed the screen.
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
        while at < len(photo) and photo[at]:  # blocks of data, an empty one ends them
            parts.count()
            at += photo[at] + 1
        at += 1
    return Header("GIF", width, height, max(width * height, frames))


def colour_table(flags: int) -> int:
    """Returns its bytes; 0 where there is none."""
    return 3 << (flags % 8 + 1) if flags & 0x80 else 0


def read_bmp(photo: bytes) -> Header:
    (size,) = struct.unpack_from("<I", photo, 14)
    form = "<HH" if size == 12 else "<ii"
    width, height = map(abs, struct.unpack_from(form, photo, 18))
    return Header("BMP", width, height, width * height)


def read_webp(photo: bytes) -> Header:
    """Reads the first chunk: lossy, lossless or extended.

    An animation is refused: TensorFlow 2.21 corrupts its memory decoding one.
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
    """Counts the parts of a file, and refuses one with too many for its size."""

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
