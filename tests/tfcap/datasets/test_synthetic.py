import random
import re

import numpy as np
import pytest
from PIL import Image

from records.console import run_command
from records.errors import UserError
from tfcap.datasets import synthetic

COUNTS = {"train": 3, "dev": 1, "test": 2}
SIZE = 48


def write(output, counts=COUNTS, size=SIZE, seed=0):
    synthetic.write_data_set(output, counts, size, seed)
    return {
        path.relative_to(output).as_posix(): path.read_bytes()
        for path in output.rglob("*")
        if path.is_file()
    }


def captions_by_photo(files):
    lines = files["text/Flickr8k.token.txt"].decode().splitlines()
    captions = {}
    for name, number, caption in (re.split(r"#(\d)\t", line) for line in lines):
        captions.setdefault(name, {})[int(number)] = caption
    return captions


def scene(**changes):
    plain = synthetic.imagine(random.Random(0))
    return plain._replace(**changes)


def pixels(subject, seed=0):
    return np.asarray(synthetic.draw(subject, SIZE, random.Random(seed)), np.float32)


def test_the_layout_is_flickr8ks(tmp_path):
    files = write(tmp_path)

    captions = captions_by_photo(files)
    assert len(captions) == 6
    for name, numbered in captions.items():
        assert re.fullmatch(r"\d{10}_[0-9a-f]{10}\.jpg", name)
        assert f"images/{name}" in files
        assert sorted(numbered) == [0, 1, 2, 3, 4]
        assert all(caption.endswith(" .") for caption in numbered.values())
    assert sum(name.startswith("images/") for name in files) == 6


def test_the_splits_share_no_photo_and_leave_none_out(tmp_path):
    files = write(tmp_path)

    splits = {
        split: files[f"text/Flickr_8k.{split}Images.txt"].decode().splitlines()
        for split in COUNTS
    }
    assert {split: len(names) for split, names in splits.items()} == COUNTS
    assert set().union(*splits.values()) == set(captions_by_photo(files))


def test_photos_are_jpegs_of_the_size_asked_for(tmp_path):
    write(tmp_path)

    for path in (tmp_path / "images").iterdir():
        with Image.open(path) as photo:
            assert (photo.format, photo.mode) == ("JPEG", "RGB")
            assert photo.size == (SIZE, SIZE)


def test_same_seed_same_bytes(tmp_path):
    assert write(tmp_path / "a") == write(tmp_path / "b")


def test_another_seed_gives_other_photos(tmp_path):
    assert not captions_by_photo(write(tmp_path / "a")).keys() & captions_by_photo(
        write(tmp_path / "b", seed=1)
    )


def test_a_photo_does_not_depend_on_how_many_there_are(tmp_path):
    few = write(tmp_path / "few", {"train": 2, "dev": 0, "test": 0})
    many = write(tmp_path / "many")

    photos = [name for name in few if name.startswith("images/")]
    assert len(photos) == 2
    assert all(few[name] == many[name] for name in photos)


@pytest.mark.parametrize("size", synthetic.RADII)
@pytest.mark.parametrize("ground", synthetic.GROUNDS)
@pytest.mark.parametrize("shape", synthetic.SHAPES)
def test_the_five_captions_always_differ(shape, ground, size):
    subject = scene(shape=shape, ground=ground, size=size, place=synthetic.MIDDLE)

    for seed in range(20):
        captions = synthetic.describe(subject, random.Random(seed))
        assert len({caption.lower() for caption in captions}) == 5


def test_every_caption_names_shape_colour_size_and_ground():
    for seed in range(50):
        rng = random.Random(seed)
        subject = synthetic.imagine(rng)
        sizes = {subject.size, synthetic.SYNONYMS[subject.size]}
        for caption in synthetic.describe(subject, rng):
            assert f" {subject.colour} {subject.shape} " in caption
            assert subject.ground.name in caption.lower()
            assert sizes & set(caption.split())


def test_a_shape_never_has_the_colour_of_its_ground():
    for seed in range(300):
        subject = synthetic.imagine(random.Random(seed))
        assert subject.colour != subject.ground.name.split()[0]


def test_the_vocabulary_is_small():
    words = set()
    for seed in range(400):
        rng = random.Random(seed)
        for caption in synthetic.describe(synthetic.imagine(rng), rng):
            words.update(caption.lower().split())
    assert 50 <= len(words) <= 80


@pytest.mark.parametrize("shape", synthetic.SHAPES)
@pytest.mark.parametrize("size", synthetic.RADII)
@pytest.mark.parametrize("place", synthetic.PLACES)
def test_a_shape_lies_inside_the_photo(shape, size, place):
    place = place if size == "small" else synthetic.MIDDLE
    subject = scene(shape=shape, size=size, place=place)

    for seed in range(20):
        for x, y in synthetic._corners(subject, random.Random(seed)):
            assert 0 < x < 1 and 0 < y < 1


def test_a_circle_is_drawn_in_its_colour_where_it_lies():
    snow = next(g for g in synthetic.GROUNDS if g.name == "white snow")
    subject = scene(
        ground=snow, colour="blue", shape="circle", size="small", place="on the left"
    )

    photo = pixels(subject)

    on_it, beside_it = photo[SIZE // 2, round(0.28 * SIZE)], photo[2, -3]
    np.testing.assert_allclose(on_it, synthetic.COLOURS["blue"], atol=25)
    np.testing.assert_allclose(beside_it, snow.rgb, atol=30)


def test_a_ring_has_a_hole():
    ground = synthetic.GROUNDS[1]
    subject = scene(
        ground=ground, colour="red", shape="ring", size="large", place=synthetic.MIDDLE
    )

    middle = pixels(subject)[SIZE // 2, SIZE // 2]

    np.testing.assert_allclose(middle, ground.rgb, atol=60)
    assert middle[2] > middle[0]


def test_two_photos_of_one_scene_differ():
    assert (pixels(scene(), seed=0) != pixels(scene(), seed=1)).any()


def test_photos_that_are_there_are_not_drawn_over(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "mine.jpg").write_bytes(b"mine")

    with pytest.raises(UserError, match=r"images is not empty: remove it or choose"):
        write(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["images"]


def test_an_empty_images_folder_is_no_obstacle(tmp_path):
    (tmp_path / "images").mkdir()

    assert len(captions_by_photo(write(tmp_path))) == 6


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"counts": {**COUNTS, "dev": -1}}, r"0 or more.*received .*'dev': -1"),
        ({"counts": dict.fromkeys(COUNTS, 0)}, "not all 0"),
        ({"size": 31}, "--size must be 32 pixels or more; received 31"),
    ],
)
def test_wrong_numbers_are_named_and_nothing_is_written(tmp_path, wrong, message):
    with pytest.raises(UserError, match=message):
        write(tmp_path / "out", **wrong)

    assert not (tmp_path / "out").exists()


def test_a_file_in_the_way_is_an_error_not_a_stack_trace(tmp_path):
    (tmp_path / "out").write_text("in the way")

    with pytest.raises(UserError, match=r"cannot write under .*out"):
        write(tmp_path / "out")


def test_the_command_writes_the_counts_it_is_given(tmp_path, capsys):
    options = ["--train=2", "--dev=0", "--test=1", "--size=32", "--seed=5"]

    assert run_command(lambda: synthetic.main([str(tmp_path / "out"), *options])) == 0

    assert len(list((tmp_path / "out" / "images").iterdir())) == 3
    code = run_command(lambda: synthetic.main([str(tmp_path / "out"), *options]))
    assert code == 1
    assert "error: " in capsys.readouterr().err
