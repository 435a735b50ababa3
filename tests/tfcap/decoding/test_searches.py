"""Greedy and beam search, checked against every caption there is."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
from pydantic import ValidationError
from table_model import END, FREE, WORDS, TableModel

from tfcap.config.decoding import (
    ConsensusConfig,
    DecodingConfig,
    ResolvedDecoding,
)
from tfcap.decoding.beam import beam_search
from tfcap.decoding.constraints import ConstraintAutomaton
from tfcap.decoding.greedy import greedy_search
from tfcap.decoding.logits_processors import LogitsProcessor
from tfcap.decoding.searching import search
from tfcap.models.base import Context


def every_caption(max_length: int):
    """All captions of at most `max_length` tokens with `<start>` and `<end>`."""
    for words in range(max_length - 1):
        for body in itertools.product(FREE, repeat=words):
            yield (*body, END)


def best_captions(model, photo, settings: ResolvedDecoding):
    """All captions, best first, as (score, tokens after `<start>`)."""
    return sorted(
        (
            (model.score(photo, c) / len(c) ** settings.length_exponent, c)
            for c in every_caption(settings.max_length)
        ),
        reverse=True,
    )


def run(search, model, photos, settings):
    """Runs a search in a graph, as evaluation and export do."""
    context = Context.of_photos(tf.range(photos))
    return tf.function(lambda c: search(model, c, *arguments(search, settings)))(
        context
    )


def arguments(search, settings: ResolvedDecoding) -> tuple:
    rules = settings, LogitsProcessor.of(settings, WORDS)
    return (
        (*rules, ConstraintAutomaton.of(settings, WORDS))
        if search is beam_search
        else rules
    )


def stripped(tokens) -> tuple[int, ...]:
    """Tokens after `<start>` without padding."""
    assert tokens[0] == 1
    return tuple(int(token) for token in tokens[1:] if token)


def settings(width, exponent=1.0, max_length=5) -> ResolvedDecoding:
    return ResolvedDecoding(
        beam_width=width, length_exponent=exponent, max_length=max_length
    )


@pytest.mark.parametrize("exponent", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("max_length", [3, 4, 5])
def test_a_wide_beam_finds_what_exhaustive_search_finds(exponent, max_length):
    # Width 40 > 3 ** 3: no open caption is ever dropped.
    wide = settings(40, exponent, max_length)
    model = TableModel(photos=6, seed=max_length)
    found = run(beam_search, model, 6, wide)
    for photo in range(6):
        expected = best_captions(model, photo, wide)[:4]
        tokens = [stripped(row) for row in found.tokens[photo, : len(expected)]]
        assert tokens == [caption for _, caption in expected]
        np.testing.assert_allclose(
            found.score[photo, : len(expected)],
            [score for score, _ in expected],
            rtol=1e-5,
            atol=1e-6,
        )


@pytest.mark.parametrize("width", [2, 3])
def test_a_narrow_beam_gives_true_scores_in_order(width):
    model, narrow = TableModel(photos=5, seed=1), settings(width)
    found = run(beam_search, model, 5, narrow)
    assert found.tokens.shape == [5, width, 5]
    for photo in range(5):
        rows = [stripped(row) for row in found.tokens[photo]]
        assert len(set(rows)) == width
        scores = [model.score(photo, row) / len(row) for row in rows]
        assert scores == sorted(scores, reverse=True)
        np.testing.assert_allclose(found.score[photo], scores, rtol=1e-5)
        assert scores[0] <= best_captions(model, photo, narrow)[0][0] + 1e-6


def test_greedy_takes_the_likeliest_token_each_time():
    model = TableModel(photos=8, seed=2)
    found = run(greedy_search, model, 8, settings(1, max_length=6))
    for photo in range(8):
        tokens = [0, 1]
        while tokens[-1] != END and len(tokens) < 6:
            logs = model.logs[photo, tokens[-2], tokens[-1]]
            tokens.append(max((END, *FREE), key=lambda i: logs[i]))
        if tokens[-1] != END:
            tokens.append(END)  # the last token is <end>, whatever it costs
        assert stripped(found.tokens[photo, 0]) == tuple(tokens[2:])
        score = model.score(photo, tuple(tokens[2:]))
        assert float(found.log_probability[photo, 0]) == pytest.approx(score, rel=1e-5)
        assert float(found.score[photo, 0]) == pytest.approx(
            score / len(tokens[2:]), rel=1e-5
        )


@pytest.mark.parametrize("search", [greedy_search, beam_search])
def test_photos_do_not_disturb_each_other(search):
    model = TableModel(photos=4, seed=3)
    width = 1 if search is greedy_search else 3
    together = run(search, model, 4, settings(width))
    given = arguments(search, settings(width))
    for photo in range(4):
        context = Context.of_photos(tf.constant([photo]))
        alone = search(model, context, *given)
        np.testing.assert_array_equal(together.tokens[photo], alone.tokens[0])


@pytest.mark.parametrize("search", [greedy_search, beam_search])
def test_every_caption_ends_and_holds_no_barred_token(search):
    width = 1 if search is greedy_search else 3
    found = run(search, TableModel(photos=20, seed=4), 20, settings(width))
    for row in found.tokens.numpy().reshape(-1, 5):
        tokens = stripped(row)
        assert tokens[-1] == END
        assert set(tokens[:-1]) <= set(FREE)


def test_a_beam_wider_than_the_vocabulary():
    found = run(beam_search, TableModel(photos=1, seed=5), 1, settings(9, max_length=3))
    rows = [stripped(row) for row in found.tokens[0, :4]]
    assert sorted(rows) == sorted([(END,), (4, END), (5, END), (6, END)])


def test_mean_log_probability_counts_the_end():
    found = run(beam_search, TableModel(photos=1, seed=6), 1, settings(3, exponent=0.5))
    caption = stripped(found.tokens[0, 0])
    mean = float(found.mean_log_probability()[0, 0])
    assert mean == pytest.approx(float(found.log_probability[0, 0]) / len(caption))
    assert float(found.score[0, 0]) == pytest.approx(
        mean * len(caption) / math.sqrt(len(caption)), rel=1e-5
    )


def test_no_maximum_is_that_of_the_longest_caption():
    assert DecodingConfig().resolve_max_length(57).max_length == 57
    assert DecodingConfig(max_length=9).resolve_max_length(57).max_length == 9
    assert DecodingConfig().resolve_max_length(2).max_length == 3
    resolved = DecodingConfig(beam_width=5).resolve_max_length(7)
    assert isinstance(resolved, ResolvedDecoding)
    assert (
        resolved.model_dump() == DecodingConfig(beam_width=5, max_length=7).model_dump()
    )


def test_a_search_without_a_maximum_is_refused():
    with pytest.raises(ValidationError, match="max_length"):
        ResolvedDecoding()


def test_consensus_without_a_scorer_is_refused():
    config = ResolvedDecoding(beam_width=3, max_length=5, consensus=ConsensusConfig())
    with pytest.raises(ValueError, match="needs an MbrScorer; received none"):
        search(TableModel(photos=2, seed=1), tf.range(2), config, WORDS)
