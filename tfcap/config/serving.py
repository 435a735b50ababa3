"""Configuration of the server, `tfcap serve`."""

from pydantic import Field

from tfcap.config.base import Section


class ServingConfig(Section):
    """Settings of `tfcap serve`.

    Attributes:
        batch: photos that are captioned at a time, from all waiting requests.
        delay: seconds that a photo waits for others to fill its batch.
        queue: largest number of photos that wait or are being captioned; more are
            answered by 503. The model should caption them within `seconds`.
        requests: largest number of requests with a body, being read or waiting; more
            are answered by 503.
        seconds: time for a body to arrive and for its captions, in seconds.
        max_body_bytes: size of one request, both as sent and decompressed.
        max_waiting_bytes: size of all requests that are held; more are answered by 503.
        max_photos: photos of one request.
        max_pixels: pixels of one photo, and of all that are decoded at a time; each
            scan of a progressive JPEG counts (`records.photo_header`).
        max_waiting_pixels: pixels of all photos that wait or are being captioned, scans
            counted; more are answered by 503, or by 413 if one request holds as many.
    """

    batch: int = Field(8, ge=1)
    delay: float = Field(0.005, ge=0)
    queue: int = Field(64, ge=1)
    requests: int = Field(128, ge=1)
    seconds: float = Field(30.0, gt=0)
    max_body_bytes: int = Field(32 << 20, ge=1)
    max_waiting_bytes: int = Field(256 << 20, ge=1)
    max_photos: int = Field(16, ge=1)
    max_pixels: int = Field(50_000_000, ge=1)
    max_waiting_pixels: int = Field(200_000_000, ge=1)
