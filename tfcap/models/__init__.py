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
    settings, seed = config.model, config.training.seed
    embedding = None
    if settings.glove and not restored:
        units = settings.embedding_units
        embedding = load_glove(settings.glove, vocabulary, units, seed)
    return MergeCaptioner(
        settings,
        len(vocabulary),
        manifest.features,
        manifest.moments,
        embedding,
        seed,
    )
