"""Sections `data`, `validate`, `split` and `prepare`."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from convoy.config._base import Section

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]


class DataConfig(Section):
    """Where the samples come from."""

    source: Literal["mnist5k", "image_folder", "idx"] = Field(description="kind of source")
    path: str = Field(min_length=1, description="folder of the data, relative to the project")


class ValidateConfig(Section):
    """What the gate on the data lets through."""

    max_bad_fraction: Fraction = Field(description="share of samples that may be quarantined")
    max_pixels: int = Field(gt=0, description="pixels above which a picture is refused unopened")
    min_per_class: int = Field(ge=3, description="fewest good samples a class may have")


class SplitConfig(Section):
    """How samples are divided. `auto` takes train/val/test folders where there are any."""

    strategy: Literal["auto", "stratified", "predefined"]
    val: Annotated[float, Field(gt=0.0, lt=1.0)]
    test: Annotated[float, Field(gt=0.0, lt=1.0)]
    seed: int = Field(ge=0)

    @model_validator(mode="after")
    def _train_is_left(self) -> Self:
        if self.val + self.test >= 0.9:
            raise ValueError(
                f"val ({self.val}) and test ({self.test}) together leave less than a tenth to train on"
            )
        return self


class PrepareConfig(Section):
    """How a picture becomes an array (H, W, C) of uint8."""

    height: int = Field(ge=8, le=1024)
    width: int = Field(ge=8, le=1024)
    channels: Literal[1, 3]
    resize: Literal["stretch", "fit", "cover"]
