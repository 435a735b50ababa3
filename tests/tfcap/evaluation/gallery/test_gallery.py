import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from records.errors import UserError
from records.html.page import csp_hash
from records.storage.photo_directory import PhotoFile
from tfcap.evaluation.gallery.entries import Entry, select
from tfcap.evaluation.gallery.page import write_gallery

SCORES = {"bleu_4": (0.2, 0.04), "cider": (0.5, 0.06)}
SETTINGS = {
    "split": "test",
    "consensus": None,
    "models": ["runs/a", "runs/b"],
    "decoding": {"beam_width": 3, "sampling": False},
}


def entry(photo_id="a.jpg", cider=50.0, **fields) -> Entry:
    values = {
        "photo_path": None,
        "caption": "a dog runs",
        "score": -1.25,
        "references": ("A dog .", "The dog runs ."),
        "bleu_4": 30.0,
        "rouge_l": 40.0,
    }
    return Entry(photo_id=photo_id, cider=cider, **{**values, **fields})


def written(
    directory, entries, scores=SCORES, settings=SETTINGS, title="Test", **kwargs
) -> str:
    path = write_gallery(str(directory), entries, scores, settings, title, **kwargs)
    with open(path, encoding="utf-8") as file:
        return file.read()


def write_photo(path, size, **kwargs) -> str:
    Image.new("RGB", size, "red").save(path, **kwargs)
    return str(path)


def thumbnails(page: str) -> list[Image.Image]:
    found = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    return [Image.open(io.BytesIO(base64.b64decode(text))) for text in found]


def test_the_page_holds_scores_control_settings_and_cards(tmp_path):
    page = written(tmp_path / "new", [entry()], title="Dogs")
    assert (tmp_path / "new" / "index.html").exists()
    assert "<h1>Dogs</h1>" in page
    assert "Scores in percent" in page
    assert '<th scope="row">CIDEr</th><td>50.0</td><td>6.0</td>' in page
    for name, value in (
        ("decoding", "beam_width 3, sampling no"),
        ("models", "runs/a, runs/b"),
        ("consensus", "none"),
    ):
        assert f"<dt>{name}</dt><dd>{value}</dd>" in page
    assert '<p class="caption">a dog runs</p>' in page
    assert "<li>A dog .</li>\n<li>The dog runs .</li>" in page
    assert "CIDEr 50.0 %" in page and "BLEU-4 30.0 %" in page and "−1.25" in page
    assert "ROUGE-L 40.0 %" in page and 'data-words="3"' in page
    assert "Every photo has a card." in page


def test_no_number_contradicts_its_noun(tmp_path):
    page = written(tmp_path, [entry(caption="a")])
    assert "<b>1</b> photo, <b>1</b> distinct caption; " in page
    assert "<title>length 1: 1 photo</title>" in page
    assert not re.search(r"\b1 (photos|captions|words|references)", page)


def test_five_references_are_shown_and_the_others_on_request(tmp_path):
    page = written(tmp_path, [entry(references=tuple("abcdefg"))])
    seen, hidden = page.split("<summary>Show all 7 references</summary>")
    assert "<li>e</li>" in seen and "<li>f</li>" not in seen
    assert "<li>f</li>" in hidden and "<li>g</li>" in hidden


def test_the_page_needs_nothing_outside_it(tmp_path):
    photo = write_photo(tmp_path / "a.png", (8, 8))
    page = written(tmp_path, [entry(photo_path=photo)])
    assert not re.search(
        r"https?:|url\(|@import|<link|<script [^>]*src|\$[a-z_]+", page
    )
    assert all(src.startswith("data:") for src in re.findall(r'src="([^"]*)"', page))
    (script,) = re.findall("<script>(.*?)</script>", page, re.DOTALL)
    assert f"script-src {csp_hash(script)}" in page


def test_text_is_escaped(tmp_path):
    evil = "<script>alert(1)</script> \"&' $title"
    found = entry(evil, caption=evil, references=(evil,))
    scores, settings = {evil: (1.0, 0.0)}, {evil: [evil, {evil: evil}]}
    page = written(tmp_path, [found], scores, settings, title=evil)
    assert page.count("<script") == 1  # the page's own
    escaped = "&lt;script&gt;alert(1)&lt;/script&gt; &#34;&amp;&#39; $title"
    assert page.count(escaped) > 10


def test_tags_are_balanced(tmp_path):
    photo = write_photo(tmp_path / "a.png", (8, 8))
    entries = [entry(), entry("b.jpg", photo_path=photo), entry("c.jpg", caption="")]
    open_tags = []

    class Checker(HTMLParser):
        def handle_starttag(self, tag, attributes):
            if tag not in ("meta", "img", "input"):
                open_tags.append(tag)

        def handle_endtag(self, tag):
            assert open_tags.pop() == tag

        def handle_startendtag(self, tag, attributes):
            pass

    Checker().feed(written(tmp_path, entries))
    assert open_tags == []


@pytest.mark.parametrize(
    ("size", "expected"),
    [((600, 300), (224, 112)), ((100, 448), (50, 224)), ((40, 30), (40, 30))],
)
def test_thumbnails_are_small(tmp_path, size, expected):
    photo = write_photo(tmp_path / "a.png", size)
    [thumbnail] = thumbnails(written(tmp_path, [entry(photo_path=photo)]))
    assert thumbnail.size == expected
    assert thumbnail.format == "JPEG"


