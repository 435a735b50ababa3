"""Builds the model of a configuration."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras

from records.format.manifest import Manifest
from records.text.vocabulary import Vocabulary
from tfcap.config.experiment import Config
from tfcap.config.model import AttentionConfig, TransformerConfig
from tfcap.encoders.trainable import load_tuned
from tfcap.models.attention import AttentionCaptioner
from tfcap.models.base import CaptioningModel
from tfcap.models.layers.glove import load_glove
from tfcap.models.merge import MergeCaptioner
from tfcap.models.transformer import TransformerCaptioner


def build_model(
    config: Config, manifest: Manifest, vocabulary: Vocabulary, restored: bool = False
) -> CaptioningModel:
    """Builds the model of a configuration, with its initial weights.

    >>> from records import RecordSet
    >>> from tfcap import load_config
    >>> from tfcap.models import build_model
    >>> records, config = RecordSet.open("data/records"), load_config("mine.yaml")
    >>> model = build_model(config, records.manifest, records.vocabulary)
    >>> model.count_params()
    908

    Args:
        config: the experiment.
        manifest: manifest of the records that the model reads.
        vocabulary: vocabulary of these records.
        restored: the weights will come from a checkpoint and are not trained. No file
            of weights is read, and layers compute in float32.

    Raises:
        UserError: the features do not fit the model, or a file of weights cannot be
            read.
    """
    tuning = config.training.fine_tuning
    with layers_computing_in("float32" if restored else config.training.precision):
        model = build_captioner(config, manifest, vocabulary, restored)
        if tuning:
            model.encoder = load_tuned(
                config.encoder, manifest.encoder, tuning.from_layer, restored
            )
        return model


def build_captioner(
    config: Config, manifest: Manifest, vocabulary: Vocabulary, restored: bool
) -> CaptioningModel:
    """Builds the captioner, which maps features to captions."""
    settings, seed = config.model, config.training.seed
    records = len(vocabulary), manifest.features, manifest.moments
    if isinstance(settings, AttentionConfig):
        return AttentionCaptioner(settings, *records, seed)
    if isinstance(settings, TransformerConfig):
        return TransformerCaptioner(settings, *records, seed)
    embedding = None
    if settings.glove and not restored:
        units = settings.embedding_units
        embedding = load_glove(settings.glove, vocabulary, units, seed)
    return MergeCaptioner(settings, *records, embedding, seed)


@contextmanager
def layers_computing_in(precision: str) -> Iterator[None]:
    """Sets Keras' dtype policy for the layers that the body makes."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
