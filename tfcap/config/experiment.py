"""The configuration of one experiment: a frozen model of a YAML file's sections.

Each section and its defaults are in the module of that name beside this one; `loading`
reads the file.

encoder:   {name: inception_v3, weights: imagenet, layer: null, pooling: avg}
tokenizer: {kind: word, min_count: 5, min_letters: 1, oov: unk}  # wordpiece | char
records:   {dtype: float32, photos_per_shard: 512, keep_photos: false}
model:     {name: merge, ...}
training:  {expansion: prefix, global_batch: 64, epochs: 20, ...}
decoding:  {beam_width: 3, length_exponent: 1.0, max_length: null}
"""

from typing import Any

from pydantic import field_validator

from tfcap.config.base import Section
from tfcap.config.decoding import DecodingConfig
from tfcap.config.encoder import EncoderConfig, NetworkConfig
from tfcap.config.model import MergeConfig, Model
from tfcap.config.records import RecordsConfig, TokenizerConfig
from tfcap.config.training import TrainingConfig


class RecipeOfRecords(Section):
    """The sections that decide what records hold; the Beam job reads these alone."""

    encoder: EncoderConfig = NetworkConfig()
    tokenizer: TokenizerConfig = TokenizerConfig.model_validate({})
    records: RecordsConfig = RecordsConfig()


class Config(RecipeOfRecords):
    """The configuration of an experiment.

    >>> from tfcap import Config
    >>> config = Config()
    >>> config.model.name, config.decoding.beam_width
    ('merge', 3)
    """

    model: Model = MergeConfig()
    training: TrainingConfig = TrainingConfig()
    decoding: DecodingConfig = DecodingConfig()

    @field_validator("model", mode="before")
    @classmethod
    def _merge_by_default(cls, content: Any) -> Any:
        return {"name": "merge", **content} if isinstance(content, dict) else content
