"""The same photos and captions in every form give the same records, byte for byte."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from small_data import SmallData, build, contents

from beam_jobs.build_job import Job
from beam_jobs.sources.registry import SOURCES
from records.format.manifest import load_manifest
from records.format.record_set import RecordSet

SPLITS = {"train": ["1000.jpg", "1002.jpg", "1003.jpg"], "dev": ["1001.jpg"]}
SPLITS["test"] = ["1004.jpg"]
PHOTOS = [photo for photos in SPLITS.values() for photo in photos]
KARPATHYS = {"1000.jpg": "train", "1002.jpg": "restval", "1003.jpg": "train"}
KARPATHYS |= {"1001.jpg": "val", "1004.jpg": "test"}
WORDS = ("a dog", "two dogs", "a cat", "l'été", "no one")


def texts(photo: str) -> list[str]:
    return [f"{words.capitalize()} in {photo[:4]} runs ." for words in WORDS]


def numbered() -> list[tuple[str, int, str]]:
    return [(photo, i, text) for photo in PHOTOS for i, text in enumerate(texts(photo))]


def write(path: Path, lines) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def flickr8k(folder: Path, below: str = ""):
    lines = [f"{below}{photo}#{i}\t{text}" for photo, i, text in numbered()]
    for split, photos in SPLITS.items():
        names = [below + photo for photo in photos]
        write(folder / "lists" / f"Flickr_8k.{split}Images.txt", names)
    return [write(folder / "Flickr8k.token.txt", lines)], str(folder / "lists")


def flickr30k_token(folder: Path):
    (path,), _ = flickr8k(folder)
    names = zip(SPLITS, ("train.txt", "val.txt", "test.txt"))
    for split, name in names:
        write(folder / "ids" / name, [photo[:-4] for photo in SPLITS[split]])
    return [path], str(folder / "ids")


def flickr30k_csv(folder: Path):
    _, lists = flickr8k(folder)
    lines = [f"{photo}| {i}| {text}" for photo, i, text in numbered()]
    header = "image_name| comment_number| comment"
    return [write(folder / "results.csv", [header, *lines])], lists


def coco(folder: Path, named: str = "{photo}"):
    """Images and annotations in no order, with the other fields of the real files."""
    inputs = []
    for split, photos in SPLITS.items():
        images = [
            {
                "license": 3,
                "file_name": named.format(photo=photo, split=split),
                "coco_url": f"http://images.cocodataset.org/{split}2017/{photo}",
                "height": 30,
                "width": 40,
                "date_captured": "2013-11-14 11:18:45",
                "id": int(photo[:4]),
            }
            for photo in reversed(photos)
        ]
        annotations = [
            {
                "image_id": int(photo[:4]),
                "id": 1000 + 10 * n + i,
                "caption": f"{text}\n",
            }
            for n, photo in enumerate(photos)
            for i, text in enumerate(texts(photo))
        ]
        content = {"info": {"year": 2017}, "licenses": [], "images": images}
        content["annotations"] = annotations[::-1]
        name = f"captions_{split}2017.json"
        inputs.append(f"{split}={write(folder / name, [json.dumps(content)])}")
    return inputs, None


def coco_in_folders(folder: Path):
    return coco(folder, "{split}2017/{photo}")


def karpathy(folder: Path, **more):
    images = [
        {
            "sentids": list(range(5)),
            "imgid": n,
            "sentences": [
                {"tokens": text.split(), "raw": text, "imgid": n, "sentid": i}
                for i, text in enumerate(texts(photo))
            ],
            "split": split,
            "filename": photo,
            **{key: value[photo] for key, value in more.items()},
        }
        for n, (photo, split) in enumerate(KARPATHYS.items())
    ]
    content = json.dumps({"images": images, "dataset": "coco"})
    return [write(folder / "dataset_coco.json", [content])], None


def karpathy_in_folders(folder: Path):
    return karpathy(folder, filepath=FOLDERS, cocoid=dict.fromkeys(PHOTOS, 7))


def jsonl(folder: Path, named: str = "{photo}"):
    """A file for each split; no matter how the lines are cut."""
    lines = {
        split: [
            {
                "photo": named.format(photo=photo, split=split),
                "captions": texts(photo),
                "split": split,
            }
            for photo in photos
        ]
        for split, photos in SPLITS.items()
    }
    return [
        write(folder / f"{split}.jsonl", map(json.dumps, entries))
        for split, entries in lines.items()
    ], None


def jsonl_in_folders(folder: Path):
    return jsonl(folder, "{split}2017//{photo} ")


def blip(folder: Path):
    """An array for each split, which the option names; an entry a caption."""
    return [
        f"{split}="
        + write(
            folder / f"{split}.json",
            [
                json.dumps(
                    [
                        {"image": photo, "caption": text}
                        for photo in photos
                        for text in texts(photo)
                    ]
                )
            ],
        )
        for split, photos in SPLITS.items()
    ], None


def kaggle(folder: Path):
    _, lists = flickr8k(folder)
    lines = [f'{photo},"{text}"' for photo, _, text in numbered()]
    return [write(folder / "captions.txt", ["\ufeffimage,caption", *lines])], lists


FOLDERS = {p: f"{split}2017" for split, photos in SPLITS.items() for p in photos}
FORMS = {
    "flickr30k token": ("flickr30k", flickr30k_token, False),
    "flickr30k csv": ("flickr30k", flickr30k_csv, False),
    "coco": ("coco", coco, False),
    "coco, photos in folders": ("coco", coco, True),
    "karpathy": ("karpathy", karpathy, False),
    "jsonl": ("jsonl", jsonl, False),
    "blip": ("jsonl", blip, False),
    "kaggle": ("flickr8k", kaggle, False),
    "kaggle, photos in folders": ("flickr8k", kaggle, True),
}
FOLDERS_NAMED = {
    "coco": coco_in_folders,
    "karpathy": karpathy_in_folders,
    "jsonl": jsonl_in_folders,
}


def make_job(folder: Path, name: str, form, in_folders: bool = False) -> Job:
    data = SmallData(folder / "data", PHOTOS)
    if in_folders:
        for photo, below in FOLDERS.items():
            (data.photos / below).mkdir(exist_ok=True)
            (data.photos / photo).rename(data.photos / below / photo)
    source = SOURCES[name].open(*form(folder))
    return replace(data.job(folder / "out"), source=source)


@pytest.fixture(scope="module")
def expected(tmp_path_factory) -> Job:
    job = make_job(tmp_path_factory.mktemp("flickr8k"), "flickr8k", flickr8k)
    build(job)
    return job


def manifest_without_sources(job: Job) -> dict:
    return load_manifest(job.output).model_dump(exclude={"sources"})


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_flickr8ks_bytes(expected, tmp_path, form):
    name, write_form, in_folders = FORMS[form]
    job = make_job(tmp_path, name, write_form, in_folders)
    build(job)
    assert contents(job.output, "dataset.json") == contents(
        expected.output, "dataset.json"
    )
    assert manifest_without_sources(job) == manifest_without_sources(expected)
    sources = load_manifest(job.output).sources
    assert (sources["source"], sources["photos"]) == (name, job.photos)
    numbers = load_manifest(job.output).statistics
    assert (numbers.photos_written, numbers.captions_written) == (5, 25)


def test_every_form_that_names_folders_gives_the_same_bytes(tmp_path):
    found = {}
    for name, write_form in FOLDERS_NAMED.items():
        job = make_job(tmp_path / name, name, write_form, in_folders=True)
        build(job)
        found[name] = (
            contents(job.output, "dataset.json"),
            manifest_without_sources(job),
        )
    assert found["coco"] == found["karpathy"] == found["jsonl"]
    ids = {record.photo_id for record in RecordSet.open(job.output).records("dev")}
    assert ids == {"dev2017/1001.jpg"}


def test_lines_may_name_folders(tmp_path):
    data = SmallData(tmp_path / "data", PHOTOS)
    source = SOURCES["flickr8k"].open(*flickr8k(tmp_path, f"{data.photos.name}/"))
    job = replace(data.job(tmp_path / "out"), source=source)
    build(replace(job, photos=str(data.photos.parent)))
    ids = {record.photo_id for record in RecordSet.open(job.output).records("dev")}
    assert ids == {f"{data.photos.name}/1001.jpg"}
    assert load_manifest(job.output).statistics.photos_written == 5


def test_photos_are_split_by_their_ids_whatever_the_form(tmp_path):
    fractions, found = (0.6, 0.2, 0.2), []
    for name, write_form in (("flickr8k", flickr8k), ("flickr30k", flickr30k_csv)):
        data = SmallData(tmp_path / name, PHOTOS)
        captions, _ = write_form(tmp_path / name)
        source = SOURCES[name].open(captions, None)
        job = replace(data.job(tmp_path / name / "out"), source=source)
        build(replace(job, split_fractions=fractions))
        found.append(contents(job.output, "dataset.json"))
        held = load_manifest(job.output)
        assert held.sources["split_fractions"] == "0.6,0.2,0.2"
        assert held.statistics.photos_written == 5
    assert found[0] == found[1]
