"""The baselines do the same work as tfcap, and the table has its columns."""

from collections import Counter

import numpy as np
import pytest

from records.format.schema import FeatureSpec
from records.text.vocabulary import PAD_ID
from tests.benchmarks import baselines, chart, run
from tests.benchmarks.common import count_targets, experiment, lookup
from tests.benchmarks.record_set import WORDS, make_record_set, repeat_record_set
from tests.benchmarks.rows import BUILD_LINES, LINES, make_row
from tfcap.data.pipeline import training_batches

PHOTOS = 7  # no multiple of any batch
TINY = FeatureSpec(shape=(3,), dtype="float32")
KEYS = ["name", "value", "unit", "baseline", "times_baseline", "limit", "of_limit"]
KEYS += ["required", "pass"]


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    return make_record_set(str(folder), PHOTOS, 30, TINY)


def as_rows(batches) -> Counter:
    """(features, prefix, next token) of each row, padding on either side removed."""
    return Counter(
        (tuple(photo), tuple(prefix[prefix != PAD_ID]), int(target))
        for (photos, prefixes), targets in batches
        for photo, prefix, target in zip(photos, prefixes, targets)
    )


@pytest.fixture(scope="module")
def ours(records) -> Counter:
    batches = training_batches(records, experiment("prefix", 4).training, 0)
    return as_rows(
        ((b["features"][b["photo"]], b["prefix"]), b["target"])
        for b in (
            {name: value.numpy() for name, value in batch.items()} for batch in batches
        )
    )


def test_the_drawn_records_have_flickr8ks_lengths(records, ours):
    captions = sum(WORDS.values())
    mean = sum(words * n for words, n in WORDS.items()) / captions
    assert captions == 30_000 and round(mean, 1) == 10.8 and max(WORDS) + 2 == 37
    assert records.manifest.captions("train") == 5 * PHOTOS
    assert sum(ours.values()) == count_targets(records)


def test_the_generator_gives_our_rows(records, ours):
    held = baselines.load(records, PHOTOS)
    batches = [
        (inputs, np.argmax(targets, 1))
        for inputs, targets in baselines.generator(*held, *lookup(records))
    ]
    assert len(batches) == -(-PHOTOS // baselines.PHOTOS_A_BATCH)
    assert as_rows(batches) == ours


def test_flat_map_gives_our_rows(records, ours):
    batches = baselines.flat_map_rows(records, PHOTOS).as_numpy_iterator()
    assert as_rows(batches) == ours


def test_a_set_of_many_photos_is_made_of_the_same_shards(records, ours, tmp_path):
    many = repeat_record_set(records, 3, str(tmp_path))
    assert many.manifest.photos("train") == 3 * PHOTOS
    assert count_targets(many) == 3 * sum(ours.values())


def test_the_notebook_model_trains_and_writes(records):
    model = baselines.notebook_model(records, experiment("prefix", 1).model)
    held = baselines.load(records, 1)
    inputs, targets = next(baselines.generator(*held, *lookup(records)))
    assert np.isfinite(model.train_on_batch(inputs, targets))
    photo = inputs[0][0]
    caption = baselines.write_caption(model, photo, *lookup(records), words=2)
    assert len(caption.split()) == 2


def test_rows_have_their_keys_and_medians(tmp_path):
    names = {n for line in LINES for n in (line.value, line.baseline, line.limit) if n}
    samples = {name: [1.0, 5.0, 3.0] for name in names}
    rows = [make_row(line, samples) for line in LINES]
    assert all(list(row.figures) == KEYS for row in rows)
    assert {row.figures["value"] for row in rows} == {3.0}
    assert {row.spread for row in rows} == {(1.0, 5.0)}
    figures = rows[0].figures
    assert (figures["times_baseline"], figures["pass"]) == (1.0, False)
    run.save(rows, str(tmp_path / "new" / "bench.json"), "a machine")
    assert {p.name for p in (tmp_path / "new").iterdir()} == {"bench.json", "bench.png"}


@pytest.mark.parametrize(
    ("value", "limit", "met"), [(200, 202, True), (2, 2, False), (150, 300, False)]
)
def test_a_row_passes_only_if_all_that_is_required_is_met(value, limit, met):
    line = next(line for line in BUILD_LINES if line.times and line.share)
    samples = {line.value: [value], line.baseline: [1.0], line.limit: [limit]}
    row = make_row(line, samples).figures
    assert row["required"] == ">= 2.5 x baseline and >= 97 % of limit"
    assert row["pass"] is met


def test_a_directory_without_records_is_refused(tmp_path, capsys):
    assert run.main(["--records", str(tmp_path)]) == 1
    assert "is not a record set" in capsys.readouterr().err


def test_ratios_are_read_as_ratios():
    assert (chart.ratio(1234.5), chart.ratio(1.25)) == ("1,234 x", "1.2 x")
