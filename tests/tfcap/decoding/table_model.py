"""A model small enough to go through all its captions."""

import numpy as np
import tensorflow as tf

from records.text.vocabulary import Vocabulary
from tfcap.models.base import Context

WORDS = Vocabulary(["<pad>", "<start>", "<end>", "<unk>", "a", "dog", "runs"])
SIZE = len(WORDS)
END = 2
FREE = (4, 5, 6)


class TableModel:
    """Next-token probabilities looked up by the last two tokens, by photo.

    The state is the token before the last, so that a search that mixes up the states
    of its beams gets other probabilities.
    """

    def __init__(self, photos: int, seed: int):
        rng = np.random.default_rng(seed)
        logits = rng.normal(0, 2, [photos, SIZE, SIZE, SIZE]).astype(np.float32)
        self.table = tf.constant(logits)
        self.logs = tf.nn.log_softmax(logits).numpy()

    def encode(self, photos):
        return Context.of_photos(photos)

    def initial_state(self, context, length):
        return {"before": tf.zeros([context.rows], tf.int32)}

    def step(self, context, state, token):
        photo = tf.gather(context.memory, context.photo)
        where = tf.stack([photo, state["before"], token], 1)
        return tf.gather_nd(self.table, where), {"before": token}

    def score(self, photo: int, caption: tuple[int, ...]) -> float:
        """Log-probability of a caption's tokens after `<start>`."""
        tokens = (0, 1, *caption)
        return sum(
            float(self.logs[photo, a, b, c])
            for a, b, c in zip(tokens, tokens[1:], tokens[2:])
        )
