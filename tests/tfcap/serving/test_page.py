"""The page as it leaves the server; test_page_in_chromium.py uses it."""

import base64
import hashlib
import io
import re

import pytest

pytest.importorskip("starlette", reason="needs the extra: pip install 'tfcap[serve]'")
pytest.importorskip("httpx", reason="starlette.testclient needs httpx")

from PIL import Image
from starlette.testclient import TestClient

from tfcap import serving
from tfcap.config.serving import ServingConfig


class NoCaptioner:
    version, explains = "1", False

    def warm_up(self):
        pass


def get(token=None, **settings):
    app = serving.create_app(NoCaptioner(), ServingConfig(**settings), token)
    with TestClient(app) as client:
        return client.get("/")


def test_its_own_style_and_script_may_run_and_nothing_else():
    response = get()
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy
    for kind in ("script", "style"):
        (text,) = re.findall(rf"<{kind}>(.*?)</{kind}>", response.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_it_needs_nothing_from_elsewhere():
    page = get().text
    assert not re.search(r"https?:|@import|url\(|<script .*src|\$[a-z_]+", page)
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert all(source.startswith("data:") for source in sources)


def test_samples_are_pictures_with_names():
    found = re.findall(r'alt="([^"]+)" src="data:image/jpeg;base64,(.+?)"', get().text)
    assert len({name for name, _ in found}) == len(found) == 6
    for _, content in found:
        Image.open(io.BytesIO(base64.b64decode(content))).load()


def test_it_knows_the_servers_settings():
    page = get(max_body_bytes=12_345).text
    assert 'data-max-bytes="12345" data-explains="false"' in page
    assert '<form id="token-form" hidden>' in page
    page = get(token="secret").text
    assert '<form id="token-form">' in page and "secret" not in page
