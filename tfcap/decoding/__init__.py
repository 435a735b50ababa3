"""Search for captions: batched, in graph, the text's state carried along.

    beam.py, greedy.py, sampling.py   the searches
    logits_processors.py              which tokens may come next
    constraints.py                    words that a caption must hold
    ensemble.py                       several models as one
    mbr.py                            the caption that agrees with the others
    expected_ngrams.py                what people would write of a photo
    kernel_regression.py              predicts that from the training photos
    output.py                         what a search gives, and its text

A caption's score is its log-probability over `length ** length_exponent`, where length
counts its tokens after `<start>`, `<end>` included (exponent 1: the mean
log-probability of a token; 0: none of the length taken into account).
"""

import tensorflow as tf

from records.text.tokenizer_config import TokenizerSettings
from records.text.vocabulary import Vocabulary
from tfcap.config.experiment import DecodingConfig
from tfcap.decoding.beam import beam_search
from tfcap.decoding.constraints import ConstraintAutomaton
from tfcap.decoding.greedy import greedy_search
from tfcap.decoding.logits_processors import LogitsProcessor
from tfcap.decoding.mbr import MbrScorer, rerank_by_mbr
from tfcap.decoding.output import Captions, detokenize
from tfcap.decoding.sampling import sample
from tfcap.models.base import CaptioningModel

__all__ = ["Captions", "Voters", "check_words", "detokenize", "search"]


def search(
    model: CaptioningModel,
    features: tf.Tensor,
    config: DecodingConfig,
    vocabulary: Vocabulary,
    tokenizer: TokenizerSettings | None = None,
    mbr_scorer: MbrScorer | None = None,
) -> Captions:
    """Writes captions for features [photos, *shape], `beam_width` of each, best first.

    A beam of width 1 is greedy.

    Args:
        model: or `tfcap.decoding.ensemble.Ensemble`, several of them.
        config: `max_length` must be set (`DecodingConfig.resolve_max_length`).
        tokenizer: of the vocabulary; None for one of whole words. It is needed for
            `with_words` and `without_words` alone.
        voters: for `consensus` alone.

    Raises:
        UserError: a word that captions must or must not hold is not in the vocabulary.
    """
    found = candidates(model, model.encode(features), config, vocabulary, tokenizer)
    if config.consensus:
        return rerank_by_mbr(found, features, mbr_scorer, config.consensus.weight)
    return found


def candidates(model, context, config, vocabulary, tokenizer) -> Captions:
    """By the search that the configuration asks for."""
    rules = LogitsProcessor.of(config, vocabulary, tokenizer)
    if config.sampling:
        return sample(model, context, config, rules)
    required = ConstraintAutomaton.of(config, vocabulary, tokenizer)
    if config.beam_width == 1 and required.states == 1:
        return greedy_search(model, context, config, rules)
    return beam_search(model, context, config, rules, required)


def check_words(
    config: DecodingConfig, vocabulary: Vocabulary, tokenizer: TokenizerSettings
) -> None:
    """Raises the UserError of `search` before there is anything to search for."""
    LogitsProcessor.of(config, vocabulary, tokenizer)
    ConstraintAutomaton.of(config, vocabulary, tokenizer)
