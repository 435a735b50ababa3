"""The signatures of an export, and the graphs that they share.

    serving_default   image_bytes string [batch]
                      -> caption string [batch], score float32 [batch], error
    beams             image_bytes
                      -> captions string [batch, n], scores float32 [batch, n], error
    features          features float32 [batch, *shape] -> caption, score
    explain           image_bytes -> as `beams`, and of the best caption's tokens: words
                      string [batch, length], probabilities float32 [batch, length], and
                      if the model attends, attention float32 [batch, length, rows,
                      columns]; padded with "" and 0; and fit string [batch], how the
                      encoder makes a photo the square that attention covers

A score is the mean log-probability of a caption's tokens, `<end>` included. A photo
that cannot be decoded gets an empty caption, score 0 and its `error`, string [batch],
says why; the error of every other photo is empty.
"""

from collections.abc import Callable

import tensorflow as tf

from records.text.tokenizer_config import TokenizerSettings
from records.text.vocabulary import END_ID, PAD_ID, Vocabulary
from tfcap.config.decoding import ResolvedDecoding
from tfcap.decoding.mbr import MbrScorer
from tfcap.decoding.output import Captions, detokenize
from tfcap.decoding.searching import search
from tfcap.encoders import Encoder
from tfcap.export.shared_weights import SharedWeights
from tfcap.images.decoding import read_what_can_be
from tfcap.models.base import CaptioningModel
from tfcap.tensorflow_internals import convert_variables_to_constants_v2

Outputs = dict[str, tf.Tensor]
PHOTOS = tf.TensorSpec([None], tf.string, "image_bytes")


