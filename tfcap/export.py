"""A trained model as a SavedModel: photo bytes in, caption out.

Encoder, decoder, search and vocabulary are one graph of core TensorFlow operations, so
that TF Serving, or a process that imports TensorFlow alone, can run it.
"""

import os

import tensorflow as tf

from records.errors import UserError
from records.tokenizer_settings import TokenizerSettings
from records.vocabulary import Vocabulary
from tfcap.config import DecodingConfig
from tfcap.decoding import detokenize, search
from tfcap.encoders import Encoder, load_encoder
from tfcap.models.base import Captioner
from tfcap.recorded_encoder import kind_of_file, moved
from tfcap.workdir import Workdir

VERSION = "1"
SHORT = 12  # of a digest, shown


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
        tokenizer: TokenizerSettings,
        decoding: DecodingConfig,
        stored: str,
    ):
        super().__init__()
        self.model = model
        self._encoder = encoder
        self._vocabulary, self._tokenizer = vocabulary, tokenizer
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
        found = search(
            self.model, features, self._decoding, self._vocabulary, self._tokenizer
        )
        tokens = found.tokens[:, 0]
        return {
            "caption": detokenize(tokens, self._vocabulary, self._tokenizer),
            "score": found.mean_log_probability()[:, 0],
        }


def photo_captioner(
    workdir: Workdir,
    decoding: DecodingConfig,
    encoder_weights: str | None = None,
    encoder_model: str | None = None,
) -> PhotoCaptioner:
    """The best checkpoint with its encoder in front.

    Args:
        encoder_weights, encoder_model: where the encoder's file lies; None for where
            the configuration says.

    Raises:
        UserError: the encoder is not there, or not the one the records were made with.
    """
    paths = {"weights": encoder_weights, "model": encoder_model}
    encoder = encoder_of_records(workdir, {k: v for k, v in paths.items() if v})
    model, _ = workdir.restore_best()
    manifest = workdir.manifest
    return PhotoCaptioner(
        encoder,
        model,
        workdir.vocabulary,
        manifest.tokenizer,
        decoding,
        manifest.features.dtype,
    )


def encoder_of_records(workdir: Workdir, paths: dict[str, str]) -> Encoder:
    """The encoder the records were made with; `paths` say where its file lies now."""
    config = moved(workdir.config.encoder, paths)
    encoder = load_encoder(config)
    expected = workdir.manifest.encoder.digest
    if encoder.info.digest != expected:
        what = config.model or f"{config.name} with weights {config.weights}"
        digests = encoder.info.digest[:SHORT], expected[:SHORT]
        raise UserError(
            f"the encoder {what} is not the one the records were made with: its digest "
            f"is {digests[0]}…, theirs {digests[1]}…. Pass theirs with "
            f"--encoder_{kind_of_file(config)}"
        )
    return encoder


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
