"""What goes with a modality and an objective; the check of params.yaml refuses all else, with the reason."""

from dataclasses import dataclass

MODALITIES = ("image", "text", "sequence", "table")
TASKS = ("classification", "none", "labels", "values", "keypoints")


@dataclass(frozen=True)
class Suits:
    """What an objective can be combined with.

    Attributes:
        modalities: whose reports and bundles know it.
        tasks: of data (see `DataConfig.task`).
        metrics: that the gate may judge by.
        baselines: of section `evaluate`, besides none and those of the modality.
        of_modality: whether the modality's baseline can be used.
        calibration: whether there are probabilities to calibrate.
        copies: whether answers to augmented copies can be averaged, and samples mixed.
        monitors: values of an epoch that training measures.
    """

    modalities: tuple[str, ...]
    tasks: tuple[str, ...]
    metrics: tuple[str, ...]
    baselines: tuple[str, ...] = ()
    of_modality: bool = False
    calibration: bool = False
    copies: bool = False
    monitors: tuple[str, ...] = ("val_loss",)


SUITS = {
    "classification": Suits(
        modalities=MODALITIES,
        tasks=("classification",),
        metrics=("accuracy", "macro_f1"),
        of_modality=True,
        calibration=True,
        copies=True,
        monitors=("val_loss", "val_accuracy"),
    ),
    "multilabel": Suits(
        modalities=("image",),
        tasks=("labels",),
        metrics=("macro_f1", "micro_f1", "mean_ap", "subset_accuracy"),
        baselines=("mean",),
        monitors=("val_loss", "val_accuracy"),
    ),
    "regression": Suits(
        modalities=("image",),
        tasks=("values", "keypoints"),
        metrics=("mae", "rmse", "r2", "nme", "pck_10"),
        baselines=("mean",),
    ),
    "reconstruction": Suits(
        modalities=("image",),
        tasks=TASKS,
        metrics=("mse",),
        baselines=("pca", "mean"),
    ),
}
CODERS = ("autoencoder", "conv_autoencoder")
OF_POINTS = ("nme", "pck_10")  # metrics that values without places have not


def objective(name: str, modality: str | None, task: str | None) -> str | None:
    """Why an objective does not go with the data; None where it does."""
    suits = SUITS.get(name)
    if suits is None:
        return (
            f"name: {name} can be trained from Python (convoy.training.fit), but `evaluate` makes no such "
            f"report yet; use name: {', '.join(SUITS)}"
        )
    if modality is not None and modality not in suits.modalities:
        return (
            f"name: {name} is not for data.modality: {modality} yet: its reports show "
            f"{', '.join(suits.modalities)} alone"
        )
    if task is not None and task not in suits.tasks:
        return (
            f"name: {name} learns {' or '.join(suits.tasks)}, and section data names {task}; "
            f"{_HOW[suits.tasks[0]]}"
        )
    return None


_HOW = {
    "classification": "name a column of classes as data.target",
    "labels": "set data.label_separator or data.label_cols",
    "values": "set data.value_cols or data.points",
}


def model(name: str, model: str, *, fitted: bool) -> str | None:
    """Why an objective does not go with a model, which is `fitted` once or trained; None where it does."""
    if fitted and name != "classification":
        return (
            f"name: {name} is learned in epochs, by a network; model {model} is fitted to classes alone: use "
            "name: classification or another model"
        )
    if name == "reconstruction" and model not in CODERS:
        return f"name: {name} needs a model that gives its samples back, and {model} does not; " + (
            f"use model.name: {' or '.join(CODERS)}"
        )
    return None


def evaluate(name: str, modality: str | None, calibration: str, baseline: str, copies: int) -> str | None:
    """Why a section `evaluate` does not go with the objective; None where it does."""
    suits = SUITS[name]
    if calibration != "none" and not suits.calibration:
        return f"calibration: {calibration} is of probabilities of classes, and {name} gives none; use none"
    own = _BASELINES.get(modality or "", ()) if suits.of_modality else ()
    known = [*own, *suits.baselines]
    if modality is not None and baseline not in ("none", *known):
        other = "data.modality: " + modality if suits.of_modality else "objective " + name
        return f"baseline: {baseline} does not go with {other}; use {', '.join(known)} or none"
    if copies and not suits.copies:
        return f"tta: {copies} averages probabilities of classes, and objective {name} gives none; use 0"
    return None


_BASELINES = {
    "image": ("hog_linear",),
    "text": ("tfidf_linear",),
    "sequence": ("nearest_euclidean", "nearest_dtw", "sequence_linear"),
    "table": ("gradient_boosting", "logistic"),
}


def measurable(name: str, modality: str | None) -> list[str]:
    """The baselines that an objective can be compared with."""
    suits = SUITS[name]
    own = _BASELINES.get(modality or "", ()) if suits.of_modality else ()
    return [*own, *suits.baselines]


def gate(name: str, task: str | None, metric: str, max_ece: float | None) -> str | None:
    """Why a gate does not go with the objective; None where it does."""
    suits = SUITS[name]
    known = [each for each in suits.metrics if task == "keypoints" or each not in OF_POINTS]
    if metric not in known:
        learned = name if suits.tasks == TASKS else task or name
        return f"gate.metric: {metric} is not measured for {learned}; use {', '.join(known)}"
    if max_ece is not None and not suits.calibration:
        return f"gate.max_ece is of probabilities, and objective {name} gives none; use null"
    return None


_ANY_CHECKS = (
    "unreadable", "labels", "duplicates", "near_duplicates", "conflicts", "leakage", "groups", "imbalance",
    "changes",
)  # fmt: skip
_CHECKS = {
    "image": ("oversized", "blank", "size", "mode", "label_issues"),
    "text": ("encoding", "length", "script", "label_by_length"),
    "sequence": ("channels", "missing", "constant", "length", "rate", "label_by_length"),
    "table": ("values", "constant", "identifiers", "missing", "unseen", "target_leaks"),
}
_OF_COLUMNS = ("constant", "missing")  # of tables: what they find is a column, and no row of it is worse


def checks(modality: str) -> tuple[str, ...]:
    """The keys of validate.checks that a modality has."""
    return (*_ANY_CHECKS, *_CHECKS[modality])


def check(name: str, policy: str, modality: str) -> str | None:
    """Why an entry of validate.checks does not go with the modality; None where it does."""
    if name not in checks(modality):
        others = [other for other in MODALITIES if name in _CHECKS[other]]
        return (
            f"a check of data.modality: {' and '.join(others)}, and it is {modality} here, where it checks "
            f"nothing; remove it, or use one of {', '.join(checks(modality))}"
        )
    if modality == "table" and name in _OF_COLUMNS and policy == "quarantine":
        return (
            "quarantine leaves rows out, and of a table this check finds columns; use error, warn or off "
            "(data.columns: {NAME: ignore} leaves a column out)"
        )
    return None
