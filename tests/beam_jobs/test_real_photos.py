"""The build on real photos with real weights; skipped where they are not."""

import os
from pathlib import Path

import numpy as np
import pytest

from beam_jobs.build_records import main
from records.format.record_set import RecordSet
from records.verification.feature_check import SampleRequest
from records.verification.verifier import verify

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("TFCAP_DATA", "TFCAP_DATA"))
TEXT = DATA / "flickr8k" / "text"
WEIGHTS = DATA / "encoders" / "mobilenet_1_0_224_no_top.weights.h5"

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not WEIGHTS.exists(), reason=f"no real data in {DATA}"),
]


def listed(split: str, count: int) -> list[str]:
    lines = (TEXT / f"Flickr_8k.{split}Images.txt").read_text().split()
    return lines[:count]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Records of 32 training and 16 dev photos; the others are as good as missing."""
    folder = tmp_path_factory.mktemp("real")
    (folder / "photos").mkdir()
    for name in listed("train", 32) + listed("dev", 16):
        (folder / "photos" / name).symlink_to(DATA / "flickr8k" / "images" / name)
    options = {
        "config": ROOT / "configs" / "mobilenet.yaml",
        "photos": folder / "photos",
        "captions": TEXT / "Flickr8k.token.txt",
        "splits": TEXT,
        "output": folder / "records",
        "max_reject_fraction": 1,
        "set": f"encoder.weights={WEIGHTS}",
    }
    assert main([f"--{name}={value}" for name, value in options.items()]) == 0
    return RecordSet.open(str(folder / "records"))


def test_every_photo_and_caption_is_accounted_for(built):
    numbers = built.manifest.statistics
    assert (numbers.photos_in, numbers.captions_in) == (8092, 40460)
    assert (numbers.photos_written, numbers.captions_written) == (48, 240)
    assert numbers.rejected_photos == {"in_no_split": 92, "photo_missing": 7952}
    assert numbers.rejected_captions == {"in_no_split": 460, "photo_missing": 39760}


def test_the_vocabulary_is_that_of_the_whole_training_list(built):
    # Complete before the first photo is read: missing photos change nothing.
    assert built.manifest.vocabulary_size == 2535


def test_the_set_is_whole(built):
    assert verify(built.directory).problems == ()


def test_photos_encoded_again_give_the_same_features(built):
    verdict = verify(built.directory, SampleRequest(20))
    assert verdict.problems == ()
    sample = verdict.sample
    assert (sample.asked, sample.compared) == (20, 20)
    assert sample.worst <= 1e-5  # on one machine, whatever the batch


def test_weights_of_another_network_are_found_out(built):
    verdict = verify(built.directory, SampleRequest(20, files={"weights": "random"}))
    (problem,) = verdict.problems
    assert problem.what.startswith("encoder: the manifest says one of digest ")
    assert verdict.sample.compared == 0


def test_features_tell_photos_apart(built):
    features = np.stack([record.features for record in built.records("dev")])
    assert features.shape == (16, 1024)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    alike = unit @ unit.T - np.eye(16)
    assert features.min() >= 0 and alike.max() < 0.99
