"""Splits captions into words, makes the vocabulary, and cuts words into its tokens.

split_captions    where captions are read
make_vocabulary   once, from the words of the training captions
add_tokens        where a shard is written
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Mapping

from beam_jobs.elements import Caption, Photo
from records.errors import UserError
from records.format.rejects import Reject
from records.text.scripts import unspaced_words
from records.text.tokenizer import SplitCaptions, Tokenizer, why_dropped
from records.text.tokenizer_config import TokenizerSettings
from records.text.vocabulary import Vocabulary

LONGEST = 64  # characters of a dropped word: enough for an example
MOSTLY = 0.5  # of the words, in a script without spaces: the build is refused


class TextCounts:
    """Counts of the inputs and of the dropped words.

    Attributes:
        taken: photos, captions, words, words_kept -> how many.
        dropped: (reason, word) -> how often.
    """

    def __init__(self) -> None:
        self.taken = Counter(photos=0, captions=0, words=0, words_kept=0)
        self.dropped: Counter[tuple[str, str]] = Counter()

    def add_words(self, split: SplitCaptions) -> None:
        self.taken["words"] += split.total
        self.taken["words_kept"] += sum(map(len, split.kept))
        for word in itertools.chain.from_iterable(split.dropped):
            self.dropped[why_dropped(word), word[:LONGEST]] += 1


def split_captions(
    captions: list[Caption], tokenizer: Tokenizer, counts: TextCounts
) -> tuple[dict[str, list[Caption]], list[Reject]]:
    """Splits captions into words, and counts these.

    A source yields a photo's captions one after another; grouping them here saves the
    join most of its work.

    Returns:
        Photo id -> its captions that have a word, none for a photo whose captions are
        all rejected; and a reject for each caption without a word.
    """
    split = tokenizer.split([caption.text for caption in captions])
    counts.add_words(split)
    by_photo: dict[str, list[Caption]] = defaultdict(list)
    rejects = []
    for caption, words in zip(captions, split.kept, strict=True):
        kept = by_photo[caption.photo_id]
        if words:
            kept.append(Caption(*caption[:4], tuple(words)))
        else:
            where, text = caption.where, caption.text
            rejects.append(Reject("caption", where, "no_word_left", text, 1))
    return by_photo, rejects


def make_vocabulary(
    counts: Mapping[str, int], settings: TokenizerSettings
) -> tuple[Vocabulary, float]:
    """Returns the vocabulary, and the fraction of words in a script without spaces.

    Args:
        counts: word -> how often the captions of the training list have it.
        settings: the tokenizer's.

    Raises:
        UserError: the settings leave no vocabulary, or do not suit the script.
    """
    unspaced = unspaced_words(counts) / max(1, sum(counts.values()))
    if settings.kind == "word" and unspaced > MOSTLY:
        raise UserError(
            f"{unspaced:.0%} of the training captions' words are in a script without "
            "spaces, where `kind: word` makes a word of each clause; set "
            "tokenizer.kind=char, or tokenizer.kind=wordpiece"
        )
    return Tokenizer(settings).build_vocabulary(counts), unspaced


def add_tokens(
    photos: list[Photo], settings: TokenizerSettings, vocabulary: Vocabulary
) -> list[Photo]:
    """Returns the photos with tokens in their captions, cut by one run of the graph."""
    captions = [caption for photo in photos for caption in photo.captions]
    words = [caption.words for caption in captions]
    rows = iter(Tokenizer(settings).tokens(words, vocabulary))
    return [
        photo._replace(
            captions=tuple(Caption(*c[:5], tuple(next(rows))) for c in photo.captions)
        )
        for photo in photos
    ]
