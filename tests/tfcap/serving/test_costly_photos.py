"""`tfcap serve` while it decodes the costliest photos that it lets in."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("httpx", reason="needs the extras serve and dev")

from fakes import PREDICT
from fakes import photo as png
from PIL import Image
from served import PHOTOS, Server, computed_before_health, export, predict_body, serving

from records.photo_header import read_header
from tfcap.config.serving import ServingConfig
from tfcap.images.decoding import read_what_can_be

pytestmark = pytest.mark.slow

LIMITS = ServingConfig()
PART = 10  # of the limits: with all of them it would take half a minute
SCALED = {
    "max_pixels": LIMITS.max_pixels // PART,
    "max_waiting_pixels": LIMITS.max_waiting_pixels // PART,
}


class Decodes(tf.Module):
    """Reads photos as an export does, and says why it cannot."""

    @tf.function(input_signature=PHOTOS, autograph=False)
    def caption(self, image_bytes):
        pixels, errors = read_what_can_be(image_bytes, 299)
        brightness = tf.reduce_mean(pixels, [1, 2, 3])
        return {
            "caption": tf.strings.as_string(brightness),
            "score": tf.zeros_like(brightness),
            "error": errors,
        }

    @tf.function(input_signature=PHOTOS, autograph=False)
    def explain(self, image_bytes):
        found = self.caption(image_bytes)
        words, ones = found["caption"][:, None], found["score"][:, None]
        return {
            **{"captions": words, "scores": ones, "words": words},
            **{"probabilities": ones, "error": found["error"]},
        }


@pytest.fixture(scope="module")
def decoding(tmp_path_factory) -> str:
    return export(tmp_path_factory.mktemp("decoding"), Decodes())


def costliest(pixels: int) -> bytes:
    """No other format takes longer a pixel than WebP without loss."""
    height, width = 1000, pixels // 1000
    noise = np.random.default_rng(0).integers(0, 256, [height, width, 3], np.uint8)
    file = io.BytesIO()
    image = Image.fromarray(noise // 64)
    image.save(file, "WEBP", lossless=True, method=0, quality=0)
    return file.getvalue()


def ask(server: Server, *photos: bytes) -> list[str]:
    """Why each has no caption."""
    with server.client() as client:
        answer = client.post(PREDICT, content=predict_body(*photos))
    assert answer.status_code == 200, answer.text
    return [row["error"] for row in answer.json()["predictions"]]


def test_whoever_comes_after_the_costliest_request_is_answered(decoding):
    photo = costliest(SCALED["max_pixels"])
    assert read_header(photo).cost == SCALED["max_pixels"]
    fit = LIMITS.max_waiting_pixels // LIMITS.max_pixels
    photos = [photo] * (fit - 1) + [costliest(SCALED["max_pixels"] * 9 // 10)]
    with (
        serving(decoding, **SCALED) as server,
        ThreadPoolExecutor(2) as pool,
    ):
        before = server.cpu_seconds()
        costly = pool.submit(ask, server, *photos)
        honest = pool.submit(ask, server, png())
        before_health = computed_before_health(server, [costly, honest])
        assert costly.result() == [""] * fit and honest.result() == [""]
        # Whatever else the machine does: what all threads computed would fit.
        assert PART * (server.cpu_seconds() - before) < LIMITS.seconds
        assert before_health < 1
