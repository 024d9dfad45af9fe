"""Section `model`: one class for each file of convoy/models."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from convoy.config._base import Section, Sha256
from convoy.config.blocks import Block, HeadConfig, InitConfig, Probability
from convoy.config.blocks import ConvBlock as ConvBlock
from convoy.config.classical import (
    ClassicalConfig,
    ColumnsConfig,
    HogConfig,
    PixelsConfig,
    RocketConfig,
    SiftConfig,
    TfidfConfig,
)
from convoy.config.coder_models import AutoencoderConfig, CoderConfig, ConvAutoencoderConfig
from convoy.config.sequence_models import (
    FcnConfig,
    InceptionTimeConfig,
    ResNet1dConfig,
    SequenceModelConfig,
)
from convoy.config.table_models import MlpConfig
from convoy.config.text_models import (
    Cnn1dConfig,
    GruConfig,
    LstmConfig,
    RnnConfig,
    SeriesConfig,
    TextCnnConfig,
)


class LeNet5Config(Section):
    """LeNet-5 (LeCun et al., 1998)."""

    name: Literal["lenet5"]


class MnistCnnConfig(Section):
    """conv 5×5×32, pool, conv 5×5×64, pool, dense 1024, dropout."""

    name: Literal["mnist_cnn"]
    dropout: Probability = 0.5


class CnnConfig(Section):
    """A stack of blocks, a pooling or flattening, dropout and dense layers."""

    name: Literal["cnn"]
    blocks: list[Block] = Field(min_length=1)
    head: HeadConfig = Field(default_factory=HeadConfig)
    dropout: Probability = Field(default=0.0, description="before each dense layer")
    init: InitConfig = Field(default_factory=InitConfig)


class VggConfig(Section):
    """VGG for small images (Simonyan and Zisserman, 2015), global average pooling, one dense layer."""

    name: Literal["vgg"]
    depth: Literal[8, 11, 13, 16] = 11
    width: int = Field(default=64, ge=1, le=512, description="channels of the first stage")
    norm: Literal["none", "batch"] = "batch"
    dropout: Probability = 0.0


class ResNetConfig(Section):
    """ResNet for small images (He et al., 2016): 20 to 110 as for CIFAR, 18 and 34 with a 3×3 stem."""

    name: Literal["resnet"]
    depth: Literal[18, 20, 32, 34, 44, 56, 110] = 20
    width: int | None = Field(
        default=None, ge=1, le=512, description="channels of the first stage; null: 16, for 18 and 34 64"
    )
    dropout: Probability = 0.0


class TimmConfig(Section):
    """Any image architecture of timm, fresh or with weights that were learned before."""

    name: Literal["timm"]
    architecture: str = Field(min_length=1, description="as timm.list_models() names it")
    weights: str | None = Field(
        default=None,
        min_length=1,
        description="null: fresh; hub: timm's own, through the hub's cache; package:NAME: the file in an "
        "installed Python package; else a .safetensors, .pth or .pt file",
    )
    sha256: Sha256 | None = Field(default=None, description="of the weights, where they are a file")
    mean: list[float] | None = Field(
        default=None,
        min_length=1,
        description="of pixels / 255 by channel, as the weights want it; null: timm's record",
    )
    std: list[Annotated[float, Field(gt=0.0)]] | None = None
    dropout: Probability = 0.0
    drop_path: Probability = Field(default=0.0, description="stochastic depth, where the architecture has it")

    @model_validator(mode="after")
    def _keys_agree(self) -> Self:
        if self.sha256 is not None and self.weights in (None, "hub"):
            raise ValueError("sha256 needs weights: a file or package:NAME")
        if (self.mean is None) != (self.std is None):
            raise ValueError("mean and std go together")
        if self.mean is not None and self.std is not None and len(self.mean) != len(self.std):
            raise ValueError(f"mean has {len(self.mean)} numbers and std {len(self.std)}")
        if self.mean is not None and self.weights is None:
            raise ValueError("mean and std need weights; without them the data's own are used")
        return self


ModelConfig = Annotated[
    LeNet5Config
    | MnistCnnConfig
    | CnnConfig
    | VggConfig
    | ResNetConfig
    | TimmConfig
    | AutoencoderConfig
    | ConvAutoencoderConfig
    | TextCnnConfig
    | Cnn1dConfig
    | RnnConfig
    | LstmConfig
    | GruConfig
    | FcnConfig
    | ResNet1dConfig
    | InceptionTimeConfig
    | MlpConfig
    | HogConfig
    | SiftConfig
    | PixelsConfig
    | TfidfConfig
    | RocketConfig
    | ColumnsConfig,
    Field(discriminator="name"),
]


def takes(config: ModelConfig) -> tuple[str, ...]:
    """The modalities that a model is for."""
    if isinstance(config, SeriesConfig):
        return "text", "sequence"
    if isinstance(config, SequenceModelConfig | RocketConfig):
        return ("sequence",)
    if isinstance(config, MlpConfig | ColumnsConfig):
        return ("table",)
    return ("text",) if isinstance(config, TextCnnConfig | TfidfConfig) else ("image",)


def fitted(config: ModelConfig) -> bool:
    """Whether it is fitted once, by an algorithm of its own, and not trained in epochs."""
    return isinstance(config, ClassicalConfig)


def pretrained(config: ModelConfig) -> bool:
    """Whether the network begins with weights that were learned before."""
    return isinstance(config, TimmConfig | CoderConfig) and config.weights is not None
