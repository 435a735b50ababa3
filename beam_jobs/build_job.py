"""The settings of one build of records."""

from dataclasses import dataclass

from beam_jobs.sources.base import Source
from records.format.manifest import EncoderInfo
from records.format.schema import FeatureSpec
from tfcap.config.experiment import Config


@dataclass(frozen=True)
class Job:
    """The settings of one build; every worker gets them.

    Attributes:
        photos: directory of the photos, or a pattern of the files that hold them.
        source: the captions and their splits.
        output: directory of the records.
        config: the experiment.
        encoder: digest and settings of the encoder that the launcher loaded.
        features: shape and dtype on disk.
        max_reject_fraction: of photos, above which the build is refused.
        reuse: directory of an earlier record set, to take features from.
        split_fractions: of photos in train, dev and test, where the source has no
            splits.
    """

    photos: str
    source: Source
    output: str
    config: Config
    encoder: EncoderInfo
    features: FeatureSpec
    max_reject_fraction: float
    reuse: str | None = None
    split_fractions: tuple[float, float, float] | None = None
