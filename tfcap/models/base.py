"""What every captioning model offers: encode the photo once, then step the decoder.

The same weights serve both expansions in training, beam search and export:

    context = model.encode(features)              once per photo
    rows    = take(context, photo)                row i is of photo `photo[i]`
    hidden  = model.read(rows, Text.of(tokens))   all words of captions at once
    logits  = model.predict_token(hidden)         of the words one wants

and, one token at a time, with the text's state carried along,

    state = model.initial_state(rows, length)
    logits, state = model.step(rows, state, token)

`read` is causal: position t sees tokens 0..t alone. That is why one pass over a caption
trains what its prefixes would train row by row.
"""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from records.format.record_set import RecordSet
from tfcap.encoders.trainable import TrainableEncoder
from tfcap.models.layers.packed_tokens import PackedTokens

State = Any


class Context(NamedTuple):
    """What the decoder knows of the photos, and which photo each row is about.

    Attributes:
        parts: any nest of tensors [photos, ...]: a vector, a grid's keys and values.
        photo: int32 [rows]. Many rows may be about one photo, whose parts are there
            but once: a model brings its rows to the photo, and copies no grid.
    """

    parts: Any
    photo: tf.Tensor

    @classmethod
    def of_photos(cls, parts: Any) -> "Context":
        """A row for each photo."""
        return cls(parts, tf.range(tf.shape(tf.nest.flatten(parts)[0])[0]))

    @property
    def rows(self) -> tf.Tensor:
        """How many, int32 scalar."""
        return tf.size(self.photo)


def take(context: Context, index: tf.Tensor) -> Context:
    """Row i of the result is row `index[i]`, int32 [n]; the photos are not copied."""
    return context._replace(photo=tf.gather(context.photo, index))


class CaptioningModel(keras.Model):
    """Interface of the captioning models.

    `seed`, int32 [n], one for each photo, row or position passed beside it, turns
    dropout on (tfcap/ops/dropout.py): masks are a function of it alone, so that a
    resumed run draws those an uninterrupted one would have drawn. None turns it off.

    Attributes:
        encoder: where it is trained along: its weights are the last of the model's.
            Features are still what `encode` takes. None: they are those of records.
    """

    encoder: TrainableEncoder | None = None

    def make_weights(self, shape: tuple[int, ...]) -> None:
        """To be called at the end of construction, with the shape of features."""
        context = self.encode(tf.zeros([1, *shape]))
        self.predict_token(
            self.read(context, PackedTokens.of(tf.ones([1, 1], tf.int32)))
        )
        self.built = True

    def prepare(self, records: RecordSet) -> None:
        """Sets what is computed from training photos, before the first step."""

    def encode(self, features: tf.Tensor, seed: tf.Tensor | None = None) -> Context:
        """Features [photos, *shape] -> context, a row for each photo."""
        raise NotImplementedError

    def read(
        self, context: Context, text: PackedTokens, seed: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Context and seed of n rows, their text -> hidden [words, h].

        Hidden values hold all that the photo has to say. Those at padding, where the
        text has any, mean nothing.
        """
        raise NotImplementedError

    def predict_token(
        self, hidden: tf.Tensor, seed: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Hidden [n, h], of any positions -> float32 logits [n, vocabulary]."""
        raise NotImplementedError

    def predict_tokens(self, context: Context, tokens: tf.Tensor) -> tf.Tensor:
        """Logits of the token after each of tokens int32 [n, length], by all before.

        float32 [n, length, vocabulary].
        """
        text = PackedTokens.with_padding(tokens)
        return text.unpack(self.predict_token(self.read(context, text)))

    def initial_state(self, context: Context, length: int) -> State:
        """Context of n rows -> the text's state before `<start>`, tensors [n, ...].

        Args:
            length: tokens at most that will be stepped through, `<start>` included.
        """
        raise NotImplementedError

    def step(
        self, context: Context, state: State, token: tf.Tensor
    ) -> tuple[tf.Tensor, State]:
        """Takes one token int32 [n]: -> logits [n, vocabulary], next state."""
        raise NotImplementedError

    def attention(self, context: Context, tokens: tf.Tensor) -> tf.Tensor | None:
        """Where the model looked, float32 [n, length, cells], each row summing to 1.

        Position t tells of the token after `tokens[:, t]`. Cells are those of the
        features, row by row; a vector has one. None of a model that does not attend.
        """
        return None
