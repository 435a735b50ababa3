"""The data sets that `tfcap download` knows."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ExpectedCount:
    """The number of files, or of lines, that an unpacked folder must hold.

    Attributes:
        what: what is counted, for messages.
        files: pattern of the files' names.
        number: number of the files, or of their lines that are not blank.
        lines: whether lines are counted.
    """

    what: str
    files: str
    number: int
    lines: bool = True


@dataclass(frozen=True)
class Archive:
    """One zip archive of a data set.

    Attributes:
        name: name of the file, the same at every origin.
        length: size in bytes.
        digest: `algorithm:hexadecimal`, of an algorithm that hashlib knows.
        members: pattern of the members to unpack. Its group is the name of the file;
            it matches no slash, so that no file lands outside the folder.
        folder: name of the folder that they are unpacked to.
        unpacked: bytes that they take on disk, rounded up.
        counts: what the folder must hold.
    """

    name: str
    length: int
    digest: str
    members: str
    folder: str
    unpacked: int
    counts: tuple[ExpectedCount, ...]


@dataclass(frozen=True)
class DataSet:
    """The archives that make up a data set.

    Attributes:
        name: name of the data set.
        origin: URL under which all archives lie.
        archives: the archives.
        terms: terms of use, printed at the end.
        next: the command that reads the data set; `{output}` is its directory, quoted.
    """

    name: str
    origin: str
    archives: tuple[Archive, ...]
    terms: str
    next: str


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
            counts=(
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
            counts=(ExpectedCount("photos", "*.jpg", 8_091, lines=False),),
        ),
    ),
    terms=(
        "Flickr8k (Hodosh, Young and Hockenmaier, JAIR 2013): for research and "
        "education, not to be redistributed"
    ),
    next=(
        "tfcap build --config flickr8k "
        "--photos {output}/Flicker8k_Dataset "
        "--captions {output}/Flickr8k_text/Flickr8k.token.txt "
        "--splits {output}/Flickr8k_text --output data/records/flickr8k"
    ),
)
DATA_SETS = {data_set.name: data_set for data_set in (FLICKR8K,)}
