import base64
import io
import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from records.errors import UserError
from tfcap.evaluation.gallery import Entry, charts, select, write_gallery
from tfcap.web.static_files import csp_hash

SUMMARY = {
    "scores": {"bleu_4": 0.2, "cider": 0.5},
    "shuffled_photos": {"bleu_4": 0.04, "cider": 0.06},
    "settings": {"split": "test", "decoding": {"beam_width": 3}},
}


def entry(photo_id="a.jpg", cider=0.5, **fields) -> Entry:
    values = {
        "photo_path": None,
        "caption": "a dog runs",
        "score": -1.25,
        "references": ("A dog .", "The dog runs ."),
        "bleu_4": 0.3,
        "rouge_l": 0.4,
    }
    return Entry(photo_id=photo_id, cider=cider, **{**values, **fields})


def written(directory, entries, summary=SUMMARY, title="Test", **kwargs) -> str:
    path = write_gallery(str(directory), entries, summary, title, **kwargs)
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
    row = r"CIDEr</th><td[^>]*>0.500</td><td[^>]*>0.060</td>"
    assert re.search(row, page)
    assert "<dt>decoding.beam_width</dt><dd>3</dd>" in page
    assert '<p class="caption">a dog runs</p>' in page
    assert "<li>A dog .</li><li>The dog runs .</li>" in page
    assert "CIDEr 0.50" in page and "BLEU-4 0.30" in page and "&minus;1.25" in page
    assert "ROUGE-L 0.40" in page and 'data-words="3"' in page
    assert "All photos are here." in page


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
    named = {**SUMMARY, "scores": {evil: 1.0}, "settings": {evil: evil}}
    found = entry(evil, caption=evil, references=(evil,))
    page = written(tmp_path, [found], named, title=evil)
    assert page.count("<script") == 1  # the page's own
    assert (
        page.count("&lt;script&gt;alert(1)&lt;/script&gt; &quot;&amp;&#x27; $title") > 7
    )


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
    assert "No photo: &lt;b&gt;.jpg</div>" in page and "No photo: c.jpg</div>" in page


def test_an_empty_caption_is_named(tmp_path):
    page = written(tmp_path, [entry(caption=""), entry("b.jpg")])
    assert '<p class="caption empty">no caption</p>' in page
    assert "<b>1</b> empty" in page
    assert "<b>2</b> distinct captions" in page


def test_the_best_come_first_and_ties_go_by_id():
    entries = [entry("c", 0.1), entry("b", 0.7), entry("a", 0.1)]
    assert [e.photo_id for e in select(entries, 300)] == ["b", "a", "c"]


def test_of_many_photos_best_worst_and_random_are_shown(tmp_path):
    entries = [entry(f"{i:03}", cider=i / 50) for i in range(100)]
    shown = [e.photo_id for e in select(entries, 10)]
    assert shown[:3] == ["099", "098", "097"]
    assert shown[-3:] == ["002", "001", "000"]
    assert shown == sorted(set(shown), reverse=True) and len(shown) == 10
    assert shown == [e.photo_id for e in select(entries[::-1], 10)]
    page = written(tmp_path, entries, limit=10)
    assert page.count('<li class="card"') == 10
    assert "10 of 100 photos are here: 3 best, 3 worst by CIDEr and 4 drawn" in page
    assert "<b>100</b> photos" in page


def test_the_histograms_count_every_photo(tmp_path):
    found = [(0, "a dog"), (0.2, "a dog"), (0.3, "a dog runs"), (2.1, "")]
    entries = [entry(str(i), c, caption=text) for i, (c, text) in enumerate(found)]
    page = written(tmp_path, entries, limit=3)
    ciders = re.findall(r"<title>(\S+) to (\S+): (\d+) photos</title>", page)
    assert ciders[0] == ("0", "0.25", "2") and ciders[8] == ("2", "2.25", "1")
    assert sum(int(count) for *_, count in ciders) == 4
    lengths = re.findall(r"<title>(\d+) words: (\d+) photos</title>", page)
    assert lengths == [("0", "1"), ("1", "0"), ("2", "2"), ("3", "1")]
    assert "mean 0.65" in page and "mean 1.8" in page


@pytest.mark.parametrize("values", [[], [0.0], [10.0], [0.3] * 3])
def test_histograms_at_the_edges(values):
    bins = charts.cut(values, (0.1, 0.25, 0.5, 1.0), 16)
    assert sum(bins.counts) == len(values) and len(bins.counts) <= 16
    assert charts.cider_histogram(values).endswith("</svg>")
    assert charts.length_histogram(list(map(int, values)), [1]).endswith("</svg>")


def test_a_value_on_an_edge_is_above_it():
    assert charts.cut([0.3, 0.7], (0.1,), 16).counts == [0, 0, 0, 1, 0, 0, 0, 1]


def test_captions_of_several_photos_are_told(tmp_path):
    texts = ["a dog", "A dog .", "a <b>", "A <b>", "a cat", "a hen"]
    entries = [entry(str(i), i, caption=text) for i, text in enumerate(texts)]
    page = written(tmp_path, entries)
    rows = r"<button[^>]*>([^<]+)</button><b>(\d+)</b><span>CIDEr ([\d.]+)</span>"
    found = re.findall(rows, page)
    assert found == [("a &lt;b&gt;", "2", "2.50"), ("a dog", "2", "0.50")]
    page = written(tmp_path, entries[4:])
    assert "No two photos have the same caption." in page


def test_the_same_entries_make_the_same_page(tmp_path):
    entries = [entry(), entry("b.jpg")]
    assert written(tmp_path / "1", entries) == written(tmp_path / "2", entries[::-1])


def test_a_control_may_be_missing(tmp_path):
    page = written(tmp_path, [entry()], {"scores": {"cider": 0.5}})
    assert re.search(r"0.500</td><td[^>]*>&ndash;</td>", page)


def test_a_directory_that_cannot_be_made_is_the_users_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot .*file"):
        write_gallery(str(tmp_path / "file"), [entry()], SUMMARY, "Test")
