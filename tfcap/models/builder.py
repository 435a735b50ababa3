"""Builds the model of a configuration."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras

from records.format.manifest import Manifest
from records.text.vocabulary import Vocabulary
from tfcap.config.experiment import Config
from tfcap.encoders.trainable import load_tuned
from tfcap.models.attention import AttentionCaptioner
from tfcap.models.base import CaptioningModel
from tfcap.models.layers.glove import load_glove
from tfcap.models.merge import MergeCaptioner
from tfcap.models.transformer import TransformerCaptioner

ATTENDING = {"attention": AttentionCaptioner, "transformer": TransformerCaptioner}


def build_model(
    config: Config, manifest: Manifest, vocabulary: Vocabulary, restored: bool = False
) -> CaptioningModel:
    """Builds the model of a configuration, with all its weights in place.

    Args:
        restored: the weights will come from a checkpoint, for use and not for
            training: no file of weights is read, and layers compute in float32.
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
    """From features to captions."""
    settings, seed = config.model, config.training.seed
    known = (settings, len(vocabulary), manifest.features, manifest.moments)
    if settings.name in ATTENDING:
        return ATTENDING[settings.name](*known, seed)
    embedding = None
    if settings.glove and not restored:
        units = settings.embedding_units
        embedding = load_glove(settings.glove, vocabulary, units, seed)
    return MergeCaptioner(*known, embedding, seed)


@contextmanager
def layers_computing_in(precision: str) -> Iterator[None]:
    """Layers made in the body have Keras' dtype policy of that name."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
