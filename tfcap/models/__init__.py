"""Captioning models with one interface; see `tfcap.models.base`."""

from records.manifest import Manifest
from records.vocabulary import Vocabulary
from tfcap.config import Config
from tfcap.models.base import Captioner
from tfcap.models.glove import load_glove
from tfcap.models.merge import MergeCaptioner


def build_model(
    config: Config, manifest: Manifest, vocabulary: Vocabulary, restored: bool = False
) -> Captioner:
    """Builds the model of a configuration, with all its weights in place.

    Args:
        restored: the weights will come from a checkpoint: GloVe is not read.
    """
    glove = config.model.glove
    embedding = None
    if glove and not restored:
        embedding = load_glove(
            glove, vocabulary, config.model.embedding_units, config.training.seed
        )
    model = MergeCaptioner(
        config.model, len(vocabulary), manifest.features, manifest.moments, embedding
    )
    model.build_weights(config.training.seed)
    return model
