"""The whole of params.yaml."""

from pydantic import Field

from convoy.config._base import Section
from convoy.config.augment import AugmentConfig
from convoy.config.data import DataConfig, PrepareConfig, SplitConfig, ValidateConfig
from convoy.config.evaluate import EvaluateConfig
from convoy.config.model import ModelConfig
from convoy.config.register import FlowConfig, RegisterConfig, TrackingConfig
from convoy.config.train import ObjectiveConfig, TrainConfig


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
