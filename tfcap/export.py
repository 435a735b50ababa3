"""A trained model as a SavedModel: photo bytes in, caption out.

Encoder, decoder, search and vocabulary are one graph of core TensorFlow operations, so
that TF Serving, or a process that imports TensorFlow alone, can run it.
"""

import os

import tensorflow as tf

from records.errors import UserError
from records.vocabulary import Vocabulary
from tfcap.config import DecodingConfig
from tfcap.decoding import detokenize, search
from tfcap.encoders import Encoder, load_encoder
from tfcap.models.base import Captioner
from tfcap.workdir import Workdir

VERSION = "1"


class PhotoCaptioner(tf.Module):
    """From photo bytes to captions.

    Args:
        encoder: must be the one the records were made with.
        stored: the dtype of features on disk; the model was trained on their rounding.
    """

    def __init__(
        self,
        encoder: Encoder,
        model: Captioner,
        vocabulary: Vocabulary,
        decoding: DecodingConfig,
        stored: str,
    ):
        super().__init__()
        self.model = model
        self._encoder, self._vocabulary = encoder, vocabulary
        self._decoding, self._stored = decoding, stored

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")],
        autograph=False,
    )
    def serve(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """string [batch] -> `caption` string [batch], `score` float32 [batch].

        The score is the mean log-probability of the caption's tokens.
        """
        features = tf.cast(self._encoder.graph(image_bytes), self._stored)
        found = search(self.model, features, self._decoding, self._vocabulary)
        return {
            "caption": detokenize(found.tokens[:, 0], self._vocabulary),
            "score": found.mean_log_probability()[:, 0],
        }


def photo_captioner(
    workdir: Workdir, decoding: DecodingConfig, weights: str | None = None
) -> PhotoCaptioner:
    """The best checkpoint with its encoder in front.

    Args:
        weights: of the encoder; None for where the configuration says.

    Raises:
        UserError: the encoder is not the one the records were made with.
    """
    config = workdir.config.encoder
    if weights:
        config = config.model_copy(update={"weights": weights})
    encoder = load_encoder(config)
    expected = workdir.manifest.encoder.digest
    if encoder.info.digest != expected:
        raise UserError(
            f"the encoder {config.name} with weights {config.weights} is not the one "
            f"the records were made with: its digest is {encoder.info.digest[:12]}…, "
            f"theirs {expected[:12]}…. Pass those weights with --encoder_weights FILE"
        )
    model, _ = workdir.restore_best()
    stored = workdir.manifest.features.dtype
    return PhotoCaptioner(encoder, model, workdir.vocabulary, decoding, stored)


def export(captioner: PhotoCaptioner, directory: str, overwrite: bool = False) -> str:
    """Writes the SavedModel to `directory/1`, as TF Serving expects; returns the path.

    Raises:
        UserError: there is one already, or no place to write.
    """
    path = os.path.join(directory, VERSION)
    if tf.io.gfile.exists(path):
        if not overwrite:
            raise UserError(f"{path} exists; add --overwrite to replace it")
        tf.io.gfile.rmtree(path)
    try:
        tf.saved_model.save(captioner, path, signatures=captioner.serve)
    except tf.errors.OpError as error:
        raise UserError(f"cannot write {path}: {error.message}") from None
    return path
