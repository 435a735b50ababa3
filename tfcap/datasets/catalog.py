"""What is known of the data sets that `tfcap download` fetches."""

from dataclasses import dataclass
from typing import NamedTuple


class ExpectedCount(NamedTuple):
    """What can be counted in an unpacked folder.

    Attributes:
        what: counted.
        files: pattern of the files' names.
        count: of the files, or of their lines that are not blank.
        lines: whether it is lines that are counted.
    """

    what: str
    files: str
    count: int
    lines: bool = True


@dataclass(frozen=True)
class Archive:
    """One zip archive of a data set.

    Attributes:
        name: at every origin.
        length: in bytes.
        digest: `algorithm:hexadecimal`.
        members: pattern of the members to unpack; its group is the file's name.
        folder: they are unpacked to.
        unpacked: bytes, about: for the look at the disk before anything is fetched.
        facts: that must hold in the folder.
    """

    name: str
    length: int
    digest: str
    members: str
    folder: str
    unpacked: int
    facts: tuple[ExpectedCount, ...]


@dataclass(frozen=True)
class DataSet:
    """Archives that make up a data set.

    Attributes:
        origin: URL that has all of them.
        terms: on which it may be used, for the person who fetches it.
        next: the command that reads it; `{output}` is where it lies.
    """

    name: str
    origin: str
    archives: tuple[Archive, ...]
    terms: str
    next: tuple[str, ...]


# Lengths and MD5 digests are those of Jason Brownlee's copies, the ones most tutorials
# name; they publish no SHA-256. Digests: `resources` of `flickr8k_dataset` in the R
# package torchvision (mlverse/torchvision, R/dataset-flickr.R), which a CMake script of
# another project, `fetch_flickr8k`, repeats. Counts are of the files themselves.
FLICKR8K = DataSet(
    name="flickr8k",
    origin="https://github.com/jbrownlee/Datasets/releases/download/Flickr8k",
    archives=(
        Archive(
            name="Flickr8k_text.zip",
            length=2_340_801,
            digest="md5:bf6c1abcb8e4a833b7f922104de18627",
            members=r"([^/.][^/]*\.txt)",
            folder="Flickr8k_text",
            unpacked=20 << 20,
            facts=(
                ExpectedCount("captions", "Flickr8k.token.txt", 40_460),
                ExpectedCount(
                    "training photos listed", "Flickr_8k.trainImages.txt", 6_000
                ),
                ExpectedCount("dev photos listed", "Flickr_8k.devImages.txt", 1_000),
                ExpectedCount("test photos listed", "Flickr_8k.testImages.txt", 1_000),
            ),
        ),
        Archive(
            name="Flickr8k_Dataset.zip",
            length=1_115_419_746,
            digest="md5:f18a1e2920de5bd84dae7cf08ec78978",
            members=r"Flicker8k_Dataset/([^/.][^/]*\.jpg)",
            folder="Flicker8k_Dataset",
            unpacked=1_150 << 20,
            facts=(ExpectedCount("photos", "*.jpg", 8_091, lines=False),),
        ),
    ),
    terms=(
        "Flickr8k (Hodosh, Young and Hockenmaier, JAIR 2013): for research and "
        "education, not to be redistributed"
    ),
    next=(
        *("python", "-m", "beam_jobs.build_records"),
        *("--config", "configs/flickr8k.yaml"),
        *("--photos", "{output}/Flicker8k_Dataset"),
        *("--captions", "{output}/Flickr8k_text/Flickr8k.token.txt"),
        *("--splits", "{output}/Flickr8k_text"),
        *("--output", "data/records/flickr8k"),
    ),
)
DATA_SETS = {data_set.name: data_set for data_set in (FLICKR8K,)}
