"""The whole of params.yaml, and what in it does not go together."""

from typing import Any

from pydantic import Field, ValidationInfo, field_validator

from convoy.config._base import Section
from convoy.config.augment import AugmentConfig
from convoy.config.data import (
    DataConfig,
    PrepareConfig,
    SequencePrepareConfig,
    SplitConfig,
    TextPrepareConfig,
    ValidateConfig,
)
from convoy.config.evaluate import EvaluateConfig
from convoy.config.model import ModelConfig, pretrained, takes
from convoy.config.monitor import MonitorConfig
from convoy.config.notify import NotifyConfig
from convoy.config.objective import ObjectiveConfig
from convoy.config.register import FlowConfig, RegisterConfig, TrackingConfig
from convoy.config.tables import TablePrepareConfig
from convoy.config.train import TrainConfig

_Prepare = PrepareConfig | TextPrepareConfig | SequencePrepareConfig | TablePrepareConfig
_PREPARE: dict[str, type[_Prepare]] = {
    "image": PrepareConfig,
    "text": TextPrepareConfig,
    "sequence": SequencePrepareConfig,
    "table": TablePrepareConfig,
}
_BASELINES = {
    "image": ("hog_linear",),
    "text": ("tfidf_linear",),
    "sequence": ("nearest_euclidean", "nearest_dtw", "sequence_linear"),
    "table": ("gradient_boosting", "logistic"),
}


def _meant(keys: set[str]) -> type[_Prepare]:
    """The section that shares the most keys with what was written."""
    return max(_PREPARE.values(), key=lambda section: len(keys & section.model_fields.keys()))


class Config(Section):
    data: DataConfig
    validation: ValidateConfig = Field(alias="validate")  # pydantic has a method `validate`
    split: SplitConfig
    prepare: PrepareConfig | TextPrepareConfig | SequencePrepareConfig | TablePrepareConfig
    augment: AugmentConfig
    model: ModelConfig
    objective: ObjectiveConfig
    train: TrainConfig
    evaluate: EvaluateConfig
    registration: RegisterConfig = Field(alias="register")  # and classes a method `register`
    tracking: TrackingConfig
    flow: FlowConfig
    notify: NotifyConfig = NotifyConfig()
    monitor: MonitorConfig = MonitorConfig()

    @field_validator("prepare", mode="before")
    @classmethod
    def _prepare_is_the_modalitys(cls, value: Any, info: ValidationInfo) -> Any:
        data = info.data.get("data")
        if data is not None:
            section = _PREPARE[data.modality]
        else:  # it is wrong itself: one list of problems with the section that is meant
            section = _meant(set(value) if isinstance(value, dict) else set())
        return section.model_validate(value)

    @field_validator("augment")
    @classmethod
    def _mixing_is_for_pictures(cls, value: AugmentConfig, info: ValidationInfo) -> AugmentConfig:
        data = info.data.get("data")
        wrong = [name for name in ("preset", "mixup", "cutmix") if getattr(value, name) is not None]
        if data is not None and data.modality != "image" and wrong:
            raise ValueError(f"{wrong[0]} is for pictures, and data.modality is {data.modality}; remove it")
        return value

    @field_validator("model")
    @classmethod
    def _model_takes_the_modality(cls, value: ModelConfig, info: ValidationInfo) -> ModelConfig:
        data = info.data.get("data")
        if data is not None and data.modality not in takes(value):
            raise ValueError(
                f"name: {value.name} takes samples of modality {' or '.join(takes(value))}, and "
                f"data.modality is {data.modality}"
            )
        if data is not None and data.modality == "sequence" and getattr(value, "embedding", None) is not None:
            raise ValueError(
                f"embedding is of tokens, and data.modality is {data.modality}; remove it: {value.name} "
                "reads the values themselves"
            )
        return value

    @field_validator("evaluate")
    @classmethod
    def _baseline_is_the_modalitys(cls, value: EvaluateConfig, info: ValidationInfo) -> EvaluateConfig:
        data = info.data.get("data")
        if data is not None and value.baseline not in ("none", *_BASELINES[data.modality]):
            raise ValueError(
                f"baseline: {value.baseline} does not go with data.modality: {data.modality}; use "
                f"{', '.join(_BASELINES[data.modality])} or none"
            )
        return value

    @field_validator("objective")
    @classmethod
    def _stages_know_the_objective(cls, value: ObjectiveConfig) -> ObjectiveConfig:
        if value.name != "classification":
            raise ValueError(
                f"name: {value.name} can be trained from Python (convoy.training.fit), but `prepare` makes "
                "no such targets and `evaluate` no such report yet; use name: classification"
            )
        return value

    @field_validator("train")
    @classmethod
    def _what_is_frozen_was_learned(cls, value: TrainConfig, info: ValidationInfo) -> TrainConfig:
        model = info.data.get("model")
        freezes = value.fine_tune is not None and value.fine_tune.freezes
        if freezes and model is not None and not pretrained(model):
            raise ValueError("fine_tune.freeze needs model.weights: what is frozen would stay random")
        return value

    @field_validator("registration")
    @classmethod
    def _baseline_is_measured(cls, value: RegisterConfig, info: ValidationInfo) -> RegisterConfig:
        evaluate = info.data.get("evaluate")
        if value.gate.beat_baseline and evaluate is not None and evaluate.baseline == "none":
            data = info.data.get("data")
            known = _BASELINES[data.modality if data is not None else "image"]
            raise ValueError(f"gate.beat_baseline: true needs evaluate.baseline: {' or '.join(known)}")
        return value