def test_a_photo_taken_upright_is_shown_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn by 90 degrees
    photo = write_photo(tmp_path / "a.jpg", (600, 300), exif=exif)
    [thumbnail] = thumbnails(written(tmp_path, [entry(photo_path=photo)]))
    assert thumbnail.size == (112, 224)


class Packed:
    """Photos in a container; notes what is located and read."""

    directory = "a.zip"

    def __init__(self, photos):
        self.photos, self.calls = photos, []

    def locate(self, photo_ids):
        self.calls.append(list(photo_ids))
        return sorted(self.photos.keys() & set(photo_ids), reverse=True)

    def read(self, photo_id, sha256):
        self.calls.append(photo_id)
        content = self.photos[photo_id]
        return PhotoFile(f"a.zip at {photo_id}", content, False) if content else None


def test_photos_of_a_container_are_read_in_its_order(tmp_path):
    photo = Path(write_photo(tmp_path / "a.png", (40, 30))).read_bytes()
    packed = Packed({"a.jpg": photo, "b.jpg": photo, "c.jpg": None})
    entries = [entry(name) for name in ("a.jpg", "b.jpg", "c.jpg", "d.jpg")]
    page = written(tmp_path, entries, photos=packed)
    assert len(thumbnails(page)) == 2
    assert packed.calls == [
        ["a.jpg", "b.jpg", "c.jpg", "d.jpg"],
        *("c.jpg", "b.jpg", "a.jpg"),
    ]
    assert all(f"No photo found: {name}" in page for name in ("c.jpg", "d.jpg"))


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_photos_of_any_mode_are_shown(tmp_path, mode):
    path = str(tmp_path / "a.jpg")
    Image.new(mode, (8, 8)).save(path, "JPEG" if mode == "CMYK" else "PNG")
    assert len(thumbnails(written(tmp_path, [entry(photo_path=path)]))) == 1


@pytest.mark.parametrize("content", [None, b"", b"no photo", b"\xff\xd8\xff\xe0 cut"])
def test_a_photo_that_cannot_be_read_gets_a_tile(tmp_path, content):
    path = tmp_path / "broken.jpg"
    if content is not None:
        path.write_bytes(content)
    page = written(tmp_path, [entry("<b>.jpg", photo_path=str(path)), entry("c.jpg")])
    assert thumbnails(page) == []
    assert "No photo found: &lt;b&gt;.jpg</div>" in page
    assert "No photo found: c.jpg</div>" in page


def test_an_empty_caption_is_named(tmp_path):
    page = written(tmp_path, [entry(caption=""), entry("b.jpg")])
    assert '<p class="caption empty">no caption</p>' in page
    assert "empty captions: <b>1</b>" in page
    assert "<b>2</b> distinct captions" in page


def test_the_best_come_first_and_ties_go_by_id():
    entries = [entry("c", 0.1), entry("b", 0.7), entry("a", 0.1)]
    assert [e.photo_id for e in select(entries, 300).entries] == ["b", "a", "c"]


def test_of_many_photos_best_worst_and_random_are_shown(tmp_path):
    entries = [entry(f"{i:03}", cider=2.0 * i) for i in range(100)]
    shown = [e.photo_id for e in select(entries, 10).entries]
    assert shown[:3] == ["099", "098", "097"]
    assert shown[-3:] == ["002", "001", "000"]
    assert shown == sorted(set(shown), reverse=True) and len(shown) == 10
    assert select(entries, 10) == select(entries[::-1], 10)
    page = written(tmp_path, entries, limit=10)
    assert page.count('<li class="card"') == 10
    assert "Cards: 10 of 100 photos; by CIDEr the best 3 and the worst 3, and 4" in page
    assert "<b>100</b> photos" in page


def test_the_histograms_count_every_photo(tmp_path):
    found = [(0, "a dog"), (19, "a dog"), (20, "a dog runs"), (210, "")]
    entries = [entry(str(i), c, caption=text) for i, (c, text) in enumerate(found)]
    page = written(tmp_path, entries, limit=3)
    ciders = re.findall(r"<title>CIDEr (\d+) to (\d+) %: (\d+) photos?</title>", page)
    assert ciders[0] == ("0", "20", "2") and ciders[10] == ("200", "220", "1")
    assert sum(int(count) for *_, count in ciders) == 4
    lengths = re.findall(r"<title>length (\d+): (\d+) photos?</title>", page)
    assert lengths == [("0", "1"), ("1", "0"), ("2", "2"), ("3", "1")]
    assert "mean 62.2 %" in page and "mean 1.8" in page


def test_captions_of_several_photos_are_told(tmp_path):
    texts = ["a dog", "A dog .", "a <b>", "A <b>", "a cat", "a hen"]
    entries = [entry(str(i), 100 * i, caption=text) for i, text in enumerate(texts)]
    page = written(tmp_path, entries)
    rows = r"<button[^>]*>([^<]+)</button><b>(\d+)</b><span>CIDEr ([\d.]+) %</span>"
    found = re.findall(rows, page)
    assert found == [("a &lt;b&gt;", "2", "250.0"), ("a dog", "2", "50.0")]
    page = written(tmp_path, entries[4:])
    assert "No two photos have the same caption." in page


def test_the_same_entries_make_the_same_page(tmp_path):
    entries = [entry(), entry("b.jpg")]
    assert written(tmp_path / "1", entries) == written(tmp_path / "2", entries[::-1])


def test_a_directory_that_cannot_be_made_is_the_users_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot .*file"):
        write_gallery(str(tmp_path / "file"), [entry()], SCORES, SETTINGS, "Test")
