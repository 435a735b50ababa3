"""Configuration of the search for captions: the section `decoding`."""

from typing import ClassVar

from pydantic import Field, model_validator

from tfcap.config.base import Section


class SamplingConfig(Section):
    """Captions drawn at random instead of searched for.

    Attributes:
        temperature: logits are divided by it; below 1 likelier tokens come oftener.
        top_p: only the likeliest tokens that have this probability together are drawn.
        seed: the same one draws the same captions.
    """

    temperature: float = Field(1.0, gt=0)
    top_p: float = Field(1.0, gt=0, le=1)
    seed: int = 0


class RegressionConfig(Section):
    """What people would write of the photo, predicted from the training photos.

    Attributes:
        weight: how much it counts, where agreement with the captions found counts 1.
        width: how alike photos must be to tell of each other, in the cosine of their
            features.
        ridge: the greater, the more photos are averaged over.
    """

    weight: float = Field(20.0, gt=0)
    width: float = Field(1.0, gt=0)
    ridge: float = Field(0.03, gt=0)


class ConsensusConfig(Section):
    """The caption that agrees best with the others found, not the likeliest.

    Attributes:
        weight: of the others each counts as its probability to this power; 0: all
            alike. It has more to choose from, and more to agree with, the wider the
            beam: 10 and more.
        regression: and with what people would write; null: the others found alone.
    """

    came_later: ClassVar = {"regression": None}

    weight: float = Field(0.1, ge=0)
    regression: RegressionConfig | None = None


class DecodingConfig(Section):
    """The search for a caption.

    Attributes:
        beam_width: 1 is greedy. So many captions are found of a photo, best first.
        length_exponent: a caption of n tokens scores log-probability / n**exponent.
        max_length: tokens at most, `<start>` and `<end>` included; null for as many as
            the longest training caption has.
        min_length: tokens at least, counted alike.
        no_repeat_ngram: no so many tokens in succession come twice; null allows it.
        with_words: words or phrases that every caption must hold.
        without_words: words or phrases that none may hold.
        sampling: draw `beam_width` captions instead; null searches.
        consensus: put the caption first that agrees best with the others found, by
            CIDEr-D; null: the one with the best score.
    """

    came_later: ClassVar = {
        "min_length": 2,
        "no_repeat_ngram": None,
        "with_words": (),
        "without_words": (),
        "sampling": None,
        "consensus": None,
    }

    beam_width: int = Field(3, ge=1)
    length_exponent: float = Field(1.0, ge=0)
    max_length: int | None = Field(None, ge=3)
    min_length: int = Field(2, ge=2)
    no_repeat_ngram: int | None = Field(None, ge=1)
    with_words: tuple[str, ...] = ()
    without_words: tuple[str, ...] = ()
    sampling: SamplingConfig | None = None
    consensus: ConsensusConfig | None = None

    @model_validator(mode="after")
    def _words_are_searched_for(self):
        if self.sampling and self.with_words:
            raise ValueError(
                "`with_words` needs a search; leave `sampling` out, or the words"
            )
        return self

    @model_validator(mode="after")
    def _consensus_is_of_several(self):
        if self.consensus and self.beam_width < 3:
            raise ValueError(
                f"`consensus` is found among several captions; beam_width "
                f"({self.beam_width}) must be 3 or more"
            )
        return self

    @model_validator(mode="after")
    def _lengths_leave_a_choice(self):
        if self.max_length is not None and self.min_length > self.max_length:
            raise ValueError(
                f"min_length ({self.min_length}) is above max_length "
                f"({self.max_length}); both count <start> and <end>"
            )
        return self

    def resolve_max_length(self, longest_caption: int) -> "DecodingConfig":
        """The same with `max_length` set, if it is null to the longest caption's."""
        length = self.max_length or max(3, longest_caption, self.min_length)
        return self.model_copy(update={"max_length": length})
