"""The data sets that `tfcap download` knows.

Where a digest or a length stands is said beside each archive; None if no source of it
is known. Such a file is checked by the counts of its folder.
"""

from dataclasses import dataclass
from typing import NamedTuple


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


class Archive(NamedTuple):
    """One file of a data set: a zip, a `.tar.gz`, or a file that is not packed.

    Attributes:
        url: published address; its last part is the name at every other origin.
        members: pattern of the members to unpack. Its group is the name of the file;
            it matches no slash, so that no file lands outside the folder.
        length: size in bytes; None if it is not known.
        digest: `algorithm:hexadecimal`, of an algorithm that hashlib knows; None if it
            is not known.
    """

    url: str
    members: str
    length: int | None = None
    digest: str | None = None

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]


@dataclass(frozen=True)
class Folder:
    """A folder of a data set.

    Attributes:
        name: name of the folder.
        archives: what is unpacked to it.
        unpacked: bytes that the files take on disk, rounded up.
        counts: what the folder must hold.
    """

    name: str
    archives: tuple[Archive, ...]
    unpacked: int
    counts: tuple[ExpectedCount, ...]


@dataclass(frozen=True)
class DataSet:
    """The folders that make up a data set.

    Attributes:
        name: name of the data set.
        holds: what is fetched, and its size, for the help.
        folders: the folders.
        terms: terms of use, printed at the end.
        next: the commands that read the data set; `{output}` is its directory, quoted.
        photos: how to get the photos; empty if they are fetched.
    """

    name: str
    holds: str
    folders: tuple[Folder, ...]
    terms: str
    next: tuple[str, ...]
    photos: str = ""


