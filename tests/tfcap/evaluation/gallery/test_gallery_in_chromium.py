"""The gallery in a browser: what its reader sees after a click."""

import pytest

pytest.importorskip("selenium", reason="needs the extra: pip install 'tfcap[dev]'")

from chromium import faint_texts, is_too_wide, show_as
from PIL import Image
from selenium.webdriver.common.by import By

from tfcap.evaluation.gallery.entries import Entry
from tfcap.evaluation.gallery.page import write_gallery

pytestmark = pytest.mark.slow

PHOTOS = 250
CLICK = "arguments[0].dispatchEvent(new MouseEvent('click', { bubbles: true }))"
SCORES, SETTINGS = {"cider": (0.5, 0.1)}, {"split": "dev"}


def entry(i: int, photo: str) -> Entry:
    """Photo i scores i percent; its caption has 4 to 7 words, every 50th the same."""
    caption = "a dog runs" if i % 50 == 0 else f"a cat {i}{' sleeps' * (1 + i % 4)}"
    scores = {"score": -1.0, "cider": i, "bleu_4": 30.0, "rouge_l": 40.0}
    references = (f"Reference {i} .", "The dog runs .")
    return Entry(f"{i:03}.jpg", photo, caption, references=references, **scores)


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("gallery")
    photo = folder / "a.jpg"
    Image.new("RGB", (40, 30), "red").save(photo)
    entries = [entry(i, str(photo)) for i in range(PHOTOS)]
    moved = folder / "moved.html"
    page = write_gallery(str(folder / "written"), entries, SCORES, SETTINGS, "Test")
    with open(page, encoding="utf-8") as file:
        moved.write_text(file.read(), "utf-8")
    return str(moved)


@pytest.fixture
def page(browser, path):
    show_as(browser)
    browser.get_log("browser")  # of the test before
    browser.get(f"file://{path}")
    return browser


def find(page, selector: str):
    return page.find_element(By.CSS_SELECTOR, selector)


def shown(page) -> list[str]:
    """Ids of the photos that are seen, in order."""
    ids = "[...document.querySelectorAll('.card:not([hidden]) .id')]"
    return page.execute_script(f"return {ids}.map(id => id.textContent)")


def ids(numbers) -> list[str]:
    return [f"{i:03}.jpg" for i in numbers]


def test_a_hundred_best_worst_and_random(page):
    assert shown(page) == ids(range(249, 149, -1))
    assert find(page, ".shown").text == "100 of 250 shown"
    find(page, "[data-sort=worst]").click()
    assert shown(page) == ids(range(100))
    find(page, ".more button").click()
    find(page, ".more button").click()
    assert shown(page) == ids(range(250)) and not find(page, ".more").is_displayed()
    find(page, "[data-sort=random]").click()
    drawn = shown(page)
    assert len(set(drawn)) == 100 and drawn != sorted(drawn)
    image = find(page, ".card:not([hidden]) img")
    page.execute_script("arguments[0].scrollIntoView()", image)
    assert page.execute_script("return arguments[0].decode().then(() => true)", image)
    assert page.get_log("browser") == []


def test_filters(page):
    text, _, below, *_ = page.find_elements(By.CSS_SELECTOR, ".toolbar input")
    text.send_keys("Cat 7")
    assert shown(page) == ids([*range(79, 69, -1), 7])
    below.send_keys("75")
    assert shown(page) == ids([74, 73, 72, 71, 70, 7])
    assert find(page, ".shown").text == "6 shown; 6 of 250 fit"
    assert not page.find_elements(By.CSS_SELECTOR, "rect[data-to='20'].out")
    assert page.find_elements(By.CSS_SELECTOR, "[data-of=cider] rect.out")
    text.send_keys(" nowhere")
    assert shown(page) == [] and find(page, ".nothing").is_displayed()
    find(page, "[type=reset]").click()
    assert len(shown(page)) == 100


def test_bars_and_frequent_captions_are_filters(page):
    six = find(page, "[data-of=words] rect[data-from='6']")
    page.execute_script(CLICK, six)
    assert shown(page) == ids(i for i in range(249, 0, -1) if i % 4 == 2 and i % 50)
    page.execute_script(CLICK, six)
    assert len(shown(page)) == 100
    find(page, ".frequent button").click()
    assert shown(page) == ids(range(200, -1, -50))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_at_any_width(page, scheme):
    find(page, "summary").click()
    for width in (1300, 360):
        show_as(page, width, 800, scheme)
        assert not is_too_wide(page)
        assert faint_texts(page) == []
