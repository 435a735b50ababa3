"""The page of `inspect --html`, on photos drawn here."""

import dataclasses
import hashlib
import io
import json
import os
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from records.__main__ import main
from records.format.record_set import RecordSet
from records.inspection import html_page
from records.inspection.samples import sample_splits

VOID = ("meta", "img", "br")


class Page(HTMLParser):
    """Checks that tags are balanced; collects images, resources and text."""

    def __init__(self, text: str):
        super().__init__()
        self.open, self.images, self.links = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "img":
            self.images.append((given["alt"], given["src"]))
        self.links += [given[key] for key in ("src", "href") if key in given]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attributes):
        pass


def draw(directory, tmp_path, *flags) -> str:
    path = tmp_path / "page.html"
    assert main(["inspect", str(directory), "--html", str(path), *flags]) == 0
    return path.read_text("utf-8")


def photo() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (200, 30, 30)).save(file, "JPEG")
    return file.getvalue()


def change_first(**fields):
    def rearrange(arranged):
        arranged["train"][0][0] = dataclasses.replace(arranged["train"][0][0], **fields)

    return rearrange


KEPT = {"encoded": photo(), "photo_sha256": hashlib.sha256(photo()).digest()}


def test_the_page_needs_nothing_outside_itself(make_record_set, tmp_path):
    text = draw(make_record_set(rearrange=change_first(**KEPT)), tmp_path)
    page = Page(text)
    assert all(link.startswith("data:image/") for link in page.links)
    assert "default-src 'none'" in text and "<script" not in text
    assert "url(" not in text and "@import" not in text


def test_what_it_shows(record_set, tmp_path, capsys):
    text = draw(record_set, tmp_path, "--limit", "2")
    for expected in (
        "<b>17</b> photos",
        "<b>33</b> captions",
        "mobilenet, last layer, avg, 224 pixels",
        "rejected: photo_missing",
        "gone.jpg",
        "kind word, min_letters 1, min_count 2, oov unk",
        "2 of 12 records",
        "record 0 of train-00000-of-00003.tfrecord",
        "3 shards; photos: 2 to 7; MiB: 0.0",
        "<mark>cat</mark>",
        "/captions.txt",
        "+ 9 dropped",
        "dropped: digit 7, most often 2 (4), &lt;b&gt;3 (3)",
    ):
        assert expected in text, expected
    assert capsys.readouterr().out == f"4 records drawn on {tmp_path / 'page.html'}\n"


def test_rates_are_of_each_split(record_set, tmp_path):
    text = draw(record_set, tmp_path)
    row = r'<th scope="row">%s</th>(<td>[^<]*</td>){4}<td>%s</td>'
    assert re.search(row % ("train", r"[\d.]+%"), text)
    assert re.search(row % ("test", "\N{EN DASH}"), text)


def test_frequent_words_and_those_left_out(record_set, tmp_path):
    text = draw(record_set, tmp_path)
    known, unknown = re.findall(r'<ol class="words">(.*?)</ol>', text, re.DOTALL)
    assert re.findall(r"<span>(.*?)</span>", known)[0] in ("a", "dog", "the")
    words = re.findall(r"<span>(.*?)</span><b>([\d,]+)</b>", unknown)
    assert words == sorted(words, key=lambda pair: (-int(pair[1]), pair[0]))
    assert {word for word, _ in words} >= {"cat", "bird", "grass"}


def test_photos_and_features_are_drawn(make_record_set, tmp_path):
    text = draw(
        make_record_set(rearrange=change_first(**KEPT)), tmp_path, "--limit", "1"
    )
    images = dict(Page(text).images)
    (alt,) = [alt for alt in images if alt.startswith("Photo train")]
    assert images[alt].startswith("data:image/jpeg;base64,")
    assert images["Features above and below the mean"].startswith("data:image/png")
    assert "No photo found: dev" in text


def test_a_photo_in_a_folder_and_one_that_has_changed(record_set, tmp_path):
    text = draw(record_set, tmp_path, "--limit", "1")
    names = re.findall(r"No photo found: ([\w.]+)", text)
    (tmp_path / "photos/deep").mkdir(parents=True)
    for name in names:
        (tmp_path / "photos/deep" / name).write_bytes(photo())
    photos = str(tmp_path / "photos")
    text = draw(record_set, tmp_path, "--limit", "1", "--photos", photos)
    assert "No photo found" not in text
    assert text.count("The file has changed since.") == len(names) == 2
    assert str(tmp_path / "photos/deep" / names[0]) in text


def test_a_photo_that_cannot_be_read(make_record_set, tmp_path):
    text = draw(make_record_set(keep_photos=True), tmp_path, "--limit", "1")
    assert text.count("No photo found: ") == 2


