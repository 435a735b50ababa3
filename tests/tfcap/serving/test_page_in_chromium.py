"""The page as people use it: a browser, the server, and a small model that attends."""

import threading

import numpy as np
import pytest

pytest.importorskip("starlette", reason="needs the extra: pip install 'tfcap[serve]'")
pytest.importorskip("selenium", reason="needs the extra: pip install 'tfcap[dev]'")

import keras
import uvicorn
from chromium import faint_texts, is_too_wide, show_as
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from records.format.manifest import FeatureStatistics
from records.format.schema import FeatureSpec
from records.text.tokenizer import TokenizerSettings
from records.text.vocabulary import Vocabulary
from tfcap import serving
from tfcap.config.decoding import ResolvedDecoding
from tfcap.config.encoder import CustomModelConfig
from tfcap.config.model import AttentionConfig
from tfcap.config.serving import ServingConfig
from tfcap.encoders import load_encoder
from tfcap.export.saved_model import export
from tfcap.export.signatures import PhotoCaptioner
from tfcap.inference.captioner import Captioned, Captioner, Explained
from tfcap.models.attention import AttentionCaptioner
from tfcap.serving.server import listen

pytestmark = pytest.mark.slow

DECODING = ResolvedDecoding(beam_width=3, min_length=6, max_length=6)
WORDS = ("dog", "cat", "runs", "sleeps", "grass", "snow")
CLEAREST = """
const canvas = document.querySelector(".look");
const pen = canvas.getContext("2d");
const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
const shade = Array.from({ length: data.length / 4 }, (_, i) => data[4 * i + 3]);
const clearest = shade.indexOf(Math.min(...shade));
return [Math.floor(clearest / canvas.width) / canvas.height,
        clearest % canvas.width / canvas.width, Math.max(...shade)];
"""
BESIDE = """
const canvas = document.querySelector(".look");
const pen = canvas.getContext("2d");
return [0, canvas.width - 1].map((x) => pen.getImageData(x, 0, 1, 1).data[3]);
"""
GIVE = """
const transfer = new DataTransfer();
transfer.items.add(new File([arguments[1]], "given.txt", { type: "text/plain" }));
const init = { bubbles: true, cancelable: true };
document.body.dispatchEvent(arguments[0] === "paste"
  ? new ClipboardEvent("paste", { ...init, clipboardData: transfer })
  : new DragEvent("drop", { ...init, dataTransfer: transfer }));
"""


class Gate:
    """The captioner behind a gate: while it is shut, photos wait."""

    def __init__(self, captioner: Captioner):
        self.version, self.warm_up = captioner.version, captioner.warm_up
        self.explains = captioner.explains
        self._captioner, self.open = captioner, threading.Event()
        self.open.set()

    def explain_batch(self, photos):
        self.open.wait(60)
        return self._captioner.explain_batch(photos)


class Blind:
    """Words and beams, but no attention."""

    version, explains = "1", True

    def warm_up(self):
        pass

    def explain_batch(self, photos):
        beams = Captioned("a dog", -0.5), Captioned("a cat", -1.5)
        return [Explained(beams, ("a", "dog", "."), (0.9, 0.5, 0.001)) for _ in photos]


class Cropping(Blind):
    """A model whose encoder takes a photo's centre, and looks at its top left."""

    def explain_batch(self, photos):
        cells = [[0.97, 0.01], [0.01, 0.01]]
        beams = (Captioned("a dog", -0.5),)
        found = Explained(beams, ("a", "."), (0.9, 0.5), [cells] * 2, "crop")
        return [found for _ in photos]


class Wide(Blind):
    """A search by consensus: many captions, whose scores are in no order."""

    def explain_batch(self, photos):
        beams = [Captioned(f"caption {i}", -abs(i - 2.5)) for i in range(8)]
        return [Explained(tuple(beams), ("a", "."), (0.9, 0.5)) for _ in photos]


class Terse(Blind):
    """An export that has no signature to explain."""

    explains = False

    def caption_batch(self, photos):
        return [Captioned("a dog", -0.5) for _ in photos]


