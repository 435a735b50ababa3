"""Headers of photos, before anything decodes them."""

import io
import random
import struct
import zlib
from contextlib import suppress

import pytest
from PIL import Image

from records import photo_header
from records.photo_header import PhotoProblem, check_header, read_header


def photo(kind="JPEG", mode="RGB", size=(6, 4), **options) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size).save(file, kind, **options)
    return file.getvalue()


def animated(kind: str) -> bytes:
    frames = [Image.new("RGB", (6, 4), (i, 9, 9)) for i in (0, 99)]
    file = io.BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:])
    return file.getvalue()


def with_size(width: int, height: int) -> bytes:
    """A PNG whose header announces a size that the rest does not have."""
    png = bytearray(photo("PNG"))
    png[16:24] = struct.pack(">II", width, height)
    png[29:33] = struct.pack(">I", zlib.crc32(png[12:29]))
    return bytes(png)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (photo(), "JPEG"),
        (photo(mode="L"), "JPEG"),
        (photo(mode="CMYK"), "JPEG"),
        (photo(progressive=True), "JPEG"),
        (photo("MPO", save_all=True, append_images=[Image.new("RGB", (6, 4))]), "JPEG"),
        (photo("PNG", mode="RGBA"), "PNG"),
        (photo("GIF"), "GIF"),
        (photo("GIF", save_all=True, append_images=[Image.new("RGB", (6, 4))]), "GIF"),
        (photo("BMP"), "BMP"),
        (photo("WEBP"), "WebP"),
        (photo("WEBP", lossless=True), "WebP"),
        (photo("WEBP", mode="RGBA"), "WebP"),
        (photo("WEBP", exif=b"Exif\0\0MM"), "WebP"),
    ],
)
def test_formats_are_told_by_their_bytes(content, kind):
    assert check_header(content).kind == kind


@pytest.mark.parametrize(
    ("content", "reason", "detail"),
    [
        (b"", "empty_file", "0 bytes"),
        (b"this is text", "not_an_image", "b'this is '"),
        (photo()[:10], "not_an_image", "begins with"),
        (photo("TIFF"), "unsupported_format", "TIFF; expected JPEG, PNG, GIF, BMP or"),
        (b"\0\0\0\x1cftypavif" + bytes(20), "unsupported_format", "AVIF; expected"),
        (b"\0\0\0\x18ftypheic" + bytes(20), "unsupported_format", "HEIC; expected"),
        (animated("WEBP"), "unsupported_format", "animated WebP; expected"),
        (b"RIFF\x04\0\0\0WAVEfmt ", "not_an_image", "begins with b'RIFF"),
        (b"RIFF\x04\0\0\0WEBPNONE" + bytes(20), "not_an_image", "begins with"),
        (b"\xff\xd8\xff\xc0\0", "not_an_image", "begins with"),
        (b"GIF89a", "not_an_image", "begins with"),
        (b"BM", "not_an_image", "begins with"),
        (
            with_size(60_000, 60_000),
            "too_many_pixels",
            "60000 x 60000 pixels; 89,478",
        ),
        (with_size(1_000_000, 40), "too_many_pixels", "1000000 x 40 pixels; no side"),
        (with_size(40, 65_536), "too_many_pixels", "40 x 65536 pixels; no side above"),
        (with_size(10_000, 10_000), "too_many_pixels", "10000 x 10000 pixels"),
    ],
)
def test_what_is_not_to_be_decoded(content, reason, detail):
    with pytest.raises(PhotoProblem, match=detail) as error:
        check_header(content)
    assert error.value.reason == reason


def test_the_limit_itself_is_allowed():
    assert check_header(photo(), 24).pixels == 24
    with pytest.raises(PhotoProblem, match="6 x 4 pixels; 23 at most"):
        check_header(photo(), 23)


def test_a_gif_frame_larger_than_its_screen_counts():
    gif = bytearray(photo("GIF"))
    start = gif.index(b",", 13 + 3 * 2)
    gif[start + 5 : start + 9] = struct.pack("<HH", 65_535, 65_535)
    with pytest.raises(PhotoProblem) as error:
        check_header(bytes(gif))
    assert error.value.reason == "too_many_pixels"


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        *(("JPEG", {"mode": mode}) for mode in ("RGB", "L", "CMYK")),
        (
            "JPEG",
            {"progressive": True, "comment": b"c" * 9000, "icc_profile": b"i" * 9},
        ),
        *(
            ("PNG", {"mode": mode})
            for mode in ("RGB", "RGBA", "L", "LA", "P", "1", "I")
        ),
        *(("GIF", {"mode": mode}) for mode in ("RGB", "L", "P")),
        *(("BMP", {"mode": mode}) for mode in ("RGB", "RGBA", "L", "P", "1")),
        *(("WEBP", {"mode": mode}) for mode in ("RGB", "RGBA")),
        *(("WEBP", {"mode": m, "lossless": True}) for m in ("RGB", "RGBA")),
    ],
)
@pytest.mark.parametrize("size", [(1, 1), (7, 300), (513, 2), (1000, 1000)])
def test_sizes_are_those_that_pillow_reads(kind, options, size):
    header = read_header(photo(kind, size=size, **options))
    assert (header.width, header.height) == size
    assert header.pixels == size[0] * size[1]


def test_a_bmp_from_top_to_bottom():
    bmp = bytearray(photo("BMP"))
    bmp[22:26] = struct.pack("<i", -4)
    assert read_header(bytes(bmp)).height == 4


