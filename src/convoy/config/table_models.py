"""Models of tables in section `model`."""

from typing import Annotated, Literal

from pydantic import Field

from convoy.config._base import Section
from convoy.config.blocks import Probability

Width = Annotated[int, Field(ge=1, le=4096)]


class MlpConfig(Section):
    """Dense layers over the numbers of a row and a vector for each of its categories."""

    name: Literal["mlp"]
    hidden: list[Width] = Field(
        default_factory=lambda: [256, 128], min_length=1, description="sizes of layers"
    )
    activation: Literal["relu", "leaky_relu", "sigmoid", "tanh", "silu", "mish", "elu", "gelu"] = "relu"
    norm: Literal["none", "batch", "layer"] = "batch"
    dropout: Probability = Field(default=0.1, description="behind each hidden layer")
    input_dropout: Probability = Field(default=0.0, description="of the row's numbers and vectors")
    embedding: Literal["auto"] | Width | dict[str, Width] = Field(
        default="auto",
        description="size of a category's vector: by column (auto for the others), one for all, or auto: "
        "min(50, (categories + 1) / 2)",
    )