def test_other_peoples_text_is_escaped(make_record_set, tmp_path):
    bad = "<script>alert('$x')</script>"
    directory = make_record_set(rearrange=change_first(captions=(bad,)))
    with open(directory / "rejects.jsonl", "a") as file:
        line = {"what": "caption", "where": bad, "reason": bad, "detail": bad}
        file.write(json.dumps({**line, "captions": 1}) + "\n")
    text = draw(directory, tmp_path)
    Page(text)
    assert "<script" not in text
    assert text.count("&lt;script&gt;alert(&#39;$x&#39;)&lt;/script&gt;") >= 4


def test_five_captions_are_shown_and_the_others_on_request(make_record_set, tmp_path):
    captions = tuple(f"a dog {word}" for word in "abcdefg")
    directory = make_record_set(rearrange=change_first(captions=captions))
    text = draw(directory, tmp_path, "--limit", "1")
    Page(text)
    seen, hidden = text.split("<summary>Show all 7 captions</summary>")
    assert "a dog e</q>" in seen and "a dog f</q>" not in seen
    assert "a dog g</q>" in hidden


@pytest.mark.parametrize("oov", ["unk", "drop"])
def test_words_left_out_are_marked_whatever_becomes_of_them(
    make_record_set, tmp_path, oov
):
    text = draw(make_record_set(oov=oov), tmp_path)
    assert "<mark>bird</mark>" in text
    assert "&lt;unk&gt;" not in text.split('<div class="texts">', 1)[1]


def test_features_that_are_not_finite(make_record_set, tmp_path):
    broken = change_first(features=np.array([0, np.nan, np.inf, 1], np.float32))
    assert "not finite" in draw(make_record_set(rearrange=broken), tmp_path)


def test_the_cells_of_a_grid_are_drawn(record_set):
    opened = RecordSet.open(str(record_set))
    (sample,) = sample_splits(opened, 1)["train"]
    grid = np.arange(16, dtype=np.float32).reshape(2, 2, 4)
    record = dataclasses.replace(sample.record, features=grid)
    samples = {"train": [dataclasses.replace(sample, record=record)]}
    images = dict(Page(html_page.draw(opened, samples)).images)
    assert images["Strength of each cell"].startswith("data:image/png")
    assert "features: min 0, mean 7.5, max 15" in html_page.draw(opened, samples)


def test_no_number_contradicts_its_noun(make_record_set, tmp_path):
    def keep_one(arranged):
        record = arranged["train"][0][0]
        first = dataclasses.replace(
            record, captions=record.captions[:1], ids=record.ids[:1]
        )
        arranged |= {"train": [[first]], "dev": [], "test": []}

    text = draw(make_record_set(rearrange=keep_one), tmp_path)
    assert "<b>1</b> photo, <b>1</b> caption, " in text
    assert "1 of 1 record<" in text and "1 shard; photos: 1; MiB: 0.0<" in text
    assert not re.search(r"\b1(</b>)? (photo|caption|token|shard|record)s", text)


def test_json_beside_the_page(record_set, tmp_path, capsys):
    draw(record_set, tmp_path, "--json", "--limit", "1")
    found = json.loads(capsys.readouterr().out)
    assert found["page"] == str(tmp_path / "page.html")
    assert len(found["samples"]["train"]) == 1


def test_the_same_records_give_the_same_page(record_set, tmp_path):
    assert draw(record_set, tmp_path) == draw(record_set, tmp_path)


@pytest.mark.parametrize("name", ["dataset.json", "page"])
def test_no_other_file_is_replaced(record_set, name, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["inspect", str(record_set), "--html", str(record_set / name)])
    assert stopped.value.code == 2
    assert "expected a name in .html" in capsys.readouterr().err


def test_a_place_that_is_not_there(record_set, capsys):
    assert main(["inspect", str(record_set), "--html", "/nowhere/page.html"]) == 1
    assert "cannot write /nowhere/page.html: " in capsys.readouterr().err


def test_what_strangers_wrote_is_no_markup(record_set, tmp_path):
    """Whatever a manifest names, and wherever that is shown."""
    mark = "<script>alert(1)<x onload=y>".replace("/", "")
    path = os.path.join(record_set, "dataset.json")
    with open(path, encoding="utf-8") as file:
        content = json.load(file)
    content["shards"][mark] = content["shards"].pop("dev")
    content["sources"] |= {"photos": mark, mark: mark}
    content["encoder"] |= dict.fromkeys(("name", "weights", "preprocessing"), mark)
    content["statistics"]["photo_formats"] = {mark: 1}
    content["statistics"]["rejected_photos"][mark] = 1
    content["configuration"] = {mark: {mark: mark}}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(content, file)
    text = draw(record_set, tmp_path)
    assert "<script" not in text and "<x" not in text
    assert text.count("&lt;script&gt;") >= 9
