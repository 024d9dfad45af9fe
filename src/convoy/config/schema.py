"""The whole of params.yaml, and what in it does not go together."""

from typing import Any

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from convoy.config import combinations
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
from convoy.config.model import ModelConfig, fitted, pretrained, takes
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

    @field_validator("validation")
    @classmethod
    def _checks_are_the_modalitys(cls, value: ValidateConfig, info: ValidationInfo) -> ValidateConfig:
        data = info.data.get("data")
        written = {name: getattr(value.checks, name) for name in value.checks.model_fields_set}
        reasons = {
            name: reason
            for name, policy in written.items()
            if data is not None and (reason := combinations.check(name, policy, data.modality)) is not None
        }
        if reasons:
            raise ValidationError.from_exception_data(
                "checks",
                [
                    InitErrorDetails(
                        type=PydanticCustomError("modality", "{reason}", {"reason": reason}),
                        loc=("checks", name),
                        input={},
                    )
                    for name, reason in reasons.items()
                ],
            )
        return value

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
    def _evaluation_suits_the_objective(cls, value: EvaluateConfig, info: ValidationInfo) -> EvaluateConfig:
        data, objective = info.data.get("data"), info.data.get("objective")
        name = objective.name if objective is not None else "classification"
        modality = data.modality if data is not None else None
        _refuse(combinations.evaluate(name, modality, value.calibration, value.baseline, value.tta))
        return value

    @field_validator("objective")
    @classmethod
    def _objective_suits_the_data(cls, value: ObjectiveConfig, info: ValidationInfo) -> ObjectiveConfig:
        data, augment = info.data.get("data"), info.data.get("augment")
        modality, task = (data.modality, data.task) if data is not None else (None, None)
        _refuse(combinations.objective(value.name, modality, task))
        model = info.data.get("model")
        if model is not None:
            _refuse(combinations.model(value.name, model.name, fitted=fitted(model)))
        mixing = [name for name in ("mixup", "cutmix") if getattr(augment, name, None) is not None]
        if mixing and not combinations.SUITS[value.name].copies:
            raise ValueError(
                f"name: {value.name} does not go with augment.{mixing[0]}, which mixes classes; remove it"
            )
        return value

    @field_validator("train")
    @classmethod
    def _monitored_is_measured(cls, value: TrainConfig, info: ValidationInfo) -> TrainConfig:
        objective = info.data.get("objective")
        known = combinations.SUITS[objective.name].monitors if objective is not None else ()
        for key in ("early_stopping", "stop_at"):
            section = getattr(value, key)
            if section is not None and known and section.monitor not in known:
                raise ValueError(
                    f"{key}.monitor: {section.monitor} is not measured for objective "
                    f"{objective.name if objective else ''}; use {' or '.join(known)}"
                )
        return value

    @field_validator("train")
    @classmethod
    def _a_fit_has_one_place(cls, value: TrainConfig, info: ValidationInfo) -> TrainConfig:
        model = info.data.get("model")
        if model is not None and fitted(model) and value.distributed.nodes > 1:
            raise ValueError(
                f"distributed.nodes: {value.distributed.nodes} train a network together; model {model.name} "
                "is fitted by one process: use nodes: 1"
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
        data, evaluate, objective = (info.data.get(name) for name in ("data", "evaluate", "objective"))
        name = objective.name if objective is not None else "classification"
        task = data.task if data is not None else None
        _refuse(combinations.gate(name, task, value.gate.metric, value.gate.max_ece))
        if value.gate.beat_baseline and evaluate is not None and evaluate.baseline == "none":
            known = combinations.measurable(name, data.modality if data is not None else "image")
            raise ValueError(f"gate.beat_baseline: true needs evaluate.baseline: {' or '.join(known)}")
        return value


def _refuse(reason: str | None) -> None:
    if reason is not None:
        raise ValueError(reason)