@pytest.fixture(scope="module")
def captioner(tmp_path_factory) -> Captioner:
    """An exported attention model; its weights are random, its search is real."""
    folder = tmp_path_factory.mktemp("model")
    keras.utils.set_random_seed(0)
    cells = keras.layers.Conv2D(6, 3, 4, "same")
    keras.Sequential([keras.Input([32, 32, 3]), cells]).save(folder / "encoder.keras")
    settings = {"model": str(folder / "encoder.keras"), "preprocessing": "unit"}
    encoder = load_encoder(CustomModelConfig(**settings, pooling="grid"))
    channels = encoder.shape[-1]
    spec = FeatureSpec(shape=encoder.shape, dtype="float32")
    moments = FeatureStatistics(mean=[0.0] * channels, deviation=[0.1] * channels)
    vocabulary = Vocabulary.from_counts(dict.fromkeys(WORDS, 1), 1, True)
    small = {"components": 8, "embedding_units": 8, "heads": 2, "lstm_units": 8}
    config = AttentionConfig(attention_units=8, output_units=8, **small)
    model = AttentionCaptioner(config, len(vocabulary), spec, moments, seed=0)
    tokenizer = TokenizerSettings(kind="word", min_letters=1, min_count=1, oov="unk")
    parts = encoder, model, vocabulary, tokenizer, DECODING, "float32"
    export(PhotoCaptioner(*parts), str(folder / "export"))
    return Captioner(str(folder / "export"))


@pytest.fixture(scope="module")
def gate(captioner) -> Gate:
    return Gate(captioner)


