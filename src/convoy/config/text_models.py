"""Models of texts in section `model`: each begins with embeddings. Most of them take sequences, too."""

from typing import Annotated, Literal

from pydantic import Field

from convoy.config._base import Section
from convoy.config.blocks import Probability

Width = Annotated[int, Field(ge=1, le=4096)]


class EmbeddingConfig(Section):
    """The vectors of the tokens."""

    size: Width = Field(default=300, description="of a vector; of pretrained ones theirs counts")
    pretrained: str | None = Field(
        default=None,
        min_length=1,
        description="a file of word vectors: .vec or .txt (word2vec or GloVe text), .npz (words, vectors)",
    )
    channels: Literal["tuned", "static", "both"] = Field(
        default="tuned", description="both: a copy that learns beside one that stays (Kim 2014)"
    )
    dropout: Probability = Field(default=0.0, description="of whole tokens' vectors")


class _OfSeries(Section):
    """Of texts by their tokens' vectors, or of sequences by their values."""

    embedding: EmbeddingConfig | None = Field(
        default=None, description="of tokens; null: random vectors of 300. Sequences have none"
    )
    dropout: Probability = Field(default=0.5, description="before the last layer")


class TextCnnConfig(Section):
    """Parallel convolutions over the tokens, their maxima over time, one dense layer (Kim 2014)."""

    name: Literal["textcnn"]
    embedding: EmbeddingConfig = Field(default_factory=EmbeddingConfig)
    dropout: Probability = Field(default=0.5, description="before the last layer")
    kernels: list[Annotated[int, Field(ge=1, le=25)]] = Field(
        default_factory=lambda: [3, 4, 5], min_length=1, description="tokens that a filter sees"
    )
    filters: Width = Field(default=100, description="of each kernel size")
    max_norm: float | None = Field(
        default=3.0, gt=0.0, description="of a class's weights in the last layer; null: not bounded"
    )


class Cnn1dConfig(_OfSeries):
    """Convolutions over the places one after another, each with a norm; then the mean and the maximum."""

    name: Literal["cnn1d"]
    channels: list[Width] = Field(default_factory=lambda: [128, 128], min_length=1)
    kernel: Annotated[int, Field(ge=1, le=25)] = 5


class _Recurrent(_OfSeries):
    hidden: Width = Field(default=128, description="of each direction")
    layers: int = Field(default=1, ge=1, le=4)
    bidirectional: bool = True


class RnnConfig(_Recurrent):
    """Plain recurrent units with tanh (Elman 1990); the maximum over time."""

    name: Literal["rnn"]


class LstmConfig(_Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber 1997); the maximum over time."""

    name: Literal["lstm"]


class GruConfig(_Recurrent):
    """Gated recurrent units (Cho et al. 2014); the maximum over time."""

    name: Literal["gru"]


SeriesConfig = Cnn1dConfig | RnnConfig | LstmConfig | GruConfig  # of texts and of sequences