def test_damaged_headers_are_never_more_than_a_problem():
    draw = random.Random(0)
    whole = [photo(k) for k in ("JPEG", "PNG", "GIF", "BMP", "WEBP")]
    whole += [photo("JPEG", progressive=True), animated("GIF")]
    for i in range(3000):
        content = bytearray(whole[i % len(whole)])
        for _ in range(draw.randrange(1, 8)):
            content[draw.randrange(4, len(content))] = draw.randrange(256)
        with suppress(PhotoProblem):
            header = read_header(bytes(content[: draw.randrange(len(content) + 1)]))
            assert header.cost >= 0


def jpeg_of(segments: bytes) -> bytes:
    whole = photo()
    return whole[:2] + segments + whole[2:]


GIF_HEAD = b"GIF89a" + struct.pack("<HHBBB", 6, 4, 0, 0, 0)
# Each some MB of parts of a few bytes, in front of what tells the size.
MANY_PARTS = {
    "segments": jpeg_of(b"\xff\xe0\0\x02" * 500_000),
    "markers alone": jpeg_of(b"\xff\xd0" * 500_000),
    "bytes that fill": jpeg_of(b"\xff" * 1_000_000),
    "comments": GIF_HEAD + b"!\xfe\0" * 500_000,
    "blocks": GIF_HEAD + b"!\xfe" + b"\x01c" * 500_000,
    "frames": GIF_HEAD + (b"," + bytes(9) + b"\x02\0") * 100_000,
}


@pytest.mark.parametrize("content", MANY_PARTS.values(), ids=MANY_PARTS)
def test_a_file_of_countless_parts_is_not_walked_to_its_end(content, monkeypatch):
    steps = []
    count = photo_header.Parts.count
    monkeypatch.setattr(
        photo_header.Parts, "count", lambda self: (steps.append(1), count(self))
    )
    with pytest.raises(PhotoProblem, match="segments or blocks") as error:
        check_header(content)
    assert error.value.reason == "too_many_parts"
    assert len(steps) <= 4097 + len(content) / 64


def test_large_metadata_of_a_camera_is_walked():
    profile = photo(icc_profile=bytes(3_000_000), exif=b"Exif\0\0" + bytes(60_000))
    assert check_header(profile).kind == "JPEG"


def test_scans_cost_time():
    progressive, plain = photo(progressive=True), photo()
    assert read_header(plain).scans == 0
    header = read_header(progressive)
    assert header.scans == 10
    assert read_header(plain).cost == 24 < read_header(progressive).cost < 48
    many = progressive.replace(b"\xff\xd9", b"\xff\xda\0\x02" * 640)
    assert read_header(many).cost > 10 * 24
    assert check_header(progressive, 100) == header
    with pytest.raises(PhotoProblem, match=r"scans; save it as a JPEG that") as error:
        check_header(many, 100)
    assert error.value.reason == "too_costly"


SCANS_ALONE = b"\xff\xda\0\x02" * 640


def in_app1(content: bytes) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", 2 + len(content)) + content


def test_what_is_in_segments_or_after_the_end_is_no_scan():
    small, progressive = photo(size=(2, 2), progressive=True), photo(progressive=True)
    header, frame = read_header(progressive), progressive.index(b"\xff\xc2")
    for content in (
        progressive[:2] + in_app1(b"Exif\0\0" + small) + progressive[2:],
        progressive[:frame] + in_app1(SCANS_ALONE) + progressive[frame:],
        progressive.replace(b"\xff\xc4", in_app1(SCANS_ALONE) + b"\xff\xc4"),
        progressive + SCANS_ALONE * 100,
        progressive + small,
        progressive.replace(b"\xff\xd9", b"\xff" * 9 + b"\xd9" + SCANS_ALONE),
    ):
        assert read_header(content) == header
    assert read_header(photo() + SCANS_ALONE).scans == 0


def test_scans_are_found_as_libjpeg_finds_them():
    """Bytes between segments are skipped, those of a scan's data too."""
    progressive = photo(progressive=True)
    for between in (b"\xff\0", b"\xff\xd0", b"any", b"\xff\xff"):
        content = progressive.replace(b"\xff\xd9", between + SCANS_ALONE)
        assert read_header(content).scans == 10 + 640
        assert read_header(content[:-2]).scans == 10 + 640  # cut short


def test_a_jpeg_that_is_not_progressive_may_have_many_scans():
    """Where the first has one component of three, libjpeg reads all of them."""
    plain = photo()
    at = plain.index(b"\xff\xda")
    parts = b"".join(
        b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, i, 0, 0, 63, 0) for i in (1, 2, 3)
    )
    content = plain[:at] + parts + b"\xff\xd9"
    assert read_header(content).scans == 3
    many = plain[:at] + parts * 300 + b"\xff\xd9"
    with pytest.raises(PhotoProblem) as error:
        check_header(many, 24 * 20)
    assert error.value.reason == "too_costly"


def test_scans_of_a_file_of_countless_parts_are_not_counted_to_the_end():
    progressive = photo(progressive=True)
    for part in (b"\xff\xda\0\x02", b"\xff\x01", b"\xff\xfe\0\x02"):
        content = progressive.replace(b"\xff\xd9", part * 200_000)
        with pytest.raises(PhotoProblem) as error:
            check_header(content)
        assert error.value.reason == "too_many_parts"