class Running:
    """`tfcap serve` without its process, at `url` until `stop`."""

    def __init__(self, captioner, token=None, **settings):
        app = serving.create_app(captioner, ServingConfig(**settings), token)
        listener = listen("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        target = {"target": self._server.run, "kwargs": {"sockets": [listener]}}
        self._thread = threading.Thread(**target, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(20)


class Page:
    """The page in the browser, by what a reader would look for."""

    def __init__(self, browser, url: str):
        self.browser = browser
        browser.get(url)

    def all(self, selector: str) -> list:
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        return [element.text for element in self.all(selector)]

    def choose(self, *paths) -> None:
        (field,) = self.all("#files")
        field.send_keys("\n".join(map(str, paths)))

    def until(self, condition):
        return WebDriverWait(self.browser, 60, 0.05).until(lambda _: condition())

    def until_progress(self, expected: str) -> None:
        self.until(lambda: expected in self.texts("#progress")[0])

    def press(self, *keys: str) -> None:
        for key in keys:
            self.browser.switch_to.active_element.send_keys(key)

    def focused(self) -> str:
        return self.browser.switch_to.active_element.get_attribute("class")


@pytest.fixture
def open_page(browser, gate):
    """Opens the page of a server with other settings."""
    running = []

    def open_page(token=None, captioner=gate, **settings) -> Page:
        running.append(Running(captioner, token, **settings))
        page = Page(browser, running[-1].url)
        page.stop_server = running[-1].stop
        return page

    show_as(browser)
    browser.get_log("browser")  # of the test before
    yield open_page
    for server in running:
        server.stop()


@pytest.fixture
def photo(tmp_path) -> str:
    """Wide, and colourful enough to be looked at here and there."""
    colours = np.random.default_rng(0).integers(0, 255, [4, 6, 3], np.uint8)
    path = tmp_path / "wide.jpg"
    Image.fromarray(colours).resize((300, 200)).save(path)
    return str(path)


@pytest.fixture
def expected(photo, captioner) -> Explained:
    """What the model says of the photo, asked directly."""
    with open(photo, "rb") as file:
        (found,) = captioner.explain([file.read()])
    return found


def percent(part: float) -> str:
    return f"{round(100 * part)} %" if part >= 0.01 else "under 1 %"


def test_a_photo_is_explained_word_by_word(open_page, photo, expected):
    page = open_page()
    page.choose(photo)
    page.until_progress("1 of 1 captioned. It says: ")
    assert page.texts(".caption")[0].lower() == expected.beams[0].caption
    assert page.texts(".beams .text") == [beam.caption for beam in expected.beams]
    scores = [
        f"{beam.score:.2f}".replace("-", "\N{MINUS SIGN}") for beam in expected.beams
    ]
    assert page.texts(".beams .score") == scores
    assert page.texts(".word .text") == [*expected.words[:-1], "end"]
    assert page.texts(".word .chance") == list(map(percent, expected.probabilities))
    assert len(page.all(".word canvas")) == len(expected.words)
    told = page.browser.get_log("browser")  # /readyz may have said 503: no error
    assert [entry for entry in told if entry["source"] != "network"] == []


def test_a_word_shows_where_the_model_looked(open_page, photo, expected):
    page = open_page()
    page.choose(photo)
    page.until_progress("1 of 1")
    assert page.all(".look.on") == []
    for i, button in enumerate(page.all(".word")):
        button.click()
        assert button.get_attribute("aria-pressed") == "true"
        row, column, darkest = page.browser.execute_script(CLEAREST)
        cells = np.array(expected.attention[i])
        # Smoothing may move the clearest point, but not far from what got most.
        near = cells[int(row * cells.shape[0]), int(column * cells.shape[1])]
        assert near > 0.8 * cells.max() and darkest > 20
    assert len(page.all(".look.on")) == 1
    frame, look = page.all(".frame")[0].size, page.all(".look")[0].size
    assert frame == look and frame["width"] / frame["height"] == pytest.approx(
        1.5, 0.02
    )
    page.press(Keys.ESCAPE)
    assert page.all(".look.on") == []

    page.all(".play")[0].click()
    page.until(lambda: "now" in page.all(".word")[1].get_attribute("class"))
    page.all(".play")[0].click()
    assert page.texts(".play") == ["Play"] and page.all(".look.on") == []


def test_the_shade_lies_over_the_crop_that_the_encoder_takes(open_page, photo):
    page = open_page(captioner=Cropping())
    page.choose(photo)
    page.until_progress("1 of 1")
    word = page.all(".word")[0]
    word.click()
    row, column, darkest = page.browser.execute_script(CLEAREST)
    # The photo is 3 by 2, so that the crop is its middle two thirds.
    assert row < 0.25 and 1 / 6 - 0.01 <= column < 0.5
    assert page.browser.execute_script(BESIDE) == [204, 204] and darkest == 204
    assert "looking at the top left" in word.get_attribute("aria-label")


def test_a_model_that_does_not_look(open_page):
    page = open_page(captioner=Blind())
    page.all(".sample")[0].click()
    page.until_progress("1 of 1 captioned. It says: a dog")
    assert page.texts(".word .chance") == ["90 %", "50 %", "under 1 %"]
    assert page.texts(".beams .text") == ["a dog", "a cat"]
    assert page.all("button.word") == page.all(".word canvas") == []
    assert not page.all(".play")[0].is_displayed()


def test_five_captions_are_shown_and_all_on_request(open_page):
    page = open_page(captioner=Wide())
    page.all(".sample")[0].click()
    page.until_progress("1 of 1 captioned")
    captions = [f"caption {i}" for i in range(8)]
    assert page.texts(".beams .text") == captions[:5] + [""] * 3
    assert "the scores are not in order" in page.texts(".by-beam .hint")[0]
    (button,) = page.all(".all")
    assert button.text == "Show all 8"
    button.click()
    assert page.texts(".beams .text") == captions
    assert not button.is_displayed()


def test_few_captions_in_order_need_no_button_and_no_explanation(open_page):
    page = open_page(captioner=Blind())
    page.all(".sample")[0].click()
    page.until_progress("1 of 1 captioned")
    assert not page.all(".all")[0].is_displayed()
    assert "not in order" not in page.texts(".by-beam .hint")[0]


def test_a_model_that_gives_captions_alone(open_page):
    page = open_page(captioner=Terse())
    page.all(".sample")[0].click()
    page.until_progress("1 of 1 captioned. It says: a dog")
    assert not any(section.is_displayed() for section in page.all(".answer section"))


def test_the_keyboard_is_enough(open_page):
    page = open_page()
    page.press(Keys.TAB, Keys.TAB)  # past the button that chooses files
    assert page.focused() == "sample"
    outline = "return getComputedStyle(document.activeElement).outlineWidth"
    assert page.browser.execute_script(outline) == "3px"
    page.press(Keys.ENTER)
    page.until_progress("1 of 1 captioned")
    assert page.texts(".name")[0].startswith("large red star on white snow.jpg")
    while page.focused() != "play":
        page.press(Keys.TAB)
    page.press(Keys.TAB, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert page.browser.switch_to.active_element == page.all(".word")[2]
    assert page.texts("figcaption")[0].startswith(page.texts(".word .text")[2])
    page.press(Keys.END)
    assert page.texts("figcaption")[0].startswith("end of the caption")


def test_what_is_no_photo_is_said_and_loses_no_other(open_page, photo, tmp_path):
    page = open_page(max_body_bytes=40_000)
    (tmp_path / "notes.txt").write_text("text")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff cut")
    (tmp_path / "large.jpg").write_bytes(b"\xff\xd8\xff" + bytes(50_000))
    noise = np.random.default_rng(0).integers(0, 255, [120, 160, 3], np.uint8)
    Image.fromarray(noise).save(tmp_path / "smaller.webp", lossless=True)
    names = "notes.txt", "broken.jpg", "large.jpg", "smaller.webp"
    page.choose(*(tmp_path / name for name in names), photo)
    page.until_progress("2 of 5 captioned, 3 without a caption")
    assert page.texts(".caption")[:3] == [
        "No caption: this is not a photo that can be read.",
        "No caption: not an image: begins with b'\\xff\\xd8\\xff cut'.",
        "No caption: 0.0 MiB are too large; at most 0.0 MiB fit.",
    ]
    for how in ("paste", "drop"):
        page.browser.execute_script(GIVE, how, "text")
    page.until_progress("2 of 7 captioned, 5 without a caption")
    page.all("#clear")[0].click()
    assert page.all(".card") == [] and page.texts("#progress") == [""]


def test_a_busy_server_is_asked_again(open_page, gate):
    page = open_page(requests=1)
    gate.open.clear()
    try:
        for sample in page.all(".sample")[:2]:
            sample.click()
        page.until(lambda: "The server is busy" in "".join(page.texts(".caption")))
    finally:
        gate.open.set()
    page.until_progress("2 of 2 captioned")


def test_what_is_cleared_does_not_come_back(open_page, gate):
    page = open_page()
    gate.open.clear()
    try:
        for sample in page.all(".sample"):
            sample.click()
        page.until_progress("0 of 6 captioned")
        page.all("#clear")[0].click()
        page.all(".sample")[1].click()
    finally:
        gate.open.set()
    page.until_progress("1 of 1 captioned")
    assert [name.split(" · ")[0] for name in page.texts(".name")] == [
        "small yellow circle on blue water.jpg"
    ]


def test_a_server_that_has_gone_is_said(open_page):
    page = open_page()
    page.stop_server()
    page.all(".sample")[0].click()
    page.until_progress("0 of 1 captioned, 1 without a caption")
    assert "the server cannot be reached" in page.texts(".caption")[0]
    page.all(".retry")[0].click()
    page.until_progress("0 of 1 captioned, 1 without a caption")


def test_a_token_is_asked_for(open_page):
    page = open_page(token="secret")
    page.all(".sample")[0].click()
    page.until_progress("the server asks for a token")
    page.all("#token")[0].send_keys("other", Keys.ENTER)
    page.until(lambda: "not the token" in page.texts("#token-form")[0])
    page.all("#token")[0].send_keys("secret", Keys.ENTER)
    page.until_progress("1 of 1 captioned")
    assert not page.all("#token-form")[0].is_displayed()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_at_any_width(open_page, browser, tmp_path, scheme):
    page = open_page()
    (tmp_path / f"{'a_long_name' * 9}.txt").write_text("text")
    page.choose(*tmp_path.glob("*.txt"))
    page.all(".sample")[0].click()
    page.until_progress("1 of 2 captioned, 1 without")
    colours = set()
    for width in (1200, 360):
        show_as(browser, width, 800, scheme)
        assert not is_too_wide(browser)
        assert faint_texts(browser) == []
        style = "return getComputedStyle(document.body).backgroundColor"
        colours.add(browser.execute_script(style))
    assert colours == {"rgb(19, 20, 21)" if scheme == "dark" else "rgb(246, 245, 241)"}
