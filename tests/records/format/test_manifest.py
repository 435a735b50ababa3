import json

import pytest

from records.errors import UserError
from records.format.manifest import (
    CHECKSUM,
    FILE_NAME,
    DroppedWords,
    EncoderInfo,
    FeatureStatistics,
    Manifest,
    ShardInfo,
    Statistics,
    checksum,
    load_manifest,
)
from records.format.schema import FeatureSpec


def test_round_trip(record_set):
    manifest = load_manifest(str(record_set))
    assert manifest.to_bytes() == (record_set / FILE_NAME).read_bytes()
    manifest.save(str(record_set))
    assert load_manifest(str(record_set)) == manifest


def test_counts_of_a_split(record_set):
    manifest = load_manifest(str(record_set))
    assert [manifest.photos(s) for s in ("train", "dev", "test", "x")] == [12, 5, 0, 0]
    assert [manifest.captions(s) for s in ("train", "dev", "test")] == [24, 9, 0]


def test_content_digest_is_that_of_what_training_reads(record_set, edit_manifest):
    before = load_manifest(str(record_set)).content_digest
    edit_manifest(record_set, configuration={"other": {}}, sources={"photos": "/moved"})
    assert load_manifest(str(record_set)).content_digest == before
    edit_manifest(record_set, statistics__uncaptioned_files=1)
    assert load_manifest(str(record_set)).content_digest == before
    edit_manifest(record_set, vocabulary_size=99)
    assert load_manifest(str(record_set)).content_digest != before


def test_content_digest_does_not_depend_on_the_order_in_the_file(record_set):
    path = record_set / FILE_NAME
    before = load_manifest(str(record_set)).content_digest
    path.write_text(json.dumps(dict(reversed(json.loads(path.read_text()).items()))))
    assert load_manifest(str(record_set)).content_digest == before


def test_what_is_said_where_there_is_none(tmp_path):
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(
            UserError, match=rf"{place} is not a record set: it has no dataset\.json"
        ):
            load_manifest(str(place))


def test_what_is_said_of_a_build_that_failed(tmp_path):
    (tmp_path / "rejects.jsonl").write_text("")
    expected = rf"What was rejected by then is in {tmp_path}/rejects\.jsonl\."
    with pytest.raises(UserError, match=expected):
        load_manifest(str(tmp_path))


def test_what_is_said_of_a_manifest_that_cannot_be_read(tmp_path):
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(UserError, match=r"cannot read .*/dataset\.json: "):
        load_manifest(str(tmp_path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is damaged: not JSON"),
        (b"{", "is damaged: not JSON"),
        (b"\xff\xfe", "is damaged: not JSON"),
        (b"[" * 100_000, "is damaged: not JSON"),
        (b"[]", "is damaged: its format is null. Put it back from a copy, or"),
        (b"{}", "is damaged: its format is null"),
        (b'{"format": "1"}', "is damaged: its format is '1'"),
        (b'{"format": 0}', "is damaged: its format is 0"),
        (
            b'{"format": 2, "colour": 1}',
            r"was written by a newer tfcap \(format 2, this one reads 1\): install a "
            "newer tfcap, or build the records with this one",
        ),
        (
            b'{"format": 1}',
            "is damaged or was edited, for its checksum does not fit: shards: Field "
            "required. Put it back from a copy, or build the records again",
        ),
    ],
    ids=range(10),
)
def test_what_is_said_of_other_content(tmp_path, content, message):
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(UserError, match=rf"dataset\.json {message}"):
        load_manifest(str(tmp_path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": 1}, "unknown key 'colour'"),
        ({"statistics__lost": 1}, r"unknown key 'statistics\.lost'"),
        ({"vocabulary_size": "many"}, "vocabulary_size: Input should be a valid int"),
        ({"features__dtype": "int8"}, r"features\.dtype: Input should be 'float32'"),
        ({"shards__dev": [{}]}, r"shards\.dev\.0\.name: Field required"),
        (
            {"moments": {"mean": [0.0] * 3, "deviation": [1.0] * 4}},
            "moments: 3 means and 4 deviations of 4 features",
        ),
        (
            {"moments": {"mean": [0.0] * 4, "deviation": [1.0] * 5}},
            "moments: 4 means and 5 deviations of 4 features",
        ),
        ({"features__shape": []}, r"features\.shape: Tuple should have at least 1"),
        ({"features__shape": [-4]}, r"features\.shape\.0: Input should be greater"),
        (
            {"statistics__caption_lengths": {"3": 0}},
            r"statistics\.caption_lengths\.3: Input should be greater than or equal",
        ),
        ({"statistics__tokens": -1}, r"statistics\.tokens: Input should be greater"),
        ({"vocabulary_size": 10**400}, "vocabulary_size: Input should be less than"),
        ({"configuration": {"records": []}}, r"configuration\.records: Input should"),
    ],
)
def test_what_is_said_of_a_field(record_set, edit_manifest, change, message):
    edit_manifest(record_set, **change)
    said = rf"cannot read it: {message}.*\. A newer tfcap wrote it, or somebody edited"
    with pytest.raises(UserError, match=rf"dataset\.json is whole, but .* {said}"):
        load_manifest(str(record_set))
    path = record_set / FILE_NAME
    path.write_text(path.read_text().replace("/captions.txt", "/caption.txt"))
    said = f"is damaged or was edited, for its checksum does not fit: {message}"
    with pytest.raises(UserError, match=rf"dataset\.json {said}.*from a copy"):
        load_manifest(str(record_set))


