"""The signatures of an export, and the graphs that they share.

    serving_default   image_bytes string [batch]
                      -> caption string [batch], score float32 [batch], error
    beams             image_bytes
                      -> captions string [batch, n], scores float32 [batch, n], error
    features          features float32 [batch, *shape] -> caption, score
    explain           image_bytes -> as `beams`, and of the best caption's tokens: words
                      string [batch, length], probabilities float32 [batch, length], and
                      if the model attends, attention float32 [batch, length, rows,
                      columns]; padded with "" and 0

A score is the mean log-probability of a caption's tokens, `<end>` included. A photo
that cannot be decoded gets an empty caption, score 0 and its `error`, string [batch],
says why; of the others it is empty.
"""

from collections.abc import Callable

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)

from records.text.tokenizer_config import TokenizerSettings
from records.text.vocabulary import END_ID, PAD_ID, Vocabulary
from tfcap.config.decoding import DecodingConfig
from tfcap.decoding import Captions, MbrScorer, detokenize, search
from tfcap.encoders import Encoder
from tfcap.export.shared_weights import SharedWeights
from tfcap.images.decoding import read_what_can_be
from tfcap.models.base import CaptioningModel

Outputs = dict[str, tf.Tensor]
PHOTOS = tf.TensorSpec([None], tf.string, "image_bytes")


