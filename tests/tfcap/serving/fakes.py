"""A captioner that needs no model, and what tests of the routes send to it."""

import base64
import io
import threading

from PIL import Image

from tfcap.inference.captioner import Captioned, Explained

PREDICT = "/v1/models/caption:predict"
FORM = {"Content-Type": "multipart/form-data; boundary=x"}
FORM_START = (
    b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\n'
)


def photo(width=4, height=3) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height)).save(file, "PNG")
    return file.getvalue()


BROKEN = photo()[:40]  # a header without its pixels
UNREADABLE = "not readable"
NO_PHOTO = "not an image: begins with b'text'"


class FakeCaptioner:
    version, explains = "7", True

    def __init__(self):
        self.photos, self.threads = [], set()

    def warm_up(self):
        self.threads.add(threading.current_thread().name)

    def caption_batch(self, photos):
        self.photos.extend(photos)
        self.threads.add(threading.current_thread().name)
        return [self._one(photo) for photo in photos]

    def explain_batch(self, photos):
        return [explained(found) for found in self.caption_batch(photos)]

    def _one(self, photo):
        if photo == BROKEN:
            return Captioned("", 0.0, UNREADABLE)
        width, height = Image.open(io.BytesIO(photo)).size
        return Captioned(f"{width} by {height}", -0.5)


def explained(found: Captioned) -> Explained:
    if found.error:
        return Explained(error=found.error)
    beams = found, Captioned("another", -1.5)
    return Explained(beams, ("two", "."), (0.5, 0.25), [[[1.0]], [[1.0]]])


def b64(content: bytes) -> dict:
    return {"b64": base64.b64encode(content).decode()}


def error_of(response, status: int) -> str:
    assert response.status_code == status, response.text
    assert list(response.json()) == ["error"]
    return response.json()["error"]


GOOD = b64(photo())