class PhotoCaptioner:
    """A model with its encoder: photo bytes in, captions out.

    >>> import tensorflow as tf
    >>> from tfcap.export import photo_captioner
    >>> from tfcap.runs.workdir import Workdir
    >>> run = Workdir.open("runs/demo")
    >>> settings = run.config.decoding.resolve_max_length(12)
    >>> captioner = photo_captioner([run], settings)
    >>> photo = open("photos/dog.jpg", "rb").read()
    >>> outputs = captioner.serve(tf.constant([photo, b"no photo"]))
    >>> [bool(error) for error in outputs["error"].numpy()]
    [False, True]

    Args:
        encoder: The encoder of the records, or the one trained with the model.
        model: A model, or an `Ensemble` of several.
        vocabulary: The model's vocabulary.
        tokenizer: Settings of the vocabulary's tokenizer.
        decoding: Settings of the search.
        stored: Dtype of the features that the model was trained on.
        half: Whether to store weights in float16. Graphs compute in float32.
        mbr_scorer: Needed for `decoding.consensus`.
    """

    def __init__(
        self,
        encoder: Encoder,
        model: CaptioningModel,
        vocabulary: Vocabulary,
        tokenizer: TokenizerSettings,
        decoding: ResolvedDecoding,
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
        """Returns the signatures by name, as the module describes them."""
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
        outputs = self.serve_features(features)
        return without_bad(outputs, error) | {"error": error}

    def serve_features(self, features: tf.Tensor) -> Outputs:
        tokens, scores = self._captions(features)
        return {"caption": self._text(tokens[:, 0]), "score": scores[:, 0]}

    def beams(self, image_bytes: tf.Tensor) -> Outputs:
        features, error = self._read(image_bytes)
        tokens, scores = self._captions(features)
        outputs = {"captions": self._text(tokens), "scores": scores}
        return without_bad(outputs, error) | {"error": error}

    def explain(self, image_bytes: tf.Tensor) -> Outputs:
        features, error = self._read(image_bytes)
        tokens, scores = self._captions(features)
        best = tokens[:, 0]
        probabilities, *attention = self._explain(features, best)
        length = self.decoding.max_length - 1
        probabilities = tf.ensure_shape(probabilities, [None, length])
        outputs = {
            "captions": self._text(tokens),
            "scores": scores,
            "words": tf.gather(self._words(), best[:, 1:]),
            "probabilities": probabilities,
        }
        if attention:
            shape = [None, length, *self._cells()]
            outputs["attention"] = tf.ensure_shape(attention[0], shape)
            outputs["fit"] = tf.fill(tf.shape(error), self.encoder.resizing.fit)
        return without_bad(outputs, error) | {"error": error}

    def _read(self, photos: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        encoder = self.encoder
        pixels, error = read_what_can_be(photos, encoder.side, encoder.resizing)
        return self._encode(pixels)[0], error

    def _captions(self, features: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns tokens int32 [batch, n, length] and scores float32 [batch, n]."""
        tokens, scores = self._write(features)
        length = self.decoding.max_length
        # Freezing a loop loses its shapes.
        tokens = tf.ensure_shape(tokens, [None, None, length])
        return tokens, tf.ensure_shape(scores, [None, None])

    def _search(
        self, features: tf.Tensor, mbr_scorer: MbrScorer | None = None
    ) -> list[tf.Tensor]:
        rounded = tf.cast(features, self.stored)
        captions = self.search(rounded, mbr_scorer)
        return [captions.tokens, captions.mean_log_probability()]

    def search(self, stored: tf.Tensor, mbr_scorer: MbrScorer | None) -> Captions:
        """Searches with the settings of the export, on features as in records."""
        return search(
            self.model,
            stored,
            self.decoding,
            self.vocabulary,
            self.tokenizer,
            mbr_scorer,
        )

    def _token_by_token(
        self, features: tf.Tensor, tokens: tf.Tensor
    ) -> list[tf.Tensor]:
        """Returns the tokens' probabilities [batch, length - 1] and attention."""
        context = self.model.encode(tf.cast(features, self.stored))
        prefixes, targets = tokens[:, :-1], tokens[:, 1:]
        logs = tf.nn.log_softmax(self.model.predict_tokens(context, prefixes))
        log_probabilities = tf.gather(logs, targets, batch_dims=2)
        real = tf.cast(targets != PAD_ID, tf.float32)
        probabilities = tf.exp(log_probabilities) * real
        attention = self.model.attention(context, prefixes)
        if attention is None:
            return [probabilities]
        size = tf.unstack(tf.shape(attention)[:2])
        attention = tf.reshape(attention, [*size, *self._cells()])
        return [probabilities, attention * real[:, :, tf.newaxis, tf.newaxis]]

    def _cells(self) -> tuple[int, ...]:
        """Returns the rows and columns of the encoder's grid."""
        shape = self.encoder.shape
        return shape[:2] if len(shape) == 3 else (1, 1)

    def _text(self, tokens: tf.Tensor) -> tf.Tensor:
        return detokenize(tokens, self.vocabulary, self.tokenizer)

    def _words(self) -> tf.Tensor:
        """Returns the tokens' names, string [vocabulary]; "" for `<pad>`."""
        names = list(self.vocabulary.tokens)
        names[PAD_ID], names[END_ID] = "", "."
        return tf.constant(names)

    def _frozen(
        self,
        function: Callable,
        specs: list[tf.TensorSpec],
        tables: MbrScorer | None = None,
    ) -> Callable:
        """Returns a graph that signatures share, with its variables in `weights`.

        Args:
            function: The function to trace.
            specs: Its inputs.
            tables: Its last input. It is kept in `weights`, not in the graph, because
                it may be larger than a graph can be.
        """
        inputs = [] if tables is None else [tables]
        specs = [*specs, *map(tf.type_spec_from_value, inputs)]
        traced = tf.function(function, autograph=False).get_concrete_function(*specs)
        shared = self.weights.share(convert_variables_to_constants_v2(traced))
        flat = tf.nest.flatten(inputs, expand_composites=True)
        return self.weights.supply(shared, (tensor.numpy() for tensor in flat))


def without_bad(outputs: Outputs, error: tf.Tensor) -> Outputs:
    """Empties the outputs of photos that have an error."""

    def emptied(values: tf.Tensor) -> tf.Tensor:
        good = tf.reshape(error == "", [-1, *[1] * (values.shape.rank - 1)])
        return tf.where(good, values, tf.zeros_like(values))

    return {name: emptied(values) for name, values in outputs.items()}
