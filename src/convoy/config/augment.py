"""Section `augment`: an albumentations policy."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from convoy.config._base import Section


class TransformConfig(BaseModel):
    """One albumentations transform by name; the other keys are its arguments, checked by building it."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    name: str = Field(min_length=1)

    def arguments(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class AugmentConfig(Section):
    """Online: applied to every training batch. Offline: `offline_copies` of each training sample on disk."""

    online: bool
    offline_copies: int = Field(ge=0, le=20)
    seed: int = Field(ge=0)
    transforms: list[TransformConfig]
