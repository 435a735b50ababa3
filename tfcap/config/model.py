"""Configuration of the models: the section `model`, a union discriminated by `name`."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from tfcap.config.base import Fraction, Section


class MergeConfig(Section):
    """The merge model (Tanti et al. 2018), as in the Heaton notebook by default.

    Attributes:
        photo: `merge` adds the photo's vector after the LSTM; `init` makes it the
            LSTM's initial state.
        standardize: standardise features to zero mean and unit deviation.
        image_units: width of the photo's vector, and of the sum.
        embedding_units: width of a word's vector.
        glove: a GloVe text file of that width; null learns the embedding from scratch.
        embedding_trainable: false freezes the (GloVe) embedding.
        lstm_units: width of the text branch; must equal `image_units`, they are added.
        image_dropout: fraction of the image features dropped.
        text_dropout: fraction of each word's vector dropped.
        output_dropout: fraction of the last hidden layer dropped.
    """

    came_later: ClassVar = {"photo": "merge"}

    name: Literal["merge"] = "merge"
    photo: Literal["merge", "init"] = "merge"
    standardize: bool = True
    image_units: int = Field(256, ge=1)
    embedding_units: int = Field(200, ge=1)
    glove: str | None = None
    embedding_trainable: bool = True
    lstm_units: int = Field(256, ge=1)
    image_dropout: Fraction = 0.5
    text_dropout: Fraction = 0.5
    output_dropout: Fraction = 0.0

    @model_validator(mode="after")
    def _branches_can_be_added(self) -> "MergeConfig":
        if self.image_units != self.lstm_units:
            raise ValueError(
                f"image_units ({self.image_units}) and lstm_units ({self.lstm_units}) "
                "must be equal: the photo's vector is added, or where the state begins"
            )
        return self


class ImageFeatureSettings(Section):
    """Settings that all attending models share. A pooled vector is one cell.

    Attributes:
        components: number of principal components that the standardised channels are
            reduced to by a fixed layer, computed from training photos; null keeps all
            channels.
        positions: add a learned vector for each cell's place.
        pooled_cell: add the mean of all cells as another cell.
        pooled_words: add that mean, through a layer, to every word's vector.
        flip: in training, mirror half of the grids left to right, at random.
        embedding_units: width of a word's vector.
        tied: the output layer shares its weights with the embedding.
        heads: number of heads of the attention over cells.
        image_dropout: fraction of each cell's components dropped.
        text_dropout: fraction of each word's vector dropped.
        word_dropout: fraction of words whose vector is dropped as a whole.
        hidden_dropout: fraction of the text's hidden values dropped.
        output_dropout: fraction of the last hidden layer dropped.
    """

    components: int | None = Field(256, ge=1)
    positions: bool = True
    pooled_cell: bool = True
    pooled_words: bool = True
    flip: bool = True
    embedding_units: int = Field(256, ge=2)
    tied: bool = True
    heads: int = Field(4, ge=1)
    image_dropout: Fraction = 0.2
    text_dropout: Fraction = 0.3
    word_dropout: Fraction = 0.0
    hidden_dropout: Fraction = 0.3
    output_dropout: Fraction = 0.3


class AttentionConfig(ImageFeatureSettings):
    """An LSTM that attends over the photo's cells (Xu et al. 2015).

    Attributes:
        lstm_units: width of the text's memory.
        attention_units: width of queries, keys and values, all heads together.
        output_units: width of the layer between attention and words.
    """

    name: Literal["attention"] = "attention"
    lstm_units: int = Field(320, ge=1)
    attention_units: int = Field(256, ge=1)
    output_units: int = Field(512, ge=1)

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> "AttentionConfig":
        check_heads("attention_units", self.attention_units, self.heads)
        return self


class TransformerConfig(ImageFeatureSettings):
    """A causal decoder with cross-attention to the photo's cells (Vaswani et al. 2017).

    Attributes:
        layers: blocks of self-attention, attention to the cells and feed-forward.
        feed_forward_units: width inside the last of these.
    """

    name: Literal["transformer"] = "transformer"
    layers: int = Field(2, ge=1)
    feed_forward_units: int = Field(1024, ge=1)

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> "TransformerConfig":
        check_heads("embedding_units", self.embedding_units, self.heads)
        if self.embedding_units % 2:
            raise ValueError("embedding_units must be even: half sines, half cosines")
        return self


def check_heads(name: str, units: int, heads: int) -> None:
    if units % heads:
        raise ValueError(f"heads ({heads}) must divide {name} ({units})")


AttendingConfig = AttentionConfig | TransformerConfig
Model = Annotated[MergeConfig | AttendingConfig, Field(discriminator="name")]
MODELS = {
    "merge": MergeConfig,
    "attention": AttentionConfig,
    "transformer": TransformerConfig,
}
