"""Configuration of the server, `tfcap serve`."""

from pydantic import Field

from tfcap.config.base import Section


class ServingConfig(Section):
    """`tfcap serve`.

    Attributes:
        batch: photos captioned at a time, of whatever requests wait.
        delay: seconds that a photo waits for others to fill its batch.
        queue: photos that may wait or be captioned; beyond, the answer is 503. As many
            as the model captions in less than `seconds`.
        requests: with a body, being read or waiting; beyond, the answer is 503.
        seconds: for a body to arrive, and for its captions to be there.
        max_body_bytes: of one request, as it is sent and unpacked.
        max_waiting_bytes: of all requests that are here; beyond, the answer is 503.
        max_photos: of one request.
        max_pixels: of one photo, and of what is decoded at a time; the scans of a
            progressive JPEG count as well (`records.photo_header`).
        max_waiting_pixels: of all photos that wait or are captioned, counted alike;
            beyond, the answer is 503, or 413 if one request holds as many. What has
            been let in is done within `seconds`.
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
