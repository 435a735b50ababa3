"""Several models as one."""

import numpy as np
import pytest
import tensorflow as tf
from table_model import WORDS, TableModel
from test_searches import run, settings

from records.errors import UserError
from records.text.vocabulary import Vocabulary
from tfcap.decoding.beam import beam_search
from tfcap.decoding.ensemble import Ensemble, check_same_vocabulary
from tfcap.decoding.searching import search


def write_together(members):
    """Captions of two photos."""
    config = settings(3)
    return tf.function(lambda photos: search(Ensemble(members), photos, config, WORDS))(
        tf.range(2)
    )


def test_probabilities_are_averaged():
    members = [TableModel(photos=2, seed=seed) for seed in (1, 2)]
    mean = TableModel(photos=2, seed=1)
    mean.table = tf.math.log(sum(tf.nn.softmax(m.table) for m in members) / 2)
    together = write_together(members)
    expected = run(beam_search, mean, 2, settings(3))
    np.testing.assert_array_equal(together.tokens, expected.tokens)
    np.testing.assert_allclose(together.score, expected.score, rtol=1e-4)


def test_a_model_with_itself_is_itself():
    model = TableModel(photos=3, seed=3)
    twice = write_together([model, model])
    once = run(beam_search, model, 2, settings(3))
    np.testing.assert_array_equal(twice.tokens, once.tokens)


@pytest.mark.parametrize(
    "tokens", [[*WORDS.tokens, "cat"], [*WORDS.tokens[:-1], "cat"]]
)
def test_other_vocabularies_are_refused(tokens):
    with pytest.raises(UserError, match=r"b has \d, and token \d is '\w+' in the one"):
        check_same_vocabulary({"a": WORDS, "b": Vocabulary(tokens)})
