"""The whole of params.yaml."""

from pydantic import Field, ValidationInfo, field_validator

from convoy.config._base import Section
from convoy.config.augment import AugmentConfig
from convoy.config.data import DataConfig, PrepareConfig, SplitConfig, ValidateConfig
from convoy.config.evaluate import EvaluateConfig
from convoy.config.model import ModelConfig, pretrained
from convoy.config.monitor import MonitorConfig
from convoy.config.notify import NotifyConfig
from convoy.config.objective import ObjectiveConfig
from convoy.config.register import FlowConfig, RegisterConfig, TrackingConfig
from convoy.config.train import TrainConfig


class Config(Section):
    data: DataConfig
    validation: ValidateConfig = Field(alias="validate")  # pydantic has a method `validate`
    split: SplitConfig
    prepare: PrepareConfig
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
            raise ValueError("gate.beat_baseline: true needs evaluate.baseline: hog_linear")
        return value
