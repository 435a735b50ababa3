"""`search`: captions by the search that a configuration names."""

from collections.abc import Sequence

import tensorflow as tf

from records.text.tokenizer_config import TokenizerSettings
from records.text.vocabulary import Vocabulary
from tfcap.config.decoding import ResolvedDecoding
from tfcap.decoding.beam import beam_search
from tfcap.decoding.constraints import ConstraintAutomaton
from tfcap.decoding.ensemble import Ensemble
from tfcap.decoding.greedy import greedy_search
from tfcap.decoding.logits_processors import LogitsProcessor
from tfcap.decoding.mbr import MbrScorer, rerank_by_mbr
from tfcap.decoding.output import Captions
from tfcap.decoding.sampling import sample
from tfcap.models.base import CaptioningModel, Context


def search(
    model: CaptioningModel | Ensemble,
    features: tf.Tensor | Sequence[tf.Tensor],
    config: ResolvedDecoding,
    vocabulary: Vocabulary,
    tokenizer: TokenizerSettings | None = None,
    mbr_scorer: MbrScorer | None = None,
) -> Captions:
    """Writes `beam_width` captions for each photo, best first.

    A beam of width 1 is a greedy search.

    >>> from records import RecordSet
    >>> from tfcap import load_config
    >>> from tfcap.data import scoring_batches
    >>> from tfcap.decoding import search
    >>> from tfcap.decoding.output import detokenize
    >>> from tfcap.models import build_model
    >>> records, config = RecordSet.open("data/records"), load_config("mine.yaml")
    >>> manifest, vocabulary = records.manifest, records.vocabulary
    >>> model = build_model(config, manifest, vocabulary)
    >>> batch = next(iter(scoring_batches(records, "dev", config.training)))
    >>> settings = config.decoding.resolve_max_length(manifest.longest_training_caption)
    >>> captions = search(model, batch["features"], settings, vocabulary)
    >>> captions.tokens.shape  # photos, beams, tokens
    TensorShape([4, 3, 7])
    >>> detokenize(captions.tokens, vocabulary, manifest.tokenizer).shape
    TensorShape([4, 3])

    Args:
        model: A model, or an `Ensemble` of several.
        features: Features of the photos, float32 [photos, ...]; or a list of those
            of each model of an ensemble.
        config: Settings of the search.
        vocabulary: The model's vocabulary.
        tokenizer: The vocabulary's tokenizer. Only `with_words` and `without_words`
            need it; None splits these at spaces.
        mbr_scorer: Compares captions; needed where `config.consensus` is set.

    Returns:
        Captions of [photos, beam_width].

    Raises:
        UserError: A required or banned word is not in the vocabulary.
        ValueError: `config.consensus` is set, and there is no `mbr_scorer`.
    """
    context = model.encode(features)
    captions = find_candidates(model, context, config, vocabulary, tokenizer)
    if config.consensus is None:
        return captions
    if mbr_scorer is None:
        raise ValueError("decoding.consensus needs an MbrScorer; received none")
    return rerank_by_mbr(captions, features, mbr_scorer, config.consensus.weight)


def find_candidates(
    model: CaptioningModel,
    context: Context,
    config: ResolvedDecoding,
    vocabulary: Vocabulary,
    tokenizer: TokenizerSettings | None,
) -> Captions:
    """Runs the search that the configuration names."""
    processor = LogitsProcessor.of(config, vocabulary, tokenizer)
    if config.sampling:
        return sample(model, context, config, config.sampling, processor)
    constraints = ConstraintAutomaton.of(config, vocabulary, tokenizer)
    if config.beam_width == 1 and constraints.states == 1:
        return greedy_search(model, context, config, processor)
    return beam_search(model, context, config, processor, constraints)


def check_words(
    config: ResolvedDecoding, vocabulary: Vocabulary, tokenizer: TokenizerSettings
) -> None:
    """Raises the UserError that `search` would raise for these settings.

    >>> from records import RecordSet
    >>> from tfcap import UserError
    >>> from tfcap.config.decoding import ResolvedDecoding
    >>> from tfcap.decoding.searching import check_words
    >>> records = RecordSet.open("data/records")
    >>> settings = ResolvedDecoding(max_length=20, with_words=("zebra",))
    >>> try:
    ...     check_words(settings, records.vocabulary, records.manifest.tokenizer)
    ... except UserError as error:
    ...     print(error)
    decoding.with_words: ...
    """
    LogitsProcessor.of(config, vocabulary, tokenizer)
    ConstraintAutomaton.of(config, vocabulary, tokenizer)
