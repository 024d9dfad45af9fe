"""Section `augment`: an albumentations policy, and the mixing of samples."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from convoy.config._base import Section

Probability = Annotated[float, Field(ge=0.0, le=1.0)]
PresetName = Literal["digits", "photos", "documents", "medical_grey"]


class TransformConfig(BaseModel):
    """One albumentations transform by name; the other keys are its arguments, checked by building it."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    name: str = Field(min_length=1)

    def arguments(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class MixupConfig(Section):
    """Training batches blended with themselves in another order (Zhang et al. 2018, arXiv 1710.09412)."""

    alpha: Annotated[float, Field(gt=0.0)] = Field(
        default=0.2, description="the blend's weight is drawn from Beta(alpha, alpha)"
    )
    p: Probability = Field(default=1.0, description="share of the batches that cutmix leaves")


class CutmixConfig(Section):
    """A rectangle of each picture replaced by that of another one (Yun et al. 2019, arXiv 1905.04899)."""

    alpha: Annotated[float, Field(gt=0.0)] = Field(
        default=1.0, description="the area that is kept is drawn from Beta(alpha, alpha)"
    )
    p: Probability = Field(default=0.5, description="share of the batches")


class AugmentConfig(Section):
    """Online: applied to every training batch. Offline: `offline_copies` of each training sample on disk."""

    online: bool
    offline_copies: int = Field(ge=0, le=20)
    seed: int = Field(ge=0)
    preset: PresetName | None = Field(
        default=None,
        description="transforms that come before those listed. "
        "digits: Affine. "
        "photos: RandomResizedCrop, HorizontalFlip, ColorJitter. "
        "documents: Affine, RandomBrightnessContrast, GaussianBlur, GaussNoise. "
        "medical_grey: Affine, HorizontalFlip, RandomGamma, RandomBrightnessContrast, GaussNoise",
    )
    transforms: list[TransformConfig]
    mixup: MixupConfig | None = Field(default=None, description="null: off")
    cutmix: CutmixConfig | None = Field(default=None, description="null: off")
