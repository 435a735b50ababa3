"""What bodies hold: packed bytes and forms, as clients and strangers write them."""

import gzip
import json
import tempfile
import zlib

import pytest

pytest.importorskip("starlette", reason="needs the extra: pip install 'tfcap[serve]'")
pytest.importorskip("httpx", reason="starlette.testclient needs httpx")

from fakes import GOOD, PREDICT, error_of, photo

MOST = 1 << 16
BODY = json.dumps({"instances": [GOOD]}).encode()
NO_FORM = "the body is not multipart form data"


def bare(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(content) + packer.flush()


@pytest.mark.parametrize(
    "coding, pack",
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("GZip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", bare),
        ("identity", bytes),
    ],
)
@pytest.mark.parametrize("door", ["predict", "upload"])
def test_packed_bodies(client, coding, pack, door):
    headers = {"Content-Encoding": coding}
    if door == "predict":
        response = client.post(PREDICT, content=pack(BODY), headers=headers)
    else:
        form = client.build_request("POST", "/caption", files={"photo": photo()})
        headers["Content-Type"] = form.headers["content-type"]
        content = pack(form.read())
        response = client.post("/caption", content=content, headers=headers)
    assert response.status_code == 200, response.text
    assert "4 by 3" in response.text


@pytest.mark.parametrize(
    "coding, content, status, error",
    [
        ("br", BODY, 415, "Content-Encoding 'br' is not read: send gzip, deflate"),
        ("gzip, gzip", BODY, 415, "Content-Encoding 'gzip, gzip' is not read"),
        ("gzip", BODY, 400, "the body is not gzip"),
        (
            "gzip",
            gzip.compress(BODY, mtime=0)[:-9],
            400,
            "the body is not gzip, or not all",
        ),
        (
            "gzip",
            gzip.compress(BODY, mtime=0) * 2,
            400,
            "the body is not gzip, or not all",
        ),
        ("gzip", b"", 400, "the body is not gzip, or not all of it"),
        ("gzip", gzip.compress(bytes(MOST + 1), mtime=0), 413, "more than 0.0625 MiB"),
        ("deflate", zlib.compress(bytes(1 << 24)), 413, "more than 0.0625 MiB"),
    ],
)
def test_bodies_that_are_not_unpacked(serve, coding, content, status, error):
    client, headers = serve(max_body_bytes=MOST), {"Content-Encoding": coding}
    response = client.post(PREDICT, content=content, headers=headers)
    assert error_of(response, status).startswith(error)


def test_a_body_that_unpacks_to_just_the_limit(serve):
    content = gzip.compress(BODY.ljust(MOST), mtime=0)
    headers = {"Content-Encoding": "gzip"}
    response = serve(max_body_bytes=MOST).post(
        PREDICT, content=content, headers=headers
    )
    assert response.status_code == 200


def part(headers: bytes, content: bytes = photo()) -> bytes:
    return b"--x\r\n" + headers + b"\r\n\r\n" + content + b"\r\n"


FILE = b'Content-Disposition: form-data; name="photo"; filename="a.png"'
FIELD = b'Content-Disposition: form-data; name="n"'


@pytest.mark.parametrize(
    "content, names",
    [
        (part(FILE) + b"--x--", ["a.png"]),
        (b"preamble\r\n" + part(FILE) + b"--x--\r\nepilogue", ["a.png"]),
        (part(FILE.lower()).replace(b"--x", b"--x \t") + b"--x--", ["a.png"]),
        (part(b"X: y\r\n" + FILE + b"\r\nContent-Type: z") + b"--x--", ["a.png"]),
        (part(FILE.replace(b"a.png", "ä ☃.png".encode())) + b"--x--", ["ä ☃.png"]),
        (part(FILE.replace(b"a.png", b"\xff.png")) + b"--x--", ["\ufffd.png"]),
        (part(FILE.replace(b"a.png", b"")) + b"--x--", [""]),
        (part(FIELD, b"1") + part(FILE) + b"--x--", ["a.png"]),
        (part(FILE) * 2 + b"--x--", ["a.png", "a.png"]),
    ],
)
@pytest.mark.parametrize("charset", ["utf-8", "unicode_escape", "rot13", "no such"])
def test_forms(client, captioner, content, names, charset):
    kind = f"multipart/form-data; boundary=x; charset={charset}"
    response = client.post("/caption", content=content, headers={"Content-Type": kind})
    assert [row["file"] for row in response.json()["captions"]] == names
    assert captioner.photos == [photo()] * len(names)


@pytest.mark.parametrize(
    "content, error",
    [
        (b"", NO_FORM),
        (b"--x", NO_FORM),
        (part(FILE), NO_FORM),  # no end
        (part(FILE)[:-20], NO_FORM),
        (b"--x\r\nno blank line\r\n--x--", NO_FORM),
        (part(b"Content-Disposition: form-data") + b"--x--", NO_FORM),
        (part(b"") + b"--x--", NO_FORM),
        (part(b"X: " + bytes(9000) + b"\r\n" + FILE) + b"--x--", NO_FORM),
        (part(FILE).replace(b"--x", b"--xy") + b"--x--", NO_FORM),
        (b"--x--", 'send one or more files in the field "photo"'),
        (part(FILE) * 17 + b"--x--", "17 photos; at most 16 fit"),
        (part(FILE) * 33 + b"--x--", "more than 32 parts in one form"),
    ],
)
def test_forms_that_are_refused(client, captioner, content, error):
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    response = client.post("/caption", content=content, headers=headers)
    assert error_of(response, 400) == error
    assert captioner.photos == []


def test_uploads_touch_no_disk(client, captioner, monkeypatch):
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere"])
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    content = photo() + bytes(4 << 20)
    response = client.post("/caption", files={"photo": ("a.png", content)})
    assert response.status_code == 200, response.text
    assert captioner.photos == [content]