@pytest.mark.parametrize("field", sorted(Manifest.model_fields))
def test_no_field_may_be_missing(record_set, field):
    path = record_set / FILE_NAME
    content = json.loads(path.read_text())
    del content[field]
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=f"{field}: Field required|format is null"):
        load_manifest(str(record_set))


# Fields of `dataset.json` that the first record sets lack, and what these were.
LATER = {
    EncoderInfo: {
        "kind": "application",
        "signature": None,
        "crops": 1,
        "flip": False,
        "fit": "squash",
        "interpolation": "bilinear",
        "antialias": True,
        "rounded": False,
        "precision": "float32",
        "float32_digest": None,
    },
    Statistics: {
        "words_in": 0,
        "words_kept": 0,
        "dropped_words": {},
        "unspaced_fraction": 0.0,
        "uncaptioned_files": 0,
        "longest_by_split": {},
        "equal_captions": False,
    },
}
PARTS = (
    *(DroppedWords, EncoderInfo, FeatureStatistics, FeatureSpec, Manifest, ShardInfo),
    Statistics,
)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_a_field_that_may_be_missing_came_later(part):
    """A new one says here what the record sets that lack it are."""
    fields = part.model_fields.items()
    missing = {n: field.default for n, field in fields if not field.is_required()}
    assert missing == LATER.get(part, {})


def test_a_manifest_of_before_these_fields(record_set):
    path = record_set / FILE_NAME
    content = json.loads(path.read_text())
    for name, part in (("encoder", EncoderInfo), ("statistics", Statistics)):
        content[name] = {k: v for k, v in content[name].items() if k not in LATER[part]}
    content[CHECKSUM] = checksum(content)
    path.write_text(json.dumps(content))
    manifest = load_manifest(str(record_set))
    for part in (manifest.encoder, manifest.statistics):
        later = LATER[type(part)]
        assert {name: getattr(part, name) for name in later} == later


def test_statistics_of_nothing():
    fields = Statistics.model_fields.items()
    statistics = Statistics(
        **{
            name: {} if str(field.annotation).startswith("dict") else 0
            for name, field in fields
        }
    )
    assert statistics.longest_caption == 0
    assert statistics.out_of_vocabulary_rate == 0
    assert statistics.photos_rejected == statistics.captions_rejected == 0


def test_derived_statistics(record_set):
    statistics = load_manifest(str(record_set)).statistics
    assert (statistics.photos_rejected, statistics.captions_rejected) == (2, 8)
    assert statistics.longest_caption == 8
    rate = statistics.out_of_vocabulary / statistics.tokens
    assert statistics.out_of_vocabulary_rate == pytest.approx(rate)
    assert 0 < rate < 1


@pytest.mark.parametrize("name", ["../elsewhere", "a/b", "", "a\nb", "\x1b[2J", "a\\b"])
def test_names_stay_in_the_directory(record_set, edit_manifest, name):
    shards = json.loads((record_set / FILE_NAME).read_text())["shards"]
    edit_manifest(record_set, shards={**shards, name: []})
    with pytest.raises(UserError, match="cannot read it: shards"):
        load_manifest(str(record_set))
    shards["train"][0]["name"] = name
    edit_manifest(record_set, shards=shards)
    with pytest.raises(UserError, match=r"cannot read it: shards\.train\.0\.name"):
        load_manifest(str(record_set))


@pytest.mark.parametrize("length", ["-1", "1000000000000"])
def test_lengths_can_be_drawn(record_set, edit_manifest, length):
    statistics = json.loads((record_set / FILE_NAME).read_text())["statistics"]
    statistics["caption_lengths"][length] = 1
    edit_manifest(record_set, statistics=statistics)
    with pytest.raises(UserError, match=r"cannot read it: statistics\.caption_lengths"):
        load_manifest(str(record_set))
