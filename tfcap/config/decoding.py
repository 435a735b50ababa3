"""Configuration of the search for captions: the section `decoding`."""

from typing import ClassVar

from pydantic import Field, model_validator

from tfcap.config.base import Section


class SamplingConfig(Section):
    """Captions drawn at random instead of searched for.

    Attributes:
        temperature: divides the logits; below 1 likelier tokens are drawn more often.
        top_p: nucleus sampling: only the likeliest tokens with this total probability
            are drawn.
        seed: captions are a function of it.
    """

    temperature: float = Field(1.0, gt=0)
    top_p: float = Field(1.0, gt=0, le=1)
    seed: int = 0


class RegressionConfig(Section):
    """Kernel ridge regression that predicts n-grams of a photo's references.

    Attributes:
        weight: weight of the agreement with the prediction; that with the other
            candidates has weight 1.
        width: kernel bandwidth, in cosine distance between photo features.
        ridge: regularisation; a greater one averages over more training photos.
    """

    weight: float = Field(20.0, gt=0)
    width: float = Field(1.0, gt=0)
    ridge: float = Field(0.03, gt=0)


class ConsensusConfig(Section):
    """Minimum Bayes risk: the caption that agrees best with the other candidates.

    Attributes:
        weight: weight of a candidate = probability ** weight; 0 is uniform. Works best
            with a beam_width of 10 or more.
        regression: also compares with n-grams predicted from the training photos; null
            compares with the other candidates only.
    """

    came_later: ClassVar = {"regression": None}

    weight: float = Field(0.1, ge=0)
    regression: RegressionConfig | None = None


class DecodingConfig(Section):
    """The search for a caption.

    Attributes:
        beam_width: number of captions per photo, best first; 1 is greedy.
        length_exponent: a caption of n tokens scores log-probability / n**exponent.
        max_length: largest number of tokens, `<start>` and `<end>` included; null takes
            that of the longest training caption.
        min_length: smallest number of tokens, `<start>` and `<end>` included.
        no_repeat_ngram: n-grams of this size may not repeat in a caption; null turns
            the rule off.
        with_words: words or phrases that every caption must hold.
        without_words: words or phrases that no caption may hold.
        sampling: draw `beam_width` captions instead; null searches.
        consensus: rerank by agreement (CIDEr-D) with the other captions; null keeps the
            order of scores.
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
    def _words_are_searched_for(self) -> "DecodingConfig":
        if self.sampling and self.with_words:
            raise ValueError(
                "`with_words` needs a search; leave `sampling` out, or the words"
            )
        return self

    @model_validator(mode="after")
    def _consensus_is_of_several(self) -> "DecodingConfig":
        if self.consensus and self.beam_width < 3:
            raise ValueError(
                f"`consensus` is found among several captions; beam_width "
                f"({self.beam_width}) must be 3 or more"
            )
        return self

    @model_validator(mode="after")
    def _lengths_leave_a_choice(self) -> "DecodingConfig":
        if self.max_length is not None and self.min_length > self.max_length:
            raise ValueError(
                f"min_length ({self.min_length}) is above max_length "
                f"({self.max_length}); both count <start> and <end>"
            )
        return self

    def resolve_max_length(self, longest_caption: int) -> "ResolvedDecoding":
        """Returns the settings of a search; null becomes `longest_caption`."""
        length = self.max_length or max(3, longest_caption, self.min_length)
        return ResolvedDecoding(**dict(self) | {"max_length": length})


class ResolvedDecoding(DecodingConfig):
    """The settings that a search needs: `max_length` is a number."""

    max_length: int = Field(ge=3)
