"""An LSTM that attends to the photo's cells before each word.

    tokens -> embedding ─(+ mean of cells)─ LSTM ─┬─ query ─┐
                                                  │       attention ── cells
                                                  └──── and ┴─ dense relu -> words

Source: Xu et al., "Show, Attend and Tell", 2015, with attention after the LSTM as in Lu
et al., "Knowing When to Look", 2017. The attended context does not enter the LSTM's
state, so all positions of a caption attend at once. Several heads as in Vaswani et al.
2017.
"""

import keras
import tensorflow as tf

from tfcap.config.model import AttentionConfig
from tfcap.models.attending import AttendingModel
from tfcap.models.base import Context, State
from tfcap.models.layers.cross_attention import Attended, PhotoAttention, Projected
from tfcap.models.layers.packed_lstm import read_words, zero_state
from tfcap.ops.dropout import dropout
from tfcap.ops.packed_tokens import PackedTokens
from tfcap.ops.random import Seeds

HIDDEN, OUTPUT = 20, 21


class AttentionCaptioner(AttendingModel):
    """The attention model."""

    config: AttentionConfig

    def make_decoder(self) -> None:
        config, dense = self.config, keras.layers.Dense
        self.lstm = keras.layers.LSTM(
            config.lstm_units, return_sequences=True, name="lstm"
        )
        self.look = PhotoAttention(config.attention_units, config.heads, "look")
        self.hidden = dense(config.output_units, "relu", name="hidden")
        self.word = dense(config.embedding_units, name="word")

    def project(self, cells: tf.Tensor) -> Projected:
        return self.look.project(cells)

    def read(
        self, context: Context, text: PackedTokens, seed: Seeds = None
    ) -> tf.Tensor:
        context = context.select_rows(text.row)
        hidden = self.run_lstm(context, text, seed)
        return tf.concat([hidden, self.attend(context, hidden)[0]], -1)

    def run_lstm(
        self, context: Context, text: PackedTokens, seed: Seeds = None
    ) -> tf.Tensor:
        """Returns the LSTM's output after each token, [tokens, lstm_units].

        Args:
            context: its rows are the tokens.
            text: the tokens.
            seed: seeds of the text's rows; None without dropout.
        """
        seeds = text.seeds(seed)
        words = self.add_photo(self.words(text.tokens, seeds), context)
        hidden = read_words(self.lstm, words, text)
        return dropout(hidden, self.config.hidden_dropout, seeds, HIDDEN)

    def attend(self, context: Context, hidden: tf.Tensor) -> Attended:
        """Returns the attended context of each token, and the attention weights."""
        return self.look(hidden, context.photo, context.memory["cells"])

    def predict_token(self, hidden: tf.Tensor, seed: Seeds = None) -> tf.Tensor:
        hidden = self.hidden(hidden)
        hidden = dropout(hidden, self.config.output_dropout, seed, OUTPUT)
        return self.words.predict(self.word(hidden))

    def initial_state(self, context: Context, length: int) -> State:
        return zero_state(self.lstm, context.rows)

    def step(
        self, context: Context, state: State, token: tf.Tensor
    ) -> tuple[tf.Tensor, State]:
        words = self.add_photo(self.words(token), context)
        hidden, state = self.lstm.cell(words, state)
        attended, _ = self.attend(context, hidden)
        return self.predict_token(tf.concat([hidden, attended], -1)), state

    def cell_weights(self, context: Context, text: PackedTokens) -> tf.Tensor:
        return self.attend(context, self.run_lstm(context, text))[1]
