"""What every captioning model offers: encode the photo once, then step the decoder.

The same weights serve both expansions in training, beam search and export:

    context = model.encode(features)              once per photo
    hidden  = model.read(context, tokens)         all positions of a caption at once
    logits  = model.predict_token(context, hidden)

and, one token at a time, with the text's state carried along,

    state = model.initial_state(context)
    logits, state = model.step(context, state, token)

`read` is causal: position t sees tokens 0..t alone. That is why one pass over a caption
trains what its prefixes would train row by row.
"""

from typing import Any

import keras
import tensorflow as tf

State = Any


class Captioner(keras.Model):
    """Interface of the captioning models.

    `seed`, int32 [2], turns dropout on: masks are a function of it alone, so that a
    resumed run draws those an uninterrupted one would have drawn. None turns it off.
    """

    def encode(self, features: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Features [photos, *shape] -> context [photos, ...]."""
        raise NotImplementedError

    def read(
        self, context: tf.Tensor, tokens: tf.Tensor, seed: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Context [rows, ...], tokens int32 [rows, length] -> hidden [rows, length, h].

        Tokens are padded on the right; hidden values at padding mean nothing.
        """
        raise NotImplementedError

    def predict_token(
        self, context: tf.Tensor, hidden: tf.Tensor, seed: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Context [n, ...], hidden [n, h] -> float32 logits [n, vocabulary]."""
        raise NotImplementedError

    def initial_state(self, context: tf.Tensor) -> State:
        """Context [n, ...] -> the text's state before `<start>`, tensors [n, ...]."""
        raise NotImplementedError

    def step(
        self, context: tf.Tensor, state: State, token: tf.Tensor
    ) -> tuple[tf.Tensor, State]:
        """Takes one token int32 [n]: -> logits [n, vocabulary], next state."""
        raise NotImplementedError


def dropout(
    values: tf.Tensor, rate: float, seed: tf.Tensor | None, site: int
) -> tf.Tensor:
    """Dropout as a pure function of seed and site, one site per place in a model."""
    if seed is None or rate == 0:
        return values
    here = tf.random.experimental.stateless_fold_in(seed, site)
    return tf.nn.experimental.stateless_dropout(values, rate, here)