# Lengths and MD5 digests are those of Jason Brownlee's copies, the ones most tutorials
# name; they publish no SHA-256. Digests: `resources` of `flickr8k_dataset` in the R
# package torchvision (mlverse/torchvision, R/dataset-flickr.R), which a CMake script of
# another project, `fetch_flickr8k`, repeats. Counts are of the files themselves.
BROWNLEE = "https://github.com/jbrownlee/Datasets/releases/download/Flickr8k"
FLICKR8K = DataSet(
    name="flickr8k",
    holds="photos and captions, 1.1 GB",
    folders=(
        Folder(
            name="Flickr8k_text",
            archives=(
                Archive(
                    url=f"{BROWNLEE}/Flickr8k_text.zip",
                    members=r"([^/.][^/]*\.txt)",
                    length=2_340_801,
                    digest="md5:bf6c1abcb8e4a833b7f922104de18627",
                ),
            ),
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
        Folder(
            name="Flicker8k_Dataset",
            archives=(
                Archive(
                    url=f"{BROWNLEE}/Flickr8k_Dataset.zip",
                    members=r"Flicker8k_Dataset/([^/.][^/]*\.jpg)",
                    length=1_115_419_746,
                    digest="md5:f18a1e2920de5bd84dae7cf08ec78978",
                ),
            ),
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
        "--splits {output}/Flickr8k_text --output data/records/flickr8k",
    ),
)

# Captions: the address and form of the authors' page (DenotationGraph). Its digest
# stands in an example of PaddlePaddle's, alone; its length stands nowhere. Lists: those
# of Flickr30k Entities (Plummer et al., IJCV 2017), of one commit; no digest of them is
# published. Their counts are those of the paper.
ENTITIES = (
    "https://raw.githubusercontent.com/BryanPlummer/flickr30k_entities/"
    "b233c8dc5ba575c09346ddd6550ebcbba51d4026"
)
FLICKR30K = DataSet(
    name="flickr30k",
    holds="captions and split lists, 5 MB",
    folders=(
        Folder(
            name="flickr30k_text",
            archives=(
                Archive(
                    url="https://shannon.cs.illinois.edu/DenotationGraph/data/"
                    "flickr30k.tar.gz",
                    members=r"(?:[^/]+/)*(results_20130124\.token)",
                    digest="md5:d3980ef9db5743acbd5bcd9394065067",
                ),
                *(
                    Archive(url=f"{ENTITIES}/{split}.txt", members=rf"({split}\.txt)")
                    for split in ("train", "val", "test")
                ),
            ),
            unpacked=20 << 20,
            counts=(
                ExpectedCount("captions", "results_20130124.token", 158_915),
                ExpectedCount("training photos listed", "train.txt", 29_783),
                ExpectedCount("dev photos listed", "val.txt", 1_000),
                ExpectedCount("test photos listed", "test.txt", 1_000),
            ),
        ),
    ),
    terms=(
        "Flickr30k (Young, Lai, Hodosh and Hockenmaier, TACL 2014; split lists: "
        "Plummer et al., IJCV 2017): for non-commercial research and education; photos "
        "are under the terms of Flickr"
    ),
    photos=(
        "photos: fill in the form https://forms.illinois.edu/sec/229675 and unpack "
        "flickr30k-images.tar.gz, which you then receive, into {output}"
    ),
    next=(
        "tfcap build --config flickr8k --source flickr30k "
        "--photos {output}/flickr30k-images "
        "--captions {output}/flickr30k_text/results_20130124.token "
        "--splits {output}/flickr30k_text --output data/records/flickr30k",
    ),
)


# Lengths: HEAD requests that several projects write down. Digests: `_META_CHECKSUMS` of
# torchvision's `prototype.datasets` (torchvision/prototype/datasets/_builtin/coco.py);
# ParlAI, MLCommons and others repeat them. images.cocodataset.org has no certificate of
# its own, so that TLS needs the address of the store.
STORE = "https://s3.amazonaws.com/images.cocodataset.org"


def coco(year: int, length: int, sha256: str) -> DataSet:
    """Returns COCO's captions of a year."""
    train, val = (f"{STORE}/zips/{split}{year}.zip" for split in ("train", "val"))
    return DataSet(
        name=f"coco{year}",
        holds="captions, 0.25 GB",
        folders=(
            Folder(
                name="annotations",
                archives=(
                    Archive(
                        url=f"{STORE}/annotations/annotations_trainval{year}.zip",
                        members=rf"annotations/(captions_(?:train|val){year}\.json)",
                        length=length,
                        digest=f"sha256:{sha256}",
                    ),
                ),
                unpacked=100 << 20,
                counts=(
                    ExpectedCount(
                        "files of captions", f"captions_*{year}.json", 2, lines=False
                    ),
                ),
            ),
        ),
        terms=(
            "COCO (Chen et al., Microsoft COCO Captions, 2015): annotations are CC BY "
            "4.0, photos under the terms of Flickr; "
            "https://cocodataset.org/#termsofuse"
        ),
        photos=(
            f"photos: fetch {train} and {val}, 19 GB together, into {{output}}, and "
            "leave them packed"
        ),
        next=(
            "tfcap build --config inception_attention --source coco "
            f"--photos {{output}}/'{{{{train,val}}}}{year}.zip' "
            f"--captions train={{output}}/annotations/captions_train{year}.json "
            f"--captions dev={{output}}/annotations/captions_val{year}.json "
            f"--output data/records/coco{year}",
        ),
    )


COCO_2014 = coco(
    2014,
    252_872_794,
    "031296bbc80c45a1d1f76bf9a90ead27e94e99ec629208449507a4917a3bf009",
)
COCO_2017 = coco(
    2017,
    252_907_541,
    "113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268",
)

# Address: Karpathy's page of "Deep Visual-Semantic Alignments". Length and SHA-256:
# tables of files in several projects, of downloads from there; the R package
# torchvision has the MD5 of the file (R/dataset-flickr.R).
KARPATHY_BUILD = (
    "tfcap build --config {config} --source karpathy --photos {photos} "
    "--captions {{output}}/karpathy/dataset_{data}.json "
    "--output data/records/{data}_karpathy"
)
KARPATHY = DataSet(
    name="karpathy",
    holds="captions and splits of COCO, Flickr30k and Flickr8k, 37 MB",
    folders=(
        Folder(
            name="karpathy",
            archives=(
                Archive(
                    url="https://cs.stanford.edu/people/karpathy/deepimagesent/"
                    "caption_datasets.zip",
                    members=r"(dataset_(?:coco|flickr30k|flickr8k)\.json)",
                    length=36_745_453,
                    digest="sha256:"
                    "4cfd70132527b80933105e5829dc9034eaab9573482e2e680abbab6130244817",
                ),
            ),
            unpacked=200 << 20,
            counts=(
                ExpectedCount("files of captions", "dataset_*.json", 3, lines=False),
            ),
        ),
    ),
    terms=(
        "Karpathy's splits (Karpathy and Fei-Fei, CVPR 2015): captions are under the "
        "terms of COCO, Flickr30k and Flickr8k; photos under those of Flickr"
    ),
    photos=(
        "photos: those of COCO 2014, Flickr30k and Flickr8k; `tfcap download` of "
        "coco2014, flickr30k and flickr8k says where they are"
    ),
    next=tuple(
        KARPATHY_BUILD.format(config=config, photos=photos, data=data)
        for data, config, photos in (
            ("coco", "inception_attention", "data/coco2014/'{{train,val}}2014.zip'"),
            ("flickr30k", "flickr8k", "data/flickr30k/flickr30k-images"),
            ("flickr8k", "flickr8k", "data/flickr8k/Flicker8k_Dataset"),
        )
    ),
)
DATA_SETS = {
    data_set.name: data_set
    for data_set in (FLICKR8K, FLICKR30K, COCO_2014, COCO_2017, KARPATHY)
}