class PhotoCaptioner:
    """From photo bytes to captions.

    Args:
        encoder: the one the records were made with, or trained with the model.
        model: or `tfcap.decoding.ensemble.Ensemble`, several of them.
        stored: dtype of features as the model was trained on them.
        half: keep weights in float16; they are computed with in float32.
        voters: for `decoding.consensus`.
    """

    def __init__(
        self,
        encoder: Encoder,
        model: CaptioningModel,
        vocabulary: Vocabulary,
        tokenizer: TokenizerSettings,
        decoding: DecodingConfig,
        stored: str,
        half: bool = False,
        mbr_scorer: MbrScorer | None = None,
    ):
        self.encoder, self.model, self.decoding = encoder, model, decoding
        self.vocabulary, self.tokenizer = vocabulary, tokenizer
        self.stored, self.mbr_scorer = stored, mbr_scorer
        self.weights = SharedWeights(half)
        self.features = tf.TensorSpec([None, *encoder.shape], tf.float32, "features")
        tokens = tf.TensorSpec([None, None], tf.int32)
        self._encode = self.weights.share(encoder.network)
        self._write = self._frozen(self._search, [self.features], mbr_scorer)
        self._explain = self._frozen(self._token_by_token, [self.features, tokens])

    def signatures(self) -> dict[str, Callable]:
        """By name; see the module."""
        functions = {
            "serving_default": (self.serve, PHOTOS),
            "beams": (self.beams, PHOTOS),
            "explain": (self.explain, PHOTOS),
            "features": (self.serve_features, self.features),
        }
        return {
            name: tf.function(function, input_signature=[spec], autograph=False)
            for name, (function, spec) in functions.items()
        }

    def serve(self, image_bytes: tf.Tensor) -> Outputs:
        features, error = self._read(image_bytes)
        found = self.serve_features(features)
        return without_bad(found, error) | {"error": error}

    def serve_features(self, features: tf.Tensor) -> Outputs:
        tokens, scores = self._captions(features)
        return {"caption": self._text(tokens[:, 0]), "score": scores[:, 0]}

    def beams(self, image_bytes: tf.Tensor) -> Outputs:
        features, error = self._read(image_bytes)
        tokens, scores = self._captions(features)
        found = {"captions": self._text(tokens), "scores": scores}
        return without_bad(found, error) | {"error": error}

    def explain(self, image_bytes: tf.Tensor) -> Outputs:
        features, error = self._read(image_bytes)
        tokens, scores = self._captions(features)
        best = tokens[:, 0]
        probabilities, *attention = self._explain(features, best)
        length = self.decoding.max_length - 1
        probabilities = tf.ensure_shape(probabilities, [None, length])
        found = {
            "captions": self._text(tokens),
            "scores": scores,
            "words": tf.gather(self._words(), best[:, 1:]),
            "probabilities": probabilities,
        }
        if attention:
            shape = [None, length, *self._cells()]
            found["attention"] = tf.ensure_shape(attention[0], shape)
        return without_bad(found, error) | {"error": error}

    def _read(self, photos: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels, error = read_what_can_be(photos, self.encoder.side)
        return self._encode(pixels)[0], error

    def _captions(self, features: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Tokens int32 [batch, n, length] and scores float32 [batch, n]."""
        tokens, scores = self._write(features)
        length = self.decoding.max_length
        # Freezing a loop loses its shapes.
        tokens = tf.ensure_shape(tokens, [None, None, length])
        return tokens, tf.ensure_shape(scores, [None, None])

    def _search(
        self, features: tf.Tensor, mbr_scorer: MbrScorer | None = None
    ) -> list[tf.Tensor]:
        rounded = tf.cast(features, self.stored)
        found = self.search(rounded, mbr_scorer)
        return [found.tokens, found.mean_log_probability()]

    def search(self, stored: tf.Tensor, mbr_scorer: MbrScorer | None) -> Captions:
        """By the decoding of the export; features as they are in records."""
        return search(
            self.model,
            stored,
            self.decoding,
            self.vocabulary,
            self.tokenizer,
            mbr_scorer,
        )

    def _token_by_token(self, features, tokens) -> list[tf.Tensor]:
        """Probabilities [batch, length - 1] of tokens, and where the model looked."""
        context = self.model.encode(tf.cast(features, self.stored))
        given, said = tokens[:, :-1], tokens[:, 1:]
        logs = tf.nn.log_softmax(self.model.predict_tokens(context, given))
        chosen = tf.gather(logs, said, batch_dims=2)
        real = tf.cast(said != PAD_ID, tf.float32)
        found = [tf.exp(chosen) * real]
        attention = self.model.attention(context, given)
        if attention is None:
            return found
        size = tf.unstack(tf.shape(attention)[:2])
        attention = tf.reshape(attention, [*size, *self._cells()])
        return [*found, attention * real[:, :, tf.newaxis, tf.newaxis]]

    def _cells(self) -> tuple[int, ...]:
        """Rows and columns that a model can look at."""
        shape = self.encoder.shape
        return shape[:2] if len(shape) == 3 else (1, 1)

    def _text(self, tokens: tf.Tensor) -> tf.Tensor:
        return detokenize(tokens, self.vocabulary, self.tokenizer)

    def _words(self) -> tf.Tensor:
        """Tokens as they are called, string [vocabulary]; of `<pad>` nothing."""
        names = list(self.vocabulary.tokens)
        names[PAD_ID], names[END_ID] = "", "."
        return tf.constant(names)

    def _frozen(
        self,
        function: Callable,
        specs: list[tf.TensorSpec],
        tables: MbrScorer | None = None,
    ) -> Callable:
        """A graph that signatures share, its variables among `weights`.

        Args:
            tables: what the function takes last. They are among `weights` too, but
                never in the graph: they may be larger than a graph can be.
        """
        given = [] if tables is None else [tables]
        specs = [*specs, *map(tf.type_spec_from_value, given)]
        traced = tf.function(function, autograph=False).get_concrete_function(*specs)
        shared = self.weights.share(convert_variables_to_constants_v2(traced))
        flat = tf.nest.flatten(given, expand_composites=True)
        return self.weights.supply(shared, (tensor.numpy() for tensor in flat))


def without_bad(outputs: Outputs, error: tf.Tensor) -> Outputs:
    """Empties what was found of photos that have an error."""

    def emptied(values: tf.Tensor) -> tf.Tensor:
        good = tf.reshape(error == "", [-1, *[1] * (values.shape.rank - 1)])
        return tf.where(good, values, tf.zeros_like(values))

    return {name: emptied(values) for name, values in outputs.items()}
