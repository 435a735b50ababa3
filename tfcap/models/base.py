"""The interface of captioning models: encode the photo once, then step the decoder.

The same weights serve both expansions in training, beam search and export:

    context = model.encode(features)                      once per photo
    rows    = context.select_rows(photo)                  row i is of photo `photo[i]`
    hidden  = model.read(rows, PackedTokens.of(tokens))   all tokens at once
    logits  = model.predict_token(hidden)                 of selected tokens

and, one token at a time, with the decoder's state,

    state = model.initial_state(rows, length)
    logits, state = model.step(rows, state, token)

`read` is causal: position t depends on tokens 0..t only. One pass over a caption
therefore trains the same objective as its prefixes, row by row.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from records.format.record_set import RecordSet
from tfcap.encoders.trainable import TrainableEncoder
from tfcap.ops.packed_tokens import PackedTokens
from tfcap.ops.random import Seeds, row_seeds

State = Any


class Context(NamedTuple):
    """The encoded photos, and the photo of each row.

    Attributes:
        memory: any nest of tensors [photos, ...], such as a vector, or a grid's keys
            and values.
        photo: int32 [rows]. Several rows may refer to one photo. Photo tensors are
            stored once and indexed by `photo`, never tiled.
    """

    memory: Any
    photo: tf.Tensor

    @classmethod
    def of_photos(cls, memory: Any) -> "Context":
        """Makes a context with one row for each photo."""
        return cls(memory, tf.range(tf.shape(tf.nest.flatten(memory)[0])[0]))

    @property
    def rows(self) -> tf.Tensor:
        """The number of rows, int32 scalar."""
        return tf.size(self.photo)

    def select_rows(self, index: tf.Tensor) -> "Context":
        """Selects the rows `index`, int32 [n]; the photos are not copied."""
        return self._replace(photo=tf.gather(self.photo, index))


class CaptioningModel(keras.Model):
    """A captioning model.

    `Trainer` trains it, and so does Keras:

    >>> from records import RecordSet
    >>> from tfcap import load_config
    >>> from tfcap.data import fit_pairs, token_loss, training_batches
    >>> from tfcap.models import build_model
    >>> records, config = RecordSet.open("data/records"), load_config("mine.yaml")
    >>> model = build_model(config, records.manifest, records.vocabulary)
    >>> model.compile("adam", token_loss(), jit_compile=False)
    >>> pairs = fit_pairs(training_batches(records, config.training, epoch=0))
    >>> history = model.fit(pairs, epochs=2, shuffle=False, verbose=0)
    >>> len(history.history["loss"])
    2

    The argument `seed`, int32 [n], has a seed for each photo, row or position and turns
    dropout on (`tfcap.ops.dropout`). Masks are a function of the seeds alone, so a
    resumed run draws the same masks as an uninterrupted one. None turns dropout off.

    Attributes:
        encoder: the encoder if it is trained along; its weights are the last of the
            model's. `encode` takes features in either case. None if features are those
            of records.
    """

    encoder: TrainableEncoder | None = None

    def make_weights(self, shape: tuple[int, ...]) -> None:
        """Creates all weights; subclasses call it at the end of `__init__`.

        Args:
            shape: shape of one photo's features.
        """
        context = self.encode(tf.zeros([1, *shape]))
        self.predict_token(
            self.read(context, PackedTokens.of(tf.ones([1, 1], tf.int32)))
        )
        self.built = True

    def prepare(self, records: RecordSet) -> None:
        """Computes fixed weights from the training photos, before the first step."""

    def encode(self, features: tf.Tensor, seed: Seeds = None) -> Context:
        """Encodes features [photos, ...] to a context with a row for each photo."""
        raise NotImplementedError

    def read(
        self, context: Context, text: PackedTokens, seed: Seeds = None
    ) -> tf.Tensor:
        """Runs the decoder over whole rows.

        Args:
            context: a context of n rows.
            text: the tokens of these rows.
            seed: seeds of the rows, int32 [n]; None without dropout.

        Returns:
            Hidden values [tokens, h], which include the photo. Values at padding, where
            the text has any, are undefined.
        """
        raise NotImplementedError

    def predict_token(self, hidden: tf.Tensor, seed: Seeds = None) -> tf.Tensor:
        """Returns float32 logits [n, vocabulary] of hidden values [n, h]."""
        raise NotImplementedError

    def call(
        self, inputs: Mapping[str, tf.Tensor], training: bool | None = None
    ) -> tf.Tensor:
        """Returns the logits of the token that follows each token, for Keras' `fit`.

        Args:
            inputs: `features` float32 [photos, *shape], `photo` int32 [rows] and
                `prefix` int32 [rows, length] of a batch.
            training: draw dropout masks.

        Returns:
            float32 [rows, length, vocabulary].
        """
        seed = None
        if training:
            photos = tf.shape(inputs["features"])[:1]
            seed = tf.random.uniform(photos, maxval=tf.int32.max, dtype=tf.int32)
        context = self.encode(inputs["features"], seed)
        rows = None if seed is None else row_seeds(seed, inputs["photo"])
        text = PackedTokens.with_padding(inputs["prefix"])
        hidden = self.read(context.select_rows(inputs["photo"]), text, rows)
        return text.unpack(self.predict_token(hidden, text.seeds(rows)))

    def predict_tokens(self, context: Context, tokens: tf.Tensor) -> tf.Tensor:
        """Returns the logits of the token that follows each token.

        Args:
            context: a context of n rows.
            tokens: int32 [n, length].

        Returns:
            float32 [n, length, vocabulary].
        """
        text = PackedTokens.with_padding(tokens)
        return text.unpack(self.predict_token(self.read(context, text)))

    def initial_state(self, context: Context, length: int) -> State:
        """Returns the decoder's state before `<start>`, a nest of tensors [n, ...].

        Args:
            context: a context of n rows.
            length: largest number of tokens of a caption, `<start>` included.
        """
        raise NotImplementedError

    def step(
        self, context: Context, state: State, token: tf.Tensor
    ) -> tuple[tf.Tensor, State]:
        """Reads one token of each row.

        Args:
            context: a context of n rows.
            state: the state that `initial_state` or the last step returned.
            token: int32 [n].

        Returns:
            The logits of the next token, float32 [n, vocabulary]; and the next state.
        """
        raise NotImplementedError

    def attention(self, context: Context, tokens: tf.Tensor) -> tf.Tensor | None:
        """Returns the attention weights over cells; None if the model does not attend.

        Args:
            context: a context of n rows.
            tokens: int32 [n, length].

        Returns:
            float32 [n, length, cells]; the weights of a position sum to 1. Position t
            belongs to the token that follows `tokens[:, t]`. The cells are in the
            order of the features, row by row; a vector is one cell.
        """
        return None
