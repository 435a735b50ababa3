"""Caption search: batched, in graph, with the decoder's state carried along.

    searching.py                      picks the search that a configuration names
    beam.py, greedy.py, sampling.py   the searches
    logits_processors.py              bans tokens
    constraints.py                    requires words
    ensemble.py                       combines several models
    mbr.py                            reranks candidates by their agreement
    expected_ngrams.py                n-grams expected in a photo's references
    kernel_regression.py              predicts these from the training photos
    output.py                         captions as tokens and as text

A caption's score is its log-probability over `length ** length_exponent`, where length
counts its tokens after `<start>`, `<end>` included. With exponent 1 it is the mean
log-probability of a token; with 0 the length does not count.
"""

from typing import TYPE_CHECKING

from records.lazy_names import lazy_names

if TYPE_CHECKING:
    from tfcap.decoding.searching import search

__all__ = ["search"]

__getattr__ = lazy_names(__name__, {"search": "searching"})
