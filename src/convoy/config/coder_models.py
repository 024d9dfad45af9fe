"""Autoencoders in section `model`: encoder, code and decoder; and an encoder that was trained before."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from convoy.config._base import Section, Sha256
from convoy.config.blocks import Activation, Channels, Probability


class NoiseConfig(Section):
    """What damages the network's input in training (Vincent et al. 2008); the target stays as it was."""

    gaussian: Annotated[float, Field(ge=0.0, le=10.0)] = Field(
        default=0.0, description="deviation of what is added, in deviations of the training split's pixels"
    )
    masking: Probability = Field(
        default=0.0, description="share of the pixels in whose place the training split's mean is put"
    )


class CoderConfig(Section):
    """What autoencoders share.

    With objective reconstruction the whole network is trained, with any other the encoder below a linear
    layer.
    """

    code_size: int = Field(default=32, ge=1, le=4096, description="numbers that a sample becomes")
    activation: Activation = "relu"
    noise: NoiseConfig = Field(default_factory=NoiseConfig)
    weights: str | None = Field(
        default=None,
        min_length=1,
        description="model.safetensors of an autoencoder with the same encoder, which is taken from it with "
        "its normalisation; null: fresh",
    )
    sha256: Sha256 | None = Field(default=None, description="of the weights")

    @model_validator(mode="after")
    def _a_digest_is_of_weights(self) -> Self:
        if self.sha256 is not None and self.weights is None:
            raise ValueError("sha256 needs weights: a file")
        return self


class AutoencoderConfig(CoderConfig):
    """Dense layers down to the code and up again (Hinton and Salakhutdinov 2006)."""

    name: Literal["autoencoder"]
    hidden: list[Channels] = Field(
        default_factory=lambda: [512, 128], description="widths of the encoder; the decoder's are the reverse"
    )


class ConvAutoencoderConfig(CoderConfig):
    """Convolutions of stride 2 down to the code, transposed ones up again (Masci et al. 2011)."""

    name: Literal["conv_autoencoder"]
    channels: list[Channels] = Field(
        default_factory=lambda: [32, 64],
        min_length=1,
        description="of the encoder, which halves the sides with each; the decoder's are the reverse",
    )
    norm: Literal["none", "batch"] = "batch"
